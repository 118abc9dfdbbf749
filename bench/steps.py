"""The steps that bench.run measures, one a process; each prints one JSON object.

`wall` are seconds of the work without imports, `peak` is memory in MiB.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bench import journeys
from bench.journeys import timed
from harvester.model import Normalized

TAGS = ("245", "100", "020", "008", "260")


def pymarc_reads(file: str) -> dict[str, Any]:
    """pymarc opens every record."""
    import pymarc

    with open(file, "rb") as stream:
        return timed(lambda: {"records": sum(1 for _ in pymarc.MARCReader(stream))})


def parse(file: str) -> dict[str, Any]:
    """Split, parse and decode five tags."""
    from harvester.formats.iso2709 import parse
    from harvester.formats.iso2709_split import split
    from harvester.formats.span import Span

    def work() -> dict[str, Any]:
        with open(file, "rb") as stream:
            records = (parse(one.payload) for one in split(stream) if isinstance(one, Span))
            return {"fields": sum(len(record.bodies(tag)) for record in records for tag in TAGS)}

    return timed(work)


def map_records(file: str) -> dict[str, Any]:
    """Split, parse and normalize by the shipped mapping."""
    from harvester.formats.iso2709 import parse
    from harvester.formats.iso2709_split import split

    return timed(lambda: normalized(file, spans(split, parse), "iso2709"))


def same_map(file: str) -> dict[str, Any]:
    """pymarc reads, and its fields go through the same mapping: all but our reader."""
    import pymarc

    from harvester.formats.pymarc_bridge import from_pymarc

    def records(stream: Any) -> Iterator[Any]:
        return (from_pymarc(one) for one in pymarc.MARCReader(stream) if one is not None)

    return timed(lambda: normalized(file, records, "iso2709"))


def spans(split: Any, parse: Any) -> Callable[[Any], Iterator[Any]]:
    """What gives the records of a stream, cut and parsed."""
    from harvester.formats.span import Span

    return lambda stream: (parse(one.payload) for one in split(stream) if isinstance(one, Span))


def normalized(file: str, records: Callable[[Any], Iterator[Any]], format: str) -> dict[str, Any]:
    """How many records of a file there are; all of them normalized as by the workers: in slices, garbage seldom."""
    from harvester.garbage import collect_rarely
    from harvester.normalize.apply import Context, normalize_batch
    from harvester.normalize.mapping import for_source
    from harvester.preparing import SLICE

    collect_rarely()
    mapping = for_source("generic", format)
    context = Context(source="bench", identifier="1", partner="bench")
    count = 0
    with open(file, "rb") as stream:
        found = records(stream)
        while some := list(islice(found, SLICE)):
            normalize_batch([(one, context) for one in some], mapping)
            count += len(some)
    return {"records": count}


def plain_map(file: str) -> dict[str, Any]:
    """pymarc and plain Python."""
    from bench.plain import read

    return timed(lambda: {"records": sum(1 for _ in read(file))})


def write_xml(file: str, target: str) -> dict[str, Any]:
    """The first fifth of the records as MARCXML, for the two steps that read it."""
    from harvester.formats.iso2709 import parse
    from harvester.formats.marcxml_write import HEAD, TAIL, write

    records = Path(file).read_bytes().split(b"\x1d")[:-1]
    with open(target, "w", encoding="utf-8") as out:
        out.write(HEAD)
        for one in records[: len(records) // 5]:
            out.write(write(parse(one + b"\x1d"), namespace=False) + "\n")
        out.write(TAIL)
    return {}


def map_xml(file: str) -> dict[str, Any]:
    """Split, parse and normalize MARCXML by the shipped mapping."""
    from harvester.formats.marcxml import parse
    from harvester.formats.xml_split import split_records

    return timed(lambda: normalized(file, spans(lambda stream: split_records(stream, "record"), parse), "marcxml"))


def pymarc_xml(file: str) -> dict[str, Any]:
    """pymarc parses MARCXML."""
    import pymarc

    found: list[None] = []
    return timed(lambda: pymarc.map_xml(lambda _record: found.append(None), file) or {"records": len(found)})


def yaz(file: str) -> dict[str, Any]:
    """yaz-marcdump parses every record and prints nothing."""
    import subprocess

    subprocess.run(["yaz-marcdump", "-n", file], check=True, capture_output=True)
    return {}


def judging(file: str) -> dict[str, Any]:
    """What a profile takes, its keys, and the comparison of a pair that shares one; in microseconds.

    Matching in all: a profile, candidates, which takes its keys again, and the comparisons of its pairs.
    """
    from harvester.formats.iso2709 import parse
    from harvester.formats.iso2709_split import split
    from harvester.garbage import collect_rarely
    from harvester.match import blocking, compare
    from harvester.match.keys import plain_keys
    from harvester.match.profile import profile
    from harvester.match.rules import load
    from harvester.normalize.apply import Context, normalize_batch
    from harvester.normalize.mapping import for_source

    collect_rarely()
    rules, mapping = load(), for_source("generic", "iso2709")
    context = Context(source="bench", identifier="1", partner="bench")
    with open(file, "rb") as stream:
        found = normalize_batch([(one, context) for one in spans(split, parse)(stream)], mapping)
    records = [one.record for one in found if isinstance(one, Normalized)]
    gc.freeze()  # looking through twenty thousand records for garbage is no part of matching
    started = time.process_time()
    profiles = [profile(one, rules) for one in records]
    profiled = time.process_time()
    keys = sum(len(plain_keys(one)) for one in profiles)
    keyed = time.process_time()
    named = {str(number): one for number, one in enumerate(profiles)}
    started_pairs = time.process_time()
    pairs = blocking.candidates(named, rules).pairs
    paired = time.process_time() - started_pairs
    chosen = [(profiles[int(left)], profiles[int(right)]) for left, right in sorted(pairs)]
    begun = time.process_time()
    for left, right in chosen:
        compare.judge(left, right, rules)
    judged = time.process_time()
    return {
        "records": len(records),
        "keys": round(keys / len(records), 1),
        "pairs": round(len(pairs) / len(records), 2),
        "profile_us": round((profiled - started) / len(records) * 1e6, 1),
        "keys_us": round((keyed - profiled) / len(records) * 1e6, 1),
        "compare_us": round((judged - begun) / len(pairs) * 1e6, 1),
        "matching_us": round((profiled - started + paired + judged - begun) / len(records) * 1e6, 1),
    }


def completeness(folder: str) -> dict[str, Any]:
    """The share of labelled duplicates that blocking proposes; 1 where there are no labels."""
    import csv

    from harvester.evaluating import gather
    from harvester.match import blocking
    from harvester.match.rules import load

    records = next(iter(sorted(Path(folder).rglob("goldfinch*/records.jsonl.gz"))), None)
    if records is None:
        return {"completeness": 1.0}
    with records.with_name("pairs.csv").open(encoding="utf-8") as lines:
        labelled = {
            tuple(sorted((row["left"], row["right"]))) for row in csv.DictReader(lines) if row["duplicate"] == "1"
        }
    rules = load()
    found = blocking.candidates(gather(records, rules).profiles, rules)
    return {"completeness": round(len(labelled & found.pairs) / len(labelled), 4)}


def growth(*words: str) -> dict[str, Any]:
    """What a record costs among so many profiles."""
    from bench.growth import growth

    return growth(*words)


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "pymarc": pymarc_reads,
    "parse": parse,
    "map": map_records,
    "plain-map": plain_map,
    "same-map": same_map,
    "plain": journeys.plain,
    "ledger": journeys.ledger,
    "pipeline": journeys.whole,
    "rows": journeys.rows,
    "oai": journeys.oai,
    "few": journeys.few,
    "catmandu": journeys.catmandu,
    "write-xml": write_xml,
    "map-xml": map_xml,
    "pymarc-xml": pymarc_xml,
    "yaz": yaz,
    "judging": judging,
    "completeness": completeness,
    "growth": growth,
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
