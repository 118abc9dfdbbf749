"""What the database keeps of a cluster for lists, look-ups and full text: only what may be seen.

Policy and value filters act here as they do on the way out (outputs.privacy), because views, search and pages read
these columns as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from db.catalogue import Document, RecordState
from db.prepared import digest
from db.search import title_and_words
from db.shown import Shown
from db.upsert import Row
from harvester.model import Holding, Member, NormalizedRecord, Partner, Policy, UnionRecord
from harvester.outputs.privacy import STANDARD, filtered_holdings, filtered_record, personal, personal_numbers

# What columns and index are made of; the rest of a record need not pass the filters for them.
_FIELDS = (
    *("material", "title", "variant_titles", "uniform_title", "contributors", "identifiers", "publications", "dates"),
    *("edition", "series", "languages", "subjects"),
)
FILTERED = Policy()


class Cluster(NamedTuple):
    """A group of records with its union record, as matching has just made it."""

    cluster_id: int
    group: Sequence[RecordState]
    members: Sequence[Member]
    union: UnionRecord
    pinned: bool


def policy_of(partners: Mapping[str, Partner], code: str) -> Policy:
    """The policy of a partner; of one that is no longer configured the usual one."""
    return partners[code].policy if code in partners else FILTERED


def document_hash(union: UnionRecord, members: Sequence[Member], filtered: Sequence[bool]) -> bytes:
    """16 bytes that change when consumers must be told; empty when nothing may be seen.

    Members count too: outputs send them beside the union. *filtered* says of each whether value filters act on it.
    The date to which a holding refers is left out: it moves every night.
    """
    if not union.members:
        return b""
    parts = [msgspec.json.encode(msgspec.structs.replace(union, record=_timeless(union.record)))]
    parts.append(bytes(switch for one, switch in zip(members, filtered, strict=True) if one.visible))
    if len(members) > 1:
        shown = (one for one in members if one.visible)
        parts += [msgspec.json.encode((one.address, _timeless(one.shown()))) for one in shown]
    return digest(*parts)


def _timeless(record: NormalizedRecord) -> NormalizedRecord:
    holdings = tuple(msgspec.structs.replace(one, as_of="") for one in record.holdings)
    return msgspec.structs.replace(record, holdings=holdings)


def document(cluster: Cluster, partners: Mapping[str, Partner], doc_hash: bytes) -> tuple[Document, Shown]:
    """The cluster as it is to be stored."""
    seen = [(state, one) for state, one in zip(cluster.group, cluster.members, strict=True) if one.visible]
    record, texts = cluster.union.record, _texts(cluster.union.record)
    if any(policy_of(partners, state.partner).value_filters for state, _ in seen):
        known = personal_numbers(one.record for one in cluster.members)
        if known or any(map(personal, [*texts, *_further(record)])):
            record = filtered_record(_part(record), known)
            texts = _texts(record)
    codes = tuple(sorted({state.partner for state, _ in seen}))
    main = next((one.name for one in record.contributors if one.main), "")
    brief = {
        "title": record.title.whole,
        "author": main or next((one.name for one in record.contributors), ""),
        "year": record.dates.year_from,
        "material": record.material,
        "language": record.languages[0] if record.languages else "",
        "members": len(seen),
        "partners": len(codes),
    }
    identifiers = [(one.kind, one.value) for one in record.identifiers if one.status == "valid"]
    valid = {(kind, value[:200]) for kind, value in identifiers}
    holdings = [
        row for state, one in seen for row in _holdings(state, one, policy_of(partners, state.partner).value_filters)
    ]
    # a single's document is its own record, unless a person pinned something
    whole = len(cluster.group) > 1 or cluster.pinned
    body = msgspec.json.encode(cluster.union) if whole else None
    numbers = [value for _, value in identifiers]
    if record.dates.year_from:
        numbers.append(str(record.dates.year_from))
    shown = Shown(cluster.cluster_id, codes, *title_and_words(texts[0], (*texts[1:], *numbers)))
    size = len(cluster.group)
    made = Document(cluster.cluster_id, doc_hash, size, body, brief, tuple(sorted(valid)), tuple(holdings))
    return made, shown


def _part(record: NormalizedRecord) -> NormalizedRecord:
    return NormalizedRecord(**{name: getattr(record, name) for name in _FIELDS})


def _further(record: NormalizedRecord) -> list[str]:
    """What else of *record* is kept and passes the filters."""
    return [record.material, *record.languages, *(one.value for one in record.identifiers if one.kind not in STANDARD)]


def _title(record: NormalizedRecord) -> str:
    title = record.title
    return " ".join([title.proper, title.remainder, *title.part_numbers, *title.part_names, title.original])


def _texts(record: NormalizedRecord) -> list[str]:
    """Every text of *record* by which it may be looked for, its title first; its numbers aside."""
    found = [_title(record), *record.variant_titles, record.uniform_title, record.title.responsibility]
    for person in record.contributors:
        found += (person.name, person.original)
    found += [one.publisher for one in record.publications]
    found += [one.title for one in record.series]
    found += [one.term for one in record.subjects]
    return found


def _holdings(state: RecordState, one: Member, filters: bool) -> Iterator[Row]:
    """Rows of the member's holdings, without what its partner withholds."""
    holdings = one.shown().holdings
    if filters:
        holdings = filtered_holdings(holdings, personal_numbers([one.record]))
    for number, holding in enumerate(holdings):
        yield _holding_row(state, number, holding)


def _holding_row(state: RecordState, number: int, holding: Holding) -> Row:
    return {
        "record_id": state.record_id,
        "number": number,
        "partner": state.partner,
        "branch": holding.branch,
        "call_number": holding.call_number,
        "copies": holding.copies,
        "body": msgspec.json.encode(holding).decode(),
    }
