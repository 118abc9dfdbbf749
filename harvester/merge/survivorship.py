"""Which value of which member survives in the union record, by the rules of survivorship.yaml.

`merge` is pure and does not see the order of its members: ties end with the bytes of (source, identifier).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from harvester.merge.offers import Offer, Outcome, Setting, show
from harvester.merge.quality import BLANKS, EMPTY, judge
from harvester.merge.rules import rules as registry
from harvester.merge.settings import Rules, load, parse
from harvester.model import Member, NormalizedRecord, Pin, Survivor, UnionRecord

__all__ = ["Rules", "alone", "fingerprint", "load", "merge", "parse"]

# The value by which a member says nothing of a field. Everybody says what a record is and whether it may be seen.
_SILENT = {name: None if name == "material" or isinstance(blank, bool) else blank for name, blank in BLANKS.items()}
_PLACES = {name: number for number, name in enumerate(BLANKS)}


def merge(members: Sequence[Member], rules: Rules, pins: Sequence[Pin] = ()) -> UnionRecord:
    """The union record of *members*; of one member, its own record. Invisible members contribute nothing.

    Every value is explained: a line of `survivors` names its donor and rule, or why it was dropped
    (`dropped:<rule>`, without a value where a partner withholds the field) or which spelling stands for it
    (`variant:<shown>`). Values that read the same share one line, under the best member that offers them.
    """
    visible = sorted((member for member in members if member.visible), key=lambda member: member.address)
    if not visible:
        return UnionRecord(EMPTY)
    ranked: list[Ranked] = []
    if len(visible) == 1:  # nobody to be ranked against
        record, lines = _single(visible[0])
    else:
        ranked = sorted((_ranked(one, rules) for one in visible), key=lambda one: one.rank)
        record, lines = _union(ranked, rules)
    lines += _withheld(visible)
    for pin in sorted(pins, key=lambda pin: (pin.field, pin.donor)):
        record, lines = _pinned(record, lines, pin, visible)
    for setting in rules.fields if ranked else ():
        if setting.beside and getattr(record, setting.field) != BLANKS[setting.field]:
            record, lines = _beside(record, lines, setting, ranked)
    return UnionRecord(record, tuple(lines), tuple(str(member.address) for member in visible))


def alone(only: Member) -> UnionRecord:
    """As merge([only]) without the lines, which all name the same donor: of most clusters nobody ever asks for them."""
    return UnionRecord(only.shown(), (), (str(only.address),)) if only.visible else UnionRecord(EMPTY)


def fingerprint(value: Any) -> str:
    """A short digest of a field's value, by which a pin sees that its source changed."""
    return hashlib.blake2b(msgspec.json.encode(value, order="deterministic"), digest_size=8).hexdigest()


class Ranked(NamedTuple):
    """A member with what decides between members: sorted, the best one comes first."""

    rank: tuple[float, int, str, str]
    giver: tuple[str, str, tuple[float, int, str, str], int, str, bool]  # an Offer without its value
    said: tuple[Any, ...]  # the value of each field


def _ranked(member: Member, rules: Rules) -> Ranked:
    record = member.shown()
    points, traps = judge(record, rules.quality)
    rank = (-points, -member.priority, *member.address)
    giver = (str(member.address), member.address.source, rank, member.priority, record.updated, bool(traps))
    return Ranked(rank, giver, msgspec.structs.astuple(record))


def _single(only: Member) -> tuple[NormalizedRecord, list[Survivor]]:
    record, donor = only.shown(), str(only.address)
    lines: list[Survivor] = []
    for field, blank in BLANKS.items():
        value = getattr(record, field)
        if value != blank or field == "material":
            singles = value if isinstance(value, tuple) else (value,)
            lines += [Survivor(field, donor, "only", show(single)) for single in singles]
    return record, lines


def _union(ranked: Sequence[Ranked], rules: Rules) -> tuple[NormalizedRecord, list[Survivor]]:
    values: dict[str, Any] = {}
    lines: list[Survivor] = []
    givers = [one.giver for one in ranked]
    said = zip(*(one.said for one in ranked), strict=True)
    for setting, silent, column in zip(rules.fields, _SILENT.values(), said, strict=True):
        if column.count(silent) < len(column):
            offers = [Offer(*giver, value) for giver, value in zip(givers, column, strict=True) if value != silent]
            outcome = registry.get(setting.rule)(offers, setting)
            values[setting.field] = outcome.value
            lines += outcome.lines
    if "contributors" in values:
        values["contributors"] = _one_main(values["contributors"])
    return NormalizedRecord(**values), lines


