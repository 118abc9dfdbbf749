"""induk user"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from harvester.cli._speech import _
from harvester.cli.common import Shell, common, open_pipeline
from harvester.errors import UsageError


@click.group("user")
def command() -> None:
    """Accounts of the web pages: who may read, decide, upload."""


@command.command()
@click.argument("name")
@click.option("--role", default="viewer", show_default=True, help="viewer, cataloguer, partner or admin.")
@click.option("--partner", "partners", multiple=True, help="A partner that the account is there for; again for more.")
@click.option("--no-password", is_flag=True, help="Log-in by reverse proxy or token only.")
@common
def add(shell: Shell, name: str, role: str, partners: tuple[str, ...], no_password: bool) -> None:
    """Make an account. The password is asked for, or is the first line of standard input."""
    from harvester import accounts

    pipeline = open_pipeline(shell)
    for code in partners:
        pipeline.settings.partner(code)
    made = accounts.add(
        pipeline.database, pipeline.clock, name, role, partners, "" if no_password else _password(shell, name)
    )
    shell.emit(
        {"id": made, "name": name, "role": role},
        lambda: shell.say(_("{name} ({role}) may log in", name=name, role=role)),
    )


@command.command("list")
@common
def list_(shell: Shell) -> None:
    """Every account."""
    from db import accounts as stored

    with open_pipeline(shell).database.read() as conn:
        rows = stored.listed(conn)
    shell.emit(rows, lambda: shell.table(["name", "role", "partners", "active", "added"], map(_line, rows)))


def _line(row: dict[str, Any]) -> list[str]:
    partners = ", ".join(json.loads(row["partners"]))
    return [row["name"], row["role"], partners, _("yes") if row["active"] else _("no"), row["added_at"]]


@command.command()
@click.argument("name")
@common
def passwd(shell: Shell, name: str) -> None:
    """Give an account another password; its sessions end."""
    from harvester import accounts

    accounts.set_password(open_pipeline(shell).database, name, _password(shell, name))
    shell.say(_("the password of {name} is another one; it has to log in again", name=name))


@command.command()
@click.argument("name")
@click.option("--label", default="command line", show_default=True, help="What the token is for.")
@common
def token(shell: Shell, name: str, label: str) -> None:
    """Print a new token for scripts; it is shown this once."""
    from harvester import accounts

    pipeline = open_pipeline(shell)
    made = accounts.make_token(pipeline.database, pipeline.clock, name, label)
    shell.emit({"token": made}, lambda: shell.say(made))


@command.command()
@click.argument("name")
@common
def disable(shell: Shell, name: str) -> None:
    """Keep an account out; what it did stays."""
    from harvester import accounts

    accounts.set_active(open_pipeline(shell).database, name, False)
    shell.say(_("{name} is kept out", name=name))


@command.command()
@click.argument("name")
@common
def enable(shell: Shell, name: str) -> None:
    """Let an account in again."""
    from harvester import accounts

    accounts.set_active(open_pipeline(shell).database, name, True)
    shell.say(_("{name} may log in again", name=name))


def _password(shell: Shell, name: str) -> str:
    if sys.stdin.isatty() and not shell.no_input:
        return str(click.prompt(_("Password of {name}", name=name), hide_input=True, confirmation_prompt=True))
    if not (password := sys.stdin.readline().rstrip("\r\n")):
        raise UsageError(f"no password for {name}", hint="it is the first line of standard input")
    return password
