"""induk normalize"""

from __future__ import annotations

from typing import Any

import click

from harvester.cli._speech import _, told
from harvester.cli.common import Shell, common, open_pipeline
from harvester.errors import UsageError

PERCENT = click.FloatRange(0, 100)
EXIT = {"served": 0, "unchanged": 0, "partial": 1, "waiting": 3}


@click.command("normalize")
@click.argument("partners", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every active partner.")
@click.option("--max-failed", type=PERCENT, default=2, show_default=True, help="Percent of a source that may fail.")
@click.option("--max-changed", type=PERCENT, default=25, show_default=True, help="Percent of a source that may change.")
@common
def command(shell: Shell, partners: tuple[str, ...], everything: bool, max_failed: float, max_changed: float) -> int:
    """Normalize the stored records of PARTNERS again by today's mappings; asks no server. Match afterwards."""
    from harvester import pipeline, renormalizing

    if bool(partners) == everything:
        raise UsageError("name partners, or say --all")
    opened = open_pipeline(shell)
    codes = pipeline.active_sources(opened, partners)
    if shell.dry_run:
        shell.emit({"sources": codes}, lambda: shell.say(_("would normalize again: {names}", names=", ".join(codes))))
        return 0
    limits = renormalizing.Limits(failed=max_failed, changed=max_changed)
    done = renormalizing.renormalize(opened, codes, limits, lambda seen: _note(shell, seen))
    shell.emit(done, lambda: show(shell, done))
    return EXIT[done.stage]


def _note(shell: Shell, seen: Any) -> None:
    """A line of progress with rate and time left."""
    minutes, seconds = divmod(round(seen.left), 60)
    left = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    counts = _("{read:,} of {total:,}, {changed:,} changed, {failed:,} failed", **seen._asdict())
    if not shell.json:
        shell.note(
            _(
                "{source}: {counts}; {rate:,.0f} a second, {left} left",
                source=seen.source,
                counts=counts,
                rate=seen.rate,
                left=left,
            )
        )


def show(shell: Shell, done: Any) -> None:
    """What became of a derivation."""
    rows = [[code, one["read"], one["changed"], one["failed"]] for code, one in done.sources.items()]
    shell.table(["source", "read", "changed", "failed"], rows)
    shell.say(
        _(
            "derivation {number}: {verdict}",
            number=done.derivation,
            verdict=f"{done.stage} {told(done.reason)}".rstrip(),
        )
    )
    if done.stage == "waiting":
        number = done.derivation
        shell.say(
            _("nothing is changed yet. Look: induk derivation show {number}; then approve or drop it", number=number)
        )
    elif done.swapped:
        shell.say(_("{swapped} records are queued: induk match", swapped=done.swapped))
