"""What one record costs among 10,000 and among 1,000,000 stored profiles, and everything matched again among as many.

The base is harvested and matched as ever: the first 10,000 records of the corpus. The other profiles are derived from
those of the base, generation by generation, and stored with their keys as a harvest stores them, but without payloads:
each word of a title or name gets an ending of its generation, and identifiers are drawn anew by a hash, so that a
generation has the blocks and pairs of the base within itself and none with another. Every fourth record of an even
generation is a duplicate of its like in the one before, without its publisher or with a page more. Pairs per record are
therefore the same at every size.

The probe is 1,000 records: 750 more of the corpus, and 250 of the base under other numbers. They are harvested and
matched as ever. Figures are seconds of processors, of the process and its workers.
"""

from __future__ import annotations

import os
import random
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, insert, literal, select

from db import bulk, placing, reprofiling, work
from db.engine import Database
from db.prepared import Profiled, digest
from db.tables import node, record, reprofiled
from harvester.match.blocking import BITS
from harvester.match.keys import keys
from harvester.model import Profile
from harvester.rejudging import propose, rejudge
from harvester.workers import Workers
from tests.journey import Consortium

BASE, PROBE, OVERLAP, PORTION = 10_000, 1000, 0.25, 5000
SEED = 20261122
_profile = msgspec.msgpack.Decoder(Profile).decode


def spent() -> float:
    """Seconds of processors so far, of this process and of those that have ended."""
    rows = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in rows)


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """(what *work* gives, seconds of processors, seconds)"""
    cpu, wall = spent(), time.perf_counter()
    return work(), spent() - cpu, time.perf_counter() - wall


def peak() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ---- the catalogue -----------------------------------------------------------------------------------


def files(file: str, home: Path) -> tuple[Path, Path]:
    """The base and the probe, cut out of *file*."""
    records = Path(file).read_bytes().split(b"\x1d")[: BASE + PROBE]
    draw = random.Random(SEED)
    again = [_renumbered(one) for one in draw.sample(records[:BASE], int(PROBE * OVERLAP))]
    fresh = records[BASE : BASE + PROBE - len(again)]
    made = {"base": records[:BASE], "probe": [*fresh, *again]}
    for name, some in made.items():
        (home / f"{name}.mrc").write_bytes(b"".join(one + b"\x1d" for one in some))
    return home / "base.mrc", home / "probe.mrc"


def _renumbered(payload: bytes) -> bytes:
    """The same record as another library numbers it: the number of its 001 has one digit more, the year none less."""
    start = int(payload[12:17])
    at = payload.index(b"001", 24, start)
    length, place = int(payload[at + 3 : at + 7]), start + int(payload[at + 7 : at + 12])
    number = payload[place : place + length - 1]
    other = blake2b(number, digest_size=8).hexdigest().encode()[: len(number)]
    return payload[:place] + other + payload[place + length - 1 :]


