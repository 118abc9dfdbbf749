"""Words that very many rows say, each kept once: kinds of keys, reasons of decisions. Rows hold their numbers."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from db import bulk
from db.engine import within
from db.tables import term


def numbers(conn: Connection, words: Iterable[str]) -> dict[str, int]:
    """Word → its number; a new word gets one."""
    wanted = set(words)
    found = _known(conn, wanted)
    if new := sorted(wanted - found.keys()):
        bulk.insert_new(conn, term, ("word",), [(one,) for one in new])
        found |= _known(conn, new)
    return found


def _known(conn: Connection, words: Iterable[str]) -> dict[str, int]:
    query = select(term.c.word, term.c.id).where(within(conn, term.c.word, words))
    return {row[0]: row[1] for row in conn.execute(query)}


def words(conn: Connection) -> dict[int, str]:
    """Number → word, of all: there are some dozens."""
    return {row[0]: row[1] for row in conn.execute(select(term.c.id, term.c.word))}
