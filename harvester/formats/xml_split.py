"""Cut the records out of an XML file or a broken page with a scanner: bounded memory, the bytes as they came.

A scanner goes on behind damage where a parser must stop, so that one bad record costs only itself. Each span is a
document of its own: the namespaces that the file declares before its first record are written into its first tag.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

from harvester.errors import RecordError
from harvester.formats.span import CHUNK, MAX_RECORD, Bytes, Piece, Span, as_stream, damages
from harvester.formats.xml_mend import declared_encoding
from harvester.formats.xml_safe import parse

_NAMESPACE = re.compile(rb"\sxmlns(?::([\w.-]+))?\s*=\s*(\"[^\"<>]*\"|'[^'<>]*')")
_NAME = re.compile(rb"<[\w.:-]+")
_SECTIONS = ((b"<", b">"), (b"<!--", b"-->"), (b"<![CDATA[", b"]]>"))  # none is scanned before it is whole
_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)
_EXTENSION = re.compile(rb"<(/?)(?:[\w.-]+:)?extension(?=[\s>])")
_MARC_PART = re.compile(rb"<(?:[\w.-]+:)?(?:leader|controlfield|datafield)\b")


def _tokens(tag: str) -> re.Pattern[bytes]:
    """Comments and CDATA sections (where tags are text), and the start and end tags of *tag* in any prefix."""
    name = re.escape(tag.encode("ascii"))
    return re.compile(
        rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<(?P<end>/?)(?:[A-Za-z_][\w.-]*:)?" + name + rb"(?P<rest>\s[^<>]*)?>",
        re.DOTALL,
    )


def split_records(source: Bytes, tag: str) -> Iterator[Piece]:
    """Yield each innermost *tag* element of a file as a Span, and a Damage for a record without its end.

    Of an envelope of the same name (OAI-PMH's record around MARC's) only what is inside is yielded; elements of the
    name within an <extension> belong to the record around them.
    """
    scanner = _Scanner(tag)
    for chunk in _chunks(as_stream(source)):
        yield from scanner.feed(chunk)
        if scanner.refused:
            return
    yield from scanner.close()


class _Scanner:
    """The state between two chunks: what is open, where the buffer stands in the file, what the head declared."""

    def __init__(self, tag: str) -> None:
        self._token = _tokens(tag)
        self._tag, self._name = tag, tag.encode("ascii")
        self._buffer = b""
        self._offset = 0
        self._scanned = 0
        self._start: int | None = None
        self._in_head = True
        self._doctype = False
        self._sample, self._encoding = b"", "utf-8"
        self._namespaces: dict[bytes, bytes] = {}
        self._within = 0
        self.found = 0
        self.refused = False

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        if len(self._sample) < 1000:
            self._sample += chunk[:1000]
            self._encoding = declared_encoding(self._sample)
        self._buffer += chunk
        yield from self._scan(self._complete())
        if not self.refused:
            yield from self._shrink()

    def _complete(self) -> int:
        """How far the buffer can be scanned: to the tag, comment or CDATA section that is not yet whole."""
        end = len(self._buffer)
        for opening, closing in _SECTIONS if self._marked(end) else _SECTIONS[:1]:
            last = self._buffer.rfind(opening, self._scanned)
            if last >= 0 and self._buffer.find(closing, last) < 0:
                end = min(end, last)
        return end

    def _marked(self, end: int) -> bool:
        """Whether there may be a comment or a CDATA section before *end*. One character is found at once."""
        buffer, at = self._buffer, self._scanned
        return buffer.find(b"!", at, end) >= 0 and buffer.find(b"<!", at, end) >= 0

    def close(self) -> Iterator[Piece]:
        yield from self._scan(len(self._buffer))
        if self._start is not None:
            rest = self._buffer[self._start :]
            yield from self._damaged(self._start, rest, "truncated", "The record has no end; the file may be cut.")
        elif not self.found and self._sample.strip():
            message = f"There is no <{self._tag}> in this file."
            yield from damages(0, self._sample, "garbage", message)

    def _scan(self, end: int) -> Iterator[Piece]:
        for match in self._tokens_before(end):
            self._scanned = match.end()
            if match["end"] is None or (match["rest"] or b"").endswith(b"/"):
                continue
            if match["end"]:
                yield from self._ended(match.end())
            else:
                yield from self._opened(match.start())
            if self.refused:
                return
        self._scanned = max(self._scanned, end)

    def _tokens_before(self, end: int) -> Iterator[re.Match[bytes]]:
        """The tokens up to *end*; without comments and CDATA sections around, only where the name stands."""
        buffer, at, name = self._buffer, self._scanned, self._name
        if self._marked(end):
            yield from self._token.finditer(buffer, at, end)
            return
        behind = at
        while (at := buffer.find(name, at, end)) >= 0:
            opening = buffer.rfind(b"<", behind, at)
            match = self._token.match(buffer, opening, end) if opening >= 0 else None
            if match:
                yield match
            at = behind = match.end() if match else at + len(name)

    def _opened(self, position: int) -> Iterator[Piece]:
        if self._in_head:
            self._note_head(position)
            self._in_head = False
            if self._doctype:
                self.refused = True
                message = "The file declares a document type (DOCTYPE), which is refused because entities can be bombs."
                yield from self._damaged(0, self._buffer[:position], "doctype", message)
                return
        if self._start is not None and self._in_extension(position):
            self._within += 1
            return
        lost = b"" if self._start is None else self._buffer[self._start : position]
        if self._start is not None and self._is_record(lost):
            yield from self._damaged(
                self._start, lost, "truncated", "The record has no end before the next one begins."
            )
        self._start, self._within = position, 0

    def _is_record(self, opened: bytes) -> bool:
        """Whether the beginning of an element is one of a record and not of an envelope of the same name."""
        if self._tag == "record":
            return _MARC_PART.search(opened) is not None
        return opened.partition(b">")[2].strip() != b""

    def _in_extension(self, position: int) -> bool:
        """Whether the open record has an open <extension>: MODS keeps the records that it was merged from there."""
        opened = _EXTENSION.findall(self._buffer, self._start or 0, position)
        return sum(-1 if end else 1 for end in opened) > 0

    def _note_head(self, end: int) -> None:
        """What the bytes before the first record declare: namespaces, and whether there is a document type."""
        head = self._buffer[:end]
        self._namespaces.update({name or b"": value for name, value in _NAMESPACE.findall(head)})
        self._doctype = self._doctype or _DOCTYPE.search(head) is not None

    def _ended(self, position: int) -> Iterator[Piece]:
        if self._start is None:
            return
        if self._within:
            self._within -= 1
            return
        payload = self._buffer[self._start : position]
        self.found += 1
        yield Span(self._offset + self._start, with_namespaces(payload, self._namespaces, self._encoding))
        self._start = None

    def _damaged(self, position: int, payload: bytes, reason: str, message: str) -> Iterator[Piece]:
        self.found += 1
        yield from damages(self._offset + position, payload, reason, message)

    def _shrink(self) -> Iterator[Piece]:
        """Forget what is behind; give a record up that has no end within MAX_RECORD."""
        keep = self._scanned if self._start is None else self._start
        if self._start is not None and len(self._buffer) - keep > MAX_RECORD:
            message = f"The record has no end within {MAX_RECORD:,} bytes."
            yield from self._damaged(keep, self._buffer[keep : self._scanned], "oversized", message)
            keep, self._start = self._scanned, None
        if self._start is None and len(self._buffer) - keep > MAX_RECORD:
            keep = len(self._buffer)  # one comment or tag without end, longer than any record
        if self._in_head:
            self._note_head(keep)
        self._buffer = self._buffer[keep:]
        self._offset += keep
        self._scanned -= keep
        if self._start is not None:
            self._start -= keep


def salvage(page: bytes, tag: str) -> Iterator[bytes]:
    """Yield the outermost well-formed *tag* elements of a broken page, each as a document of its own."""
    tokens = [match for match in _tokens(tag).finditer(page) if match["end"] is not None]
    head = page[: tokens[0].start()] if tokens else b""
    namespaces = {name or b"": value for name, value in _NAMESPACE.findall(head)}
    encoding = declared_encoding(page)
    behind = 0
    for number, opening in enumerate(tokens):
        if opening["end"] or opening.start() < behind:
            continue
        end = _balanced(tokens, number)
        if end is None:
            continue
        span = with_namespaces(page[opening.start() : end], namespaces, encoding)
        try:
            parse(span)
        except RecordError:
            continue
        behind = end
        yield span


def _balanced(tokens: list[re.Match[bytes]], number: int) -> int | None:
    """The end of the element that opens at *number*, counting elements of the same name within it (at most 4 deep)."""
    depth = 0
    for token in tokens[number : number + 16]:
        depth += -1 if token["end"] else int(not (token["rest"] or b"").endswith(b"/"))
        if depth == 0:
            return token.end()
        if depth > 4:
            return None
    return None


def with_namespaces(span: bytes, namespaces: dict[bytes, bytes], encoding: str = "utf-8") -> bytes:
    """*span* with the *namespaces* that it uses and does not declare itself, and its encoding if that is not UTF-8."""
    cut = _NAME.match(span)
    end = cut.end() if cut else 0
    first = span[: span.find(b">") + 1]
    added = b""
    for prefix, value in namespaces.items():
        name = b"xmlns:" + prefix if prefix else b"xmlns"
        if prefix and prefix + b":" not in span:
            continue
        if name in first and re.search(rb"\s" + re.escape(name) + rb"\s*=", first):
            continue
        added += b" " + name + b"=" + value
    plain = encoding in ("utf-8", "ascii") or encoding.startswith("utf-16")
    declaration = b"" if plain else b'<?xml version="1.0" encoding="%s"?>' % encoding.encode("ascii")
    return declaration + span[:end] + added + span[end:]


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The stream in chunks; UTF-16 as UTF-8, because the scanner looks for ASCII."""
    first = stream.read(CHUNK)
    if not first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"<\x00", b"\x00<")):
        while first:
            yield first
            first = stream.read(CHUNK)
        return
    name = "utf-16" if first[:1] in b"\xff\xfe" else ("utf-16-le" if first[:1] == b"<" else "utf-16-be")
    decoder = codecs.getincrementaldecoder(name)("replace")
    while first:
        yield decoder.decode(first).encode("utf-8", "replace")
        first = stream.read(CHUNK)
