"""induk db"""

from __future__ import annotations

import click

from harvester.cli.common import Shell, common, open_database


@click.group("db")
def command() -> None:
    """The database: upgrade, verify, dump."""


@command.command()
@common
def upgrade(shell: Shell) -> None:
    """Make the database, or bring it to this version's schema; killed half-way it keeps the old one."""
    from db import migrate

    before, after = migrate.upgrade(open_database(shell))
    found = {"before": before, "after": after}
    shell.emit(found, lambda: shell.say(f"schema {before or 'none'} → {after}"))


@command.command()
@common
def verify(shell: Shell) -> int:
    """Check conservation, orphans, counts and the feed; exit code 4 when something is wrong."""
    from db import migrate, verify

    database = open_database(shell)
    migrate.require(database)
    with database.read() as conn:
        checks = list(verify.verify(conn))
    bad = [one for one in checks if one.bad]
    shell.emit(
        {"good": not bad, "checks": [one._asdict() for one in checks]},
        lambda: shell.table(
            ["", "wrong", "check"], [["ok" if not one.bad else "WRONG", one.bad, one.sentence] for one in checks]
        ),
    )
    return 4 if bad else 0


@command.command()
@common
def dump(shell: Shell) -> None:
    """The catalogue as canonical JSON Lines, without ids and times: equal catalogues give equal bytes."""
    from db import dump, migrate

    database = open_database(shell)
    migrate.require(database)
    with database.read() as conn:
        for line in dump.lines(conn):
            click.echo(line)
