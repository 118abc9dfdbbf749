"""No page reads a whole table: its questions to the database go through indexes, however large the catalogue is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.web.desk import Desk

LARGE = "record node membership cluster cluster_event union_record cluster_brief identifier holding decision change"
PAGES = (
    *("/clusters/{cluster}", "/records/{record}", "/search?q=laskar", "/merges", "/merges?partner=melati", "/review"),
    *(
        "/merges?rule=isbn&low=10",
        "/merges?by=people",
        "/partners/melati/ledger",
        "/partners/melati/ledger?q=laskar",
        "/changes",
        "/runs",
        "/quarantine",
    ),
)
Asked = list[tuple[str, Any]]


@contextmanager
def listening(engine: Engine) -> Iterator[Asked]:
    """Every statement and its parameters, while it lasts."""
    asked: Asked = []

    def note(conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def scanned(desk: Desk, asked: Asked) -> list[str]:
    """The statements that read a large table from end to end; in the order of its key, as far as a limit, is well."""
    found = []
    with desk.pipeline.database.read() as conn:
        for statement, parameters in asked:
            if not statement.lstrip().startswith("SELECT"):
                continue
            plan = [row[3].split() for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            whole = any(words[0] == "SCAN" and words[1] in LARGE.split() for words in plan)
            if whole and not re.search(r"ORDER BY \w+\.(id|seq) DESC\s+LIMIT", statement):
                found.append(statement)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_no_page_reads_a_whole_table(desk: Desk, page: str) -> None:
    session = desk.session("ani")
    with desk.pipeline.database.read() as conn:
        row = conn.exec_driver_sql(
            "SELECT m.cluster_id, s.code || '/' || r.identifier FROM membership m JOIN record r ON r.id = m.record_id "
            "JOIN source s ON s.id = r.source_id LIMIT 1"
        ).one()
    path = page.format(cluster=row[0], record=row[1])
    session.see(path)  # what is kept for everybody until a run ends may look at everything, once
    with listening(desk.pipeline.database.engine) as asked:
        assert session.see(path).status_code == 200
    assert len(asked) > 2
    assert scanned(desk, asked) == []
