"""What the commands share that carry out a person's decision: who signs, and how the result is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from harvester.cli._speech import _, told
from harvester.cli.common import Shell, whoami

F = TypeVar("F", bound=Callable[..., Any])


def signed(function: F) -> F:
    """Give a command --author and --why."""
    author = click.option("--author", default=whoami, help="Who decides; INDUK_USER or your user name when not given.")
    return author(click.option("--why", "reason", default="", help="The reason, kept with the decision.")(function))


def show_result(shell: Shell, result: Any) -> int:
    """Print what a decision changed, or would change; 0, or 75 when it waits for another process."""

    def say() -> None:
        if result.decision is not None:
            waits = _("decision {number}: stored, waits for the next match", number=result.decision)
            shell.say(waits if result.pending else _("decision {number}", number=result.decision))
        for when, groups in ((_("before"), result.before), (_("after"), result.after)):
            for one in groups:
                where = _("cluster {number:>6}", number=one.cluster or _("new"))
                shell.say(f"{when:7} {where}  {len(one.members):4} {_('records')}  {few(one.members)}")
        changes = ", ".join(f"{row.kind} {row.cluster or _('new')}" for row in result.feed) or _("nothing")
        preview = _("consumers would be told: {changes}", changes=changes)
        shell.say(preview if result.preview else _("consumers are told: {changes}", changes=changes))
        for text in result.contradictions:
            shell.say(f"! {told(text)}")
        for text in result.notes:
            shell.say(told(text))

    shell.emit(result, say)
    return 75 if result.pending else 0


def few(members: tuple[str, ...]) -> str:
    return ", ".join(members[:4]) + (" …" if len(members) > 4 else "")
