"""induk cluster"""

from __future__ import annotations

import json
from typing import Any

import click

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
    moved = f" (was {answer['asked']})" if answer["asked"] != answer["cluster"] else ""
    shell.say(f"cluster {answer['cluster']}{moved}: {answer['size']} members, changed {answer['changed_at']}")
    shell.table(["member", "partner"], [[one["address"], one["partner"]] for one in answer["members"]])
    shell.table(["field", "value"], inspecting_rows(answer["union"]["record"]))
    rows = [
        [one.get("field"), one.get("value", ""), one.get("donor"), one.get("rule")]
        for one in answer["union"].get("survivors", [])
    ]
    shell.table(["field", "value", "donor", "rule"], rows)


@command.command()
@click.argument("number", type=int)
@common
def history(shell: Shell, number: int) -> None:
    """What happened to a cluster, oldest first: who joined or left, why, and by whom."""
    from harvester import inspecting

    rows = inspecting.history(open_pipeline(shell), number)
    lines = [[row["at"], row["kind"], row["actor"], json.dumps(row["body"], ensure_ascii=False)[:200]] for row in rows]
    shell.emit(rows, lambda: shell.table(["at", "what", "by", "details"], lines))
