"""Read every file under a folder through the pipeline and write what became of each: docs/interop.md.

    python -m bench.corpus FOLDER docs/interop.md

Each file is one source of a catalogue of its own, so that what is counted is what a partner's upload would give: files
of records (ISO 2709, MARCXML, MODS, Dublin Core, MARC-in-JSON, .mrk, packed or not) and captured OAI-PMH and SRU
answers, which are fed to the same page readers as a harvest.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from db import work
from tests.journey import Consortium


class Row(NamedTuple):
    """One file: verdict, counters, reasons of quarantine, seconds."""

    path: str
    verdict: str
    received: int
    taken: int
    quarantined: int
    reasons: str
    seconds: float


def read(folder: Path, home: Path) -> list[Row]:
    """Every file of *folder*, one source each, into a catalogue in *home*."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".tsv", ".md", ".csv"))
    consortium = Consortium(home / "union", f"sqlite:///{home / 'corpus.db'}")
    rows = []
    for number, path in enumerate(files):
        rows.append(_one(consortium, f"f{number}", path, str(path.relative_to(folder))))
        print(f"{number + 1}/{len(files)} {rows[-1].path}: {rows[-1].verdict} {rows[-1].received}", file=sys.stderr)
    return rows


def _one(consortium: Consortium, code: str, path: Path, name: str) -> Row:
    consortium.add(code, protocol="files", url=str(path), options={"stable_seconds": 0, "content": "delta"})
    started = time.monotonic()
    outcome = consortium.harvest(code)[code]
    seconds = time.monotonic() - started
    run = consortium.ask(lambda conn: work.get_run(conn, outcome.run_id))
    reasons = consortium.ask(lambda conn: Counter(row["reason"] for row in work_quarantine(conn, outcome.run_id)))
    (consortium.folder / "partners.d" / f"{code}.yaml").unlink()
    told = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or outcome.reason
    taken = run["created"] + run["updated"] + run["unchanged"] + run["deleted"]
    return Row(name, outcome.verdict, run["received"], taken, run["quarantined"], told, seconds)


def work_quarantine(conn: object, run_id: int) -> list[dict[str, str]]:
    """The quarantine rows of a run."""
    from db import ledger

    return ledger.quarantine_of_run(conn, run_id, limit=100_000)  # type: ignore[arg-type]


def page(rows: list[Row]) -> str:
    """The rows as a page: totals by folder, then each file."""
    totals: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        totals["/".join(row.path.split("/")[:2])].append(row)
    lines = ["# Interoperability", "", __doc__.split("\n\n", 2)[-1].strip(), ""]
    lines += ["| folder | files | read | records | taken | quarantined |", "|---|---|---|---|---|---|"]
    for name, held in sorted(totals.items()):
        good = sum(1 for row in held if row.verdict == "complete")
        sums = [sum(getattr(row, field) for row in held) for field in ("received", "taken", "quarantined")]
        lines.append(f"| {name} | {len(held)} | {good} | {' | '.join(map(str, sums))} |")
    lines += ["", "## Files that were not taken whole", ""]
    lines += ["| file | verdict | records | taken | quarantined | why |", "|---|---|---|---|---|---|"]
    for row in rows:
        if row.verdict != "complete" or row.quarantined:
            why = row.reasons.replace("|", "/").replace("\n", " ")[:160]
            lines.append(f"| {row.path} | {row.verdict} | {row.received} | {row.taken} | {row.quarantined} | {why} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    if not folder.is_dir():
        sys.exit("usage: make corpus CORPUS=DIR")
    with tempfile.TemporaryDirectory() as home:
        rows = read(folder, Path(home))
    target.write_text(page(rows), encoding="utf-8")
    print(f"{len(rows)} files, {sum(row.received for row in rows)} records; written to {target}")


if __name__ == "__main__":
    main()
