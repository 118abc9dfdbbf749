"""Speed and size against named baselines, all measured in one run: `make bench CORPUS=DIR`.

    python -m bench.run FOLDER [--records N] [--runs N] [--url URL] [--json] [--write docs/performance.md] [--check]

Every step is a whole process, started alone; a round runs each step once, so that what is compared ran within the same
minutes. Quoted are medians of the rounds, and the median of the ratios within each round. CPU seconds are those of all
processes of a step, workers included (a database server's are not). The baselines:

- `pymarc reads`: pymarc opens every record of the file and does nothing with it, in one process.
- `plain map`, `straightforward`: pymarc, the same fields by plain Python; a row at a time through SQLAlchemy Core
  (bench/plain.py).
- `yaz-marcdump -n`: the C parser, without output, where it is installed.
- `raw executemany`: the rows of the ledger into the same tables of a new SQLite file by the driver alone, at once.

--write keeps the figures in bench/figures.json beside the table; --check compares with those and fails where a ratio
has lost more than 15 %, or blocking finds fewer of the labelled duplicates.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIGURES = Path(__file__).with_name("figures.json")
MARKS = ("<!-- bench -->", "<!-- /bench -->")
LOSS = 0.85
Round = dict[str, dict[str, Any]]
# What is compared with what: (words, step, its seconds, words, step, its seconds)
PAIRS = (
    ("parse, decode five tags", "parse", "wall", "pymarc reads", "pymarc", "wall"),
    ("parse, decode five tags", "parse", "wall", "yaz-marcdump -n", "yaz", "wall"),
    ("parse + map", "map", "wall", "pymarc + plain map", "plain-map", "wall"),
    ("parse + map MARCXML", "map-xml", "wall", "pymarc parses MARCXML", "pymarc-xml", "wall"),
    ("read → ledger", "ledger", "wall", "pymarc reads", "pymarc", "wall"),
    ("read → ledger", "ledger", "wall", "raw executemany", "rows", "wall"),
    ("unchanged again", "ledger", "again", "read → ledger", "ledger", "wall"),
    ("whole pipeline", "pipeline", "wall", "pymarc reads", "pymarc", "wall"),
    ("whole pipeline", "pipeline", "wall", "straightforward", "plain", "wall"),
)


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
    done = subprocess.run([sys.executable, "-m", "bench.steps", *words], cwd=ROOT, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, **json.loads(done.stdout.splitlines()[-1])}


def rounds(file: Path, home: str, runs: int, url: str) -> list[Round]:
    """Each step once a round, *runs* times; a round of the short ones first, so that files lie in memory."""
    plain, stored = ("pymarc", "parse", "map", "plain-map"), ("plain", "ledger", "rows", "pipeline")
    steps = {name: [name, str(file)] for name in plain} | {name: [name, str(file), home, url] for name in stored}
    if url:  # the rows are those of a ledger in SQLite
        del steps["rows"]
    xml = file.with_suffix(".xml")
    once("write-xml", str(file), str(xml))
    steps |= {name: [name, str(xml)] for name in ("map-xml", "pymarc-xml")}
    if shutil.which("yaz-marcdump"):
        steps["yaz"] = ["yaz", str(file)]
    once("pymarc", str(file))
    found = []
    for number in range(runs):
        found.append({name: _told(number + 1, name, once(*words)) for name, words in steps.items()})
    return found


def _told(number: int, name: str, row: dict[str, Any]) -> dict[str, Any]:
    print(f"round {number}: {name} {row['wall']:.2f} s, {row['cpu']:.2f} s of processors", file=sys.stderr)
    return row


def compared(found: list[Round], count: int) -> list[dict[str, Any]]:
    """Every figure as {what, baseline, rate, baseline_rate, ratio, …}; rates are records a second of wall time."""
    figures = []
    for what, step, seconds, baseline, other, others in PAIRS:
        if step not in found[0] or other not in found[0]:
            continue
        mine = [one[step][seconds] / one[step].get("records", count) for one in found]
        theirs = [one[other][others] / one[other].get("records", count) for one in found]
        last = found[-1][step]
        figures.append(
            {
                "what": what,
                "baseline": baseline,
                "records": count,
                "rate": round(1 / statistics.median(mine)),
                "baseline_rate": round(1 / statistics.median(theirs)),
                "ratio": round(statistics.median(b / a for a, b in zip(mine, theirs, strict=True)), 2),
                **({"peak_mib": round(last["peak"])} if seconds == "wall" else {}),
                **{name: round(last[name], 2) for name in ("pairs", "size") if name in last and seconds == "wall"},
                **_cpu(found, step, seconds, count),
            }
        )
    return figures


def _cpu(found: list[Round], step: str, seconds: str, count: int) -> dict[str, int]:
    """Processor time a record; the ledger's step also harvests again, so it is known of that only by itself."""
    name = "cpu_wall" if step == "ledger" else "cpu"
    if seconds != "wall":
        return {}
    rows = [one[step].get(name, one[step]["cpu"]) / one[step].get("records", count) for one in found]
    return {"cpu_us": round(statistics.median(rows) * 1e6)}


