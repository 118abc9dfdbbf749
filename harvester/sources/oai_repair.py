"""Mends the characters of one record that is not well-formed: bad bytes, control characters, bare ampersands, prefixes.

Each repair leaves a flag; the bytes as they came are kept beside the mended ones.
"""

from __future__ import annotations

import codecs
import re
from html.entities import html5
from xml.sax.saxutils import escape

import msgspec

LARGEST = 1 << 20  # a larger broken record is not mended

_NOT_ASCII = re.compile(rb"[\x80-\xff]+")
_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&(#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});")
_BARE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,8}|#x[0-9a-fA-F]{1,7});)")
_USED = re.compile(r"(?:</?|\s)([A-Za-z_][\w.-]*):[A-Za-z_]")
_KEPT = ("amp", "lt", "gt", "quot", "apos")

_KNOWN_PREFIXES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "oai_dc": "http://www.openarchives.org/OAI/2.0/oai_dc/",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "marc": "http://www.loc.gov/MARC21/slim",
    "mods": "http://www.loc.gov/mods/v3",
    "oai": "http://www.openarchives.org/OAI/2.0/",
}


class Frame(msgspec.Struct, frozen=True):
    """The root tag of the answer, which records are wrapped into so that its namespaces hold for them."""

    opening: bytes
    encoding: str

    @property
    def name(self) -> bytes:
        return self.opening[1:].split(b">")[0].split()[0].rstrip(b"/")

    def wrap(self, span: bytes) -> bytes:
        """*span* as a document of its own, in the answer's encoding."""
        declaration = f'<?xml version="1.0" encoding="{self.encoding}"?>'.encode("ascii")
        return b"%s%s%s</%s>" % (declaration, self.opening, span, self.name)

    def wrap_text(self, text: str) -> bytes:
        """Mended *text* as a document, in UTF-8, with a namespace for every prefix that has none."""
        opening = self.opening.decode(_codec(self.encoding), "replace")
        used = set(_USED.findall(text)) - {"xml", "xmlns"}
        missing = sorted(prefix for prefix in used if f"xmlns:{prefix}" not in text + opening)
        names = "".join(f' xmlns:{each}="{_KNOWN_PREFIXES.get(each, "urn:undeclared:" + each)}"' for each in missing)
        opening = f"{opening[:-1]}{names}>"
        closing = f"</{self.name.decode('ascii', 'replace')}>"
        return f'<?xml version="1.0" encoding="UTF-8"?>{opening}{text}{closing}'.encode()


def mend(span: bytes, frame: Frame) -> tuple[str, tuple[str, ...]]:
    """*span* as text that may now be well-formed, and one flag `repaired:…` for each kind of repair."""
    text, flags = _decode(span, frame.encoding)
    parts = _CDATA.split(text)  # every second part is a CDATA section, where & is a letter
    clean = [_CONTROL.sub("", part) for part in parts]
    clean[::2] = [_escape(_drop_references(part)) for part in clean[::2]]
    if _CONTROL.search(text) or any(_illegal(match[1]) for match in _REFERENCE.finditer(text)):
        flags += ("repaired:control-character",)
    if any(_BARE.search(part) for part in parts[::2]):
        flags += ("repaired:ampersand",)
    return "".join(clean), flags or ("repaired:namespace",)


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = _NOT_ASCII.match(error.object, error.start)
    end = max(bad.end() if bad else 0, error.end)
    return error.object[error.start : end].decode("cp1252", "replace"), end


codecs.register_error("induk.windows-1252", _as_windows_1252)


def _decode(span: bytes, encoding: str) -> tuple[str, tuple[str, ...]]:
    """Bytes that are not of the encoding are read as Windows-1252, one by one: what such servers mean by them."""
    codec = _codec(encoding)
    try:
        return span.decode(codec), ()
    except UnicodeDecodeError:
        return span.decode(codec, "induk.windows-1252"), ("repaired:encoding",)


def _illegal(reference: str) -> bool:
    if not reference.startswith("#"):
        return False
    number = int(reference[2:], 16) if reference[1] in "xX" else int(reference[1:])
    ranges = ((9, 10), (13, 13), (0x20, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF))
    return not any(low <= number <= high for low, high in ranges)


def _drop_references(text: str) -> str:
    return _REFERENCE.sub(lambda match: "" if _illegal(match[1]) else match[0], text)


def _escape(text: str) -> str:
    """HTML's named characters become themselves, other bare ampersands are escaped."""
    named = _REFERENCE.sub(_named, text)
    return _BARE.sub("&amp;", named)


def _named(match: re.Match[str]) -> str:
    name = match[1]
    if name.startswith("#") or name in _KEPT:
        return match[0]
    return escape(html5[f"{name};"]) if f"{name};" in html5 else match[0]
