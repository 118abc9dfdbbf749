"""induk partner"""

from __future__ import annotations

from typing import Any

import click

from harvester.cli.common import Shell, common, open_pipeline, settings_of


@click.group("partner")
def command() -> None:
    """Partners: add, list, show."""


@command.command()
@click.argument("code")
@click.argument("url")
@click.option("--protocol", default="oai-pmh", show_default=True, help="oai-pmh, sru, z3950 or files.")
@click.option("--preset", default="generic", show_default=True, help="The partner's software.")
@click.option("--name-id", default="", help="Name in Indonesian.")
@click.option("--name-en", default="", help="Name in English.")
@common
def add(shell: Shell, code: str, url: str, protocol: str, preset: str, name_id: str, name_en: str) -> None:
    """Write partners.d/CODE.yaml for the endpoint at URL, and check it."""
    from harvester import settings
    from harvester.model import Partner, Source

    source = Source(code=code, protocol=protocol, url=url, preset=preset)
    made = Partner(code=code, name_id=name_id or code, name_en=name_en or name_id or code, sources=(source,))
    path = settings.write_partner(settings_of(shell).folder, made)
    settings_of(shell)
    shell.emit({"written": str(path)}, lambda: shell.say(f"{path} written; try: induk harvest {code} --limit 20"))


@command.command("list")
@common
def list_partners(shell: Shell) -> None:
    """Every partner with its status, records and last run."""
    from harvester import inspecting

    rows = inspecting.partners(open_pipeline(shell))
    heads = ["code", "status", "records", "clusters", "quarantined", "last_run", "verdict"]
    shell.emit(rows, lambda: shell.table(heads, [[row[head] for head in heads] for row in rows]))


@command.command()
@click.argument("code")
@common
def show(shell: Shell, code: str) -> None:
    """One partner: policy, sources, windows, last runs."""
    from harvester import inspecting

    answer = inspecting.partner(open_pipeline(shell), code)
    shell.emit(answer, lambda: _show(shell, answer))


def _show(shell: Shell, answer: dict[str, Any]) -> None:
    shell.say(f"{answer['code']}: {answer['name']['en'] or answer['name']['id']}, {answer['status']}")
    policy = [[name, value] for name, value in answer["policy"].items()]
    shell.table(["policy", "value"], policy)
    heads = ["code", "protocol", "url", "preset", "records", "windows", "position"]
    shell.table(heads, [[row[head] for head in heads] for row in answer["sources"]])
    heads = ["id", "started_at", "verdict", "received", "reason"]
    shell.table(heads, [[row[head] for head in heads] for row in answer["runs"]])
