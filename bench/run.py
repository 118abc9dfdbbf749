"""Speed and size against named baselines, all measured in one run: `make bench CORPUS=DIR`.

    python -m bench.run FOLDER [--records N] [--runs N] [--only PART …] [--url URL] [--json] [--write PAGE] [--check]

Every step is a whole process, started alone; a round runs each step once, so that what is compared ran within the same
minutes. Quoted are medians of the rounds, and the median of the ratios within each round. CPU seconds are those of all
processes of a step, workers included (a database server's are not). The corpus is cut into four partners with a derived
overlap (bench/cut.py). The parts, each of which can be run alone:

- `parse`: parse and map against `pymarc reads` (pymarc opens every record and does nothing with it, in one process),
  `plain map` (fewer fields by plain Python, bench/plain.py), `the same mapping` (pymarc reads, and what it read goes
  through our rules: all but our reader) and `yaz-marcdump -n` (the C parser, without output), where it is there.
- `pipeline`: the ledger, the whole, and everything unchanged again, against pymarc, `straightforward` (a row at a time
  through SQLAlchemy Core, bench/plain.py) and the rows of the ledger by the driver alone: executemany into a new SQLite
  file, binary COPY into a new database of PostgreSQL.
- `catmandu`: Catmandu reads 2,000 of the records, maps the fields of `plain map` and stores them in SQLite, where it is
  installed (Debian: libcatmandu-marc-perl, libcatmandu-dbi-perl, libdbd-sqlite3-perl).
- `oai`: 5,000 records as MARCXML over OAI-PMH from a server on this machine, against their ISO 2709.
- `judging`, only when asked for: what a profile takes, its keys, and the comparison of a pair, with its evidence where
  that is kept, in one process and without a database.
- `growth`, only when asked for: what a record costs among 10,000 to 1,000,000 profiles, and all of them matched again
  (bench/growth.py). `--sizes` takes others.
- `memory`, only when asked for: the whole pipeline with 20,000 and with 100,000 records: peak memory and disk.

--write keeps the figures in bench/figures.json beside table and picture (of parts that were not run, the old ones);
--check compares with those and fails where a ratio has lost more than 15 %, or blocking finds fewer of the labelled
duplicates.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import figures
from bench.cut import cut, take
from bench.figures import Round, Row

ROOT = Path(__file__).parents[1]
MARKS = ("<!-- bench -->", "<!-- /bench -->")
PICTURE = "pictures/bench.svg"
QUICK, LONG = ("parse", "pipeline", "catmandu", "oai"), ("judging", "growth", "memory")
FEW, FEWER = 5000, 2000
# As an installed package: byte code lies ready, and no step compiles modules anew.
COMPILED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "induk-bench-code")}
SIZES, MEMORY = (10_000, 100_000, 1_000_000), (20_000, 100_000)


def once(*words: str) -> dict[str, Any]:
    """Run one step in a process of its own: wall and CPU seconds, peak memory in MiB, and what it says."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "bench.steps", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | COMPILED)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, **json.loads(done.stdout.splitlines()[-1])}


def first(file: Path, number: int, name: str) -> str:
    """The first *number* records of *file* in a file beside it."""
    some = file.read_bytes().split(b"\x1d")[:-1][:number]
    path = file.with_name(name)
    path.write_bytes(b"".join(one + b"\x1d" for one in some))
    return str(path)


def steps(file: Path, home: str, url: str, parts: list[str]) -> dict[str, list[str]]:
    """Name of a step → its words; the short ones first."""
    made = {"pymarc": ["pymarc", str(file)]} if {"parse", "pipeline"} & set(parts) else {}
    if "parse" in parts:
        xml = str(file.with_suffix(".xml"))
        once("write-xml", str(file), xml)
        made |= {name: [name, str(file)] for name in ("parse", "map", "plain-map", "same-map")}
        made |= {name: [name, xml] for name in ("map-xml", "pymarc-xml")}
        if shutil.which("yaz-marcdump"):
            made["yaz"] = ["yaz", str(file)]
    if "pipeline" in parts:
        made |= {name: [name, str(file), home, url] for name in ("plain", "ledger", "rows", "pipeline")}
    if "catmandu" in parts and shutil.which("catmandu"):
        made |= {"catmandu": ["catmandu", first(file, FEWER, "fewer.mrc"), home, ""]}
    if "oai" in parts:
        made |= {name: [name, first(file, FEW, "few.mrc"), home, url] for name in ("few", "oai")}
    return made


def rounds(file: Path, home: str, url: str, parts: list[str], runs: int) -> list[Round]:
    """Each step of the parts once a round, *runs* times; once before, so that files lie in memory."""
    wanted = steps(file, home, url, parts)
    once("pymarc", str(file))
    return [{name: told(number + 1, name, once(*words)) for name, words in wanted.items()} for number in range(runs)]


