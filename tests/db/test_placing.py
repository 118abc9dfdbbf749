"""Records get other profiles: in the place of their old ones where these are theirs alone, beside them otherwise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late

import pytest
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from db import placing, verify
from db.engine import Database
from db.prepared import Profiled, digest
from db.tables import decision, match_key, node, partner, record, source

pytestmark = pytest.mark.slow
ROW = {"source_id": 1, "state": "active", "version": 1, "format": "marcxml", "datestamp": ""}


def known(text: str, *keys: int) -> Profiled:
    body = text.encode()
    return Profiled(digest(body), True, body, tuple(("title", key, 7) for key in keys))


def filled(conn: Connection, profiles: dict[int, Profiled]) -> dict[int, int]:
    """Record → node, after records (by id) with these profiles were stored."""
    conn.execute(insert(partner).values(code="a", status="active", policy_hash=b"", body="{}", added_at=""))
    conn.execute(insert(source).values(id=1, code="a", partner="a", added_at=""))
    ids = placing.store_nodes(conn, profiles.values())
    hashes = dict.fromkeys(("raw_hash", "stored_hash", "payload_hash"), b"")
    rows = [
        {**ROW, **hashes, "id": key, "identifier": str(key), "node_id": ids[one.hash]} for key, one in profiles.items()
    ]
    conn.execute(insert(record), rows)
    return nodes(conn)


def nodes(conn: Connection) -> dict[int, int]:
    return {row[0]: row[1] for row in conn.execute(select(record.c.id, record.c.node_id))}


def keys(conn: Connection, number: int) -> set[int]:
    return {row[0] for row in conn.execute(select(match_key.c.hash).where(match_key.c.node_id == number))}


def test_a_profile_takes_the_place_of_one_that_all_its_records_leave(database: Database) -> None:
    with database.write() as conn:
        before = filled(conn, {1: known("x", 10), 2: known("x", 10), 3: known("y", 20), 4: known("z", 30)})
        placing.place(conn, {1: known("x2", 10), 2: known("x2", 10), 3: known("y2", 20, 21)})
        assert nodes(conn) == before
        assert [keys(conn, before[one]) for one in (1, 3, 4)] == [{10}, {20, 21}, {30}]
        held = {row[0]: bytes(row[1]) for row in conn.execute(select(node.c.id, node.c.profile_hash))}
        assert held == {before[1]: digest(b"x2"), before[3]: digest(b"y2"), before[4]: digest(b"z")}


def test_a_profile_that_others_have_or_name_stays(database: Database) -> None:
    with database.write() as conn:
        before = filled(
            conn, {1: known("x"), 2: known("x"), 3: known("y", 20), 4: known("z"), 5: known("q"), 6: known("q")}
        )
        told = {"verdict": "distinct", "score": 0, "reason_id": 1, "derivation_id": 1, "run_id": 1}
        conn.execute(insert(decision).values(left_node=before[3], right_node=before[4], **told))
        placing.place(conn, {1: known("x2"), 3: known("y2", 20), 5: known("q1"), 6: known("q2")})
        after = nodes(conn)
        assert (after[2], after[4]) == (before[2], before[4])
        assert not {after[1], after[3], after[5], after[6]} & set(before.values())
        assert keys(conn, after[3]) == keys(conn, before[3]) == {20}
        assert before[5] not in {row[0] for row in conn.execute(select(node.c.id))}, "nothing names it any more"


def test_who_says_that_the_keys_stay_gives_none_and_they_are_there(database: Database) -> None:
    """In the place of the old profile, beside it, and where the new one is there already."""
    with database.write() as conn:
        old = known("x", 10), known("x", 10), known("y", 20, 21), known("z", 20, 21), known("w", 30)
        filled(conn, dict(enumerate(old, start=1)))
        placing.place(conn, {1: known("x2"), 3: known("z"), 5: known("w2")}, same_keys=True)
        after = nodes(conn)
        assert [keys(conn, after[one]) for one in range(1, 6)] == [{10}, {10}, {20, 21}, {20, 21}, {30}]


def test_two_leave_for_one_and_one_for_a_profile_that_is_there(database: Database) -> None:
    with database.write() as conn:
        before = filled(conn, {1: known("x"), 2: known("y"), 3: known("z"), 4: known("w")})
        placing.place(conn, {1: known("n"), 2: known("n"), 3: known("w")})
        after = nodes(conn)
        assert after[1] == after[2]
        assert after[3] == after[4] == before[4]
        assert {row[0] for row in conn.execute(select(node.c.id))} == set(after.values())


def test_who_looked_up_a_profile_while_it_left_gets_it_anew(database: Database) -> None:
    """A harvest receives what has the old profile: its record must not end up with the new one."""
    with database.write() as conn:
        before = filled(conn, {1: known("x", 10)})

    def received() -> int:
        with database.write() as conn:
            return placing.store_nodes(conn, [known("x", 10)])[digest(b"x")]

    with ThreadPoolExecutor(1) as pool:
        with database.write() as conn:
            placing.place(conn, {1: known("x2", 10)})
            waiting = pool.submit(received)
            with pytest.raises(Late):  # who does not wait has taken the node that is being changed
                waiting.result(1)
        found = waiting.result(60)
    with database.read() as conn:
        held = {row[0]: bytes(row[1]) for row in conn.execute(select(node.c.id, node.c.profile_hash))}
    assert held == {before[1]: digest(b"x2"), found: digest(b"x")}


def test_a_key_of_no_node_is_refused_or_told(database: Database) -> None:
    stray = insert(match_key).values(hash=7, node_id=1, kind_id=1, likeness=7)
    if database.sqlite:
        with pytest.raises(IntegrityError), database.write() as conn:
            conn.execute(stray)
        return
    with database.write() as conn:
        conn.execute(stray)
    with database.read() as conn:
        assert [(one.name, one.bad) for one in verify.verify(conn) if one.bad] == [("keys", 1)]
