"""Is everything in place? Each finding is one line; nothing is changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from db import migrate, verify
from db.engine import Database
from harvester import pipeline, settings
from harvester.errors import IndukError

FREE_BYTES = 1 << 30


class Finding(NamedTuple):
    """One thing that was looked at."""

    name: str
    good: bool
    found: str


def examine(path: Path | None) -> list[Finding]:
    """Look at the configuration, rules, mappings, database, disk and the secrets' files."""
    findings: list[Finding] = []

    def look(name: str, question: Callable[[], Any]) -> Any:
        try:
            answer = question()
        except (IndukError, OSError) as error:
            findings.append(Finding(name, False, str(error)))
            return None
        findings.append(Finding(name, True, answer if isinstance(answer, str) else "good"))
        return answer

    known = look("configuration", lambda: settings.load(path, environ=os.environ))
    if known is None:
        return findings
    look("rules", lambda: ", ".join(rules.hash[:8] for rules in pipeline.load_rules(known)))
    look("mappings", lambda: pipeline.check_mappings(known))
    database = look("database", lambda: _database(known))
    if database is not None:
        look("schema", lambda: migrate.require(database))
        findings += list(_soundness(database)) if findings[-1].good else []
    look("disk", lambda: _disk(known.folder))
    return findings


def _database(known: Any) -> Database:
    opened = Database(known.database_url(os.environ))
    with opened.read():
        return opened


def _soundness(database: Database) -> Iterator[Finding]:
    with database.read() as conn:
        bad = [check for check in verify.verify(conn) if check.bad]
    yield Finding("catalogue", not bad, "; ".join(f"{one.bad} × not: {one.sentence}" for one in bad) or "good")


def _disk(folder: Path) -> str:
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise OSError(f"only {free >> 20} MiB free in {folder}")
    return f"{free >> 30} GiB free"
