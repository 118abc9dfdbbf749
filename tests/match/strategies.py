"""Records out of a small world, so that random pairs often agree in part."""

from __future__ import annotations

from hypothesis import strategies as st

from harvester.model import (
    Contributor,
    Dates,
    Edition,
    Extent,
    Identifier,
    Impression,
    NormalizedRecord,
    Publication,
    Series,
    Thesis,
    Title,
)

_TITLES = st.sampled_from(
    [
        "Laskar pelangi", "Laskar Pelangi sebuah novel", "Matematika", "Matematika kelas VII semester 1",
        "Bumi manusia",
        "Sejarah nasional Indonesia 2", "Sejarah nasional Indonesia III", "Fathul Qorib", "Fath al-Qarib", "فتح القريب",
        "Sitti Noerbaja", "Siti Nurbaya", "The history of Java", "History of Jawa", "", "1984", "1990 census",
    ]
)  # fmt: skip
_NAMES = st.sampled_from(
    ["Hirata, Andrea", "Andrea Hirata", "Hirata, A.", "Hamka", "Toer, Pramoedya Ananta", "Pramudya", "Raffles, T. S."]
)
_BODIES = st.sampled_from(["Badan Pusat Statistik", "Universitas Gadjah Mada", "UGM"])
_YEARS = st.sampled_from([None, None, 1965, 1985, 1986, 2005, 2006, 2015])


@st.composite
def _titles(draw: st.DrawFn) -> Title:
    return Title(
        draw(_TITLES),
        draw(st.sampled_from(["", "", "sebuah novel", "a novel", "buku guru", "buku siswa"])),
        tuple(draw(st.lists(st.sampled_from(["Jilid 1", "2", "Bd. III", "A"]), max_size=2))),
        tuple(draw(st.lists(st.sampled_from(["Tokoh", "Peristiwa"]), max_size=1))),
        draw(st.sampled_from(["", "oleh Andrea Hirata", "Hamka", "editor Budi"])),
    )


_IDENTIFIERS = st.builds(
    Identifier,
    st.sampled_from(["isbn", "issn", "oclc", "lccn", "govdoc", "ean"]),
    st.sampled_from(["9789793062792", "9789791227339", "9780000000002", "12345", "67890"]),
)
_PEOPLE = st.one_of(
    st.builds(Contributor, _NAMES, dates=st.sampled_from(["", "1908-", "1967-"]), main=st.booleans()),
    st.builds(Contributor, _BODIES, st.just("body")),
)

RECORDS = st.builds(
    NormalizedRecord,
    material=st.sampled_from(["book", "book", "book", "thesis", "serial", "map", "score", "schoolbook"]),
    carrier_form=st.sampled_from(["", "print", "print", "online", "micro"]),
    level=st.sampled_from(["", "m", "m", "s", "b"]),
    identifiers=st.lists(_IDENTIFIERS, max_size=3).map(tuple),
    title=_titles(),
    variant_titles=st.lists(_TITLES, max_size=1).map(tuple),
    contributors=st.lists(_PEOPLE, max_size=2).map(tuple),
    publications=st.lists(
        st.builds(
            Publication,
            st.sampled_from(["", "Jakarta", "Djakarta", "London"]),
            st.sampled_from(["", "Bentang", "PT Bentang Pustaka", "Gramedia Pustaka Utama", "GPU"]),
        ),
        max_size=1,
    ).map(tuple),
    dates=st.builds(Dates, _YEARS, _YEARS, certain=st.booleans(), copyright_year=_YEARS),
    edition=st.builds(
        Edition, st.sampled_from(["", "Edisi 2", "Revised ed.", "3rd ed."]), st.sampled_from([None, 2, 3])
    ),
    impression=st.builds(Impression, st.sampled_from(["", "Cet. 3"]), st.sampled_from([None, 3])),
    extent=st.builds(Extent, st.just(""), st.sampled_from([None, 300, 302, 330, 534]), st.sampled_from([None, 1, 3])),
    series=st.lists(st.builds(Series, st.just("Seri sastra"), st.sampled_from(["", "4", "7-A"])), max_size=1).map(
        tuple
    ),
    languages=st.sampled_from([(), ("ind",), ("eng",), ("ara", "ind")]),
    country=st.sampled_from(["", "ID", "GB"]),
    thesis=st.one_of(
        st.none(), st.builds(Thesis, st.just("S1"), st.sampled_from(["", "UGM", "Universitas Gadjah Mada"]))
    ),
)
