"""What the commands share that carry out a person's decision: who signs, and how the result is shown."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any, TypeVar

import click

from harvester.cli.common import Shell

F = TypeVar("F", bound=Callable[..., Any])


def signed(function: F) -> F:
    """Give a command --author and --reason."""
    author = click.option(
        "--author", envvar="INDUK_AUTHOR", default=_user, help="Who decides; your user name when not given."
    )
    return author(click.option("--reason", "-m", default="", help="Why.")(function))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a passwd entry
        return ""


def show_result(shell: Shell, result: Any) -> int:
    """Print what a decision changed, or would change; 0, or 75 when it waits for another process."""

    def say() -> None:
        done = "would be" if result.preview else "are"
        if result.decision is not None:
            shell.say(f"decision {result.decision}" + (": stored, waits for the next match" if result.pending else ""))
        for name, groups in (("before", result.before), ("after", result.after)):
            for one in groups:
                where = f"{name:7} cluster {one.cluster or 'new':>6}"
                shell.say(f"{where}  {len(one.members):4} records  {_few(one.members)}")
        told = ", ".join(f"{row.kind} {row.cluster or 'new'}" for row in result.feed)
        shell.say(f"consumers {done} told: {told or 'nothing'}")
        for text in result.contradictions:
            shell.say(f"! {text}")
        for text in result.notes:
            shell.say(text)

    shell.emit(result, say)
    return 75 if result.pending else 0


def _few(members: tuple[str, ...]) -> str:
    return ", ".join(members[:4]) + (" …" if len(members) > 4 else "")
