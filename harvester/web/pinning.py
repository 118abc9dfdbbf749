"""Pinning a value: what the members say, what can be chosen or typed instead, and what the pin would show."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

from db import catalogue
from harvester import deciding, heeding
from harvester.merge import survivorship
from harvester.model import NormalizedRecord
from harvester.web import codes, seeing
from harvester.web.seeing import ClusterSeen
from harvester.web.visit import Visit

TYPES = {info.name: info.type for info in msgspec.structs.fields(NormalizedRecord)}
LONGEST_LIST = 30  # codes that are offered as a list to open; of more one types the beginning


class Choice(NamedTuple):
    """How a field may be pinned.

    `kind` of what is typed: code, codes, text, texts or json; `example` is the JSON of a member's value.
    """

    field: str
    offers: list[tuple[str, list[str]]]  # (address, its values)
    kind: str
    codes: list[tuple[str, str]]
    example: str

    @property
    def places(self) -> int:
        """How many values there is room to type."""
        return 4 if self.kind in ("codes", "texts") else 1

    @property
    def open(self) -> bool:
        """Whether the codes are few enough for a list to choose from."""
        return len(self.codes) <= LONGEST_LIST


def pinnable(found: ClusterSeen) -> list[str]:
    """The fields of which the members say something."""
    records = [one.record for one in found.members if one.record]
    return [
        field
        for field in seeing.FIELDS
        if field not in deciding.UNPINNABLE and any(seeing.values_of(one, field) for one in records)
    ]


def choice(visit: Visit, found: ClusterSeen, field: str) -> Choice | None:
    """What the page offers for *field*; None where nothing is to be pinned."""
    if field not in pinnable(found):
        return None
    records = [(one.address, one.record) for one in found.members if one.record]
    offers = [(address, texts) for address, record in records if (texts := seeing.values_of(record, field))]
    known = codes.words_of(field, visit.gettext)
    several = TYPES[field] == tuple[str, ...]
    kind = ("codes" if known else "texts") if several else "json"
    if TYPES[field] is str:
        kind = "code" if known else "text"
    first = next(record for _, record in records if seeing.values_of(record, field))
    example = msgspec.json.encode(getattr(first, field)).decode() if kind == "json" else ""
    return Choice(field, offers, kind, known, example)


def typed(visit: Visit) -> Any:
    """The value that was typed or chosen from a list, as plain JSON; None where there is none."""
    texts = [text for one in visit.fields("value") if (text := one.strip())]
    kind = TYPES.get(visit.field("field"))
    if not texts:
        return None
    if kind is str:
        return texts[0]
    if kind == tuple[str, ...] and not texts[0].startswith("["):
        return texts
    try:
        return json.loads(texts[0])
    except ValueError:
        return texts[0]


class Shown(NamedTuple):
    """What the merged record shows in a field: now, and with the decision."""

    field: str
    now: list[str]
    then: list[str]


def shown(visit: Visit, found: ClusterSeen) -> list[Shown]:
    """What a pin of the form would show, or the end of one; as far as this person may see it."""
    field, donor = visit.field("field"), visit.field("donor")
    now = seeing.values_of(found.union.record, field) if found.union else []
    if visit.field("action") == "unpin":
        then = _by_rules(visit, found, field)
    elif donor:
        then = next((one.record for one in found.members if one.address == donor), None)
    else:
        then = msgspec.convert({field: deciding.typed(field, typed(visit))}, NormalizedRecord)
    return [Shown(field, now, seeing.values_of(then, field) if then else [])]


def _by_rules(visit: Visit, found: ClusterSeen, field: str) -> NormalizedRecord | None:
    """The merged record without the pin on *field*."""
    with visit.pipeline.database.read() as conn:
        states = catalogue.members(conn, [found.number]).get(found.number, [])
        members = seeing.full_members(visit.pipeline, conn, states)
        pins = [one.pin for one in heeding.pins_of(conn, {0: states}).get(0, ()) if one.pin.field != field]
    union = survivorship.merge(list(members.values()), visit.pipeline.merge, pins)
    _, released = seeing.as_seen(visit, found.number, states, members, union)
    return released.record if released else None
