"""The steps that bench.run measures, one a process; each prints one JSON object: wall seconds of the work, peak MiB."""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TAGS = ("245", "100", "020", "008", "260")


def pymarc_reads(file: str) -> dict[str, Any]:
    """pymarc opens every record."""
    import pymarc

    with open(file, "rb") as stream:
        return {"records": sum(1 for _ in pymarc.MARCReader(stream))}


def parse(file: str) -> dict[str, Any]:
    """Split, parse and decode five tags."""
    from harvester.formats.iso2709 import parse
    from harvester.formats.iso2709_split import split
    from harvester.formats.span import Span

    with open(file, "rb") as stream:
        found = [len(parse(one.payload).bodies(tag)) for one in split(stream) if isinstance(one, Span) for tag in TAGS]
    return {"fields": sum(found)}


def map_records(file: str) -> dict[str, Any]:
    """Parse and normalize by the shipped mapping."""
    from harvester.errors import RecordError
    from harvester.formats.iso2709 import parse
    from harvester.formats.iso2709_split import split
    from harvester.formats.span import Span
    from harvester.normalize.apply import Context, normalize
    from harvester.normalize.mapping import for_source

    mapping = for_source("generic", "iso2709")
    context = Context(source="bench", identifier="1", partner="bench")
    bad = 0
    with open(file, "rb") as stream:
        for one in split(stream):
            try:
                if isinstance(one, Span):
                    normalize(parse(one.payload), mapping, context)
            except RecordError:
                bad += 1
    return {"bad": bad}


def plain_map(file: str) -> dict[str, Any]:
    """pymarc and plain Python."""
    from bench.plain import read

    return {"records": sum(1 for _ in read(file))}


def plain(file: str, home: str, url: str) -> dict[str, Any]:
    """The straightforward pipeline."""
    from bench.plain import pipeline

    path = Path(home) / "plain.db"
    path.unlink(missing_ok=True)
    return pipeline(file, url or f"sqlite:///{path}")


def consortium(file: str, home: str, url: str) -> Any:
    """A fresh catalogue with one partner, whose file it is."""
    from sqlalchemy import MetaData

    from db.engine import Database
    from tests.journey import Consortium

    folder = Path(home) / "union"
    shutil.rmtree(folder, ignore_errors=True)
    for path in Path(home).glob("induk.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if url:
        database, held = Database(url), MetaData()
        held.reflect(database.engine)
        held.drop_all(database.engine)
    made = Consortium(folder, url or f"sqlite:///{Path(home) / 'induk.db'}", batch=1000)
    options = {"stable_seconds": 0, "format": "iso2709"}
    made.add("gpo", protocol="files", url=file, options=options)
    return made


def ledger(file: str, home: str, url: str) -> dict[str, Any]:
    """Read, parse, normalize, profile, store."""
    made = consortium(file, home, url)
    return timed(lambda: made.harvest("gpo") and {})


def whole(file: str, home: str, url: str) -> dict[str, Any]:
    """The ledger, matching, merging and the feed."""
    made = consortium(file, home, url)

    def work() -> dict[str, Any]:
        made.harvest("gpo")
        return {"pairs": made.match()["pairs"]}

    found = timed(work)
    path = Path(home) / "induk.db"
    return {**found, **({"bytes": path.stat().st_size} if path.exists() else {})}


def again(file: str, home: str, url: str) -> dict[str, Any]:
    """A harvest of the same records from another copy of the file."""
    made = consortium(file, home, url)
    made.harvest("gpo")
    made.forget_files("gpo")
    return timed(lambda: made.harvest("gpo") and {})


def timed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    started = time.perf_counter()
    said = work()
    return {"wall": time.perf_counter() - started, **said}


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "pymarc": pymarc_reads,
    "parse": parse,
    "map": map_records,
    "plain-map": plain_map,
    "plain": plain,
    "ledger": ledger,
    "pipeline": whole,
    "again": again,
}


def main() -> None:
    name, *words = sys.argv[1:]
    started = time.perf_counter()
    said = STEPS[name](*words)
    said.setdefault("wall", time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**said, "peak": peak}))


if __name__ == "__main__":
    main()
