"""What the hot path makes of every record below some folders, as hashes: the same before a change and after it.

    python -m bench.same FOLDER … > before.txt

One line a file: how many records, and a hash of what the ledger is given of them (content hashes, normalized records,
warnings, profiles, keys); at the end a line for all pairs that blocking proposes and what is decided on each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from db.prepared import Prepared, digest
from harvester.errors import IndukError
from harvester.evaluating import pages
from harvester.match import blocking
from harvester.match.compare import decide
from harvester.match.rules import Rules, load
from harvester.model import HarvestedRecord, Profile, Source
from harvester.preparing import Recipe, prepare_batch

MAX_RECORDS = 4000  # of one file


def lines(folders: Iterable[Path]) -> Iterator[str]:
    """A line for each file below *folders* and one for the decisions."""
    rules = load()
    recipe = Recipe(Source("same", "files"), "same", "https://opac.example/{id}", "loan", "2026-01-01", (), rules)
    profiles: dict[str, Profile] = {}
    for folder in folders:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            records = list(islice(_records(path), MAX_RECORDS))
            if records:
                name = str(path.relative_to(folder))
                yield f"{name}\t{len(records)}\t{_made(records, recipe, name, profiles)}"
    yield _decided(profiles, rules)


def _records(path: Path) -> Iterator[HarvestedRecord]:
    try:
        for page in pages(path):
            yield from (one for one in page.records if not one.deleted)
    except (IndukError, ValueError, OSError) as error:
        print(f"{path}: {error}", file=sys.stderr)


def _made(records: list[HarvestedRecord], recipe: Recipe, name: str, profiles: dict[str, Profile]) -> str:
    """The hash of all that is made of *records*; adds their profiles."""
    made = prepare_batch([(one, digest(one.payload)) for one in records], recipe)
    found = blake2b(digest_size=8)
    for key, one in made.items():
        if isinstance(one, Prepared):
            profiles[f"{name} {key}"] = msgspec.msgpack.decode(one.profiled.profile, type=Profile)
            told: Any = one._replace(packed=b"", packed_normalized=b"", profiled=tuple(one.profiled))
        else:
            told = (one.stage, one.reason, one.message, one.place)
        found.update(repr((key, tuple(told))).encode())
    return found.hexdigest()


def _decided(profiles: dict[str, Profile], rules: Rules) -> str:
    pairs = sorted(blocking.candidates(profiles, rules).pairs)
    found = blake2b(digest_size=8)
    for left, right in pairs:
        told = decide(profiles[left], profiles[right], rules)
        found.update(f"{left}\t{right}\t{told}\n".encode())
    return f"{len(profiles)} records\t{len(pairs)} pairs\t{found.hexdigest()}"


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: python -m bench.same FOLDER …")
    for line in lines(map(Path, sys.argv[1:])):
        print(line)


if __name__ == "__main__":
    main()
