"""induk import"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from harvester.cli.common import Shell, common, open_pipeline

SHOWN = 200
# what a line of the dry run says, for the school librarian
WORDS = {
    "new": "baru",
    "changed": "berubah",
    "unchanged": "tetap",
    "deleted": "dihapus",
    "gone": "tidak ada lagi",
    "refused": "ditolak",
    "nothing": "tidak ada apa-apa",
    "what": "keadaan",
    "where": "letak",
    "record": "cantuman",
    "remark": "catatan",
}


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
        "lines": [line._asdict() for line in found.lines],
    }

    def show() -> None:
        def say(word: str) -> str:
            return WORDS[word] if shell.lang == "id" else word

        counts = ", ".join(f"{number} {say(kind)}" for kind, number in sorted(found.counts.items()))
        shell.say(counts or say("nothing"))
        for remark in found.remarks:
            shell.say(remark)
        rows = [[say(line.kind), line.place, line.identifier, "; ".join(line.remarks)] for line in lines[:SHOWN]]
        shell.table([say("what"), say("where"), say("record"), say("remark")], rows)
        if len(lines) > SHOWN:
            shell.say(f"… {len(lines) - SHOWN} more; --json lists all")

    shell.emit(data, show)
