"""Years stated twice and otherwise, and other readings that labelled pairs taught."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvester.match.compare import explain
from harvester.match.comparisons.titles import alike
from harvester.match.profile import profile
from harvester.match.rules import load
from harvester.match.titles import number, ranges, title_area
from harvester.model import Dates, Decision, NormalizedRecord, Profile, Title
from harvester.normalize.extents import extent_of
from harvester.normalize.functions.publication_dates import publication_dates
from tests.match.cases import record

RULES = load()
BOOK = {
    "title": "The study of sociology",
    "by": "Spencer, Herbert",
    "publisher": "D. Appleton",
    "place": "New York",
    "pages": 431,
}


def dated(coded: str, printed: str) -> NormalizedRecord:
    dates = publication_dates(coded=coded, texts=[printed])
    assert dates is not None
    return msgspec.structs.replace(record(BOOK), dates=dates)


def judged(left: NormalizedRecord, right: NormalizedRecord) -> Decision:
    return explain(profile(left, RULES), profile(right, RULES), RULES)


def year(decision: Decision) -> str:
    return next(one.outcome for one in decision.evidence if one.feature == "year")


@pytest.mark.parametrize(
    ("coded", "printed", "other", "outcome", "verdict"),
    [
        ("s1882    ", "1889.", "1882", "coded", "merge"),  # one of the two is a slip
        ("r19521916", "1916", "1952", "coded", "merge"),  # a reprint that copies its model's title page
        ("s1889    ", "1882.", "1889", "near", "review"),  # the year in which the record was typed
        ("s1882    ", "1889.", "1871", "far", "review"),
    ],
)
def test_a_coded_year_that_the_other_prints_outweighs_the_printed_one(
    coded: str, printed: str, other: str, outcome: str, verdict: str
) -> None:
    decision = judged(dated(coded, printed), dated(f"s{other}    ", other))
    assert (year(decision), decision.verdict) == (outcome, verdict)
    assert judged(dated(f"s{other}    ", other), dated(coded, printed)).score == decision.score


def test_one_form_s_default_in_two_records_is_no_evidence() -> None:
    assert year(judged(dated("s1882    ", "1889"), dated("s1882    ", "1891"))) == "near"


@pytest.mark.parametrize(
    ("text", "pages"), [("86. [1] p.", 86), ("pp. 24.", 24), ("1998. 210 S.", 210), ("p. 45", None)]
)
def test_pages_of_old_catalogues_are_read(text: str, pages: int | None) -> None:
    found = extent_of(text, "")
    assert found is not None
    assert found.pages == pages


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (Title("Steps in English", part_numbers=("Book one-[two]",)), Title("Steps in English", "book I-II")),
        (Title("Reviews in number theory, v. 1-44"), Title("Reviews in number theory, volumes 1-44")),
        (Title("Electric power", "prospects for the l990s"), Title("Electric power", "prospects for the 1990s")),
    ],
)
def test_one_title_in_two_ways_of_typing_reads_alike(left: Title, right: Title) -> None:
    mine, theirs = title_area(left, RULES.vocabulary), title_area(right, RULES.vocabulary)
    assert (mine.parts, mine.words, mine.numbers) == (theirs.parts, theirs.words, theirs.numbers)


def test_letters_in_another_order_are_a_typing_error_of_a_long_word() -> None:
    assert alike("soilers", "soilser")
    assert not alike("orchestra", "carthorse")
    assert not alike("melons", "lemons")


def test_what_nearly_all_records_of_a_source_say_of_their_form_neither_merges_nor_parts() -> None:
    """A library of printed books and a repository of files say one form of nearly all they hold, and mostly truly."""
    printed = msgspec.structs.replace(record(BOOK), carrier_form="print", dates=Dates(1882, 1882))
    online = msgspec.structs.replace(printed, carrier_form="online")
    silent = msgspec.structs.replace(printed, carrier_form="")

    def made(one: NormalizedRecord, constant: str = "") -> Profile:
        return profile(one, RULES, {"carrier_form": constant} if constant else {})

    for mine, theirs in (
        (made(printed, "print"), made(online)),
        (made(printed), made(online, "online")),
        (made(printed, "print"), made(online, "online")),
    ):
        decision = explain(mine, theirs, RULES)
        assert decision.verdict == "veto"
        assert decision.score >= RULES.review_at, "a cataloguer is asked"
    for other in (made(printed), made(silent), made(printed, "print")):
        assert explain(made(printed, "print"), other, RULES).verdict == "merge"
    assert explain(made(online, "online"), made(silent), RULES).verdict == "merge"


def test_a_language_that_a_source_says_of_all_its_records_neither_merges_nor_parts() -> None:
    """INLISLite calls an English book Indonesian; a translation that keeps the title has other pages."""

    def made(title: str, language: str, pages: int | None = 180, constant: str = "") -> Profile:
        row = {"title": title, "by": "Graham Greene", "publisher": "Obor", "year": 1990, "language": language}
        one = record(row | ({"pages": pages} if pages else {}))
        return profile(one, RULES, {"languages": constant} if constant else {})

    english, kept = "The heart of the matter", "Brighton Rock"
    for pages in (180, None):  # the title says that it is English
        assert explain(made(english, "eng"), made(english, "ind", pages, "ind"), RULES).verdict == "merge"
    assert explain(made(kept, "eng"), made(kept, "ind", 180, "ind"), RULES).verdict == "merge"  # all else agrees
    for pages in (214, None):
        decision = explain(made(kept, "eng"), made(kept, "ind", pages, "ind"), RULES)
        assert (decision.verdict, decision.score >= RULES.review_at) == ("veto", True), "a cataloguer is asked"
    for constant in ("ind", "eng"):  # of two titles in one language, one may be a translation of it
        decision = explain(made("Hutan yang luas", constant, None, constant), made("Hutan yang luas", "ind"), RULES)
        assert decision.verdict == "merge"
    assert explain(made(english, "eng", 180, "eng"), made(english, "ger", 214), RULES).verdict != "merge"
    same = made(kept, "ind", 180, "ind")
    assert explain(same, made(kept, "ind"), RULES).verdict == explain(same, same, RULES).verdict == "merge"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Twenty-four songs of the seventeenth century", "24 songs of the 17th century"),
        ("The twenty-first century", "The 21st century"),
        ("Le capital au XXIe siècle", "Le capital au 21e siècle"),
        ("Profil kesehatan tahun 2018", "Profil kesehatan 2018"),
        ("UU RI No. 40 Th. 2007", "Undang-undang republik nomor 40 tahun 2007"),
    ],
)
def test_numbers_and_abbreviations_of_titles_read_alike(left: str, right: str) -> None:
    mine, theirs = title_area(Title(left), RULES.vocabulary), title_area(Title(right), RULES.vocabulary)
    assert (mine.parts, mine.words, mine.numbers) == (theirs.parts, theirs.words, theirs.numbers)


def words(title: str, material: str) -> tuple[str, ...]:
    """The words of the title, spelled as matching spells them: y is j."""
    return title_area(Title(title), RULES.vocabulary, material).words


@pytest.mark.parametrize(
    "title",
    [
        "Vitamin C major dietary sources",
        "Hepatitis B minor epidemics in Java",
        "Women in a minor role",
        "Moll Flanders and a moll",
        "The D major road plan",
    ],
)
def test_a_letter_before_major_or_minor_in_a_book_is_no_key_of_music(title: str) -> None:
    assert not any(word.endswith("kej") for word in words(title, "book"))


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Beethoven's symphony in C minor", "cminorkey"),
        ("Beethoven, Sonate Es-Dur", "eflatkey"),
        ("Die Sonate cis-Moll", "csharpminorkey"),
        ("Brahms: Symphony no. 3, F major", "fkey"),
        ("Missa solemnis, D major : an analysis", "dkey"),
        ("La messe en si mineur", "bminorkey"),
        ("Chopin's ballade in A flat major", "aflatkey"),
    ],
)
def test_a_key_that_stands_as_one_does_is_read_in_books_and_in_scores(title: str, key: str) -> None:
    spelled = key.replace("y", "j")
    assert spelled in words(title, "book")
    assert spelled in words(title, "score")
    assert "fkej" in words("Symphony F major", "score")


def test_levels_of_a_course_part_where_both_sides_name_one() -> None:
    area = {
        text: title_area(Title(text), RULES.vocabulary).extra
        for text in (
            "Headway : intermediate",
            "Headway : pre-intermediate",
            "Elementary and intermediate algebra",
            "Headway",
        )
    }
    assert list(area.values()) == [
        ("level:intermediate",),
        ("level:preintermediate",),
        ("level:elementary+intermediate",),
        (),
    ]


@pytest.mark.parametrize("scale", ["1:25 000", "1:25,000", "1:25.000", "1:25'000", "1 : 25’000"])
def test_a_scale_is_read_whatever_parts_its_thousands(scale: str) -> None:
    one = msgspec.structs.replace(record({"title": "Zürich", "material": "map"}), scale=scale)
    assert profile(one, RULES).extra == ("scale:25000",)


_END = "([0-9]{1,3}|[IVX]{1,6}|[a-z]{3,9})"
_RANGE = re.compile(rf"(?<![\w-]){_END}\s?[-–]\s?\[?{_END}(?![\w-])")


_WRITTEN = st.sampled_from(["1", "2", "44", "I", "III", "one", "two", "v.", "-", "–", " ", "[", "]", "x"])


@given(st.lists(_WRITTEN).map("".join))
@example("1 - 2 - 3")  # of two ranges with one number the first counts
def test_a_range_is_found_from_its_hyphen_as_one_pattern_from_its_start_finds_it(text):
    found = [(number(first.lower()), number(last.lower())) for first, last in _RANGE.findall(text)]
    assert ranges(text) == {pair for pair in found if all(pair) and int(pair[0]) < int(pair[1])}


@pytest.mark.timeout(20)
def test_a_title_of_hyphens_is_read_in_no_time():
    assert ranges("Abc-def " * 30_000) == frozenset()
