"""The file of match rules that a promotion brings: it stands beside the one in force until the database has swapped.

The swap is one transaction; the file follows it. Whoever opens the catalogue after a kill between the two finishes
or forgets the file, so that file and database are both of before or both of after.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from db import derivations, rules
from db.engine import Database
from harvester.errors import Locked
from harvester.match import rules as match_rules
from harvester.match.rules import Rules
from harvester.merge import survivorship
from harvester.settings import Settings

MATCH_RUN_LOCK = "match-run"  # held for a whole run: a second one exits with 75; taken before MATCH_LOCK


def in_force(settings: Settings) -> Path:
    """Where the file of match rules stands beside induk.yaml; there is none while the shipped ones are in force."""
    return settings.folder / "mappings" / "rules" / f"{settings.match.rules}.yaml"


def offered(settings: Settings) -> Path:
    """Where the file stands that is to be in force."""
    return in_force(settings).with_suffix(".next")


def offer(settings: Settings, rules: Rules) -> None:
    """Put the text of *rules* beside the file in force, whole or not at all."""
    target = offered(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(rules.text.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)


def withdraw(settings: Settings) -> None:
    """Forget what was offered."""
    with suppress(FileNotFoundError):
        offered(settings).unlink()


def take(settings: Settings) -> None:
    """Let what was offered be in force. What ships is not copied: a newer Induk then brings its newer rules."""
    target, found = in_force(settings), offered(settings)
    with suppress(FileNotFoundError):  # another process was quicker
        if found.read_text(encoding="utf-8-sig") == match_rules.SHIPPED.read_text(encoding="utf-8-sig"):
            with suppress(FileNotFoundError):
                target.unlink()
            found.unlink()
        else:
            found.replace(target)


def overtaken(database: Database, match: Rules, merge: survivorship.Rules) -> bool:
    """Whether other rules were put in force since these were read; asked under a lock that keeps them in force."""
    with database.read() as conn:
        return not rules.in_force(conn, match.hash, merge.hash)


def refuse_overtaken(database: Database, match: Rules, merge: survivorship.Rules) -> None:
    """Raise Locked where other rules were put in force since: what is made by these would stand among theirs."""
    if overtaken(database, match, merge):
        raise Locked("other rules were put in force meanwhile", hint="the next run goes by them")


def settle(settings: Settings, database: Database) -> None:
    """Finish or forget a promotion that was killed; one that is at work is left alone."""
    found = offered(settings)
    with suppress(FileNotFoundError, Locked):
        if not found.is_file():
            return
        with database.lock(MATCH_RUN_LOCK):
            made = match_rules.parse(found.read_text(encoding="utf-8-sig")).hash
            with database.read() as conn:
                row = derivations.current(conn)
            if row and bytes(row["match_hash"]).hex() == made:
                take(settings)
            else:
                withdraw(settings)
