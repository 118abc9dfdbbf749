"""What may go: versions, pages, empty runs, superseded changes and nodes nobody has. Never what a decision cites.

Each step is a small transaction of its own: killed between two, the rest goes the next time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, text, true, tuple_, union
from sqlalchemy.exc import DBAPIError

from db import changes
from db.engine import Database, within
from db.purge import unnamed
from db.tables import (
    change,
    cluster_event,
    decision,
    decision_member,
    deletion_proposal,
    drift,
    harvest_window,
    human_decision,
    ignored_identifier,
    login_failure,
    login_session,
    match_key,
    membership,
    node,
    page,
    payload,
    pin,
    quarantine,
    record,
    record_version,
    rejected_payload,
    rekey_pair,
    reprofiled,
    run,
    source,
    window_other,
)
from db.work import NOTHING

PORTION = 5000  # rows that one transaction looks at


class Policy:
    """versions kept of a record; moments (ISO 8601) before which runs and changes may go, and now."""

    def __init__(self, *, versions: int, runs_before: str, changes_before: str, now: str) -> None:
        self.versions = versions
        self.runs_before = runs_before
        self.changes_before = changes_before
        self.now = now


def prune(database: Database, policy: Policy, *, dry_run: bool = False) -> dict[str, int]:
    """What went, by kind; with *dry_run* what would go now (what only becomes free by it is not counted)."""
    found: dict[str, int] = {}
    for name, condition in _steps(policy).items():
        found[name] = _count(database, condition) if dry_run else _drop(database, condition)
    if dry_run:
        with database.read() as conn:
            found["changes"] = _superseded(conn, policy)
        return found
    with database.write() as conn:
        found["changes"] = changes.compact(conn, policy.changes_before)
    tidy(database)
    return found


def tidy(database: Database, *, wholly: bool = False) -> None:
    """Let the planner know the tables as they are, and give room back; *wholly*: also what is free within pages."""
    statements = ["ANALYZE"]
    if database.sqlite:
        statements += ["PRAGMA wal_checkpoint(TRUNCATE)"]
        with database.read() as conn:
            free = conn.execute(text("PRAGMA freelist_count")).scalar_one()
            pages = conn.execute(text("PRAGMA page_count")).scalar_one()
        statements += ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] if wholly or free > pages / 4 else []
    for statement in statements:
        with database.engine.connect() as conn, suppress(DBAPIError):  # somebody reads: next time
            conn.execution_options(isolation_level="AUTOCOMMIT")
            cursor = conn.connection.cursor()
            cursor.execute(statement)
            cursor.close()


Step = Callable[[], tuple[Any, ColumnElement[bool]]]


def _steps(policy: Policy) -> dict[str, Step]:
    """Kind → (table, which of its rows may go), in an order in which each step frees the next."""
    return {
        "pages": lambda: (page, _pages()),
        "seen": lambda: (window_other, _closed_long_ago(window_other.c.window_id)),
        "windows": lambda: (harvest_window, _windows()),
        "versions": lambda: (record_version, _versions(policy)),
        "payloads": lambda: (payload, unnamed()),
        "decisions": lambda: (decision, or_(_nobody(decision.c.left_node), _nobody(decision.c.right_node))),
        "keys": lambda: (match_key, _nobody(match_key.c.node_id)),
        "nodes": lambda: (node, and_(_nobody(node.c.id), _undecided())),
        "runs": lambda: (run, _runs(policy)),
        "drift": lambda: (drift, drift.c.at < policy.runs_before),
        "sessions": lambda: (login_session, login_session.c.expires_at < policy.now),
        "failures": lambda: (login_failure, login_failure.c.at < policy.runs_before),
    }


def _pages() -> ColumnElement[bool]:
    """Pages serve to notice a token that comes again, and a rekey to know when the last whole list began."""
    here = harvest_window.alias("here")
    listed = exists().where(here.c.id == page.c.window_id, here.c.state != "open", ~_last_whole_list(here))
    return and_(listed, _closed_long_ago(page.c.window_id))


def _closed_long_ago(window_id: ColumnElement[int]) -> ColumnElement[bool]:
    """The window is closed, and a later one of its source too."""
    later = harvest_window.alias("later")
    here = harvest_window.alias("here")
    newer = exists().where(later.c.source_id == here.c.source_id, later.c.id > here.c.id, later.c.state == "done")
    return exists().where(here.c.id == window_id, here.c.state != "open", newer)


def _windows() -> ColumnElement[bool]:
    """Closed before the newest whole list of their source, which alone the cursor is made of. Runs are the history."""
    whole = harvest_window.alias("whole")
    superseded = exists().where(
        whole.c.source_id == harvest_window.c.source_id,
        whole.c.id > harvest_window.c.id,
        whole.c.state == "done",
        whole.c.since.is_(None),
    )
    return and_(
        harvest_window.c.state != "open",
        superseded,
        ~_last_whole_list(harvest_window),
        ~exists().where(page.c.window_id == harvest_window.c.id),
        ~exists().where(window_other.c.window_id == harvest_window.c.id),
    )


def _last_whole_list(here: Any) -> ColumnElement[bool]:
    """Nothing newer of its source is a whole list: an unchanged file leaves windows without a page."""
    later = harvest_window.alias()
    newer = exists().where(
        later.c.source_id == here.c.source_id,
        later.c.id > here.c.id,
        later.c.state == "done",
        later.c.full,
        later.c.pages > 0,
    )
    return and_(here.c.full, here.c.pages > 0, here.c.state == "done", ~newer)


def _versions(policy: Policy) -> ColumnElement[bool]:
    """Old versions of records that no person's decision cites and that no reverted run touched."""
    cited = union(
        *(select(table.c.source, table.c.identifier) for table in (decision_member, pin, ignored_identifier))
    ).subquery()
    named = exists().where(
        record.c.id == record_version.c.record_id,
        source.c.id == record.c.source_id,
        source.c.code == cited.c.source,
        record.c.identifier == cited.c.identifier,
    )
    newest = select(record.c.version).where(record.c.id == record_version.c.record_id).scalar_subquery()
    moved = exists().where(rekey_pair.c.record_id == record_version.c.record_id)
    return and_(record_version.c.version <= newest - policy.versions, ~named, ~moved, ~_rejected(record_version))


