"""What the harvest and its Z39.50 worker say to each other: length-prefixed msgpack over pipes."""

from __future__ import annotations

import msgspec

from harvester import errors
from harvester.errors import ProtocolError, SourceError, SourceUnavailable
from harvester.sources.received import Portion
from harvester.sources.z3950 import pqf
from harvester.sources.z3950.client import Target

HEADER = 4


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Connect and log in; `rule` is the identifier rule of the source; the CPU seconds are those of one command."""

    target: Target
    rule: str = ""
    memory_bytes: int = 1 << 30
    cpu_seconds: int = 60


class Count(msgspec.Struct, frozen=True, tag="count"):
    """How many records a query finds."""

    query: pqf.Query


class Fetch(msgspec.Struct, frozen=True, tag="fetch"):
    """At most `size` records of a query from `position` on; `label` names the slice in places."""

    query: pqf.Query
    position: int
    size: int
    label: str = ""


class Scan(msgspec.Struct, frozen=True, tag="scan"):
    """Terms of an index from a start term on."""

    start: pqf.Term
    count: int


Command = Open | Count | Fetch | Scan


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """What the server agreed to."""

    implementation: str
    options: tuple[int, ...]
    message_size: int
    record_size: int


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """The number of hits."""

    hits: int


class Terms(msgspec.Struct, frozen=True, tag="terms"):
    """(term, number of records) in index order."""

    terms: tuple[tuple[str, int], ...]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """An error of the tree, taken apart for the journey."""

    kind: str
    message: str
    place: str = ""
    hint: str = ""
    code: str = ""


Reply = Opened | Counted | Portion | Terms | Failed


def failed(error: SourceError) -> Failed:
    """*error* made ready to travel."""
    return Failed(type(error).__name__, error.message, error.place, error.hint, getattr(error, "code", ""))


def raised(failure: Failed) -> SourceError:
    """The error that travelled."""
    kind = getattr(errors, failure.kind, ProtocolError)
    if not (isinstance(kind, type) and issubclass(kind, SourceError)):
        kind = ProtocolError
    if issubclass(kind, ProtocolError):
        return kind(failure.message, place=failure.place, hint=failure.hint, code=failure.code)
    return kind(failure.message, place=failure.place, hint=failure.hint)


def is_passing(error: SourceError) -> bool:
    """True when another try may succeed."""
    return isinstance(error, SourceUnavailable)