def _says(field: str, value: Any) -> bool:
    return bool(value != BLANKS[field] or field == "material")


def _one_main(contributors: Any) -> Any:
    """A union has one main entry: the first main contributor in the order of the best record."""
    seen = False
    result = []
    for person in contributors:
        result.append(msgspec.structs.replace(person, main=False) if person.main and seen else person)
        seen = seen or person.main
    return tuple(result)


def _withheld(visible: Sequence[Member]) -> list[Survivor]:
    """One line for each withheld field that had something to say; its value is not repeated."""
    return [
        Survivor(name, str(member.address), "dropped:withheld")
        for member in visible
        for name in sorted(set(member.withheld))
        if getattr(member.record, name.partition(".")[0]) != getattr(EMPTY, name.partition(".")[0])
    ]


def _pinned(
    record: NormalizedRecord, lines: list[Survivor], pin: Pin, visible: Sequence[Member]
) -> tuple[NormalizedRecord, list[Survivor]]:
    """The record with the pinned value; the former survivors of the field become dropped lines."""
    if pin.donor:
        giver = next((member.shown() for member in visible if str(member.address) == pin.donor), None)
        if giver is None or not _says(pin.field, getattr(giver, pin.field)):
            return record, [*lines, Survivor(pin.field, pin.donor, "dropped:pin dormant")]
        value = getattr(giver, pin.field)
    else:
        value = msgspec.convert(pin.value, _type_of(pin.field))
    changed = bool(pin.seen) and pin.seen != fingerprint(value)
    rule = "pin, changed since" if changed else "pin"
    singles = value if isinstance(value, tuple) else (value,)
    told = [Survivor(pin.field, pin.donor or pin.author, rule, show(single)) for single in singles]
    texts = {line.value for line in told}
    others = [_unpinned(line, pin.field) for line in lines if line.field != pin.field or line.value not in texts]
    return msgspec.structs.replace(record, **{pin.field: value}), told + others


def _unpinned(line: Survivor, field: str) -> Survivor:
    mine = line.field.partition(".")[0] == field and not line.rule.startswith(("dropped:", "variant:"))
    return msgspec.structs.replace(line, rule="dropped:pin") if mine else line


def _beside(
    record: NormalizedRecord, lines: list[Survivor], setting: Setting, ranked: Sequence[Ranked]
) -> tuple[NormalizedRecord, list[Survivor]]:
    """The record with the field chosen among the members that say what it says of what the field stands beside.

    A pinned value stays, and so does the rule's own where no member says that (a person typed another date).
    """
    field, (other, *parts) = setting.field, setting.beside
    own = [line for line in lines if line.field.partition(".")[0] == field]
    allowed = [one for one in ranked if _at(one.said[_PLACES[other]], parts) == _at(record, setting.beside)]
    offers = [
        Offer(*one.giver, one.said[_PLACES[field]]) for one in ranked if one.said[_PLACES[field]] != BLANKS[field]
    ]
    givers = {str(one.giver[0]) for one in allowed}
    barred = [one for one in offers if one.donor not in givers]
    if not allowed or not barred or any(line.rule.startswith("pin") for line in own):
        return record, lines
    heard = [one for one in offers if one.donor in givers]
    outcome = registry.get(setting.rule)(heard, setting) if heard else Outcome(BLANKS[field], ())
    shown = {line.value for line in outcome.lines if line.field == field}
    told = {show(one.value): Survivor(field, one.donor, "dropped:beside", show(one.value)) for one in reversed(barred)}
    kept = [line for line in lines if line not in own or not line.value]  # what is withheld stays told
    kept += [*outcome.lines, *(line for text, line in reversed(told.items()) if text not in shown)]
    return msgspec.structs.replace(record, **{field: outcome.value}), kept


def _at(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        value = getattr(value, part) if value is not None else None
    return value


def _type_of(field: str) -> Any:
    return next(info.type for info in msgspec.structs.fields(NormalizedRecord) if info.name == field)
