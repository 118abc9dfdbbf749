"""induk cluster"""

from __future__ import annotations

import json
from typing import Any

import click

from harvester.cli._decided import show_result, signed
from harvester.cli._speech import _, say, worded
from harvester.cli.common import Shell, common, open_pipeline
from harvester.cli.record import inspecting_rows


@click.group("cluster")
def command() -> None:
    """Clusters: the records of one manifestation under a stable id."""


@command.command()
@click.argument("number", type=int)
@common
def show(shell: Shell, number: int) -> None:
    """The merged record of a cluster with the donor of each value, and its members."""
    from harvester import inspecting

    answer = inspecting.cluster(open_pipeline(shell), number)
    shell.emit(answer, lambda: _show(shell, answer))


def _show(shell: Shell, answer: dict[str, Any]) -> None:
    if answer["asked"] != answer["cluster"]:
        shell.say(_("cluster {asked} is now cluster {cluster}", **answer))
    shell.say(_("cluster {cluster}, changed {changed_at}; members: {size}", **answer))
    shell.table(["member", "partner"], [[one["address"], one["partner"]] for one in answer["members"]])
    shell.table(["field", "value"], inspecting_rows(answer["union"]["record"]))
    rows = [
        [_field(one["field"]), worded(one["field"], one.get("value", "")), one.get("donor"), say(one.get("rule", ""))]
        for one in answer["union"].get("survivors", [])
    ]
    shell.table(["field", "value", "donor", "rule"], rows)


def _field(name: str) -> str:
    """The name of a field, and of its part that another record filled in."""
    field, _dot, part = name.partition(".")
    return f"{say(field)} ({say(part)})" if part else say(field)


@command.command()
@click.argument("number", type=int)
@common
def history(shell: Shell, number: int) -> None:
    """What happened to a cluster, oldest first: who joined or left, why, and by whom."""
    from harvester import inspecting

    rows = inspecting.history(open_pipeline(shell), number)
    lines = [[row["id"], row["at"], row["kind"], row["actor"], _told(row["body"])] for row in rows]
    shell.emit(rows, lambda: shell.table(["event", "at", "what", "by", "details"], lines))


def _told(body: dict[str, Any]) -> str:
    """What happened as name: value; the evidence of a pair is `induk match explain`'s."""
    kept = {name: value for name, value in body.items() if name != "evidence" and value not in (None, "", [], {})}
    return "; ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in kept.items()
    )


# ---- what a person decides -----------------------------------------------------------------------------


@command.command()
@click.argument("things", nargs=-1, required=True)
@signed
@common
def merge(shell: Shell, things: tuple[str, ...], author: str, reason: str) -> int:
    """Put clusters together for good; THINGS are cluster numbers or addresses of their records."""
    from harvester import deciding

    return show_result(shell, deciding.merge(open_pipeline(shell), things, author, reason, preview=shell.dry_run))


@command.command()
@click.argument("number", type=int)
@click.option("--group", "-g", "groups", multiple=True, required=True, help="Addresses parted by blanks; repeat it.")
@signed
@common
def split(shell: Shell, number: int, groups: tuple[str, ...], author: str, reason: str) -> int:
    """Part cluster NUMBER into groups for good; members that are not named stay together as one more group."""
    from harvester import deciding

    named = [group.split() for group in groups]
    return show_result(
        shell, deciding.split(open_pipeline(shell), number, named, author, reason, preview=shell.dry_run)
    )


@command.command()
@click.option("--decision", type=int, help="A decision, by its number (`induk link list`).")
@click.option("--member", nargs=2, type=(int, str), help="Take one record out: cluster number and address.")
@click.option("--event", "events", type=int, multiple=True, help="Lines of the merge log, by number; repeat it.")
@click.option("--run", type=int, help="Everything that a match run joined.")
@signed
@common
def undo(
    shell: Shell,
    decision: int | None,
    member: tuple[int, str] | None,
    events: tuple[int, ...],
    run: int | None,
    author: str,
    reason: str,
) -> int:
    """Take back a decision, a member, lines of the merge log, or a whole run; later edits of the records stay."""
    from harvester import deciding
    from harvester.errors import UsageError

    if sum(1 for one in (decision, member, events, run) if one) != 1:
        raise UsageError("say what to undo: one of --decision, --member, --event, --run")
    opened = open_pipeline(shell)
    if decision:
        result = deciding.undo(opened, decision, author, reason, preview=shell.dry_run)
    elif member:
        result = deciding.undo_member(opened, *member, author, reason, preview=shell.dry_run)
    elif events:
        result = deciding.undo_events(opened, events, author, reason, preview=shell.dry_run)
    else:
        if not shell.dry_run:
            deciding.kind_of_run(opened, run or 0)
            shell.confirm(_("Take apart everything that run {run} joined?", run=run))
        result = deciding.undo_run(opened, run or 0, author, reason, preview=shell.dry_run)
    return show_result(shell, result)


@command.command()
@click.argument("number", type=int)
@click.argument("field")
@click.option("--donor", default="", help="Show the value of this member (an address).")
@click.option("--value", default=None, help="Show this value: JSON, or plain text for a text field.")
@signed
@common
def pin(shell: Shell, number: int, field: str, donor: str, value: str | None, author: str, reason: str) -> int:
    """Pin FIELD of cluster NUMBER to a member's value or to one that you type."""
    from harvester import deciding

    typed: Any = value
    if value is not None:
        try:
            typed = json.loads(value)
        except ValueError:
            typed = value
    return show_result(
        shell,
        deciding.pin(
            open_pipeline(shell), number, field, author, reason, donor=donor, value=typed, preview=shell.dry_run
        ),
    )


@command.command()
@click.argument("number", type=int)
@click.argument("field")
@signed
@common
def unpin(shell: Shell, number: int, field: str, author: str, reason: str) -> int:
    """Let the rules choose the value of FIELD again."""
    from harvester import deciding

    opened = open_pipeline(shell)
    return show_result(shell, deciding.unpin(opened, number, field, author, reason, preview=shell.dry_run))
