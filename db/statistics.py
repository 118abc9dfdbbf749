"""What PostgreSQL's planner knows of the tables, kept up while they grow quickly.

Autovacuum counts once in a minute: a first load and most of a first match are over by then, and without figures the
pairs of a batch were looked for with ten times the work. SQLite's planner goes by the indexes alone.
"""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.engine import Database

# what large joins go over
_WATCHED = ("cluster", "decision", "match_key", "membership", "node", "record")
_GROWN = text(
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = ANY(:names)"
    " AND n_mod_since_analyze > 1000 AND n_mod_since_analyze > n_live_tup / 2 ORDER BY relname"
)


def refresh(database: Database) -> list[str]:
    """Count those tables anew of which half has changed since; returns their names. Quick when there is none."""
    if database.sqlite:
        return []
    grown = database.persist(lambda: _grown(database))
    for name in grown:
        with suppress(DBAPIError), database.write() as conn:  # autovacuum is at it: it knows as much soon
            conn.execute(text("SET LOCAL lock_timeout = '2s'"))
            conn.execute(text(f'ANALYZE "{name}"'))
    return grown


def _grown(database: Database) -> list[str]:
    with database.read() as conn:
        return list(conn.execute(_GROWN, {"names": list(_WATCHED)}).scalars())
