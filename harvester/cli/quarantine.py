"""induk quarantine"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import click

from harvester.cli._speech import _, told
from harvester.cli.common import Shell, clean, common, open_pipeline
from harvester.errors import UsageError
from harvester.i18n import N_

SHOWN = 4000
NAMES = [N_("source_id"), N_("first_run"), N_("format")]  # of a row, besides the heads of the list


@click.group("quarantine")
def command() -> None:
    """What could not be read: list it, look at it, try it again, set it aside."""


@command.command("list")
@click.option("--source", default="", help="Only of this source.")
@click.option("--state", type=click.Choice(["open", "resolved", "ignored", "all"]), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@common
def list_damage(shell: Shell, source: str, state: str, limit: int) -> None:
    """What waits, newest first: where it stands, at which stage it failed, and why."""
    from db import ledger

    with open_pipeline(shell).database.read() as conn:
        rows = ledger.list_quarantine(conn, source_code=source, state="" if state == "all" else state, limit=limit)
    heads = ["id", "source", "identifier", "stage", "reason", "message", "place", "tries", "state"]
    shell.emit(rows, lambda: shell.table(heads, [[row[head] for head in heads] for row in rows]))


@command.command()
@click.argument("number", type=int)
@common
def show(shell: Shell, number: int) -> None:
    """One thing in quarantine with its bytes, as text that cannot harm a terminal."""
    from db import ledger

    with open_pipeline(shell).database.read() as conn:
        row = ledger.quarantined(conn, number)
    if row is None:
        raise UsageError(f"nothing in quarantine has the number {number}", hint="`induk quarantine list` shows them")
    text = row["payload"].decode("utf-8", "backslashreplace")
    answer = {name: value for name, value in row.items() if name not in ("payload", "digest")}

    def print_it() -> None:
        shell.table(["field", "value"], [[_(name), told(value or "")] for name, value in answer.items()])
        for line in text[:SHOWN].splitlines():
            shell.say(clean(line))
        if len(text) > SHOWN:
            shell.say(_("… {number:,} more characters; --json has all", number=len(text) - SHOWN))

    shell.emit({**answer, "payload": text}, print_it)


@command.command()
@click.argument("numbers", nargs=-1, type=int, required=True)
@common
def ignore(shell: Shell, numbers: tuple[int, ...]) -> None:
    """Set things aside that need no work: NUMBERS wait no longer, nor when they come just so again."""
    from harvester import quarantining

    done = quarantining.ignore(open_pipeline(shell), numbers, preview=shell.dry_run)
    names = ", ".join(map(str, done))
    text = _("would ignore: {names}", names=names) if shell.dry_run else _("ignored: {names}", names=names)
    shell.emit({"ignored": done}, lambda: shell.say(text))


@command.command()
@click.argument("numbers", nargs=-1, type=int)
@click.option("--source", "sources", multiple=True, help="Everything that waits of this source.")
@click.option("--all", "everything", is_flag=True, help="Everything that waits.")
@common
def retry(shell: Shell, numbers: tuple[int, ...], sources: tuple[str, ...], everything: bool) -> None:
    """Read things again with today's mapping: NUMBERS, all of a source, or all. Match afterwards."""
    from db import ledger
    from harvester import quarantining

    if not (numbers or sources or everything):
        raise UsageError("say which: NUMBERS, --source CODE or --all")
    opened = open_pipeline(shell)
    wanted: dict[str, list[int]] = defaultdict(list)
    with opened.database.read() as conn:
        for number in numbers:
            row = ledger.quarantined(conn, number)
            if row is None:
                raise UsageError(f"nothing in quarantine has the number {number}")
            wanted[row["source"]].append(number)
    for code in (*sources, *(opened.source_ids if everything else ())):
        wanted[code] = []
    if shell.dry_run:
        shell.emit(wanted, lambda: shell.say(_("would try again: {names}", names=", ".join(sorted(wanted)))))
        return
    done: list[Any] = [quarantining.retry(opened, code, ids) for code, ids in sorted(wanted.items())]
    heads = ["source", "run", "tried", "read", "outdated"]

    def show_it() -> None:
        shell.table([*heads, "still"], [[*(getattr(one, head) for head in heads), len(one.still)] for one in done])
        for one in done:
            for number, why in one.still[:20]:
                shell.say(f"  {number}: {told(why)}")

    shell.emit(done, show_it)
