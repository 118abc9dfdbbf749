"""Between the light record and pymarc's Record, the type that users know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harvester.formats.light import LightMarc, data_body, indicators, is_control, normal_leader, subfields
from harvester.model import MarcRecord

if TYPE_CHECKING:
    from pymarc import Record


def to_pymarc(record: MarcRecord) -> Record:
    """*record* as a pymarc Record in UTF-8."""
    from pymarc import Field, Indicators, Leader, Record, Subfield  # 100 ms to import, and few runs need it

    made: Any = Record(force_utf8=True)
    made.leader = Leader(normal_leader(record.leader))
    made.leader = Leader(f"{str(made.leader)[:9]}a{str(made.leader)[10:]}")
    for tag, body in record.fields:
        if is_control(tag):
            made.add_field(Field(tag=tag, data=body))
            continue
        parts = [Subfield(code=code, value=text) for code, text in subfields(body)]
        made.add_field(Field(tag=tag, indicators=Indicators(*indicators(body)), subfields=parts))
    return made  # type: ignore[no-any-return]


def from_pymarc(record: Any) -> LightMarc:
    """The light form of a pymarc Record."""
    fields = []
    for field in record.fields:
        if field.control_field:
            fields.append((field.tag, field.data or ""))
            continue
        first, second = field.indicators or (" ", " ")
        parts = [(part.code, part.value or "") for part in field.subfields]
        fields.append((field.tag, data_body(first, second, parts)))
    return LightMarc(str(record.leader), tuple(fields))