def derived(profiles: Sequence[Profile]) -> Iterator[Profile]:
    """Generation after generation, without end."""
    generation = 0
    while True:
        generation += 1
        draw = random.Random(SEED + (generation - 1) // 2)
        for number, one in enumerate(profiles):
            double = draw.random() < OVERLAP
            if generation % 2 or not double:
                yield _changed(one, generation)
            else:
                twin = _changed(one, generation - 1)
                noise = {"publisher": ()} if number % 2 else {"pages": twin.pages + 1}
                yield msgspec.structs.replace(twin, **noise)


def _changed(one: Profile, generation: int) -> Profile:
    """The profile of another work that is described like this one."""
    ending = "".join(chr(97 + int(digit)) for digit in f"{generation:03}")

    def words(some: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word + ending for word in some)

    def numbers(some: tuple[str, ...]) -> tuple[str, ...]:
        made = (blake2b(f"{generation} {value}".encode(), digest_size=7).digest() for value in some)
        return tuple(sorted(str(int.from_bytes(value, "big"))[:13] for value in made))

    return msgspec.structs.replace(
        one,
        proper=" ".join(words(tuple(one.proper.split()))),
        title=" ".join(words(tuple(one.title.split()))),
        words=words(one.words),
        author=words(one.author),
        entry=words(one.entry),
        names=words(one.names),
        isbns=numbers(one.isbns),
        issns=numbers(one.issns),
        ids=numbers(one.ids),
        documents=numbers(one.documents),
        oclcs=numbers(one.oclcs),
    )


def filled(base: Path, home: Path, url: str, size: int) -> Consortium:
    """A catalogue of *size* profiles: the base harvested and matched, the rest derived."""
    made = Consortium(home / "union", url, batch=1000)
    options = {"stable_seconds": 0, "format": "iso2709"}
    made.add("base", protocol="files", url=str(base), options=options)
    made.add("probe", protocol="files", url=str(home / "probe.mrc"), options=options)
    made.add("derived", protocol="files", url=str(home / "none"), options=options)
    made.configure("harvest: {workers: 1}")  # starting processes for a thousand records would hide what grows
    made.harvest("base")
    made.match()
    with made.opened() as opened:
        rules, source = opened.match, opened.source_ids["derived"]
        with opened.database.read() as conn:
            wanted = size - int(conn.execute(select(func.count()).select_from(record)).scalar_one())
            query = select(record.c.node_id).where(record.c.state == "active").order_by(record.c.id)
            ids = [row[0] for row in conn.execute(query)]
            held = ledger_profiles(conn, ids)
        rest = islice(derived([_profile(held[one]) for one in ids]), max(wanted, 0))
        number = 0
        while some := list(islice(rest, PORTION)):
            packed = [msgspec.msgpack.encode(one) for one in some]
            told = [Profiled(digest(raw), True, raw, keys(one, rules)) for one, raw in zip(some, packed, strict=True)]
            with opened.database.write() as conn:
                nodes = placing.store_nodes(conn, told)
                rows = [_row(source, number + at, nodes[one.hash]) for at, one in enumerate(told)]
                bulk.insert(conn, record, COLUMNS, rows)
            number += len(some)
    return made


COLUMNS = ("source_id", "identifier", "state", "version", "format", "datestamp", "raw_hash", "stored_hash")
COLUMNS += ("payload_hash", "node_id")


def _row(source: int, number: int, node_id: int) -> tuple[Any, ...]:
    name = number.to_bytes(16, "big")
    return (source, f"{number:09}", "active", 1, "iso2709", "", name, name, name, node_id)


def ledger_profiles(conn: Any, ids: Sequence[int]) -> dict[int, bytes]:
    """Node → its profile."""
    from db import catalogue

    return {key: body for key, (body, _) in catalogue.profiles(conn, ids).items()}


# ---- what is measured --------------------------------------------------------------------------------


def growth(file: str, home: str, url: str, size: str, bulk_too: str = "") -> dict[str, Any]:
    """The cost of a probe record among *size* profiles; *bulk_too*: then everything is matched again."""
    place = Path(home)
    base, _ = files(file, place)
    made = filled(base, place, url or f"sqlite:///{place / 'induk.db'}", int(size))
    _, harvest, _ = measured(lambda: made.harvest("probe"))
    matched, match, _ = measured(made.match)
    told = {
        "profiles": int(size),
        "harvest_us": harvest / PROBE * 1e6,
        "match_us": match / PROBE * 1e6,
        "pairs": matched["pairs"] / PROBE,
        "probe_records": matched["records"],
        "night_peak": peak(),  # of the filling, too
    }
    return {**told, **(everything(made) if bulk_too else {}), "peak": peak()}


def everything(made: Consortium) -> dict[str, Any]:
    """The pairs of all profiles by one join, their components, all decided beside in the workers, and put in force."""
    with made.opened() as opened, closing(Workers(os.cpu_count() or 1)) as workers:
        database = opened.database
        with database.write() as conn:
            reprofiling.clear(conn)
            columns = ["record_id", "version", "rules", "node_id", "solid", "hidden", "rekeyed"]
            same = select(record.c.id, record.c.version, literal(b""), record.c.node_id, node.c.solid,
                          literal(False), literal(False)).join(node, node.c.id == record.c.node_id)  # fmt: skip
            conn.execute(insert(reprofiled).from_select(columns, same))
        told = _joined(database, workers)
        _, compared, wall = measured(lambda: _rejudged(database, workers))
        with database.write(durable=True) as conn:
            run = work.open_run(conn, "match", None, opened.now())
        _, force, _ = measured(lambda: _put(database, opened.derivation_id, run))
    return {**told, "compare_s": compared, "compare_wall_s": wall, "force_s": force}


def _joined(database: Database, workers: Workers) -> dict[str, Any]:
    """The pairs that the keys propose, and what hangs together by them; in seconds, since all processes are at it."""
    with database.read() as conn:
        nodes = reprofiling.nodes(conn)
    list(workers.each(len, [("",)] * 8))  # they are there
    proposed, _, joining = measured(lambda: propose(database, workers, None, nodes))
    number, _, components = measured(lambda: parts(nodes, proposed.pairs))
    counts = {"nodes": len(nodes), "pairs": len(proposed.pairs), "suspended": len(proposed.suspended), "parts": number}
    return {f"bulk_{name}": count for name, count in counts.items()} | {"join_s": joining, "components_s": components}


def _rejudged(database: Any, workers: Workers) -> Any:
    found = rejudge(database, workers, None, lambda seen: None)
    workers.close()  # so that their seconds count
    return found


def _put(database: Any, derivation_id: int, run_id: int) -> None:
    with database.write(durable=True) as conn:
        reprofiling.swap(conn)
        reprofiling.decide(conn, derivation_id, run_id)
        reprofiling.clear(conn)


def parts(nodes: set[int], pairs: Iterable[int]) -> int:
    """How many connected components there are."""
    parent, lower = list(range(max(nodes, default=0) + 1)), (1 << BITS) - 1
    joined = 0
    for pair in pairs:
        left, right = parent[pair >> BITS], parent[pair & lower]
        if left == right:
            continue
        while (above := parent[left]) != left:
            parent[left] = left = parent[above]
        while (above := parent[right]) != right:
            parent[right] = right = parent[above]
        if left != right:
            parent[right] = left
            joined += 1
    return len(nodes) - joined
