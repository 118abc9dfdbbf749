"""Mend the characters of XML that is not well-formed: charset, control characters, bare ampersands, prefixes.

Structure is never mended: a missing end tag stays an error. Every repair is a flag.
"""

from __future__ import annotations

import codecs
import re
from html.entities import html5

from harvester.formats.characters import ILLEGAL, told
from harvester.formats.encodings import decode_text

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_REFERENCE = re.compile(r"&(?:#(?P<number>[0-9]{1,8}|[xX][0-9a-fA-F]{1,7})|(?P<name>[A-Za-z][A-Za-z0-9]{1,31}));")
_BARE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,8}|#x[0-9a-fA-F]{1,7});)")
_ROOT = re.compile(r"<[A-Za-z_][\w.:-]*")
_PREFIX = re.compile(r"(?:</?|\s)([A-Za-z_][\w.-]*):[A-Za-z_]")
_KEPT = {"amp", "lt", "gt", "quot", "apos"}


def mend(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """*data* as UTF-8 that may now be well-formed, and a flag for each kind of repair; no flag when nothing changed.

    Each flag tells the first word that changed: `xml:ampersand::Tom&Jerry → Tom&amp;Jerry`.
    """
    flags: dict[str, str] = {}
    utf8, text_flags = to_utf8(data)
    if utf8 is None:
        text, text_flags = decode_text(data)
    else:
        text = utf8.decode("utf-8")
    text = _DECLARATION.sub("", text.removeprefix("\ufeff"))
    parts = [part if part.startswith("<![CDATA[") else _references(part, flags) for part in _CDATA.split(text)]
    text = "".join(parts)
    if found := ILLEGAL.search(text):
        flags.setdefault("characters:control", told(text, found.start(), found.end(), ""))
        text = ILLEGAL.sub("", text)
    text = _declare(text, flags)
    return text.strip().encode("utf-8"), (*text_flags, *(f"{kind}::{words}" for kind, words in flags.items()))


def to_utf8(data: bytes) -> tuple[bytes | None, tuple[str, ...]]:
    """*data* in UTF-8 by its BOM or XML declaration, or None when it is not what it says it is."""
    encoding = declared_encoding(data)
    if encoding == "utf-8":
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            return None, ()
        return data, ()
    try:
        return data.decode(encoding).encode("utf-8"), ()
    except (LookupError, UnicodeError):
        return None, ()


def declared_encoding(data: bytes) -> str:
    """The codec that BOM or XML declaration name; utf-8 where they name none, or none that exists."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for name, sample in (("utf-16-le", b"<\x00"), ("utf-16-be", b"\x00<")):
        if data.startswith(sample):
            return name
    declared = _DECLARED.match(data[:200])
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


def _references(text: str, flags: dict[str, str]) -> str:
    """HTML's entities become characters, impossible references go, bare ampersands are escaped."""

    def known(match: re.Match[str]) -> str:
        name, number = match["name"], match["number"]
        if name in _KEPT:
            return match.group()
        if name:
            new = html5.get(f"{name};", f"&amp;{name};")
            flags.setdefault("xml:entity", told(text, match.start(), match.end(), new))
            return new
        code = int(number[1:], 16) if number[0] in "xX" else int(number)
        if (
            (code < 0x20 and code not in (9, 10, 13))
            or 0xD800 <= code < 0xE000
            or code > 0x10FFFF
            or code in (0xFFFE, 0xFFFF)
        ):
            flags.setdefault("characters:control", told(text, match.start(), match.end(), ""))
            return ""
        return match.group()

    text = _REFERENCE.sub(known, text)
    if found := _BARE.search(text):
        flags.setdefault("xml:ampersand", told(text, found.start(), found.end(), "&amp;"))
        text = _BARE.sub("&amp;", text)
    return text


def _declare(text: str, flags: dict[str, str]) -> str:
    """A namespace for every prefix that has none, in the first tag."""
    root = _ROOT.search(text)
    used = set(_PREFIX.findall(text)) - {"xml", "xmlns"}
    missing = sorted(prefix for prefix in used if f"xmlns:{prefix}" not in text)[:32]
    if root is None or not missing:
        return text
    names = "".join(f' xmlns:{prefix}="urn:undeclared:{prefix}"' for prefix in missing)
    flags["xml:prefix"] = f"{root.group()} → {root.group()}{names}"
    return text[: root.end()] + names + text[root.end() :]
