"""XLSX through openpyxl, read-only, after every part was read once with bounds: nothing is evaluated or expanded.

Formulas give the result that Excel saved; links, macros and drawings are not opened.
"""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from openpyxl import load_workbook
from openpyxl.utils import column_index_from_string

from harvester.errors import Refused
from harvester.sources.sheet_csv import Row
from harvester.sources.sheet_values import EMPTY, Cell, cell_of

MAX_PARTS = 2000
MAX_PART = 192 << 20  # bytes unpacked; shared strings of 100,000 rows have some 10 MB
MAX_ALL = 384 << 20
MAX_RATIO = 400  # sheets of few distinct values are packed 100 to 1
RATIO_FLOOR = 8 << 20
MAX_ROWS = 1_048_576
MAX_WIDTH = 1000
MAX_REMARKS = 200_000
_CHUNK = 1 << 20
_OVERLAP = 200
_DANGER = re.compile(rb"<!DOCTYPE|<!ENTITY|<!\x00?D\x00?O\x00?C", re.IGNORECASE)
_FORMULA = re.compile(rb'<c r="([A-Z]{1,3}[0-9]{1,7})"[^>]{0,60}><f')
_MERGED = re.compile(rb'<mergeCell ref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"')
_TOO_FAR = re.compile(rb'<row [^>]{0,80}?r="([0-9]{7,})"|<c r="([A-Z]{4,}|[A-Z]{1,3}[0-9]{7,})')


class Merge(NamedTuple):
    """A merged block, columns and rows counted from 1."""

    left: int
    top: int
    right: int
    bottom: int


class Remarks(NamedTuple):
    """What the parts of a sheet say that openpyxl's reader leaves out: formula cells and merged blocks."""

    formulas: frozenset[str]
    merges: tuple[Merge, ...]


class Workbook:
    """An opened workbook; `sheets` yields each visible or hidden sheet's name and rows."""

    def __init__(self, stream: BinaryIO) -> None:
        """Check every part of *stream*, then open it.

        Raises:
            Refused: a bound was passed, or it holds a DOCTYPE; `code` of the message is in `hint`.
            ValueError: no workbook, or damaged.
        """
        self._remarks = _checked_parts(stream)
        stream.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions that we do not read
                self._book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        except Exception as error:
            raise ValueError(f"{type(error).__name__}") from error

    def sheets(self) -> Iterator[tuple[str, Remarks, Iterator[Row]]]:
        """Name, remarks and rows of each sheet, in the order of the workbook."""
        for sheet in self._book.worksheets:
            path = str(getattr(sheet, "_worksheet_path", "")).lstrip("/")
            yield sheet.title, self._remarks.get(path, Remarks(frozenset(), ())), _rows(sheet)

    def close(self) -> None:
        """Close what openpyxl keeps open."""
        self._book.close()


def _rows(sheet: Any) -> Iterator[Row]:
    """The rows of *sheet* that hold anything.

    Raises:
        ValueError: damaged in the middle; rows before it were yielded.
    """
    sheet.reset_dimensions()
    number = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, cells in enumerate(sheet.iter_rows(), 1):
                if number > MAX_ROWS or len(cells) > MAX_WIDTH:
                    raise Refused(f"more than {MAX_ROWS:,} rows or {MAX_WIDTH:,} columns", hint="too-large")
                found = tuple(_cell(cell) for cell in cells)
                if any(cell is not EMPTY for cell in found):
                    yield Row(number, found)
    except Refused:
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__} after row {number}") from error


def _cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return EMPTY
    if cell.data_type == "e":
        return Cell(str(value), "error")
    return cell_of(value, str(cell.number_format) if isinstance(value, (int, float)) else "")


# ---- the check of the parts ----------------------------------------------------------------------------


def _checked_parts(stream: BinaryIO) -> dict[str, Remarks]:
    """Remarks by the path of each sheet's part, after all parts were read within the bounds."""
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ValueError("no complete workbook") from error
    infos = archive.infolist()
    if len(infos) > MAX_PARTS or len({info.filename for info in infos}) != len(infos):
        raise Refused("too many parts, or two of one name", hint="dangerous-workbook")
    packed = max(stream.seek(0, 2), 1)
    remarks = {}
    total = 0
    for info in infos:
        if ".." in info.filename.split("/") or info.filename.startswith("/") or "\\" in info.filename:
            raise Refused("a part leads out of the workbook", hint="dangerous-workbook")
        scan = _Scan()
        for chunk in _unpacked(archive, info):
            total += len(chunk)
            if total > MAX_ALL or scan.size + len(chunk) > MAX_PART:
                raise Refused("the workbook unpacks to too many bytes", hint="too-large")
            if total > RATIO_FLOOR and total > MAX_RATIO * packed:
                raise Refused(f"the workbook unpacks to more than {MAX_RATIO} times its size", hint="too-large")
            scan.feed(chunk, xml=info.filename.endswith((".xml", ".rels", ".vml")))
        if info.filename.startswith("xl/worksheets/"):
            remarks[info.filename] = scan.remarks()
    return remarks


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(info) as part:
            while chunk := part.read(_CHUNK):
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        raise ValueError(f"part {info.filename[:80]} is damaged or encrypted") from error


class _Scan:
    """Looks through one part piece by piece."""

    def __init__(self) -> None:
        self.size = 0
        self._tail = b""
        self._formulas: set[str] = set()
        self._merges: list[Merge] = []

    def feed(self, chunk: bytes, *, xml: bool) -> None:
        self.size += len(chunk)
        if not xml:
            return
        text = self._tail + chunk
        if _DANGER.search(text):
            raise Refused("the workbook holds a DOCTYPE", hint="dangerous-workbook")
        for found in _TOO_FAR.finditer(text):
            if not found[1] or int(found[1][:10]) > MAX_ROWS:
                self._check_far(found)
        for found in _FORMULA.finditer(text):
            if len(self._formulas) < MAX_REMARKS:
                self._formulas.add(found[1].decode())
        for found in _MERGED.finditer(text):
            if len(self._merges) < MAX_REMARKS:
                left, top, right, bottom = (part.decode() for part in found.groups())
                self._merges.append(Merge(column_number(left), int(top), column_number(right), int(bottom)))
        self._tail = text[-_OVERLAP:]

    def _check_far(self, found: re.Match[bytes]) -> None:
        digits = re.sub(rb"[A-Z]+", b"", found[1] or found[2])
        if not digits or int(digits[:10]) > MAX_ROWS:
            raise Refused("a cell lies outside of what Excel can hold", hint="dangerous-workbook")

    def remarks(self) -> Remarks:
        return Remarks(frozenset(self._formulas), tuple(dict.fromkeys(self._merges)))


def column_number(letters: str) -> int:
    """A → 1, AA → 27; letters beyond ZZZ are refused by openpyxl."""
    return column_index_from_string(letters)
