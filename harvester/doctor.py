"""Is everything in place? Each finding is one line; nothing is changed."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from db import migrate, nights, verify
from db.engine import Database
from harvester import rule_files
from harvester.errors import IndukError
from harvester.secret import Secret
from harvester.settings import Settings

FREE_BYTES = 1 << 30
SECONDS = 5.0  # for one endpoint
CERTIFICATE_DAYS = 14  # a certificate that ends sooner is told
PORTS = {"http": 80, "https": 443, "z3950": 210, "tcp": 210}


class Finding(NamedTuple):
    """One thing that was looked at."""

    name: str
    good: bool
    found: str


def examine(load: Callable[[], Settings]) -> list[Finding]:
    """Look at configuration (*load* reads it), rules, mappings, database, clock, disk, secrets and endpoints."""
    findings: list[Finding] = []

    def look(name: str, question: Callable[[], Any]) -> Any:
        try:
            answer = question()
        except (IndukError, OSError, DBAPIError) as error:
            findings.append(Finding(name, False, str(getattr(error, "orig", error))))
            return None
        findings.append(Finding(name, True, answer if isinstance(answer, str) else "good"))
        return answer

    known = look("configuration", load)
    if known is None:
        return findings
    look("rules", lambda: ", ".join(rules.hash[:8] for rules in rule_files.load_rules(known)))
    look("mappings", lambda: rule_files.check_mappings(known))
    database = look("database", lambda: _database(known))
    if database is not None:
        look("schema", lambda: migrate.require(database))
        if findings[-1].good:
            findings += _soundness(database)
            look("clock", lambda: _clock(database))
    look("disk", lambda: _disk(known.folder))
    findings += [finding for reference in _references(known) if (finding := _secret(reference))]
    findings += [_place(source.code, source.url) for source in known.sources]
    return findings


def _clock(database: Database) -> str:
    """Nothing that was done lies ahead: a clock that was set back makes runs look as if they were to come."""
    with database.read() as conn:
        rows = nights.recent(conn, "")[:1]
    if rows and datetime.fromisoformat(rows[0]["started_at"]) > datetime.now(UTC):
        raise OSError(f"the last run began at {rows[0]['started_at']}, which is still to come")
    return "good"


def _references(known: Any) -> list[str]:
    """Every reference to a secret."""
    found = [reference for source in known.sources for _, reference in source.credentials]
    found += [one.reference for output in known.outputs.values() for one in output.credentials.values()]
    found += [one.reference for one in (known.mail.password, known.web.session_secret) if one]
    return sorted(set(found))


def _secret(reference: str) -> Finding | None:
    """Whether the secret is there, and a file that nobody else may read."""
    try:
        Secret(reference).reveal(os.environ)
    except IndukError as error:
        return Finding(f"secret {reference}", False, str(error))
    kind, _, name = reference.partition(":")
    if kind == "file" and Path(name).stat().st_mode & 0o077:
        return Finding(f"secret {reference}", False, f"others may read it: chmod 600 {name}")
    return None


def _place(code: str, url: str) -> Finding:
    """Whether a source is where the settings say."""
    if "://" in url:
        return _endpoint(code, url)
    there = Path(url).exists()
    return Finding(f"files {code}", there, url if there else f"{url} is not there")


def _endpoint(code: str, url: str) -> Finding:
    """Whether somebody listens there, and for how long its certificate is good; nothing is asked."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    name = f"endpoint {code}"
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as plain:
            if parts.scheme != "https":
                return Finding(name, True, f"{host}:{port} answers")
            with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure:
                ends = ssl.cert_time_to_seconds(str((secure.getpeercert() or {}).get("notAfter", "")))
    except (OSError, ValueError) as error:
        return Finding(name, False, f"{host}:{port}: {error}")
    days = int((ends - datetime.now(UTC).timestamp()) // 86_400)
    return Finding(name, days >= CERTIFICATE_DAYS, f"{host}:{port} answers, certificate good for {days} days")


def _database(known: Any) -> Database:
    opened = Database(known.database_url(os.environ))
    with opened.read():
        return opened


def _soundness(database: Database) -> Iterator[Finding]:
    try:
        with database.read() as conn:
            bad = [check for check in verify.verify(conn) if check.bad]
    except DBAPIError as error:  # a damaged file: restore the newest backup
        yield Finding("catalogue", False, str(error.orig))
        return
    yield Finding("catalogue", not bad, "; ".join(f"{one.bad} × wrong: {one.sentence}" for one in bad) or "good")


def _disk(folder: Path) -> str:
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise OSError(f"only {free >> 20} MiB free in {folder}")
    return f"{free >> 30} GiB free"