def table(figures: list[dict[str, Any]]) -> str:
    """The figures as a table."""
    names = ("rate", "baseline", "baseline_rate", "ratio", "cpu_us", "peak_mib", "pairs", "size")
    heads = ["what", "records/s", "against", "records/s", "ratio", "CPU µs", "peak MiB", "pairs", "database ÷ file"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in figures:
        cells = [f"{row[name]:,}" if name.endswith("rate") else str(row.get(name, "")) for name in names]
        lines.append(f"| {' | '.join([row['what'], *cells])} |")
    return "\n".join(lines)


def lost(figures: list[dict[str, Any]], completeness: float) -> list[str]:
    """What is worse than the committed figures."""
    if not FIGURES.exists():
        return [f"there is no {FIGURES.name} to compare with: run `make bench` first"]
    kept = json.loads(FIGURES.read_text(encoding="utf-8"))
    before = {(row["what"], row["baseline"]): row["ratio"] for row in kept["figures"]}
    bad = [
        f"{row['what']} against {row['baseline']}: {row['ratio']}, was {before[row['what'], row['baseline']]}"
        for row in figures
        if row["ratio"] < LOSS * before.get((row["what"], row["baseline"]), 0.0)
    ]
    if completeness < kept["completeness"]:
        bad.append(f"blocking finds {completeness} of the labelled duplicates, was {kept['completeness']}")
    return bad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--url", default="", help="fill NAME_bench on the server of this database, not SQLite")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--check", action="store_true")
    wanted = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "records.mrc"
        count = take(wanted.folder, file, wanted.records)
        figures = compared(rounds(file, home, wanted.runs, wanted.url), count)
    completeness = once("completeness", str(wanted.folder))["completeness"]
    machine = f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {'PostgreSQL' if wanted.url else 'SQLite'}"
    note = (
        f"{machine}, {count:,} records, medians of {wanted.runs}; CPU, peak memory and pairs are those of the left side"
    )
    note += f", CPU and pairs a record. Blocking finds {completeness:.4f} of the labelled duplicates of Goldfinch."
    whole = {"note": note, "completeness": completeness, "figures": figures}
    print(json.dumps(whole) if wanted.json else f"{note}\n\n{table(figures)}")
    print(f"{time.monotonic() - started:.0f} seconds", file=sys.stderr)
    if wanted.write:
        text = wanted.write.read_text(encoding="utf-8")
        head, _, rest = text.partition(MARKS[0])
        _, _, tail = rest.partition(MARKS[1])
        wanted.write.write_text(f"{head}{MARKS[0]}\n\n{note}\n\n{table(figures)}\n\n{MARKS[1]}{tail}", encoding="utf-8")
        FIGURES.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if wanted.check and (bad := lost(figures, completeness)):
        sys.exit("\n".join(bad))


if __name__ == "__main__":
    main()
