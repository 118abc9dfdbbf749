"""The schema's version: upgrading, and the gate that refuses a database of another version.

An upgrade is one transaction on both databases: killed half-way it leaves the old schema.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from db import changes, views
from db.engine import Database
from harvester import faultpoint
from harvester.errors import ConfigError


def config(conn: Connection) -> Config:
    """Alembic's configuration around an open connection."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    made.attributes["connection"] = conn
    return made


def head() -> str:
    """The revision that this code is written for."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return str(ScriptDirectory.from_config(made).get_current_head())


def current(conn: Connection) -> str:
    """The revision of the database; empty when it holds no schema of ours."""
    return MigrationContext.configure(conn).get_current_revision() or ""


def upgrade(database: Database) -> tuple[str, str]:
    """Bring the database to this code's revision; returns (before, after).

    Raises:
        ConfigError: the database is newer than this code.
    """
    with database.lock("schema"), database.write(durable=True) as conn:
        before = current(conn)
        _refuse_newer(before)
        views.drop(conn)  # they stand on tables that a step may replace
        if before != head():
            command.upgrade(config(conn), "head")
            faultpoint.reach("migrate.stepped")
        views.create(conn)
        if not before:
            changes.start_feed(conn)
        return before, head()


def require(database: Database) -> None:
    """Raise unless the database has exactly this code's revision."""
    with database.read() as conn:
        found = current(conn)
        empty = not found and not inspect(conn).has_table("record")
    if found == head():
        return
    if empty:
        raise ConfigError("the database is empty", hint="run `induk db upgrade`")
    _refuse_newer(found)
    raise ConfigError(f"the database has schema {found}, this version wants {head()}", hint="run `induk db upgrade`")


def _refuse_newer(found: str) -> None:
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(made).walk_revisions()}
    if found and found not in known:
        raise ConfigError(
            f"the database has schema {found}, which this version does not know",
            hint="it was upgraded by a newer Induk; install that one",
        )
