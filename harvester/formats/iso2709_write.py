"""The light MARC record → ISO 2709 in UTF-8; what the format cannot hold is refused, not written wrongly."""

from __future__ import annotations

import re

from harvester.errors import RecordError
from harvester.formats.light import normal_leader
from harvester.model import MarcRecord

MAX_RECORD_BYTES = 99_999
MAX_FIELD_BYTES = 9_999
_TAG = re.compile(r"[0-9A-Za-z]{3}")
_UNPRINTABLE = re.compile("[^ -~]")
_STRUCTURAL = re.compile("[\x1d\x1e]")


def write(record: MarcRecord) -> bytes:
    """*record* in ISO 2709 with leader/09 = a and true lengths.

    Raises:
        RecordError: over 99,999 bytes, a field over 9,999, a tag that is none, or no field (stage parse).
    """
    directory, bodies, position = [], [], 0
    for tag, body in record.fields:
        raw = _STRUCTURAL.sub(" ", body).encode("utf-8", "replace") + b"\x1e"
        if not _TAG.fullmatch(tag):
            raise RecordError(f"{tag!r} is no tag of three letters or digits.", reason="tag")
        if len(raw) > MAX_FIELD_BYTES:
            message = f"Field {tag} is {len(raw):,} bytes long; ISO 2709 holds {MAX_FIELD_BYTES:,}."
            raise RecordError(message, reason="too-long")
        directory.append(f"{tag}{len(raw):04}{position:05}")
        bodies.append(raw)
        position += len(raw)
    if not bodies:
        raise RecordError("The record is empty: it has no field.", reason="empty")
    base = 24 + 12 * len(directory) + 1
    length = base + position + 1
    if length > MAX_RECORD_BYTES:
        message = f"The record is {length:,} bytes long; ISO 2709 holds {MAX_RECORD_BYTES:,}."
        raise RecordError(message, reason="too-long")
    leader = _leader(record.leader, length, base)
    return leader + "".join(directory).encode("ascii") + b"\x1e" + b"".join(bodies) + b"\x1d"


def _leader(text: str, length: int, base: int) -> bytes:
    """The leader with its computed parts; # of printed tables is a blank."""
    old = _UNPRINTABLE.sub(" ", normal_leader(text)).replace("#", " ")
    status = old[5] if old[5] != " " else "n"
    return f"{length:05}{status}{old[6:9]}a22{base:05}{old[17:20]}4500".encode("ascii")
