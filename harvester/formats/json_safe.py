"""JSON from partners, parsed within bounds; every failure is a RecordError."""

from __future__ import annotations

import json
import re
from typing import Any

from harvester.errors import RecordError
from harvester.formats.characters import clean, flags_of
from harvester.formats.encodings import decode_text

MAX_BYTES = 16_000_000
MAX_DEPTH = 32
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def parse_object(payload: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The object that *payload* holds, with the flags of its charset.

    Raises:
        RecordError: too large or deep, no JSON, or no object (stage decode).
    """
    if len(payload) > MAX_BYTES:
        raise _refused("bounds", f"It is {len(payload):,} bytes long; at most {MAX_BYTES:,} are read.")
    text, flags = decode_text(payload.removeprefix(b"\xef\xbb\xbf"))
    _depth(text)
    try:
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise _refused("json", f"This is not well-formed JSON: {error}") from None
    if not isinstance(value, dict):
        raise _refused("json", "This is JSON, but no object in braces.")
    return value, flags


def text_of(value: Any, where: str, flags: dict[str, None]) -> str:
    """*value* as clean text; null is empty, numbers stay as written. Repairs are flagged with *where*.

    Raises:
        RecordError: a list or an object stands where text belongs (stage parse).
    """
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise RecordError(f"{where} holds a list or an object where text belongs.", reason="json")
    text, repairs = clean(str(value))
    flags.update(dict.fromkeys(flags_of(repairs, where, str(value), text)))
    return text


def _depth(text: str) -> None:
    depth = 0
    for match in _TOKEN.finditer(text):
        first = match.group()[0]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _refused("bounds", f"It is nested more than {MAX_DEPTH} deep.")
        elif first in "]}":
            depth -= 1


def _refused(reason: str, message: str) -> RecordError:
    return RecordError(message, reason=reason, stage="decode")
