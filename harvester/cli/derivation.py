"""induk derivation"""

from __future__ import annotations

from typing import Any

import click

from harvester.cli._speech import _, told
from harvester.cli.common import Shell, common, open_pipeline, whoami
from harvester.errors import UsageError

WHY = click.option("--why", default="", help="The reason, kept with the decision.")


@click.group("derivation")
def command() -> None:
    """What rules and mappings made of the records: served, waiting, earlier; approve, drop, roll back."""


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@common
def list_derivations(shell: Shell, limit: int) -> None:
    """The newest derivations first, with what waits for a person."""
    from db import derivations

    with open_pipeline(shell).database.read() as conn:
        rows = derivations.listed(conn, limit)
    lines = [
        [row["id"], row["state"], row["body"].get("kind", "rules"), row["body"].get("stage", ""), row["made_at"],
         row["match_hash"][:12], row["body"].get("reason", "")]
        for row in rows
    ]  # fmt: skip
    shell.emit(rows, lambda: shell.table(["id", "state", "kind", "stage", "made at", "match rules", "reason"], lines))


@command.command()
@click.argument("number", type=int)
@click.option("--samples", type=click.IntRange(0, 1000), default=10, show_default=True, help="Records to show.")
@common
def show(shell: Shell, number: int, samples: int) -> None:
    """One derivation: counts by source, and for some records which fields change or why they fail."""
    from harvester import mapping_tools

    answer = mapping_tools.derivation(open_pipeline(shell), number, samples)
    shell.emit(answer, lambda: _show(shell, answer))


def _show(shell: Shell, answer: dict[str, Any]) -> None:
    body = answer["body"]
    said = [answer["state"], body.get("stage", ""), told(body.get("reason", ""))]
    shell.say(_("derivation {number}: {verdict}", number=answer["id"], verdict=" ".join(filter(None, said))))
    rows = [[code, one["read"], one["changed"], one["failed"]] for code, one in body.get("sources", {}).items()]
    shell.table(["source", "read", "changed", "failed"], rows)
    lines = [
        [one["address"], change["field"], change["before"], change["after"]]
        for one in answer["samples"]
        for change in one["changes"]
    ]
    shell.table(["record", "field", "before", "after"], lines)
    failing = [[one["address"], one["failure"]] for one in answer["samples"] if one["failure"]]
    shell.table(["record", "failure"], failing)


@command.command()
@click.argument("number", type=int)
@WHY
@common
def approve(shell: Shell, number: int, why: str) -> None:
    """Serve what waits; match afterwards."""
    _decide(shell, "approve", number, why, _("Serve the records as derivation {number} has them?", number=number))


@command.command()
@click.argument("number", type=int)
@WHY
@common
def drop(shell: Shell, number: int, why: str) -> None:
    """Forget what waits; what is served stays."""
    _decide(shell, "drop", number, why, _("Forget derivation {number}?", number=number))


@command.command()
@click.argument("number", type=int, required=False)
@WHY
@common
def rollback(shell: Shell, number: int | None, why: str) -> None:
    """Put back what was served before a derivation (none: the newest); put the old mapping files back, too."""
    from db import derivations

    if number is None:
        with open_pipeline(shell).database.read() as conn:
            served = [one["id"] for one in derivations.listed(conn, 1000) if one["body"].get("stage") == "served"]
        if not served:
            raise UsageError("nothing was normalized again", hint="match rules go back by `induk match rollback`")
        number = served[0]
    _decide(shell, "rollback", number, why, _("Put back what was served before derivation {number}?", number=number))


def _decide(shell: Shell, what: str, number: int, why: str, question: str) -> None:
    from harvester import renormalizing
    from harvester.cli.normalize import show as show_outcome

    if shell.dry_run:
        shell.emit(
            {"derivation": number}, lambda: shell.say(_("would {what} derivation {number}", what=what, number=number))
        )
        return
    shell.confirm(question)
    acts = {"approve": renormalizing.approve, "drop": renormalizing.drop, "rollback": renormalizing.rollback}
    done = acts[what](open_pipeline(shell), number, whoami(), why)
    shell.emit(done, lambda: show_outcome(shell, done))
