"""Files: a watched folder, a file, an http(s) dump, or what `induk import` names; every format, packed or not.

Options of a source: `content` full (default: what is missing was deleted), delta, deletes; `pattern` of names;
`delete_pattern` of lists of identifiers among deltas; `parts: true` when all files together are the full set (else
the newest is); `layout` and `separator` of sheets; `format` when it must not be guessed; `language` of messages;
`stable_seconds`; `marker` such as .done; `deleted_leader: false` when leader/05 d means nothing.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from harvester.errors import (
    ConfigError,
    NothingYet,
    ProtocolError,
    RecordError,
    Refused,
    SourceError,
    SourceUnavailable,
    TokenExpired,
)
from harvester.formats.span import Span
from harvester.model import Damage, HarvestedRecord, Page, Source, Window
from harvester.registry import suggestion
from harvester.sources import Environment, sources
from harvester.sources.file_archive import HEAD, FileLimits, Member, members
from harvester.sources.file_download import Downloader
from harvester.sources.file_folder import Dropped, copy, in_order, look, named, shown
from harvester.sources.file_identity import find
from harvester.sources.file_split import KINDS, LIST, SHEET, kind_of, pieces
from harvester.sources.inflate import CorruptPacking
from harvester.sources.sheets import Sheets

PAGE_RECORDS = 500
PAGE_BYTES = 8 << 20
MAX_SHEET = 256 << 20
PARTS = 64
_ROWS = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|#.*\n)*\"?(?:id|inv|isbn|key):"
)  # a list of rows by their identifiers, no sheet
_IDENTIFIED_BY = {"oai_dc": "dc:identifier", "mods": "recordIdentifier"}  # without a rule; MARC by field 001
FULL, DELTA, DELETES = "full", "delta", "deletes"
OPTIONS: dict[str, tuple[type, ...]] = {
    "content": (str,),
    "pattern": (str,),
    "delete_pattern": (str,),
    "parts": (bool,),
    "layout": (str,),
    "separator": (str,),
    "format": (str,),
    "language": (str,),
    "stable_seconds": (int, float),
    "marker": (str,),
    "deleted_leader": (bool,),
    "page_records": (int,),
}
_SHARED = ("approvals", "ca", "guards", "politeness", "windows", "strategy")

Found = HarvestedRecord | Damage | str


class Unit(NamedTuple):
    """One file to be read: its name, hash, bytes, what it means, facts to keep when it was read whole."""

    name: str
    key: str
    digest: str
    stream: BinaryIO
    content: str
    learned: tuple[tuple[str, str], ...]

    @property
    def mark(self) -> str:
        """What a token calls it."""
        return f"{self.key}-{self.digest[:16]}"


@sources.register("files")
def open_files(source: Source, environment: Environment) -> Files:
    """The watched folder, file or dump at the address of *source*.

    Raises:
        ConfigError: an unknown option or value; every one at once.
    """
    return Files(source, environment)


def open_paths(source: Source, environment: Environment, paths: Sequence[Path]) -> Files:
    """The files at *paths*, read as if they had been dropped for *source*; they need not be stable."""
    return Files(source, environment, tuple(paths))


class Files:
    """A harvester of files. A file that was read whole is not read again until it changes."""

    def __init__(self, source: Source, environment: Environment, paths: tuple[Path, ...] = ()) -> None:
        _check_options(source)
        self._source = source
        self._environment = environment
        self._paths = paths
        self._options: dict[str, Any] = source.options
        self._content = str(self._options.get("content", FULL))
        self._limits = FileLimits(ratio=environment.limits.ratio)
        self._flags: list[str] = []
        self._bare = False  # there was nothing to read in the folder

    def pages(self, window: Window) -> Iterator[Page]:
        """Every record of the files that are new or changed; see model.Harvester.

        A page's token names the file and how many of its records and damages were given. The last page of a full set
        that was read whole has the number of its records as `list_size`; deltas and lists of deletions have none.

        Raises:
            TokenExpired: the file that *window* stands in is gone or was replaced.
            SourceUnavailable, Refused, ProtocolError: see the modules; an empty full set is a ProtocolError.
        """
        census = _Census(self._content)
        coming = self._pages(window.token, census)
        pending = next(coming, None)
        while pending is not None:
            try:
                following = next(coming, None)
            except SourceError:
                # What was read before the trouble counts; its token says that more was to come.
                yield pending
                raise
            if following is None:
                pending = msgspec.structs.replace(pending, token="", list_size=census.size)
            yield pending
            pending = following

    def _pages(self, token: str, census: _Census) -> Iterator[Page]:
        mark, _, given = token.rpartition("-")
        skipping = bool(token)
        read = False
        for unit in self._units():
            read = True
            skip = 0
            if skipping:
                here = unit.mark == mark and given.isdigit()
                skip = int(given) if here else -1
                skipping = not here
            with unit.stream:
                yield from self._unit_pages(unit, skip, census)
        if skipping:
            raise TokenExpired("the file was replaced since", place=self._source.code)
        if not read:
            self._nothing_yet()

    def _unit_pages(self, unit: Unit, skip: int, census: _Census) -> Iterator[Page]:
        """The pages of one file behind its first *skip* records; -1 only counts them."""
        batch = _Batch(self._options.get("page_records", PAGE_RECORDS))
        number = 0
        for each in self._found(unit):
            census.count(each)
            if isinstance(each, str):
                batch.flags.append(each)
                continue
            number += 1
            if skip < 0 or number <= skip:
                continue
            if batch.full:
                if self._environment.cancel():
                    raise SourceUnavailable("stopped on request", place=self._source.code)
                yield self._page(batch, f"{unit.mark}-{number - 1}")
                batch = _Batch(batch.limit)
            batch.add(each)
        if skip < 0:
            return
        if census.empty:
            raise ProtocolError("there is no record in the file", place=unit.name, hint="nothing is deleted for that")
        batch.flags += self._kept(unit, broken=batch.salvaged or census.broken)
        yield self._page(batch, f"{unit.mark}-{number}")

    def _kept(self, unit: Unit, *, broken: bool) -> list[str]:
        """The facts that stop the file from being read again; of a broken full set none, so that it stays reported."""
        if broken and unit.content == FULL:
            return []
        return [f"learned:{name}={value}" for name, value in unit.learned]

    def _page(self, batch: _Batch, token: str) -> Page:
        flags = tuple(dict.fromkeys([*self._flags, *batch.flags])) + (("salvaged",) if batch.salvaged else ())
        self._flags = []
        now = self._environment.clock.now()
        stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Page(tuple(batch.records), tuple(batch.damages), token, server_time=stamp, flags=flags)

    # ---- which files -------------------------------------------------------------------------------------

    def _units(self) -> Iterator[Unit]:
        """The files to read. The mark of one part of a full set tells of the parts before it, too: when one of them
        is another, what it had brought is no part of the list, which starts again."""
        before = hashlib.sha256()
        for number, unit in enumerate(self._files()):
            before.update(unit.mark.encode())
            chained = number and self._content == FULL
            yield unit._replace(digest=before.hexdigest()) if chained else unit

    def _files(self) -> Iterator[Unit]:
        if self._source.url.startswith(("http://", "https://")) and not self._paths:
            yield from self._downloaded()
            return
        for file in self._chosen():
            known = "" if self._paths or self._options.get("parts") else self._known(file)
            if known.startswith(f"{file.size}.{file.changed}."):
                continue
            stream, digest = copy(file, self._limits.file_bytes)
            if known.endswith(f".{digest[:24]}"):
                stream.close()
                continue
            fact = (f"file.{file.key}", f"{file.size}.{file.changed}.{digest[:24]}")
            yield Unit(shown(file.name), file.key, digest, stream, self._role(file.name), (fact,))

    def _known(self, file: Dropped) -> str:
        return self._environment.learned.get(f"file.{file.key}", "")

    def _downloaded(self) -> Iterator[Unit]:
        learned = self._environment.learned
        downloader = Downloader(self._source, self._environment, self._limits.file_bytes)
        try:
            found = downloader.download(learned.get("etag", ""), learned.get("modified", ""))
            if found is not None and learned.get("dump") != found.digest[:32]:
                facts = (*found.learned, ("dump", found.digest[:32]))
                name = shown(self._source.url.partition("?")[0].rpartition("/")[2]) or "dump"
                yield Unit(name, "dump", found.digest, found.stream, self._content, facts)
        finally:
            downloader.close()

    def _chosen(self) -> list[Dropped]:
        """The files to read, oldest first: all of a delta; of full sets the newest, or all of its parts."""
        if self._paths:
            return in_order(named(self._paths)) if self._content != FULL else list(named(self._paths))
        path = Path(self._source.url)
        if path.is_file() and not path.is_symlink():
            return list(named([path]))
        found = look(
            path,
            str(self._options.get("pattern", "")),
            now=self._environment.clock.now().timestamp(),
            stable_seconds=float(self._options.get("stable_seconds", 60)),
            marker=str(self._options.get("marker", "")),
        )
        self._flags += found.flags
        self._bare = not found.files
        files = in_order(found.files)
        if self._content == FULL and not self._options.get("parts"):
            return files[-1:]
        return files

    def _nothing_yet(self) -> None:
        """Nothing was read: a file that cannot be read yet is the reason, not that the library holds nothing new.

        A folder of full sets that holds no file at all is no unchanged library: somebody emptied it.
        """
        waiting = [flag.removeprefix("waiting:") for flag in self._flags if flag.startswith("waiting:")]
        if not waiting:
            if self._bare and self._content == FULL:
                raise SourceUnavailable("there is no file to read in the folder", place=Path(self._source.url).name)
            return
        name, folder = waiting[0], Path(self._source.url).name
        if marker := self._options.get("marker"):
            raise NothingYet(f"{name} waits for its {marker}; then the next harvest reads it", place=folder)
        seconds = float(self._options.get("stable_seconds", 60))
        raise NothingYet(
            f"{name} was changed less than {seconds:g} seconds ago; the next harvest reads it", place=folder
        )

    def _role(self, name: str) -> str:
        pattern = str(self._options.get("delete_pattern", "*delete*"))
        return DELETES if self._content == DELTA and fnmatch(name.lower(), pattern) else self._content

    # ---- what is in a file -------------------------------------------------------------------------------

    def _found(self, unit: Unit) -> Iterator[Found]:
        """Records, damages and page flags of one file; a file that ends too soon gives what came before."""
        try:
            for member in members(unit.stream, unit.name, self._limits):
                yield from self._member(unit, member)
                if member.broken:
                    yield _broken(member.name, member.broken)
        except CorruptPacking as error:
            yield _broken(unit.name, str(error))

    def _member(self, unit: Unit, member: Member) -> Iterator[Found]:
        if len(member.head) < HEAD and not member.head.strip(b"\x00\r\n\t \xef\xbb\xbf"):
            yield Damage(stage="split", reason="empty", message="The file is empty.", place=shown(member.name))
            return
        kind = str(self._options.get("format", "")) or kind_of(member.head)
        if unit.content == DELETES and kind == SHEET and ("layout" not in self._options or _ROWS.match(member.head)):
            kind = LIST
        if kind == SHEET:
            yield from self._sheet(unit, member)
            return
        for piece in pieces(kind, member.head, member.stream):
            if isinstance(piece, Span):
                yield self._record(unit, kind, piece, member.name)
            else:
                yield msgspec.structs.replace(piece, place=f"{shown(member.name)}: {piece.place}")

    def _sheet(self, unit: Unit, member: Member) -> Iterator[Found]:
        """A sheet is read as a whole: its rows are compared with each other."""
        sheets = Sheets(
            member.name.rpartition("/")[2],
            layout=str(self._options.get("layout", "")),
            language=str(self._options.get("language", "id")),
            separator=str(self._options.get("separator", "")),
        )
        with tempfile.SpooledTemporaryFile(max_size=8 << 20) as whole:
            while chunk := member.stream.read(1 << 20):
                whole.write(chunk)
                if whole.tell() > MAX_SHEET:
                    raise Refused(f"a sheet larger than {MAX_SHEET:,} bytes", place=shown(member.name))
            whole.seek(0)
            for each in sheets.found(whole):  # type: ignore[arg-type]
                if isinstance(each, HarvestedRecord) and unit.content == DELETES:
                    each = HarvestedRecord(each.identifier, each.format, deleted=True, flags=each.flags)
                yield each

    def _record(self, unit: Unit, kind: str, span: Span, name: str) -> HarvestedRecord | Damage:
        place = f"{shown(name)}: byte {span.offset}"
        if kind == LIST:
            text = span.payload.decode("utf-8", "replace").split("\t")[0].split(";")[0].split(",")[0].strip('" ')
            return HarvestedRecord(text[:200], LIST, deleted=True, flags=(f"place:{place}",))
        try:
            found = find(kind, span.payload, self._source.identifier_rule)
        except RecordError as error:
            stage: Any = error.stage
            return Damage(stage=stage, reason=error.reason, message=error.message, payload=span.payload, place=place)
        if not found.identifier:
            where = self._source.identifier_rule or _IDENTIFIED_BY.get(kind, "field 001")
            message = f"The record has no identifier ({where})."
            return Damage(stage="parse", reason="no-identifier", message=message, payload=span.payload, place=place)
        told = found.deleted and self._options.get("deleted_leader", True)
        if told or unit.content == DELETES:
            return HarvestedRecord(found.identifier, kind, deleted=True, flags=(f"place:{place}",))
        return HarvestedRecord(found.identifier, kind, span.payload, flags=(f"place:{place}",))


class _Batch:
    """What the next page will hold."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.records: list[HarvestedRecord] = []
        self.damages: list[Damage] = []
        self.flags: list[str] = []
        self._bytes = 0

    @property
    def full(self) -> bool:
        return len(self.records) + len(self.damages) >= self.limit or self._bytes >= PAGE_BYTES

    @property
    def salvaged(self) -> bool:
        """True when a part of the file could not be cut into records, so that records may be missing."""
        return any(damage.stage == "split" for damage in self.damages)

    def add(self, each: HarvestedRecord | Damage) -> None:
        self._bytes += len(each.payload)
        if isinstance(each, Damage):
            self.damages.append(each)
        else:
            self.records.append(each)


