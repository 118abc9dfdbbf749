"""Speed and size against named baselines, all measured in one run: `make bench CORPUS=DIR`.

    python -m bench.run FOLDER [--records N] [--runs N] [--url URL] [--json] [--write docs/performance.md]

Every figure is a whole process, started alone, pairwise with its baseline (A B A B …); quoted are medians and the ratio
of the pairs. CPU seconds are those of all processes of the figure, workers included. The baselines:

- `pymarc reads`: pymarc opens every record of the file and does nothing with it, in one process.
- `straightforward`: pymarc, the same fields by plain Python, a row at a time through SQLAlchemy Core (bench/plain.py).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MARKS = ("<!-- bench -->", "<!-- /bench -->")


def take(folder: Path, target: Path, number: int) -> int:
    """Write the first *number* records of the first ISO 2709 file under *folder*/bench to *target*."""
    path = next(iter(sorted(folder.rglob("bench/*.mrc.gz")) or sorted(folder.rglob("*.mrc.gz"))))
    taken, rest = 0, b""
    with gzip.open(path) as stream, target.open("wb") as out:
        while taken < number and (chunk := stream.read(1 << 20)):
            parts = (rest + chunk).split(b"\x1d")
            rest = parts.pop()
            parts = parts[: number - taken]
            taken += len(parts)
            out.write(b"".join(part + b"\x1d" for part in parts))
    return taken


def once(*words: str) -> dict[str, Any]:
    """Run one step in a process of its own: wall and CPU seconds, peak memory in MiB, and what it says."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "bench.steps", *words], cwd=ROOT, capture_output=True, text=True)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = json.loads(done.stdout.splitlines()[-1])
    return {"wall": said.get("wall", wall), "cpu": cpu, "peak": said.get("peak", 0), **said}


def pairs(runs: int, mine: list[str], baseline: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """*runs* measurements of each, in turn, after one of each that is not counted."""
    once(*mine)
    once(*baseline)
    found = [(once(*mine), once(*baseline)) for _ in range(runs)]
    return [one for one, _ in found], [other for _, other in found]


def median(rows: list[dict[str, Any]], name: str = "wall") -> float:
    return statistics.median(row[name] for row in rows)


def measure(folder: Path, number: int, runs: int, url: str) -> list[dict[str, Any]]:
    """Every figure as {what, baseline, rate, baseline_rate, ratio, …}; rates are records a second of wall time."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "records.mrc"
        count = take(folder, file, number)
        plans = [
            ("parse, decode some tags", ["parse", str(file)], "pymarc reads", ["pymarc", str(file)]),
            ("parse + map", ["map", str(file)], "pymarc + plain map", ["plain-map", str(file)]),
            ("read → ledger", ["ledger", str(file), home, url], "pymarc reads", ["pymarc", str(file)]),
            ("whole pipeline", ["pipeline", str(file), home, url], "pymarc reads", ["pymarc", str(file)]),
            ("whole pipeline", ["pipeline", str(file), home, url], "straightforward", ["plain", str(file), home, url]),
            ("unchanged again", ["again", str(file), home, url], "read → ledger", ["ledger", str(file), home, url]),
        ]
        figures = []
        for what, mine, baseline, other in plans:
            rows, others = pairs(runs, mine, other)
            ratio = statistics.median(b["wall"] / a["wall"] for a, b in zip(rows, others, strict=True))
            figures.append(
                {
                    "what": what,
                    "baseline": baseline,
                    "records": count,
                    "rate": round(count / median(rows)),
                    "baseline_rate": round(count / median(others)),
                    "ratio": round(ratio, 2),
                    "cpu_us": round(median(rows, "cpu") / count * 1e6),
                    "peak_mib": round(median(rows, "peak")),
                    **{name: rows[-1][name] for name in ("pairs", "bytes") if name in rows[-1]},
                }
            )
            print(json.dumps(figures[-1]), file=sys.stderr)
        return figures


def table(figures: list[dict[str, Any]]) -> str:
    heads = [
        "what",
        "records/s",
        "against",
        "records/s",
        "ratio",
        "CPU µs a record",
        "peak MiB",
        "pairs a record",
        "bytes a record",
    ]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in figures:
        count = row["records"]
        extra = [f"{row[name] / count:.1f}" if name in row else "" for name in ("pairs", "bytes")]
        cells = [row["what"], f"{row['rate']:,}", row["baseline"], f"{row['baseline_rate']:,}", row["ratio"]]
        lines.append("| " + " | ".join(map(str, [*cells, row["cpu_us"], row["peak_mib"], *extra])) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--url", default="", help="a database to fill instead of SQLite")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path)
    wanted = parser.parse_args()
    figures = measure(wanted.folder, wanted.records, wanted.runs, wanted.url)
    print(json.dumps(figures) if wanted.json else table(figures))
    if wanted.write:
        text = wanted.write.read_text(encoding="utf-8")
        head, _, rest = text.partition(MARKS[0])
        _, _, tail = rest.partition(MARKS[1])
        machine = f"Python {sys.version.split()[0]}, {os.cpu_count()} cores"
        note = f"{machine}, {wanted.records:,} records, medians of {wanted.runs}; CPU, pairs and bytes are per record."
        wanted.write.write_text(f"{head}{MARKS[0]}\n\n{note}\n\n{table(figures)}\n\n{MARKS[1]}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
