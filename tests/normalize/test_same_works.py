"""One work as eight systems send it comes out equal in every field that all of them can carry."""

from pathlib import Path

import pytest

from harvester.model import NormalizedRecord
from harvester.normalize.apply import Context, normalize
from harvester.normalize.check import read as record_of
from harvester.normalize.mapping import for_source
from harvester.yaml_file import read

WORKS = read(Path(__file__).with_name("works.yaml")).value["works"]
SYSTEMS = {
    "marc21": ("generic", "marcxml"),
    "koha": ("koha", "marcxml"),
    "unimarc": ("generic", "unimarc"),
    "mods": ("generic", "mods"),
    "slims-oai2": ("slims-oai2", "oai_dc"),
    "slims-oai": ("slims-oai", "oai_dc"),
    "inlislite": ("inlislite", "oai_dc"),
    "row": ("generic", "row"),
}


def seen(record: NormalizedRecord) -> dict[str, object]:
    """What the works file speaks of."""
    names = {role: [one.name for one in record.contributors if one.role in role.split()] for role in ("advisor",)}
    creators = [one.name for one in record.contributors if one.role in ("creator", "author")]
    publication = record.publications[0] if record.publications else None
    return {
        "title.proper": record.title.proper,
        "title.responsibility": record.title.responsibility or None,
        "parts": " ".join(record.title.part_numbers).lower(),
        "author": creators[0] if len(creators) == 1 else creators,
        "advisors": names["advisor"],
        "isbns": [one.value for one in record.identifiers if one.kind == "isbn" and one.status == "valid"],
        "year": record.dates.year_from,
        "publisher": publication.publisher if publication else None,
        "place": publication.place if publication else None,
        "edition": record.edition.number,
        "impression": record.impression.number,
        "pages": record.extent.pages,
        "languages": list(record.languages),
        "material": record.material,
        "call_number": record.holdings[0].call_number,
    }


@pytest.mark.parametrize("work", WORKS, ids=[work["label"] for work in WORKS])
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_work_comes_out_equal_from_every_system(work, system):
    mapping = for_source(*SYSTEMS[system])
    got = seen(normalize(record_of(work[system], mapping), mapping, Context("x", "1")).record)
    cannot = (work.get("cannot") or {}).get(system, [])
    expected = {field: value for field, value in work["expect"].items() if field not in cannot}
    assert {field: got[field] for field in expected} == expected