def told(number: int, name: str, row: Row) -> Row:
    print(f"round {number}: {name} {row['wall']:.2f} s, {row['cpu']:.2f} s of processors", file=sys.stderr)
    return row


def machine(url: str) -> str:
    database = "PostgreSQL" if url else "SQLite"
    return f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {database}"


def quick(wanted: argparse.Namespace, parts: list[str]) -> Row:
    """The figures of the parts that are compared with others."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "records.mrc"
        count = take(wanted.folder, file, wanted.records)
        cut(file)
        found = rounds(file, home, wanted.url, parts, wanted.runs)
    made = figures.compared(found, count, "PostgreSQL" if wanted.url else "SQLite")
    note = (
        f"{machine(wanted.url)}, {count:,} records of four partners, a fifth of them copies at another one; medians of "
        f"{wanted.runs}; CPU, peak memory and pairs are those of the left side, CPU and pairs a record."
    )
    return {"figures": made, "note": note}


def judging(wanted: argparse.Namespace) -> Row:
    """What matching does of its own: profiles, keys, comparisons."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "records.mrc"
        take(wanted.folder, file, wanted.records)
        cut(file)
        made = [told(0, "judging", once("judging", str(file)))]
    note = f"{machine('').rpartition(',')[0]}: matching alone in memory, one process; pairs and keys a record."
    return {"judging": made, "judging_note": note}


def growth(wanted: argparse.Namespace) -> Row:
    """What one record costs among so many profiles; at the end all of them matched again."""
    made = []
    for size in wanted.sizes:
        with tempfile.TemporaryDirectory() as home:
            file = Path(home) / "records.mrc"
            take(wanted.folder, file, FEW + 10_000)
            made.append(told(0, f"growth {size:,}", once("growth", str(file), home, wanted.url, str(size), "bulk")))
    note = (
        f"{machine(wanted.url)}: 1,000 records harvested, then matched, merged and announced, among so many stored "
        "profiles, in microseconds of processors a record; then all matched again: the pairs by a join over the keys, "
        "a part of them in each worker, and their components, in seconds; every pair decided in the workers, stored, "
        "and put in force, in seconds of processors."
    )
    return {"growth": made, "growth_note": note}


def memory(wanted: argparse.Namespace) -> Row:
    """Peak memory of the writer and bytes on disk."""
    made = []
    for number in MEMORY:
        with tempfile.TemporaryDirectory() as home:
            file = Path(home) / "records.mrc"
            count = take(wanted.folder, file, number)
            cut(file)
            row = told(0, f"memory {count:,}", once("pipeline", str(file), home, wanted.url))
            made.append({**row, "records": count, "bytes": round(row.get("size", 0) * file.stat().st_size / count)})
    note = f"{machine(wanted.url)}: the whole pipeline; memory is that of the process that writes."
    return {"memory": made, "memory_note": note}


def write(page: Path, made: Row) -> None:
    """The figures into the page, the picture beside it, and the file to compare with."""
    kept = figures.merged(figures.held(), made)
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    shown = f"![Rates of Induk over those of others]({PICTURE})\n\n{figures.text(kept)}"
    page.write_text(f"{head}{MARKS[0]}\n\n{shown}\n\n{MARKS[1]}{tail}", encoding="utf-8")
    (page.parent / PICTURE).write_text(figures.picture(kept["figures"]), encoding="utf-8")
    figures.FIGURES.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[*QUICK, *LONG], default=list(QUICK), help="these parts")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="of the part growth")
    parser.add_argument("--url", default="", help="fill NAME_bench on the server of this database, not SQLite")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--check", action="store_true")
    wanted = parser.parse_args()
    started = time.monotonic()
    completeness = once("completeness", str(wanted.folder))["completeness"]
    parts = [one for one in wanted.only if one in QUICK]
    made: Row = quick(wanted, parts) if parts else {"figures": [], "note": ""}
    made |= judging(wanted) if "judging" in wanted.only else {}
    made |= growth(wanted) if "growth" in wanted.only else {}
    made |= memory(wanted) if "memory" in wanted.only else {}
    made["note"] += f" Blocking finds {completeness:.4f} of the labelled duplicates of Goldfinch."
    made["completeness"] = completeness
    print(json.dumps(made, ensure_ascii=False) if wanted.json else figures.text(made))
    print(f"{time.monotonic() - started:.0f} seconds", file=sys.stderr)
    bad = figures.lost(made["figures"], completeness)
    if wanted.write:
        write(wanted.write, made)
    if wanted.check and bad:
        sys.exit("\n".join(bad))
    if any(line.startswith("blocking") for line in bad):
        sys.exit(bad[-1])


if __name__ == "__main__":
    main()
