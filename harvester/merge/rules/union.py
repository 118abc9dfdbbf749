"""Every distinct value of every member; spellings of one thing fold into the best one, the others are variants."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import msgspec

from harvester.merge.folds import folds, same_person, spelling
from harvester.merge.offers import Offer, Outcome, Setting, show
from harvester.merge.rules import rules
from harvester.model import Survivor

Offered = tuple[Offer, Any]


@rules.register("union")
def union(offers: Sequence[Offer], setting: Setting) -> Outcome:
    """Values in the order of the best record, then of the next best; each with the donor of its shown form."""
    offered = _distinct(offers) if setting.fold else [(offer, value) for offer in offers for value in offer.value]
    kept = [pair for pair in offered if not _barred(pair[1], setting)] if setting.but_not else offered
    values: list[Any] = []
    lines: list[Survivor] = []
    variants: list[Survivor] = []
    for group in _groups(kept, setting):
        best = group[0]
        if len(group) > 1:
            best = min(group, key=lambda pair: (spelling(pair[1]), pair[0].rank))
            variants += _variants(best, group, setting)
        values.append(_completed(best[1], group) if setting.fold else best[1])
        lines.append(Survivor(setting.field, best[0].donor, "union", show(best[1])))
    dropped = _dropped(offered, setting) if setting.but_not else []
    return Outcome(tuple(values), (*lines, *variants, *dropped))


def _distinct(offers: Sequence[Offer]) -> list[Offered]:
    """Each value once, with the best member that offers it: what another says in the same words adds nothing."""
    best = offers[0]
    found = dict.fromkeys(best.value, best)
    for offer in offers[1:]:
        for value in offer.value if offer.value != best.value else ():
            found.setdefault(value, offer)
    return [(offer, value) for value, offer in found.items()]


def _groups(kept: list[Offered], setting: Setting) -> list[list[Offered]]:
    """The values that are one thing in different spellings, in the order in which the things are first met."""
    if not setting.fold or len(kept) == 1:
        return [[pair] for pair in kept]
    key_of = folds[setting.fold]
    keys: list[Hashable] = [key_of(value) for _, value in kept]
    joined = same_person(keys) if setting.fold == "name" else {}
    groups: dict[Hashable, list[Offered]] = {}
    for key, pair in zip(keys, kept, strict=True):
        groups.setdefault(joined.get(key, key), []).append(pair)
    if setting.fold == "name":
        return [part for group in groups.values() for part in _by_role(group)]
    return list(groups.values())


def _by_role(group: list[Offered]) -> list[list[Offered]]:
    """A person is listed once a role; the vague `creator` of Dublin Core joins the role that others know."""
    if len(group) == 1:
        return [group]
    roles = [value.role for _, value in group if value.role != "creator"]
    known = "author" if "author" in roles else (sorted(roles)[0] if roles else "creator")
    parts: dict[str, list[Offered]] = {}
    for offer, value in group:
        parts.setdefault(known if value.role == "creator" else value.role, []).append((offer, value))
    return list(parts.values())


def _completed(value: Any, group: list[Offered]) -> Any:
    """*value* with its empty parts filled from the other spellings, best member first."""
    if len(group) == 1 or not isinstance(value, msgspec.Struct):
        # the constant itself: JSON leaves out a default only where it is that very text
        return msgspec.structs.replace(value, status="valid") if getattr(value, "status", "") == "valid" else value
    blank: dict[str, Any] = {}
    for part in value.__struct_fields__:
        if getattr(value, part) in ("", (), None, False):
            given = [got for _, other in group if (got := getattr(other, part)) not in ("", (), None, False)]
            if given:
                blank[part] = given[0]
    preferred = _preferred(value, group)
    return msgspec.structs.replace(value, **blank, **preferred) if blank or preferred else value


def _preferred(value: Any, group: list[Offered]) -> dict[str, Any]:
    """What a vague default of one spelling must not hide: a role, a valid status, a kind of term or access."""
    preferred: dict[str, Any] = {}
    for part, vague in (("role", "creator"), ("kind", "keyword"), ("access", "unknown")):
        if getattr(value, part, None) == vague:
            known = sorted({getattr(other, part) for _, other in group} - {vague})
            if known:
                preferred[part] = known[0]
    if any(getattr(other, "status", "") == "valid" for _, other in group):
        preferred["status"] = "valid"
    return preferred


def _variants(best: Offered, group: list[Offered], setting: Setting) -> list[Survivor]:
    shown = show(best[1])
    found: dict[str, Survivor] = {}
    for offer, value in group:
        text = show(value)
        if text != shown:
            found.setdefault(text, Survivor(setting.field, offer.donor, f"variant:{shown}", text))
    return list(found.values())


def _barred(value: Any, setting: Setting) -> bool:
    return any(getattr(value, part) == unwanted for part, unwanted in setting.but_not)


def _dropped(offered: list[Offered], setting: Setting) -> list[Survivor]:
    """What `but_not` keeps out of the union: it stays with its own member."""
    found: dict[str, Survivor] = {}
    for offer, value in offered:
        for part, unwanted in setting.but_not:
            if getattr(value, part) == unwanted:
                line = Survivor(setting.field, offer.donor, f"dropped:{part} {unwanted}", show(value))
                found.setdefault(show(value), line)
    return list(found.values())
