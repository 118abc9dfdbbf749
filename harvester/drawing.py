"""What groups of records become: union record, hash, columns for lists, words for search. Pure, so any process can.

Normalized records come packed, as they are stored: where they are drawn they are unpacked, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from db.catalogue import Document, RecordState
from db.compress import Packed, opener
from db.linking import Entry, Number
from db.shown import Shown
from harvester.heeding import Pinned, Warned, changed_pins
from harvester.merge import linking, survivorship
from harvester.merge.linking import Codes
from harvester.merge.quality import share
from harvester.merge.survivorship import Rules
from harvester.model import Address, Member, NormalizedRecord, Partner
from harvester.showing import Cluster, document, document_hash, policy_of

_decode = msgspec.json.Decoder(NormalizedRecord).decode


class Style(NamedTuple):
    """By what everything is drawn."""

    partners: Mapping[str, Partner]
    rules: Rules


class Outline(NamedTuple):
    """A group that is to be drawn: its records with their normalized forms, and the hash and size that are stored."""

    number: int
    group: tuple[RecordState, ...]
    bodies: tuple[Packed, ...]
    pins: tuple[Pinned, ...]
    doc_hash: bytes = b""
    size: int = 0


class Sheet(NamedTuple):
    """A group as it is now; with its document where it is not what is stored. The ids of the clusters come later."""

    number: int
    hash: bytes  # empty: nothing of it may be seen
    hidden: tuple[int, ...]  # the records that may not be seen
    news: tuple[Warned, ...]  # pins whose source says something else
    drawn: tuple[Document, Shown] | None
    entries: tuple[Entry, ...] = ()  # the control numbers by which its visible records name others
    numbers: tuple[Number, ...] = ()  # and those by which they are named


def draw(style: Style, dictionaries: Mapping[int, bytes], outlines: Sequence[Outline]) -> list[Sheet]:
    """The sheet of each group, in order."""
    opened, codes = opener(dictionaries), linking.codes_of(style.partners.values())
    return [_sheet(style, codes, one, [_decode(opened(*body)) for body in one.bodies]) for one in outlines]


def _sheet(style: Style, codes: Codes, outline: Outline, records: Sequence[NormalizedRecord]) -> Sheet:
    group, pins, partners = outline.group, outline.pins, style.partners
    members = tuple(member(partners, *one, style.rules) for one in zip(group, records, strict=True))
    if len(members) == 1 and not pins:  # its document is its own record: nobody stores who gave what
        union = survivorship.alone(members[0])
    else:
        union = survivorship.merge(members, style.rules, [one.pin for one in pins])
    doc_hash = document_hash(union, members, [policy_of(partners, one.partner).value_filters for one in group])
    made = None
    if doc_hash != outline.doc_hash or len(group) != outline.size:
        made = document(Cluster(0, group, members, union, bool(pins)), partners, doc_hash)
    hidden = tuple(state.record_id for state, one in zip(group, members, strict=True) if not one.visible)
    asked, numbers = _named(group, members, codes)
    return Sheet(outline.number, doc_hash, hidden, tuple(changed_pins(pins, members)), made, asked, numbers)


def _named(
    group: Sequence[RecordState], members: Sequence[Member], codes: Codes
) -> tuple[tuple[Entry, ...], tuple[Number, ...]]:
    """The control numbers by which the group's visible records name others, and by which they are named."""
    entries: list[Entry] = []
    numbers: list[Number] = []
    for state, one in zip(group, members, strict=True):
        if one.record.relations and one.visible:
            asked = linking.asked(one.shown(), state.source, state.partner, codes)
            entries += [Entry(state.record_id, *entry) for entry in asked]
        if one.visible:
            known = linking.numbers_of(one.record)
            numbers += [Number(state.record_id, each, state.source) for each in known if each != state.identifier]
    return tuple(entries), tuple(numbers)


def member(
    partners: Mapping[str, Partner],
    one: RecordState,
    record: NormalizedRecord,
    rules: Rules | None = None,
    *,
    inside: bool = False,
) -> Member:
    """The record as merge and outputs see it: under its partner's policy; *rules* measure its quality.

    *inside* is for people of the consortium: they see what is for members, too.
    """
    policy = policy_of(partners, one.partner)
    open_to = ("public", "members") if inside else ("public",)
    good = not policy.quality_floor or rules is None or share(record, rules.quality) >= policy.quality_floor
    return Member(
        Address(one.source, one.identifier),
        record,
        priority=policy.priority,
        datestamp=one.datestamp,
        visible=policy.visibility in open_to and not record.suppressed and good,
        withheld=policy.withheld,
    )
