"""The watched folder: which files are there whole, in which order they count, and a private copy of one.

A file is read when it has not changed for a while (or its marker says so), only if it is a plain file, and only by
the name that the folder itself lists.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO, NamedTuple

from harvester.errors import Refused, SourceUnavailable

MAX_ENTRIES = 100_000
_PARTIAL = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".swp", ".lock", "~")
_DATE = re.compile(r"(?<![0-9])((?:19|20)[0-9]{2})[-_.]?(0[1-9]|1[0-2])[-_.]?([0-2][0-9]|3[01])?(?![0-9])")
_CHUNK = 1 << 20


class Dropped(NamedTuple):
    """A file that may be read: where it is, its name for messages and for keeping in mind, size and time."""

    path: Path
    name: str
    size: int
    changed: int

    @property
    def key(self) -> str:
        """What it is called in facts that are kept: a hash, for names are the partner's."""
        return hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).hexdigest()[:12]


class Folder(NamedTuple):
    """The files that can be read, and flags for those that cannot yet (`waiting:NAME`) or never (`refused:NAME`)."""

    files: tuple[Dropped, ...]
    flags: tuple[str, ...]


def look(folder: Path, pattern: str, *, now: float, stable_seconds: float, marker: str = "") -> Folder:
    """What lies in *folder* under a name like *pattern*; *now* is in seconds since 1970.

    Raises:
        SourceUnavailable: there is no such folder: a disk that is not mounted is no empty library.
    """
    try:
        entries = list(os.scandir(folder))[: MAX_ENTRIES + 1]
    except OSError as error:
        raise SourceUnavailable(f"the folder cannot be read: {error.strerror}", place=folder.name) from error
    if len(entries) > MAX_ENTRIES:
        raise Refused(f"more than {MAX_ENTRIES:,} files", place=folder.name)
    names = {entry.name for entry in entries}
    files, flags = [], []
    for entry in sorted(entries, key=lambda entry: entry.name):
        if _passed_over(entry.name, pattern, marker):
            continue
        found = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            flags += [] if stat.S_ISDIR(found.st_mode) else [f"refused:{shown(entry.name)}"]
        elif (marker and entry.name + marker not in names) or (
            not marker and abs(now - found.st_mtime) < stable_seconds
        ):
            flags.append(f"waiting:{shown(entry.name)}")
        else:
            files.append(Dropped(Path(entry.path), entry.name, found.st_size, found.st_mtime_ns))
    return Folder(tuple(files), tuple(flags))


def named(paths: Iterable[Path]) -> tuple[Dropped, ...]:
    """The files at *paths*, as the operator named them.

    Raises:
        SourceUnavailable: one is not there, or is no plain file.
    """
    files = []
    for path in paths:
        try:
            found = path.lstat()
        except OSError as error:
            raise SourceUnavailable(f"cannot be read: {error.strerror}", place=path.name) from error
        if not stat.S_ISREG(found.st_mode):
            raise SourceUnavailable("is no plain file", place=path.name)
        files.append(Dropped(path, path.name, found.st_size, found.st_mtime_ns))
    return tuple(files)


def in_order(files: Iterable[Dropped]) -> list[Dropped]:
    """*files* from the oldest: by the date in their names when all have one, else by their time."""
    listed = list(files)
    dates = {file.name: _date(file.name) for file in listed}
    if all(dates.values()):
        return sorted(listed, key=lambda file: (dates[file.name], file.name))
    return sorted(listed, key=lambda file: (file.changed, file.name))


def _date(name: str) -> str:
    found = _DATE.search(name)
    return found[1] + found[2] + (found[3] or "00") if found else ""


def _passed_over(name: str, pattern: str, marker: str) -> bool:
    hidden = name.startswith((".", "~$")) or name.lower().endswith(_PARTIAL)
    return hidden or bool(marker and name.endswith(marker)) or not fnmatch(name, pattern or "*")


def copy(file: Dropped, limit: int) -> tuple[BinaryIO, str]:
    """A private copy of *file* (at its start) and its hash: what is uploaded again in the middle changes nothing.

    Raises:
        SourceUnavailable: it changed while being copied, or is gone.
        Refused: larger than *limit*, or no longer a plain file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(file.path, flags)
    except OSError as error:
        raise SourceUnavailable(f"cannot be read: {error.strerror}", place=shown(file.name)) from error
    with os.fdopen(handle, "rb") as stream:
        before = os.fstat(stream.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise Refused("is no plain file", place=shown(file.name))
        target = tempfile.SpooledTemporaryFile(max_size=8 << 20)  # noqa: SIM115 - the caller closes it
        try:
            digest = _copied(stream, target, limit, shown(file.name))
            after = os.fstat(stream.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise SourceUnavailable("the file is being written", place=shown(file.name))
        except BaseException:
            target.close()
            raise
    target.seek(0)
    return target, digest  # type: ignore[return-value]


def _copied(stream: BinaryIO, target: tempfile.SpooledTemporaryFile[bytes], limit: int, name: str) -> str:
    digest = hashlib.sha256()
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise Refused(f"larger than {limit:,} bytes", place=name)
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def shown(name: str) -> str:
    """A file's name as it may stand in messages."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)[:80]
