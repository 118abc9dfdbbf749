"""Read every file under a folder through the pipeline and write what became of each: docs/interop.md.

    python -m bench.corpus FOLDER docs/interop.md [FILE …]

Each file is one source of a catalogue of its own, so that what is counted is what a partner's upload would give: files
of records (ISO 2709, MARCXML, MODS, Dublin Core, MARC-in-JSON, .mrk, packed or not) and captured OAI-PMH and SRU
answers, which are fed to the same page readers as a harvest. Where a list MANIFEST.tsv beside the folder or in it says
how many records a file has, the two counts are compared. Each further FILE (ISO 2709) is only normalized, for the
table of filled fields.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from bench.fill import Fill, of_bodies, of_file
from db import ledger, work
from tests.journey import Consortium

NO_RECORD = ("garbage", "no-header", "no-record", "empty", "truncated", "xml")
"""Reasons of quarantine of what is no record, or only a part of one."""
BATCH = 1000


class Row(NamedTuple):
    """One file: verdict, counters, reasons of quarantine, and how many records the manifest says (None: nothing)."""

    path: str
    verdict: str
    received: int
    taken: int
    quarantined: int
    reasons: Counter[str]
    why: str
    told: int | None

    @property
    def records(self) -> int:
        """What was received without what is no record."""
        return self.received - sum(self.reasons[reason] for reason in NO_RECORD)


class Reader:
    """Reads the files of a folder, one source each, into a catalogue in *home*; counts what is filled."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.fill = folder, Fill()
        self._told = manifest(folder)
        self._consortium = Consortium(home / "union", f"sqlite:///{home / 'corpus.db'}")
        self._seen = 0

    def read(self) -> list[Row]:
        files = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name != "MANIFEST.tsv")
        rows = []
        for number, path in enumerate(files):
            rows.append(self._one(f"f{number}", path))
            print(f"{number + 1}/{len(files)} {rows[-1].path}: {rows[-1].verdict} {rows[-1].received}", file=sys.stderr)
        return rows

    def _one(self, code: str, path: Path) -> Row:
        name = str(path.relative_to(self.folder))
        self._consortium.add(code, protocol="files", url=str(path), options={"stable_seconds": 0, "content": "delta"})
        outcome = self._consortium.harvest(code)[code]
        run = self._consortium.ask(lambda conn: work.get_run(conn, outcome.run_id))
        (self._consortium.folder / "partners.d" / f"{code}.yaml").unlink()
        rows = self._consortium.ask(lambda conn: ledger.quarantine_of_run(conn, outcome.run_id, limit=100_000))
        self._consortium.ask(lambda conn: self._count(conn, name.partition("/")[0]))
        taken = run["created"] + run["updated"] + run["unchanged"] + run["deleted"]
        reasons = Counter(row["reason"] for row in rows)
        return Row(
            name,
            outcome.verdict,
            run["received"],
            taken,
            run["quarantined"],
            reasons,
            outcome.reason,
            self._told.get(name),
        )

    def _count(self, conn: Connection, kind: str) -> None:
        """Add the records that came since the last file."""
        while ids := [row["id"] for row in ledger.all_active(conn, self._seen, BATCH)]:
            for record in of_bodies(ledger.normalized_bodies(conn, ids).values()):
                self.fill.add(kind, record)
            self._seen = ids[-1]


def manifest(folder: Path) -> dict[str, int]:
    """File below *folder* → number of its records, as a MANIFEST.tsv there or beside it says."""
    for place, prefix in ((folder, ""), (folder.parent, f"{folder.name}/")):
        path = place / "MANIFEST.tsv"
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream, delimiter="\t"))
            named = {row["path"].removeprefix(prefix): row["records"] for row in rows if row["path"].startswith(prefix)}
            return {name: int(count) for name, count in named.items() if count.isdecimal()}
    return {}


def page(rows: list[Row], fill: Fill) -> str:
    """The rows as a page: totals by folder, counts against the manifest, filled fields, each file not taken whole."""
    assert __doc__ is not None
    told = __doc__.split("\n\n", 2)[-1].strip()
    lines = ["# Interoperability", "", "Written by `make corpus CORPUS=DIR`; do not edit.", "", told, ""]
    lines += [*_folders(rows), "", *_manifest(rows), "", "## Filled fields", ""]
    lines += ["Per cent of the records that have the field; records that were quarantined are not counted.", ""]
    lines += [*fill.table(), "", *_not_whole(rows)]
    return "\n".join(lines) + "\n"


def _folders(rows: list[Row]) -> list[str]:
    totals: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        totals["/".join(row.path.split("/")[:2])].append(row)
        totals["all"].append(row)
    lines = ["| folder | files | read | pieces | taken | quarantined |", "|---|---|---|---|---|---|"]
    for name, held in sorted(totals.items()):
        good = sum(1 for row in held if row.verdict == "complete")
        sums = [sum(getattr(row, field) for row in held) for field in ("received", "taken", "quarantined")]
        lines.append(f"| {name} | {len(held)} | {good} | {' | '.join(map(str, sums))} |")
    return lines


def _manifest(rows: list[Row]) -> list[str]:
    """How many files have as many records as the manifest says, and those that have not."""
    known = [row for row in rows if row.told is not None]
    unlike = [row for row in known if row.records != row.told]
    lines = ["## Against the manifest", ""]
    lines.append(
        f"{len(known) - len(unlike)} of {len(known)} files have as many records as the manifest says "
        f"(pieces that are no record left out: {', '.join(NO_RECORD)}); {sum(row.told or 0 for row in known)} there, "
        f"{sum(row.records for row in known)} here. Every piece was taken or quarantined: "
        f"{'yes' if all(row.received == row.taken + row.quarantined for row in rows) else 'no'}."
    )
    lines += ["", "| file | manifest | here | pieces | quarantined as |", "|---|---|---|---|---|"]
    lines += [f"| {row.path} | {row.told} | {row.records} | {row.received} | {_reasons(row)} |" for row in unlike]
    return lines


def _not_whole(rows: list[Row]) -> list[str]:
    lines = ["## Files that were not taken whole", ""]
    lines += ["| file | verdict | pieces | taken | quarantined | why |", "|---|---|---|---|---|---|"]
    for row in rows:
        if row.verdict != "complete" or row.quarantined:
            counts = f"{row.received} | {row.taken} | {row.quarantined}"
            lines.append(f"| {row.path} | {row.verdict} | {counts} | {_reasons(row)} |")
    return lines


def _reasons(row: Row) -> str:
    told = ", ".join(f"{reason} {count}" for reason, count in sorted(row.reasons.items())) or row.why
    return told.replace("|", "/").replace("\n", " ")[:160]


def main() -> None:
    if len(sys.argv) < 3 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: make corpus CORPUS=DIR [MORE=FILE]")
    with tempfile.TemporaryDirectory() as home:
        reader = Reader(Path(sys.argv[1]), Path(home))
        rows = reader.read()
    for file in sys.argv[3:]:
        for record in of_file(Path(file)):
            reader.fill.add(Path(file).name.partition(".")[0], record)
    Path(sys.argv[2]).write_text(page(rows, reader.fill), encoding="utf-8")
    print(f"{len(rows)} files, {sum(row.received for row in rows)} records; written to {sys.argv[2]}")


if __name__ == "__main__":
    main()
