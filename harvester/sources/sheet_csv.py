"""CSV as partners write it: any separator, three encodings, quotes that are not doubled (SLiMS), any line ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harvester.sources.sheet_values import EMPTY, Cell

SEPARATORS = (",", ";", "\t", "|")
MAX_LINES_IN_ROW = 500
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|$)")
_HINT = re.compile(r"sep=(.)\s*", re.IGNORECASE)
_SAMPLE = 40


class Row(NamedTuple):
    """One row: its number as a spreadsheet shows it, its cells, codes of what was repaired in it."""

    number: int
    cells: tuple[Cell, ...]
    codes: tuple[str, ...] = ()


def decoded(raw: bytes) -> tuple[bytes, bool]:
    """*raw* as bytes that are UTF-8 or Windows-1252, without a byte-order mark; True when it was UTF-16."""
    if raw.startswith(b"\xef\xbb\xbf"):
        return raw[3:], False
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace").encode(), True
    sample = raw[:4000]
    if len(sample) > 8 and sample.count(b"\x00") * 3 > len(sample):
        little = sample[1::2].count(0) >= sample[::2].count(0)
        return raw.decode("utf-16-le" if little else "utf-16-be", "replace").encode(), True
    return raw, False


def rows(raw: bytes, separator: str = "") -> Iterator[Row]:
    """The rows of *raw*; without *separator* the one that gives most rows the same number of cells.

    The row number counts lines, as a text editor does.
    """
    body, _ = decoded(raw)
    lines = list(_lines(body))
    start = 0
    hint = _HINT.fullmatch(lines[0][0]) if lines else None
    if hint:
        separator, start = separator or hint[1], 1
    separator = separator or guess_separator([text for text, _ in lines[start : start + 200]])
    yield from _rows(lines, start, separator)


def _lines(body: bytes) -> Iterator[tuple[str, bool]]:
    """Each line without its end, and whether it had to be read as Windows-1252."""
    for found in _LINE.finditer(body):
        line = found[0].rstrip(b"\r\n")
        if found.end() == found.start():
            return
        try:
            yield line.decode("utf-8"), False
        except UnicodeDecodeError:
            # Bytes that Windows-1252 does not use become the C1 controls of Latin-1 and are taken out later.
            yield line.decode("cp1252", "replace") if b"\x81" not in line else line.decode("latin-1"), True


def guess_separator(lines: list[str]) -> str:
    """The separator with which most of the first rows have the same number of cells, and more than one."""
    best, best_score = ",", 0.0
    for separator in SEPARATORS:
        widths = [len(fields(line, separator)[0] or ()) for line in lines[:_SAMPLE] if separator in line]
        if not widths:
            continue
        usual = max(set(widths), key=lambda width: (widths.count(width), width))
        score = widths.count(usual) * min(usual, 12)
        if usual > 1 and score > best_score:
            best, best_score = separator, score
    return best


def _rows(lines: list[tuple[str, bool]], start: int, separator: str) -> Iterator[Row]:
    at = start
    while at < len(lines):
        text, odd = lines[at]
        found, raw_quotes = fields(text, separator)
        used = 1
        while found is None and used < MAX_LINES_IN_ROW and at + used < len(lines):
            text += "\n" + lines[at + used][0]
            odd = odd or lines[at + used][1]
            used += 1
            found, raw_quotes = fields(text, separator)
        if found is None:
            # The quotation mark is never closed: it belongs to the text of its own line.
            text, odd = lines[at]
            found, raw_quotes, used = text.replace('"', "").split(separator), True, 1
        codes = (("encoding",) if odd else ()) + (("quotes",) if raw_quotes else ())
        yield Row(at + 1, tuple(Cell(field) if field else EMPTY for field in found), codes)
        at += used


def fields(line: str, separator: str) -> tuple[list[str] | None, bool]:
    """The fields of *line*, and whether quotes inside were not doubled; None while a quote is still open."""
    if '"' not in line:
        return line.split(separator), False
    found, odd = _fields(line, separator, raw=False)
    if odd:
        found, _ = _fields(line, separator, raw=True)
    return found, odd


def _fields(line: str, separator: str, *, raw: bool) -> tuple[list[str] | None, bool]:
    result: list[str] = []
    odd = False
    at = 0
    while True:
        if line[at : at + 1] != '"':
            end = line.find(separator, at)
            result.append(line[at:] if end < 0 else line[at:end])
        else:
            text, end, strange = _quoted(line, at + 1, separator, raw)
            odd = odd or strange
            if end == -2:
                return None, odd
            result.append(text)
        if end < 0:
            return result, odd
        at = end + 1


def _quoted(line: str, at: int, separator: str, raw: bool) -> tuple[str, int, bool]:
    """The text of a quoted field from *at*, where its separator stands (-1 at the end, -2 unclosed), oddness."""
    parts: list[str] = []
    odd = False
    while True:
        quote = line.find('"', at)
        if quote < 0:
            return "", -2, odd
        parts.append(line[at:quote])
        rest = line[quote + 1 : quote + 40].lstrip(" ")
        doubled = line[quote + 1 : quote + 2] == '"'
        if doubled and not (raw and line[quote + 2 : quote + 3] in (separator, "")):
            parts.append('"')
            at = quote + 2
        elif doubled:
            # "Judul "Aneh"", as SLiMS writes it: the first of the two belongs to the value.
            parts.append('"')
            at = quote + 1
        elif not rest or rest[0] == separator:
            return "".join(parts), line.find(separator, quote + 1) if rest else -1, odd
        else:
            odd = True
            parts.append('"')
            at = quote + 1
