"""induk link"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from harvester.cli._decided import few, show_result, signed
from harvester.cli._speech import _, told
from harvester.cli.common import Shell, common, open_pipeline


@click.group("link")
def command() -> None:
    """What people decided: which records belong together, which do not, what is pinned."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were undone.")
@click.option("--after", type=int, default=0, help="Only decisions with a higher number.")
@click.option("--limit", type=int, default=100, show_default=True, help="At most so many.")
@click.option("--contradictions", is_flag=True, help="Only what is said against each other.")
@common
def list_links(shell: Shell, everything: bool, after: int, limit: int, contradictions: bool) -> None:
    """List the decisions in force, oldest first, with who made them and why."""
    from harvester import deciding

    opened = open_pipeline(shell)
    if contradictions:
        found = deciding.contradictions(opened)
        shell.emit(found, lambda: shell.table(["contradiction"], [[told(one)] for one in found]))
        return
    rows = deciding.decisions(opened, after=after, limit=limit, undone=everything)
    heads = ["decision", "what", "by", "at", "state", "records", "reason"]
    lines = [
        [
            row["id"],
            " ".join((row["action"], *_about(row)[:1])),
            row["author"],
            row["at"],
            row["state"],
            _records(row),
            row["reason"],
        ]
        for row in rows
    ]
    shell.emit(rows, lambda: shell.table(heads, lines))


def _about(row: dict[str, Any]) -> list[str]:
    """What a decision is about beside its records: the field and value of a pin, a wrong identifier, an older id."""
    body = row["body"]
    if row["action"] == "pin":
        return [body["field"], body.get("donor") or json.dumps(body["value"], ensure_ascii=False)]
    if row["action"] == "wrong":
        return [f"{body['kind']} {body['value']}"]
    return [body["id"]] if "id" in body else []


def _records(row: dict[str, Any]) -> str:
    """The records of a decision in a cell: groups parted by a bar, long ones counted."""
    return " | ".join(", ".join(side) if len(side) <= 3 else f"{side[0]} … ({len(side)})" for side in row["sides"])


@command.command()
@click.argument("number", type=int)
@common
def show(shell: Shell, number: int) -> None:
    """One decision with every record that it concerns."""
    from harvester import deciding

    found = deciding.decision(open_pipeline(shell), number)

    def say() -> None:
        shell.say(_("decision {number}: {action} by {author}, {at}, {state}", number=number, **found))
        for line in (" = ".join(_about(found)), found["reason"]):
            if line:
                shell.say(line)
        shell.table(["side", "record"], [[n, one] for n, side in enumerate(found["sides"], 1) for one in side])

    shell.emit(found, say)


@command.command()
@click.argument("kind", type=click.Choice(["must", "never"]))
@click.argument("left")
@click.argument("right")
@signed
@common
def add(shell: Shell, kind: str, left: str, right: str, author: str, reason: str) -> int:
    """Say that LEFT and RIGHT (addresses) must stand together, or never may."""
    from harvester import deciding

    say = deciding.must if kind == "must" else deciding.never
    return show_result(shell, say(open_pipeline(shell), left, right, author, reason, preview=shell.dry_run))


@command.command()
@click.argument("address")
@click.argument("kind")
@click.argument("value")
@signed
@common
def wrong(shell: Shell, address: str, kind: str, value: str, author: str, reason: str) -> int:
    """Leave an identifier of the record at ADDRESS out of matching, as in: wrong ugm/17 isbn 9789793062792"""
    from harvester import deciding

    opened = open_pipeline(shell)
    return show_result(
        shell, deciding.wrong_identifier(opened, address, kind, value, author, reason, preview=shell.dry_run)
    )


@command.command()
@click.argument("number", type=int)
@signed
@common
def remove(shell: Shell, number: int, author: str, reason: str) -> int:
    """Undo decision NUMBER; it stays in the list as undone."""
    from harvester import deciding

    return show_result(shell, deciding.undo(open_pipeline(shell), number, author, reason, preview=shell.dry_run))


@command.command()
@click.option("--format", "kind", type=click.Choice(["yaml", "csv"]), default="yaml", show_default=True)
@common
def export(shell: Shell, kind: str) -> None:
    """Write every decision in force to standard output."""
    from harvester import deciding_files

    for line in deciding_files.export(open_pipeline(shell), kind):
        click.echo(line, nl=False)


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--union", is_flag=True, help="FILE is CSV `cluster,record`: the groups and ids of an older union.")
@signed
@common
def import_file(shell: Shell, file: Path, union: bool, author: str, reason: str) -> None:
    """Take over decisions from an exported FILE, or with --union the groups of an older union catalogue.

    The next `induk match` carries them out. Importing a file twice changes nothing.
    """
    from harvester import deciding_files

    text = deciding_files.read(file)
    opened = open_pipeline(shell)
    with deciding_files.placed(file):
        if union:
            found = deciding_files.import_union(opened, text, author, reason, preview=shell.dry_run)
        else:
            found = deciding_files.import_links(opened, text, author, preview=shell.dry_run)

    def say() -> None:
        stored = _("decisions stored: {number}", number=found.decisions)
        would = _("decisions that would be stored: {number}", number=found.decisions)
        here = _("here already: {number}", number=found.known)
        shell.say(f"{would if shell.dry_run else stored}, {here}")
        shell.say(
            _(
                "records that wait for the next match: {waiting}; named and not here yet: {absent}",
                waiting=found.waiting,
                absent=found.absent,
            )
        )

    shell.emit(found, say)


@command.command("old-id")
@click.argument("name")
@common
def old_id(shell: Shell, name: str) -> None:
    """Where the records are now that an imported union held under NAME."""
    from harvester import deciding_files

    opened = open_pipeline(shell)
    found, named = deciding_files.find_old(opened, name), deciding_files.named_old(opened, name)

    def say() -> None:
        if found:
            shell.say(" ".join(map(str, found)))
        elif named:
            shell.say(_("in no cluster yet: {records}", records=few(tuple(named))))
        else:
            shell.say(_("not known"))

    shell.emit({"old": name, "clusters": found, "records": named}, say)
