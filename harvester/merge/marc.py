"""The union record as MARC 21: 001 is the cluster id, 035 names every member, 852 and 856 $5 the holdings of each.

Where a value of the union has no place in MARC 21 (suppressed, control number of the donor) the JSON form has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from harvester import yaml_file
from harvester.merge.marc_fields import Field, control_text, describe, field
from harvester.model import Address, Holding, MarcRecord, NormalizedRecord, Relation, Survivor, UnionRecord

_TYPES = {
    "score": "c", "map": "e", "video": "g", "recording": "j", "image": "k", "electronic": "m", "kit": "o",
    "object": "r", "manuscript": "t",
}  # fmt: skip
_LEVELS = {"serial": "s", "article": "b", "part": "a"}
_DATE_KINDS = {"single": "s", "range": "m", "continuing": "c", "reprint": "r", "copyright": "t"}
_RELATIONS = {
    "main_series": "760", "subseries": "762", "original": "765", "translation": "767", "supplement": "770",
    "supplement_parent": "772", "host": "773", "constituent": "774", "other_edition": "775", "other_form": "776",
    "issued_with": "777", "preceding": "780", "succeeding": "785", "data_source": "786", "other": "787",
}  # fmt: skip


class Wording(NamedTuple):
    """What MARC needs beside the record: institution per source (852 $a), the change time, the catalogue's code (003).

    *linked* are the clusters that members name in $w of 76X-78X: address → control number → cluster.
    """

    institutions: Mapping[str, str] = {}
    changed: str = ""
    agency: str = ""
    linked: Mapping[str, Mapping[str, str]] = {}


def to_marc(union: UnionRecord, cluster_id: str, wording: Wording | None = None) -> MarcRecord:
    """The MARC 21 record of a union record, fields in the order of their tags; UTF-8 (leader/09 is a)."""
    wording = wording or Wording()
    record = union.record
    fields = [("001", control_text(cluster_id)), ("008", _fixed(record, wording.changed))]
    if wording.agency:
        fields.append(("003", control_text(wording.agency)))
    if wording.changed:
        fields.append(("005", _stamp(wording.changed) + ".0"))
    fields += describe(record)
    fields += [_member(Address.parse(address)) for address in union.members]
    fields += _relations(_given(union, "relations"), wording)
    fields += [part for donor, holding in holdings_of(union) for part in _holding(donor, holding, wording)]
    return MarcRecord(_leader(record), tuple(sorted(fields, key=lambda pair: pair[0])))


def holdings_of(union: UnionRecord) -> list[tuple[Address, Holding]]:
    """Each holding of the union with the member that gave it."""
    return [(donor, holding) for donor, holding in _given(union, "holdings") if isinstance(holding, Holding)]


def _given(union: UnionRecord, name: str) -> list[tuple[Address, object]]:
    lines = [line for line in union.survivors if line.field == name and _survives(line)]
    values: Sequence[object] = getattr(union.record, name)
    donors = [Address.parse(line.donor) for line in lines] or [Address("", "")] * len(values)
    return list(zip(donors, values, strict=True))


def _survives(line: Survivor) -> bool:
    return not line.rule.startswith(("dropped:", "variant:"))


def _leader(record: NormalizedRecord) -> str:
    """Position 18 is c: ISBD without its marks at the ends of subfields, of which `field` writes none."""
    level = record.level if len(record.level) == 1 else _LEVELS.get(record.material, "m")
    return f"00000n{_TYPES.get(record.material, 'a')}{level} a2200000 c 4500"


@cache
def _marc_countries() -> dict[str, str]:
    """Country of ISO 3166 → MARC code: that of the whole country (xxu) where its states have codes of their own."""
    table = yaml_file.read(Path(str(resources.files("mappings"))) / "tables" / "marc_countries.yaml").value["values"]
    return {iso: next((code for code in codes if code.startswith("xx")), codes[0]) for iso, codes in table.items()}


def _stamp(changed: str) -> str:
    return "".join(character for character in changed if character.isdigit())[:14].ljust(14, "0")


def _fixed(record: NormalizedRecord, changed: str) -> str:
    """008: dates, country and language; what we do not know is the fill character, never a guess."""
    dates = record.dates
    kind = _DATE_KINDS.get(dates.kind, "s") if dates.year_from else "n"
    second = dates.copyright_year if kind == "t" else dates.original_year if kind == "r" else dates.year_to
    years = _year(dates.year_from, "uuuu") + _year(second if kind in "mcrt" else None, "    ")
    entered = _stamp(changed)[2:8] if changed else "||||||"
    language = record.languages[0] if record.languages and len(record.languages[0]) == 3 else "und"
    return f"{entered}{kind}{years}{_marc_countries().get(record.country, '|||'):<3}{'|' * 17}{language}|d"


def _year(year: int | None, otherwise: str) -> str:
    return f"{year:04d}" if year is not None and 0 < year <= 9999 else otherwise


def _member(address: Address) -> Field:
    return field("035", "  ", [("a", f"({address.source}){address.identifier}")])


def _relations(given: Sequence[tuple[Address, object]], wording: Wording) -> list[Field]:
    """76X-78X: $w is the cluster that is meant, then the numbers that members give; a bare one gets its source's code.

    Fields about one cluster that differ in numbers alone are one: each member names it by a number of its own.
    """
    named: dict[tuple[str, tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]], dict[str, None]] = {}
    for donor, value in given:
        if not isinstance(value, Relation):
            continue
        clusters = wording.linked.get(str(donor), {})
        found = tuple(dict.fromkeys(clusters[one] for one in value.numbers if one in clusters))
        numbers = tuple([one if one.startswith("(") else f"({donor.source}){one}" for one in value.numbers])
        key = (_RELATIONS.get(value.relation, "787"), _described(value), found, () if found else numbers)
        named.setdefault(key, {}).update(dict.fromkeys(numbers))
    own = f"({wording.agency})" if wording.agency else ""
    return [
        field(tag, "0 ", [*parts, *(("w", own + one) for one in found), *(("w", one) for one in numbers)])
        for (tag, parts, found, _), numbers in named.items()
    ]


def _described(value: Relation) -> tuple[tuple[str, str], ...]:
    codes = {"isbn": "z", "issn": "x"}
    numbers = [(codes[one.kind], one.value) for one in value.identifiers if one.kind in codes]
    return (("t", value.title), ("g", value.part), *numbers)


def _holding(donor: Address, holding: Holding, wording: Wording) -> list[Field]:
    """852 (and 866, 856) of one holding; $9 is the address of the record that states it."""
    institution = wording.institutions.get(donor.source, donor.source)
    place = [("a", institution), ("b", holding.branch), ("c", holding.collection or holding.shelving)]
    place += [("h", holding.call_number), *(("p", item) for item in holding.items)]
    notes = [
        "" if holding.copies is None else "1 copy" if holding.copies == 1 else f"{holding.copies} copies",
        holding.lending,
        f"as of {holding.as_of}" if holding.as_of else "",
    ]
    fields = [field("852", "  ", [*place, *(("z", note) for note in notes), ("9", str(donor))])]
    if holding.serial_statement:
        fields.append(field("866", "  ", [("a", holding.serial_statement), ("9", str(donor))]))
    if holding.url:
        fields.append(field("856", "40", [("u", holding.url), ("z", holding.access_note), ("5", institution)]))
    return fields
