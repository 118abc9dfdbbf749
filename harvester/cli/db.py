"""induk db"""

from __future__ import annotations

from pathlib import Path

import click

from harvester.cli._speech import _, told
from harvester.cli.common import Shell, common, open_database, settings_of


@click.group("db")
def command() -> None:
    """The database: upgrade, verify, dump, back up, restore, prune, pack."""


@command.command()
@common
def upgrade(shell: Shell) -> None:
    """Make the database, or bring it to this version's schema; killed half-way it keeps the old one."""
    from db import migrate

    before, after = migrate.upgrade(open_database(shell))
    found = {"before": before, "after": after}
    shell.emit(found, lambda: shell.say(_("schema {before} → {after}", before=before or _("none"), after=after)))


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
            ["", "wrong", "check"], [[_("WRONG") if one.bad else _("ok"), one.bad, one.sentence] for one in checks]
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


@command.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--keep", type=click.IntRange(1), default=None, help="Remove all but so many of the newest backups.")
@common
def backup(shell: Shell, folder: Path | None, keep: int | None) -> None:
    """Copy the database into a new folder under FOLDER (data_dir/backups) while others work on it, with a manifest."""
    import shutil

    from harvester import backup as backups
    from harvester import rule_files
    from harvester.clock import SystemClock

    folder = folder or settings_of(shell).data_folder / "backups"
    if shell.dry_run:
        shell.emit({"folder": str(folder)}, lambda: shell.say(_("would write a backup into {folder}", folder=folder)))
        return
    made, manifest = backups.back_up(open_database(shell), folder, SystemClock(), rule_files.version())
    for old in backups.oldest(folder, keep) if keep else []:
        shutil.rmtree(old)
    answer = {"folder": str(made), **manifest}
    shell.emit(answer, lambda: shell.say(f"{made}: {told(backups.summary(manifest))}"))


@command.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@common
def restore(shell: Shell, folder: Path) -> None:
    """Make the database what the backup in FOLDER holds; checked before, and consumers are told to begin again."""
    from harvester import backup as backups

    manifest = backups.check(folder)
    if shell.dry_run:
        shell.emit(
            manifest,
            lambda: shell.say(
                _("{folder} is whole: {content}", folder=folder, content=told(backups.summary(manifest)))
            ),
        )
        return
    shell.confirm(
        _("Replace the database by {folder} ({content})?", folder=folder, content=told(backups.summary(manifest)))
    )
    done = backups.restore(open_database(shell), folder)
    shell.emit(
        done,
        lambda: shell.say(
            _("restored {backup}; the feed's epoch is {epoch}", backup=done["from"], epoch=done["epoch"])
        ),
    )


@command.command()
@common
def prune(shell: Shell) -> None:
    """Drop what `retention` lets go: old versions, pages, empty runs, superseded changes. Say --dry-run to count it."""
    from datetime import timedelta

    from db import migrate
    from db import prune as pruning
    from harvester.clock import SystemClock, stamp

    kept, now = settings_of(shell).retention, SystemClock().now()
    database = open_database(shell)
    migrate.require(database)
    policy = pruning.Policy(
        versions=kept.versions,
        runs_before=stamp(now - timedelta(days=kept.runs_days)),
        changes_before=stamp(now - timedelta(days=kept.changes_days)),
        now=stamp(now),
    )
    if not shell.dry_run:
        shell.confirm(_("Drop what the retention settings let go?"))
    found = pruning.prune(database, policy, dry_run=shell.dry_run)
    shell.emit(found, lambda: shell.table(["kind", "rows"], list(found.items())))


@command.command()
@common
def pack(shell: Shell) -> None:
    """Pack everything with dictionaries made from what is stored now, and drop the old ones."""
    from db import dictionaries, migrate, prune, repacking
    from harvester.clock import SystemClock, stamp

    database = open_database(shell)
    migrate.require(database)
    if shell.dry_run:
        shell.emit({}, lambda: shell.say(_("would make new dictionaries and pack everything with them")))
        return
    with database.lock(dictionaries.LOCK):
        for ledger in (True, False):
            dictionaries.train(database, stamp(SystemClock().now()), ledger=ledger)
        found = repacking.repack(
            database, lambda kind, rows: shell.note(_("{kind}: {rows:,} packed", kind=kind, rows=rows))
        )
    prune.tidy(database, wholly=True)
    shell.emit(found, lambda: shell.table(["kind", "rows"], list(found.items())))
