"""All identifiers of a source change, and nothing else does: `induk partner rekey`.

A host is renamed, or a library moves from one system to another. Records keep their history, decisions, pins, places
in clusters and with them the ids of their clusters. Where the new identifiers were harvested already, each old record
takes over what its twin holds, and the twin becomes a tombstone under the old identifier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from db import control, ledger, rekey, work
from db.compress import pack
from db.prepared import Prepared
from db.rekey import Pair, Side
from harvester import pipeline as journey
from harvester import rekey_pairing as pairing
from harvester import restoring
from harvester.errors import Locked, UsageError
from harvester.matching import match_batch
from harvester.model import NormalizedRecord, Profile, Value
from harvester.pipeline import HARVEST_LOCK, MATCH_LOCK, Pipeline
from harvester.rekey_pairing import Card, Marks

_profile = msgspec.msgpack.Decoder(Profile).decode
_record = msgspec.json.Decoder(NormalizedRecord).decode
BATCH = 1000
TOGETHER = 40_000  # records matched as one batch


class Plan(Value, frozen=True):
    """Which records get which identifiers. `twins` of the pairs came under the new one already.

    `left` stay as they are, `doubtful` have several possible partners, `clashes` would get the same identifier or
    one that belongs to another record.
    """

    source: str
    pairs: tuple[Pair, ...]
    twins: int = 0
    decisions: int = 0
    left: tuple[str, ...] = ()
    doubtful: tuple[tuple[str, tuple[str, ...]], ...] = ()
    clashes: tuple[tuple[str, str], ...] = ()


class Done(Value, frozen=True):
    """What a rekey or its undoing did."""

    source: str
    rekey: int
    run: int
    records: int
    twins: int
    addresses: int


# ---- planning ------------------------------------------------------------------------------------------


def plan_names(pipeline: Pipeline, code: str, names: Mapping[str, str] | None, rule: str = "") -> Plan:
    """By a table of *names* (old → new), or by a *rule* over every record. Nothing is stored."""
    source_id = _source_id(pipeline, code)
    with pipeline.database.read() as conn:
        held = rekey.identifiers(conn, source_id)
    if names is None:
        change = pairing.rule(rule)
        names = {old: new for old in held if (new := change(old)) != old}
    pairs: list[Pair] = []
    clashes: list[tuple[str, str]] = []
    wanted = [(old, new) for old, new in sorted(names.items()) if old in held]
    taken: dict[str, str] = {}
    for old, new in wanted:
        record_id, state, version = held[old]
        twin = held.get(new) if new not in names else None
        if new in taken or (twin and twin[1] != "active") or (state == "deleted" and not twin):
            clashes += [(old, new)] if new in taken or state == "active" else []
            continue
        taken[new] = old
        pairs.append(Pair(record_id, old, new, twin[0] if twin else None, version))
    pairs, more = _without_clashes(pairs, held)
    clashes += more
    ours = {one.old for one in pairs}
    news = {one.new for one in pairs}
    left = sorted(old for old, (_, state, _) in held.items() if state == "active" and old not in ours | news)
    return _plan(pipeline, code, pairs, left, (), clashes)


def _without_clashes(pairs: list[Pair], held: Mapping[str, object]) -> tuple[list[Pair], list[tuple[str, str]]]:
    """The pairs whose new identifier is free when all is done; those that would meet a record that stays."""
    clashes: list[tuple[str, str]] = []
    while True:
        leaving = {one.old for one in pairs}
        bad = {one.old for one in pairs if one.twin is None and one.new in held and one.new not in leaving}
        if not bad:
            return pairs, clashes
        clashes += [(one.old, one.new) for one in pairs if one.old in bad]
        pairs = [one for one in pairs if one.old not in bad]


def plan_content(pipeline: Pipeline, code: str) -> Plan:
    """By what the records say: those that the last full list did not show with those that it brought first."""
    source_id = _source_id(pipeline, code)
    with pipeline.database.read() as conn:
        olds, news = rekey.sides(conn, source_id)
        found = pairing.by_content(_cards(conn, olds), _cards(conn, news), pipeline.match)
        held = rekey.identifiers(conn, source_id)
    pairs = [Pair(held[old][0], old, new, held[new][0], held[old][2]) for old, new, _ in found.pairs]
    return _plan(pipeline, code, pairs, found.unpaired, found.doubtful, ())


def _plan(
    pipeline: Pipeline,
    code: str,
    pairs: Sequence[Pair],
    left: Iterable[str],
    doubtful: Iterable[tuple[str, tuple[str, ...]]],
    clashes: Iterable[tuple[str, str]],
) -> Plan:
    with pipeline.database.read() as conn:
        decisions = rekey.decisions_under(conn, code, [one.old for one in pairs])
    twins = sum(1 for one in pairs if one.twin is not None)
    return Plan(code, tuple(pairs), twins, decisions, tuple(left), tuple(doubtful), tuple(clashes))


def _source_id(pipeline: Pipeline, code: str) -> int:
    journey.source_of(pipeline.settings, code)
    return pipeline.source_ids[code]


def _cards(conn: Any, sides: Sequence[Side]) -> list[Card]:
    """The records with what pairing compares."""
    nodes = {one.node_id for one in sides}
    profiles = {key: _profile(body) for key, body in rekey.profiles_of(conn, nodes).items()}
    keys: dict[int, set[int]] = {}
    for key, node_id in rekey.keys_of(conn, nodes):
        keys.setdefault(node_id, set()).add(key)
    cards: list[Card] = []
    for start in range(0, len(sides), BATCH):
        batch = sides[start : start + BATCH]
        bodies = ledger.normalized_bodies(conn, [one.record_id for one in batch])
        cards += [
            Card(one.identifier, profiles[one.node_id], frozenset(keys.get(one.node_id, ())), _marks(bodies, one))
            for one in batch
        ]
    return cards


def _marks(bodies: Mapping[int, bytes], one: Side) -> Marks:
    if one.record_id not in bodies:
        return Marks()
    holdings = _record(bodies[one.record_id]).holdings
    items = pairing.folded(item for holding in holdings for item in holding.items)
    return Marks(items, pairing.folded(holding.call_number for holding in holdings if holding.call_number))


# ---- doing and undoing ---------------------------------------------------------------------------------


def apply(pipeline: Pipeline, plan: Plan, author: str, why: str = "") -> Done:
    """Exchange the identifiers, in one transaction, then match what was exchanged: each cluster is told anew, once.

    Raises:
        UsageError: the records are not as they were planned.
        Locked: the source is being harvested.
    """
    if not plan.pairs:
        raise UsageError(f"{plan.source}: no record would get another identifier")
    source_id = pipeline.source_ids[plan.source]
    now = pipeline.now()
    with pipeline.database.lock(HARVEST_LOCK + plan.source):
        forms = _renamed_forms(pipeline, plan.source, [(one.record_id, one.new) for one in plan.pairs if not one.twin])
        with pipeline.database.write(durable=True) as conn:
            _check(conn, source_id, plan.pairs)
            run_id = work.open_run(conn, "rekey", source_id, now)
            body = {"why": why, "run": run_id}
            made = rekey.add(conn, source_id, author, now, body, plan.pairs)
            rekey.take_over(conn, [(one.record_id, one.twin) for one in plan.pairs if one.twin], run_id, now)
            names = {one.record_id: one.new for one in plan.pairs}
            rekey.rename(conn, {**names, **{one.twin: one.old for one in plan.pairs if one.twin}})
            rekey.write_forms(conn, forms)
            moved = rekey.move_addresses(conn, plan.source, source_id, {one.old: one.new for one in plan.pairs})
            work.mark_dirty(conn, names)
            _withdraw(conn, source_id, names)
            notes = {"rekey": made, "by": author, "why": why, "pairs": len(plan.pairs)}
            work.close_run(conn, run_id, verdict="complete", reason="", proof="", now=now, body=notes)
    _match_together(pipeline, [key for one in plan.pairs for key in (one.record_id, one.twin) if key is not None])
    return Done(plan.source, made, run_id, len(plan.pairs), plan.twins, moved)


def _match_together(pipeline: Pipeline, record_ids: Sequence[int]) -> None:
    """Match what was exchanged as one batch, so that each cluster is told once; too much of it waits for the night.

    While another process is matching, that one takes it up.
    """
    if len(record_ids) > TOGETHER:
        return
    with suppress(Locked), pipeline.database.lock(MATCH_LOCK):
        run_id = journey.open_match(pipeline)
        desk = journey.desk_of(pipeline, run_id)
        done = match_batch(desk, len(record_ids), list(record_ids))
        names = ("records", "pairs", "merges", "changes")
        journey.close_match(pipeline, run_id, "complete", "", {name: getattr(done, name, 0) for name in names})


def undo(pipeline: Pipeline, code: str, author: str, why: str = "") -> Done:
    """Give the records of the newest rekey their old identifiers back; twins stand again as they stood.

    Raises:
        UsageError: there is nothing to undo.
        Locked: the source is being harvested.
    """
    source_id = _source_id(pipeline, code)
    with pipeline.database.lock(HARVEST_LOCK + code):
        with pipeline.database.read() as conn:
            found = rekey.newest(conn, source_id)
            held = rekey.identifiers(conn, source_id)
        if found is None:
            raise UsageError(f"{code} was not rekeyed: there is nothing to undo")
        row, pairs = found
        still = [one for one in pairs if held.get(one.new, (0,))[0] == one.record_id]
        backs, twins = _standing(pipeline, still)
        forms = _renamed_forms(pipeline, code, [(one.record_id, one.old) for one in still if not one.twin])
        now = pipeline.now()
        with pipeline.database.write(durable=True) as conn:
            run_id = work.open_run(conn, "rekey", source_id, now)
            names = {one.record_id: one.old for one in still}
            rekey.rename(conn, {**names, **{one.twin: one.new for one in still if one.twin}})
            rekey.write_forms(conn, forms)
            moved = rekey.move_addresses(conn, code, source_id, {one.new: one.old for one in still})
            rekey.end(conn, row["id"])
            work.mark_dirty(conn, names)
        bad = restoring.restore(journey.place_of(pipeline, code), run_id, [*backs, *twins])
        with pipeline.database.write(durable=True) as conn:
            notes = {"undoes": row["id"], "by": author, "why": why}
            verdict, reason = ("partial", f"{len(bad)} records cannot be read any more") if bad else ("complete", "")
            work.close_run(conn, run_id, verdict=verdict, reason=reason, proof="", now=now, body=notes)
    return Done(code, row["id"], run_id, len(still), len(twins), moved)


def _check(conn: Any, source_id: int, pairs: Sequence[Pair]) -> None:
    """Raise unless every record is as it was when the plan was made."""
    held = rekey.identifiers(conn, source_id)
    for one in pairs:
        now = held.get(one.old, (0, "", 0))
        twin = held.get(one.new, (None, "", 0))[0] if one.twin else None
        if now[0] != one.record_id or now[2] != one.version or twin != one.twin:
            raise UsageError(f"{one.old} is no longer as it was planned", hint="make the plan again")


def _withdraw(conn: Any, source_id: int, names: Mapping[int, str]) -> None:
    """Deletions of records that are there under another name are off; a run that asked for nothing else is settled."""
    control.withdraw_proposals(conn, names)
    if not ledger.proposals(conn, source_id):
        for row in control.halted(conn):
            if row["source_id"] == source_id:
                control.settle_run(conn, row["id"], "complete", f"{row['reason']}; the identifiers had changed (rekey)")
                work.note_in_run(conn, row["id"], {"decided": True})


def _renamed_forms(pipeline: Pipeline, code: str, names: Sequence[tuple[int, str]]) -> dict[int, bytes]:
    """Normalized bodies of records (id, new identifier): links into the partner's catalogue hold the identifier."""
    source, partner = journey.source_of(pipeline.settings, code)
    if not partner.opac_url:
        return {}
    how = journey.recipe(pipeline, source, partner)
    forms: dict[int, bytes] = {}
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        with pipeline.database.read() as conn:
            stored = control.current_bytes(conn, [record_id for record_id, _ in batch])
        for record_id, name in batch:
            format_name, stamp, body = stored[record_id]
            made = restoring.again(restoring.Back(record_id, name, format_name, 0), body, stamp, how)
            if isinstance(made, Prepared):
                forms[record_id] = pack(made.normalized)
    return forms


def _standing(pipeline: Pipeline, pairs: Sequence[Pair]) -> tuple[list[restoring.Back], list[restoring.Back]]:
    """What the records with twins held before the rekey, and what the twins held."""
    backs, twins = [], []
    with pipeline.database.read() as conn:
        formats = rekey.formats_of(conn, [key for one in pairs if one.twin for key in (one.record_id, one.twin)])
        for one in pairs:
            if one.twin is None:
                continue
            last = max(row["version"] for row in ledger.versions(conn, one.twin) if row["state"] == "active")
            backs.append(restoring.Back(one.record_id, one.old, formats[one.record_id], one.version))
            twins.append(restoring.Back(one.twin, one.new, formats[one.twin], last))
    return backs, twins
