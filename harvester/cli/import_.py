"""induk import"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from harvester.cli._speech import _, told
from harvester.cli.common import Shell, common, open_pipeline
from harvester.i18n import N_

SHOWN = 200
# what a line of the dry run says, for the school librarian
WORDS = {word: word for word in (N_("new"), N_("changed"), N_("unchanged"), N_("deleted"), N_("gone"), N_("refused"))}


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--partner", required=True, help="The partner, or one of its sources, whose records these are.")
@click.option(
    "--content",
    type=click.Choice(["full", "delta", "deletes"]),
    help="full: what is missing was deleted; delta: only changes; deletes: identifiers to delete.",
)
@common
def command(shell: Shell, files: tuple[Path, ...], partner: str, content: str | None) -> int:
    """Read FILES into the ledger as one set of a partner; with --dry-run show what would happen, row by row."""
    from harvester import importing
    from harvester.cli.harvest import CODES, show_outcomes

    opened = open_pipeline(shell)
    if shell.dry_run:
        found = importing.import_dry(opened, partner, files, content=content or "", language=shell.lang)
        _show(shell, found)
        return 0
    totals: Counter[str] = Counter()

    def progress(_code: str, counts: Mapping[str, int]) -> None:
        totals.update(counts)

    outcome = importing.import_files(
        opened, partner, files, content=content or "", language=shell.lang, progress=progress
    )
    row: dict[str, Any] = {"source": partner, "verdict": outcome.verdict, "reason": outcome.reason}
    row |= {"run": outcome.run_id, "proof": outcome.proof, **totals}
    shell.emit(row, lambda: show_outcomes(shell, [row]))
    return CODES[outcome.verdict]


def _show(shell: Shell, found: Any) -> None:
    """The dry run: the counts, then each line that is not simply unchanged."""
    lines = [line for line in found.lines if line.kind != "unchanged" or line.remarks]
    data = {
        "counts": dict(found.counts),
        "proven": found.proven,
        "remarks": found.remarks,
        "halts": found.halts,
        "lines": [line._asdict() for line in found.lines],
    }

    def show() -> None:
        def say(word: str) -> str:
            return _(WORDS[word]) if word in WORDS else word

        counts = ", ".join(f"{number} {say(kind)}" for kind, number in sorted(found.counts.items()))
        shell.say(counts or _("nothing"))
        for remark in found.remarks:
            shell.say(remark)
        if found.halts:
            shell.say(_("The run would halt until a person approves: {why}", why=told(found.halts)))
        rows = [[say(line.kind), line.place, line.identifier, "; ".join(line.remarks)] for line in lines[:SHOWN]]
        shell.table(["what", "where", "record", "remarks"], rows)
        if len(lines) > SHOWN:
            shell.say(_("… {number} more; --json lists all", number=len(lines) - SHOWN))

    shell.emit(data, show)
