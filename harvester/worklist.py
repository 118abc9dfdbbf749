"""The worklist of suspect clusters: brought up to date when a match ends; what changed since, when somebody looks."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from db import review
from db import suspects as stored
from db.engine import Database
from harvester.match.rules import Rules
from harvester.model import Address
from harvester.reviewing_suspects import AROUND, Around, Suspicion, suspicions

EXAMINED = 1000  # of each kind, when everything is looked at
KEPT = 2000
DUE = 100_000  # notes that are cleared at once
LEAST_GROWN = 3

_decode = msgspec.json.Decoder(Suspicion).decode


class Worklist(NamedTuple):
    """The suspect clusters, the most suspect first, with their versions, as the feed stood at `seq`.

    `done` are the notes on clusters that it has heeded.
    """

    lines: list[Suspicion]
    versions: dict[int, int]
    seq: int
    done: Collection[int]


def refresh(database: Database, rules: Rules, derivation_id: int) -> None:
    """Bring the stored worklist up to date; the caller holds the lock of the match run."""
    with database.read() as conn:
        found = current(conn, rules, derivation_id)
        if stored.mark(conn) == (found.seq, derivation_id) and not found.done:
            return
    rows = [(one.cluster, found.versions[one.cluster], msgspec.json.encode(one).decode()) for one in found.lines]
    with database.write() as conn:
        stored.replace(conn, rows, found.seq, derivation_id, found.done)


def current(conn: Connection, rules: Rules, derivation_id: int) -> Worklist:
    """The worklist as it is now: what is stored, and what changed since looked at again. Stores nothing."""
    mark, seq = stored.mark(conn), stored.position(conn)
    due = stored.due(conn, EXAMINED + 1)
    touched = {*stored.changed_since(conn, mark[0], EXAMINED + 1), *due.values()} if mark else set()
    if mark is None or mark[1] != derivation_id or mark[0] > seq or max(len(touched), len(due)) > EXAMINED:
        return _whole(conn, rules, seq)
    held = {key: (version, _decode(body)) for key, (version, body) in stored.held(conn).items()}
    versions = stored.merged(conn, {*held, *touched})
    fresh = {key for key in touched if key in versions}
    fresh |= {key for key, (version, _) in held.items() if versions.get(key, version) != version}
    kept = [line for key, (_, line) in held.items() if key in versions and key not in fresh]
    if touched:
        around = _around(conn)
        near = {key for several in around.shared.values() if not fresh.isdisjoint(several) for key in several}
        more = stored.merged(conn, near - held.keys() - fresh)
        versions |= more
        kept = [line for one in kept if (line := _again(one, around)).reasons]
        kept += suspicions(conn, rules, [*sorted(fresh), *sorted(more)][:KEPT], around)
    elif fresh:
        kept += suspicions(conn, rules, sorted(fresh), _around(conn))
    return Worklist(_ranked(kept), versions, seq, due.keys())


def _whole(conn: Connection, rules: Rules, seq: int) -> Worklist:
    """The worklist without looking at what is stored."""
    around = _around(conn)
    shared = (key for several in around.shared.values() for key in several)
    torn, lately = review.torn(conn, EXAMINED), review.lately_changed(conn, EXAMINED)
    wanted = list(dict.fromkeys([*torn, *around.grown, *shared, *lately]))
    versions = stored.merged(conn, wanted)
    keys = [key for key in wanted if key in versions][:KEPT]
    done = stored.due(conn, DUE).keys()
    return Worklist(_ranked(suspicions(conn, rules, keys, around)), versions, seq, done)


def _around(conn: Connection) -> Around:
    return Around(conn, review.grown(conn, LEAST_GROWN, EXAMINED), review.shared_isbns(conn, EXAMINED))


def _again(line: Suspicion, around: Around) -> Suspicion:
    """A cluster that did not change, among others that did."""
    own = [one for one in line.reasons if one.code not in AROUND]
    return replace(line, reasons=(*own, *around.reasons(line.cluster, line.records)))


def _ranked(lines: list[Suspicion]) -> list[Suspicion]:
    return sorted(lines, key=lambda one: (-one.worth, *map(Address.parse, (one.left, one.right)), one.cluster))[:KEPT]
