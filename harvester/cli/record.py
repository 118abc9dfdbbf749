"""induk record"""

from __future__ import annotations

import sys
from typing import Any

import click

from harvester.cli._speech import _, say, worded
from harvester.cli.common import Shell, common, open_pipeline, whoami


@click.group("record")
def command() -> None:
    """One record: as received, normalized, traced."""


@command.command()
@click.argument("address")
@common
def show(shell: Shell, address: str) -> None:
    """The record at ADDRESS (source/identifier): state, versions, fields, warnings, cluster."""
    from harvester import inspecting

    answer = inspecting.record(open_pipeline(shell), address)
    shell.emit(answer, lambda: _show(shell, answer))


def _show(shell: Shell, answer: dict[str, Any]) -> None:
    shell.say(
        _(
            "{address}  {state}, version {version}, cluster {cluster}",
            **answer,
        )
    )
    heads = ["version", "state", "at", "run_id"]
    shell.table(heads, [[row[head] for head in heads] for row in answer["versions"]])
    shell.table(["field", "value"], inspecting_rows(answer["normalized"]))
    shell.table(
        ["warning", "field", "value"], [[row["code"], row["field"], row["value"]] for row in answer["warnings"]]
    )


def inspecting_rows(normalized: dict[str, Any]) -> list[list[str]]:
    """The fields of a normalized record as (field, value) lines for a reader, codes in words."""
    import msgspec

    from harvester.merge.offers import show
    from harvester.model import NormalizedRecord

    record = msgspec.convert(normalized, NormalizedRecord)
    rows: list[list[str]] = []
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if value == getattr(NormalizedRecord(), name) and name != "material":
            continue
        for one in value if isinstance(value, tuple) else (value,):
            rows.append([say(name), " ".join([worded(name, show(one)), *_beside(one)])])
    return rows


def _beside(value: Any) -> list[str]:
    """What the line of a value leaves out: who a person is to the work, whose heading it is, a wrong check digit."""
    from harvester.model import Contributor, Identifier, Subject

    if isinstance(value, Contributor):
        marks = [value.dates, "" if value.role in ("author", "creator") else say(value.role), value.original]
    elif isinstance(value, Identifier):
        marks = ["" if value.status == "valid" else say(value.status)]
    elif isinstance(value, Subject):
        marks = [value.scheme]
    else:
        return []
    return [f"({', '.join(mark for mark in marks if mark)})"] if any(marks) else []


@command.command()
@click.argument("address")
@click.option("--field", default="", help="Only the steps of this field.")
@common
def trace(shell: Shell, address: str, field: str) -> None:
    """Every step from the received bytes to each field: rule, function, input, output."""
    from harvester import inspecting

    steps = inspecting.trace(open_pipeline(shell), address)
    rows = [step for step in steps if not field or step["field"].startswith(field)]
    heads = ["field", "rule", "function", "input", "output"]
    shell.emit(rows, lambda: shell.table(heads, [[row.get(head, "") for head in heads] for row in rows]))


@command.command()
@click.argument("address")
@click.option("--version", type=int, default=None, help="An earlier version instead of the current one.")
@common
def raw(shell: Shell, address: str, version: int | None) -> None:
    """The bytes as the partner sent them."""
    from harvester import inspecting

    body = inspecting.raw(open_pipeline(shell), address, version)
    sys.stdout.buffer.write(body)


@command.command()
@click.argument("address")
@common
def versions(shell: Shell, address: str) -> None:
    """Every version of a record, oldest first: state, when, by which run, its datestamp."""
    from harvester import inspecting

    rows = inspecting.record(open_pipeline(shell), address)["versions"]
    heads = ["version", "state", "at", "run_id", "datestamp"]
    shell.emit(rows, lambda: shell.table(heads, [[row[head] for head in heads] for row in rows]))


@command.command()
@click.argument("address")
@common
def purge(shell: Shell, address: str) -> None:
    """Forget a record for ever: bytes, versions, evidence and mentions; no harvest brings it back."""
    from harvester import purging

    opened = open_pipeline(shell)
    seen = purging.forget(opened, address, whoami(), preview=True)
    _holders(shell, seen)
    if shell.dry_run:
        shell.emit(seen, lambda: None)
        return
    shell.confirm(_("Forget {address} for ever? This cannot be undone.", address=address))
    done = purging.forget(opened, address, whoami())
    rows = ", ".join(f"{number} {name}" for name, number in sorted(done.rows.items()))
    shell.emit(
        done,
        lambda: shell.say(_("forgotten by run {run}: {rows}", run=done.run, rows=rows or _("nothing of it was here"))),
    )


def _holders(shell: Shell, seen: Any) -> None:
    """Backups and dumps that a person has to see to."""
    for one in seen.holders:
        shell.say(f"  {one.path} {_('still holds it') if one.certain else _('may hold it still')}")
    if seen.holders:
        shell.say(_("Remove those of an output, then `induk publish NAME --repair`: it writes everything anew."))
    shell.say(_("Backups elsewhere were not looked at; one that is restored brings the record back: purge it again."))