class _Census:
    """How many records the full set has, if that can be said: a damage without identifier may be any of them."""

    def __init__(self, content: str) -> None:
        # hashes of identifiers, in PARTS lists by their last bits: eight bytes a record, where one set takes a hundred
        self._seen = [array("q") for _ in range(PARTS)] if content == FULL else None
        self._damages = 0
        self._unnamed = False
        self.broken = False

    def count(self, each: Found) -> None:
        if isinstance(each, Damage):
            self._damages += 1
            self.broken = self.broken or each.stage == "split"
            self._unnamed = self._unnamed or not each.identifier
        if self._seen is not None and not isinstance(each, str) and each.identifier:
            known = hash(each.identifier)
            self._seen[known % PARTS].append(known)

    @property
    def size(self) -> int | None:
        """The number of different identifiers; None for deltas and when a damage could be anybody's."""
        if self._seen is None or self._unnamed or self.broken:
            return None
        return sum(len(set(part)) for part in self._seen)

    @property
    def empty(self) -> bool:
        """True for a full set in which there is nothing at all."""
        return self._seen is not None and not any(self._seen) and not self._damages


def _broken(name: str, reason: str) -> Damage:
    return Damage(stage="split", reason="truncated", message=f"The file ends too soon: {reason}.", place=shown(name))


def _check_options(source: Source) -> None:
    """Refuse options that are none, all at once."""
    problems = []
    for name, value in source.options.items():
        if name in _SHARED:
            continue
        if name not in OPTIONS:
            problems.append(f"{source.code}: unknown option {name!r} ({suggestion(name, list(OPTIONS))})")
        elif not isinstance(value, OPTIONS[name]) or (isinstance(value, bool) and bool not in OPTIONS[name]):
            problems.append(f"{source.code}: option {name!r} is of the wrong kind: {value!r}")
    for name, known in (("content", (FULL, DELTA, DELETES)), ("format", KINDS), ("language", ("id", "en"))):
        value = source.options.get(name, known[0])
        if isinstance(value, str) and value not in known:
            problems.append(f"{source.code}: option {name!r}: {value!r} is unknown ({suggestion(value, list(known))})")
    if problems:
        raise ConfigError("\n".join(problems), problems=tuple(problems))
