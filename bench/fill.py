"""How many records of each kind have which field: a fall of a share shows that a mapping lost something."""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from harvester.errors import RecordError
from harvester.formats import formats
from harvester.formats.iso2709_split import split
from harvester.model import Damage, NormalizedRecord
from harvester.normalize.apply import Context, normalize
from harvester.normalize.mapping import for_source

ALWAYS = ("holdings", "suppressed")  # every record has a holding; a hidden record is an exception
NAMES = tuple(name for name in NormalizedRecord.__struct_fields__ if name not in ALWAYS)
_EMPTY = NormalizedRecord()


class Fill:
    """Records and filled fields by kind."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        self.filled: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, kind: str, record: NormalizedRecord) -> None:
        self.records[kind] += 1
        self.filled[kind].update(name for name in NAMES if _filled(record, name))

    def table(self) -> list[str]:
        """The lines of a table: a row a field, a column a kind, per cent of the records."""
        kinds = sorted(self.records)
        lines = [f"| field | {' | '.join(kinds)} |", "|---|" + "---|" * len(kinds)]
        lines.append(f"| records | {' | '.join(f'{self.records[kind]:,}' for kind in kinds)} |")
        for name in NAMES:
            shares = [f"{100 * self.filled[kind][name] / self.records[kind]:.1f}" for kind in kinds]
            lines.append(f"| `{name}` | {' | '.join(shares)} |")
        return lines


def _filled(record: NormalizedRecord, name: str) -> bool:
    value = getattr(record, name)
    return bool(value) and (value != getattr(_EMPTY, name) or name in ("material", "carrier_form"))


def of_file(path: Path) -> Iterator[NormalizedRecord]:
    """The records of one ISO 2709 file, by the mapping of MARC 21, without a catalogue."""
    mapping = for_source("generic", "iso2709")
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        for one in split(stream):
            if isinstance(one, Damage):
                continue
            try:
                yield normalize(formats.get("iso2709")(one.payload), mapping, Context("x", "1")).record
            except RecordError:
                continue


def of_bodies(bodies: Iterable[bytes]) -> Iterator[NormalizedRecord]:
    """Records as the ledger has them."""
    for body in bodies:
        yield msgspec.json.decode(body, type=NormalizedRecord)
