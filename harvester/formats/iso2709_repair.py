"""Take an ISO 2709 record apart where the quick way does not hold: by the directory, by the terminators, or not at all.

A wrong repair is worse than a quarantined record: fields are taken only where directory and terminators agree, or
where one of them is whole by itself.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from harvester.errors import RecordError
from harvester.formats.characters import shown
from harvester.formats.light import LEADER_LENGTH

FIELD_END = b"\x1e"
RECORD_END = b"\x1d"
ENTRY = 12
TAG = re.compile(rb"[0-9A-Za-z]{3}")
MAX_FIELDS = 20_000


class Dissected(NamedTuple):
    """A record in bytes: leader as text, tags, raw bodies without terminators, and what was repaired."""

    leader: str
    tags: list[str]
    raws: list[bytes]
    flags: tuple[str, ...]


def dissect(payload: bytes) -> Dissected:
    """The fields of *payload* in directory order, with flags `structure:<what>:<tag>:<before → after>`.

    Raises:
        RecordError: too short, no directory, or directory and fields contradict each other.
    """
    leader, flags = _leader(payload)
    end = payload.find(FIELD_END, LEADER_LENGTH)
    if end < 0:
        raise RecordError("The record has no directory of fields.", reason="no-directory", stage="parse")
    directory = payload[LEADER_LENGTH:end]
    if not directory:
        raise RecordError("The record is empty: it has a leader but no field.", reason="empty", stage="parse")
    body = payload[end + 1 :]
    if not body.endswith(RECORD_END):
        flags.append(f"structure:terminator::{_shown(body[-8:])} → {_shown(body[-8:] + RECORD_END)}")
    if body.endswith(RECORD_END) or body[-2:-1] == FIELD_END:
        body = body[:-1]
    overflowing = _overflowing(directory, body)
    if overflowing is not None:
        flags.append("structure:overflow")
        codes, raws = overflowing
    else:
        entries = _entries(directory)
        codes, raws = [entry[:3] for entry in entries], _raws(entries, body, flags)
    tags = [_tag(code, flags) for code in codes]
    if payload[12:17].isdigit() and int(payload[12:17]) != end + 1:
        flags.append(f"structure:base-address::{_shown(payload[12:17])} → {end + 1:05d}")
    return Dissected(leader, tags, [_inner(raw, tag, flags) for raw, tag in zip(raws, tags, strict=True)], tuple(flags))


def _entries(directory: bytes) -> list[bytes]:
    if len(directory) % ENTRY:
        message = f"The directory is {len(directory)} bytes long, which is no multiple of {ENTRY}."
        raise RecordError(message, reason="directory", stage="parse")
    if len(directory) > ENTRY * MAX_FIELDS:
        raise RecordError(f"The record has more than {MAX_FIELDS:,} fields.", reason="bounds", stage="parse")
    return [directory[at : at + ENTRY] for at in range(0, len(directory), ENTRY)]


def _overflowing(directory: bytes, body: bytes) -> tuple[list[bytes], list[bytes]] | None:
    """Tags and bodies where a length needs five digits or a position six; None where none does, or it does not fit.

    Such entries are longer than twelve bytes. They are taken only if every one states what is really there.
    """
    if len(body) <= 9_999:
        return None
    parts = body.split(FIELD_END)[:-1][:MAX_FIELDS]
    tags, at, start = [], 0, 0
    for part in parts:
        stated = b"%04d%05d" % (len(part) + 1, start)
        if not directory.startswith(stated, at + 3):
            return None
        tags.append(directory[at : at + 3])
        at += 3 + len(stated)
        start += len(part) + 1
    return (tags, parts) if at == len(directory) and at > ENTRY * len(parts) else None


def _leader(payload: bytes) -> tuple[str, list[str]]:
    if len(payload) <= LEADER_LENGTH + 1:
        raise RecordError(
            f"The record has only {len(payload)} bytes; a leader alone takes {LEADER_LENGTH}.",
            reason="short",
            stage="parse",
        )
    raw = payload[:LEADER_LENGTH]
    if raw.isascii() and raw.decode("ascii").isprintable():
        return raw.decode("ascii"), []
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else " " for byte in raw)
    return text, [f"structure:leader::{_shown(raw)} → {text}"]


def _raws(entries: list[bytes], body: bytes, flags: list[str]) -> list[bytes]:
    """The raw bodies, by whichever of directory and terminators is whole; the directory first."""
    by_directory = _by_directory(entries, body)
    if by_directory is not None and all(FIELD_END not in raw for raw in by_directory):
        return by_directory
    parts = body.split(FIELD_END)
    if parts and not parts[-1].strip(b"\x00\t\n\r "):
        parts.pop()
    if len(parts) == len(entries):
        flags.append("structure:directory" + _misdirected(entries, parts))
        return parts
    if by_directory is not None:
        flags.append("structure:terminator-in-field")
        return by_directory
    raise RecordError(
        f"The directory names {len(entries)} fields, but {len(parts)} are there and its positions do not fit.",
        reason="directory",
        stage="parse",
    )


def _misdirected(entries: list[bytes], parts: list[bytes]) -> str:
    """The first entry of the directory that does not say where its field stands, and what it should say."""
    start = 0
    for entry, part in zip(entries, parts, strict=True):
        right = entry[:3] + b"%04d%05d" % (len(part) + 1, start)
        if entry != right:
            return f"::{_shown(entry)} → {_shown(right)}"
        start += len(part) + 1
    return ""


def _shown(raw: bytes) -> str:
    return shown(raw.decode("latin-1"))


def _by_directory(entries: list[bytes], body: bytes) -> list[bytes] | None:
    """The bodies at the positions of the directory, or None when one of them is no whole field."""
    raws, total = [], 0
    for entry in entries:
        if not entry[3:].isdigit():
            return None
        start = int(entry[7:])
        end = start + int(entry[3:7])
        total += end - start
        if end == start or body[end - 1 : end] != FIELD_END or (start and body[start - 1 : start] != FIELD_END):
            return None
        raws.append(body[start : end - 1])
    # Two entries for one place, or bytes that no entry names, are a wrong directory.
    return raws if total == len(body) else None


def _tag(raw: bytes, flags: list[str]) -> str:
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in raw)
    if not TAG.fullmatch(raw):
        flags.append(f"structure:tag:{text}" + (f":{_shown(raw)} → {text}" if "?" in text else ""))
    return text


def _inner(raw: bytes, tag: str, flags: list[str]) -> bytes:
    """*raw* with structural characters that stand in its data turned into blanks."""
    if FIELD_END not in raw and RECORD_END not in raw:
        return raw
    kept = raw.replace(FIELD_END, b" ").replace(RECORD_END, b" ")
    at = next(number for number, byte in enumerate(raw) if byte in FIELD_END + RECORD_END)
    near = slice(max(0, at - 12), at + 12)
    flags.append(f"structure:terminator-in-data:{tag}:{_shown(raw[near])} → {_shown(kept[near])}")
    return kept