def _rejected(table: Any) -> ColumnElement[bool]:
    return exists().where(rejected_payload.c.payload_hash == table.c.payload_hash)


def _nobody(node_id: ColumnElement[int]) -> ColumnElement[bool]:
    """No record has the node, neither now nor in the cluster that it stands in, nor by the rules that come."""
    return and_(*(~exists().where(table.c.node_id == node_id) for table in (record, membership, reprofiled)))


def _undecided() -> ColumnElement[bool]:
    return and_(
        ~exists().where(match_key.c.node_id == node.c.id),
        ~exists().where(decision.c.left_node == node.c.id),
        ~exists().where(decision.c.right_node == node.c.id),
    )


def _runs(policy: Policy) -> ColumnElement[bool]:
    """Old runs in which nothing happened that anything still stands on, but never the last good one of a source.

    A match of which nothing was asked goes at any age: a quiet night is told by its harvests.
    """
    later = run.alias("later")
    superseded = exists().where(
        later.c.source_id.is_not_distinct_from(run.c.source_id),
        later.c.kind == run.c.kind,
        later.c.id > run.c.id,
        later.c.verdict == "complete",
        ~later.c.body.startswith(NOTHING),
    )
    columns = (
        record_version.c.run_id,
        harvest_window.c.run_id,
        page.c.run_id,
        cluster_event.c.run_id,
        change.c.run_id,
        decision.c.run_id,
        human_decision.c.run_id,
        deletion_proposal.c.run_id,
        quarantine.c.first_run,
        quarantine.c.last_run,
        rejected_payload.c.run_id,
        record.c.changed_run,
    )
    used = union(*(select(column).where(column.is_not(None)) for column in columns)).subquery()
    idle = and_(run.c.kind == "match", run.c.verdict == "complete", run.c.body.like('{"records":0,%'))
    return and_(
        or_(run.c.started_at < policy.runs_before, idle),
        run.c.verdict.in_(("complete", "partial", "failed")),
        superseded,
        run.c.id.not_in(select(used)),
    )


def _superseded(conn: Connection, policy: Policy) -> int:
    """How many changes compact() would drop."""
    later = change.alias("later")
    old = exists().where(later.c.cluster_id == change.c.cluster_id, later.c.seq > change.c.seq)
    query = select(func.count()).select_from(change).where(change.c.at < policy.changes_before, old)
    return int(conn.execute(query).scalar_one())


def _count(database: Database, step: Step) -> int:
    table, condition = step()
    with database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table).where(condition)).scalar_one())


def _drop(database: Database, step: Step) -> int:
    """Go through the table by its key, a range in each transaction: writers get in between, no row is met twice."""
    table, condition = step()
    key = tuple(table.primary_key.columns)
    gone = 0
    rest: ColumnElement[bool] = true()
    while True:
        with database.write() as conn:
            last = conn.execute(select(*key).where(rest).order_by(*key).offset(PORTION - 1).limit(1)).first()
            here = rest if last is None else and_(rest, tuple_(*key) <= tuple_(*last, types=[one.type for one in key]))
            if not database.sqlite and len(key) == 1:
                # who takes one up again is waited for, and seen by what deletes
                locked = conn.execute(select(*key).where(here, condition).with_for_update(of=table)).scalars()
                here = within(conn, key[0], locked)
            gone += conn.execute(delete(table).where(here, condition)).rowcount
        if last is None:
            return gone
        rest = tuple_(*key) > tuple_(*last, types=[one.type for one in key])
