"""What an import would do, row by row, without doing it: `induk import FILE --dry-run`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, Literal, NamedTuple, TypeVar

from harvester.model import HarvestedRecord, Page
from harvester.sources.sheet_messages import MESSAGES, sentence

H = TypeVar("H")
Kind = Literal["new", "changed", "unchanged", "deleted", "gone", "refused"]


class Line(NamedTuple):
    """What would happen to one record or row: where it stands, what was repaired in it, or why it is refused."""

    kind: Kind
    identifier: str
    place: str = ""
    remarks: tuple[str, ...] = ()


class DryRun(NamedTuple, Generic[H]):
    """The lines in the order of the file, records that would be gone at the end.

    `proven` is False when the file does not show what is missing (a delta, or damage): then nothing is gone.
    `halts` says why a person must approve what is deleted, if one must.
    """

    lines: tuple[Line, ...]
    proven: bool
    remarks: tuple[str, ...] = ()
    halts: str = ""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many lines of each kind."""
        return Counter(line.kind for line in self.lines)


def dry_run(
    pages: Iterable[Page], known: Mapping[str, H], hash_of: Callable[[HarvestedRecord], H], language: str = "id"
) -> DryRun[H]:
    """Compare *pages* with what is *known* (identifier → hash of the active record)."""
    lines: list[Line] = []
    remarks: list[str] = []
    seen: set[str] = set()
    proven = False
    for page in pages:
        remarks += _sentences(page.flags, language)
        proven = page.list_size is not None and "salvaged" not in page.flags
        for record in page.records:
            lines.append(_line(record, known, hash_of, language))
            seen.add(record.identifier)
        for damage in page.damages:
            lines.append(Line("refused", damage.identifier, damage.place, (damage.message,)))
            seen.add(damage.identifier)
    if proven:
        lines += [Line("gone", identifier) for identifier in sorted(known.keys() - seen)]
    return DryRun(tuple(lines), proven, tuple(remarks))


def _line(
    record: HarvestedRecord, known: Mapping[str, H], hash_of: Callable[[HarvestedRecord], H], language: str
) -> Line:
    place = next((flag.removeprefix("place:") for flag in record.flags if flag.startswith("place:")), "")
    remarks = tuple(_sentences(record.flags, language))
    held = known.get(record.identifier)
    kind: Kind = "new"
    if record.deleted:
        kind = "deleted" if held is not None else "unchanged"
    elif held is not None:
        kind = "unchanged" if hash_of(record) == held else "changed"
    return Line(kind, record.identifier, place, remarks)


def _sentences(flags: Iterable[str], language: str) -> Iterator[str]:
    """The flags that are about a sheet, as sentences."""
    for flag in flags:
        if flag.partition(":")[0] in MESSAGES:
            yield sentence(flag, language)
