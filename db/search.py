"""The full-text index of clusters: FTS5 on SQLite, tsvector on PostgreSQL, both over words that we folded ourselves.

The databases' own analysis is not asked: SQLite's and PostgreSQL's would find different things. A word is a run of
ASCII letters and digits, made by harvester.text; a query is words, all of which must occur, the last with `*` as a
beginning. Order: hits whose title has every word, then those that more libraries hold, then the newest id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from db import bulk
from harvester.text import spelled_words

MAX_WORDS = 2_000
MAX_QUERY_WORDS = 20
MAX_LETTERS = 60  # what is longer is cut into several words
_WORD = re.compile(rf"[a-z0-9]{{1,{MAX_LETTERS}}}")


def words_of(*texts: str) -> str:
    """The words of *texts* as they are indexed: folded, in Latin letters, old spelling as new; each once.

    >>> words_of("Tjerita dari Djakarta", "Toer, Pramoedya Ananta")
    'cerita dari jakarta tur pramudja ananta'
    """
    return " ".join(list(dict.fromkeys(_words(texts)))[:MAX_WORDS])


def title_and_words(title: str, texts: Iterable[str]) -> tuple[str, str]:
    """words_of(title), words_of(title, *texts)."""
    titled = list(dict.fromkeys(_words([title])))
    every = list(dict.fromkeys([*titled, *_words(texts)]))
    return " ".join(titled[:MAX_WORDS]), " ".join(every[:MAX_WORDS])


def _words(texts: Iterable[str]) -> list[str]:
    found = spelled_words("\n".join(texts))
    return found if max(map(len, found), default=0) <= MAX_LETTERS else _WORD.findall(" ".join(found))


class Entry(NamedTuple):
    """What is indexed of a cluster: words made by words_of; those of the title are among *words* too."""

    cluster_id: int
    title: str
    words: str


def clear(conn: Connection, cluster_ids: Sequence[int]) -> None:
    """Find these clusters no more."""
    if not cluster_ids:
        return
    if conn.dialect.name == "sqlite":
        old = "DELETE FROM cluster_text WHERE rowid IN (SELECT value FROM json_each(:ids))"
        conn.execute(text(old), {"ids": json.dumps(cluster_ids)})
    else:
        conn.execute(text("DELETE FROM cluster_text WHERE cluster_id = ANY(:ids)"), {"ids": list(cluster_ids)})


def write(conn: Connection, entries: Sequence[Entry]) -> None:
    """Index clusters that are not indexed."""
    if entries and conn.dialect.name == "sqlite":
        conn.exec_driver_sql(_SQLITE, list(entries))
    elif entries:  # words of ASCII letters and digits with spaces between them are a tsvector as they stand
        bulk.copy(conn, "cluster_text", "cluster_id, title, words", entries)


_SQLITE = "INSERT INTO cluster_text (rowid, title, words) VALUES (?, ?, ?)"


class Query(NamedTuple):
    """What is looked for: *terms* as a person types them, narrowed to a material, a partner, years."""

    terms: str
    material: str = ""
    partner: str = ""
    year_from: int | None = None
    year_to: int | None = None


def find(conn: Connection, query: Query, limit: int, offset: int = 0) -> tuple[int, list[int]]:
    """(how many clusters there are, the ids of *limit* of them from *offset* on, best first).

    A query without any word finds nothing.
    """
    words = [(word, False) for word in words_of(query.terms).split()][:MAX_QUERY_WORDS]
    if not words:
        return 0, []
    if query.terms.rstrip().endswith("*"):
        words[-1] = (words[-1][0], True)
    made = _sqlite(words) if conn.dialect.name == "sqlite" else _postgres(words)
    narrowed, values = _narrowed(query)
    values |= made.values
    found = f"FROM {made.table} JOIN cluster_brief b ON b.cluster_id = {made.key} WHERE {made.matches}{narrowed}"
    total = int(conn.execute(text(f"SELECT count(*) {found}"), values).scalar_one())
    order = f"ORDER BY {made.in_title} DESC, b.partners DESC, b.cluster_id DESC LIMIT :limit OFFSET :offset"
    rows = conn.execute(text(f"SELECT b.cluster_id {found} {order}"), {**values, "limit": limit, "offset": offset})
    return total, [row[0] for row in rows]


class _Made(NamedTuple):
    """The parts of a query that differ between the databases; *values* are bound, never part of the SQL."""

    table: str
    key: str
    matches: str
    in_title: str
    values: dict[str, Any]


def _sqlite(words: Sequence[tuple[str, bool]]) -> _Made:
    terms = " AND ".join(f'"{word}"' + ("*" if begins else "") for word, begins in words)
    # FTS5 has no condition on a single column beside a match on all: asked once more, by rowid, for the order
    titles = "cluster_text.rowid IN (SELECT rowid FROM cluster_text WHERE cluster_text MATCH :titles)"
    values = {"terms": f"words : ({terms})", "titles": f"title : ({terms})"}
    return _Made("cluster_text", "cluster_text.rowid", "cluster_text MATCH :terms", titles, values)


def _postgres(words: Sequence[tuple[str, bool]]) -> _Made:
    terms = " & ".join(f"'{word}'" + (":*" if begins else "") for word, begins in words)
    matches = "cluster_text.words @@ CAST(:terms AS tsquery)"
    in_title = "(cluster_text.title @@ CAST(:terms AS tsquery))"
    return _Made("cluster_text", "cluster_text.cluster_id", matches, in_title, {"terms": terms})


def _narrowed(query: Query) -> tuple[str, dict[str, Any]]:
    parts: Mapping[str, tuple[str, Any]] = {
        "material": ("b.material = :material", query.material),
        "partner": (
            "b.cluster_id IN (SELECT p.cluster_id FROM cluster_partner p WHERE p.partner = :partner AND p.here)",
            query.partner,
        ),
        "year_from": ("b.year >= :year_from", query.year_from),
        "year_to": ("b.year <= :year_to", query.year_to),
    }
    used = {name: (sql, value) for name, (sql, value) in parts.items() if value not in ("", None)}
    return "".join(f" AND {sql}" for sql, _ in used.values()), {name: value for name, (_, value) in used.items()}
