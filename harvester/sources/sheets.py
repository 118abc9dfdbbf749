"""A CSV or XLSX file → one record a title or copy, with every repair and every refusal told by sheet and cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

import msgspec

from harvester.errors import Refused
from harvester.model import Damage, HarvestedRecord
from harvester.sources import sheet_header, sheet_identity, sheet_layout
from harvester.sources.sheet_csv import Row, decoded
from harvester.sources.sheet_csv import rows as csv_rows
from harvester.sources.sheet_header import Header, letter
from harvester.sources.sheet_identity import Entry
from harvester.sources.sheet_layout import Layout
from harvester.sources.sheet_messages import flag, say
from harvester.sources.sheet_values import EMPTY, MAX_CELL, Cell, clean, read
from harvester.sources.sheet_xlsx import Merge, Remarks, Workbook
from harvester.text import fold

MAX_CSV = 256 << 20
MAX_ROWS = 500_000
MAX_DAMAGE = 64_000
_OLE = b"\xd0\xcf\x11\xe0"
_DITTO = frozenset({'"', "''", "“", "”", "sda", "s d a", "idem", "ditto", "//", "-//-"})
_SUMS = frozenset({"jumlah", "total", "jumlah total", "sub total", "subtotal", "jumlah seluruhnya", "total buku"})

Found = HarvestedRecord | Damage | str
NO_REMARKS = Remarks(frozenset(), ())


class Sheets:
    """One file of sheets: `found` yields records, damages (stage split: a whole sheet) and page flags."""

    def __init__(self, name: str, *, layout: str = "", language: str = "id", separator: str = "") -> None:
        self._name = _shown(name)
        self._layout = sheet_layout.load(layout) if layout else None
        self._chosen = bool(layout)
        self._language = language
        self._separator = separator

    def found(self, stream: BinaryIO) -> Iterator[Found]:
        """Everything that *stream* (seekable) holds. Records come after all sheets were read."""
        head = stream.read(8)
        stream.seek(0)
        if head.startswith(_OLE):
            yield self._refusal("old-excel", self._name)
        elif head.startswith(b"PK"):
            yield from self._workbook(stream)
        else:
            yield from self._csv(stream)

    # ---- the two kinds of files --------------------------------------------------------------------------

    def _csv(self, stream: BinaryIO) -> Iterator[Found]:
        raw = stream.read(MAX_CSV + 1)
        if len(raw) > MAX_CSV:
            yield self._refusal("too-large", self._name)
            return
        if b"\x00" in decoded(raw)[0][:4000].strip(b"\x00"):
            yield self._refusal("not-a-sheet", self._name, raw[:MAX_DAMAGE])
            return
        entries: list[Entry] = []
        rows = csv_rows(raw, self._separator)
        yield from self._sheet(self._name, NO_REMARKS, rows, entries, only=True)
        yield from self._records(entries)

    def _workbook(self, stream: BinaryIO) -> Iterator[Found]:
        try:
            book = Workbook(stream)
        except Refused as error:
            yield self._refusal(error.hint, self._name)
            return
        except ValueError:
            yield self._refusal("open-document" if _is_open_document(stream) else "damaged-workbook", self._name)
            return
        entries: list[Entry] = []
        passed_over: list[Damage] = []
        refused = False
        try:
            for name, remarks, rows in book.sheets():
                for each in self._guarded(_shown(name), remarks, rows, entries):
                    if isinstance(each, Damage) and each.reason in ("no-header", "empty"):
                        passed_over.append(each)
                        continue
                    refused = refused or (isinstance(each, Damage) and each.stage == "split")
                    yield each
        finally:
            book.close()
        if entries or refused:
            yield from (flag("sheet-ignored", each.place) for each in passed_over)
        else:
            yield from passed_over
        yield from self._records(entries)

    def _guarded(self, name: str, remarks: Remarks, rows: Iterator[Row], entries: list[Entry]) -> Iterator[Found]:
        """A sheet that breaks off in the middle is refused from there on."""
        try:
            yield from self._sheet(name, remarks, rows, entries, only=False)
        except Refused as error:
            yield self._refusal(error.hint, name)
        except ValueError:
            yield self._refusal("damaged-workbook", name)

    def _records(self, entries: list[Entry]) -> Iterator[HarvestedRecord]:
        layout = self._layout
        if entries:
            assert layout is not None
            yield from sheet_identity.records(entries, layout)

    # ---- one sheet ---------------------------------------------------------------------------------------

    def _sheet(
        self, name: str, remarks: Remarks, rows: Iterator[Row], entries: list[Entry], *, only: bool
    ) -> Iterator[Found]:
        head = _first(rows, sheet_header.LOOKED_AT)
        if not head:
            yield self._refusal("empty", name)
            return
        layout = self._layout or sheet_header.best_layout(head)
        header = sheet_header.find(name, head, layout, remarks.merges, chosen=self._chosen)
        suspect = _members(head, header, layout)
        if suspect:
            yield self._refusal("members", name, value=suspect)
            return
        if header is None:
            yield self._refusal("no-header", name)
            return
        if not any(column.name == "title" for column in header.columns.values()):
            yield self._refusal("no-title-column", name)
            return
        self._layout = layout
        yield from header.flags
        yield from self._rows(name, _chain(head[header.skip :], rows), header, remarks, entries, only=only)

    def _rows(
        self, name: str, rows: Iterator[Row], header: Header, remarks: Remarks, entries: list[Entry], *, only: bool
    ) -> Iterator[Found]:
        """Read the rows below the names; entries of a sheet that turns out to be about members are dropped."""
        start = len(entries)
        damages: list[Damage] = []
        for row in _unmerged(rows, remarks.merges):
            suspect = sheet_header.about_members(row, certain=False)
            if suspect:
                del entries[start:]
                yield self._refusal("members", name, value=suspect)
                return
            if len(entries) >= MAX_ROWS:
                raise Refused(f"more than {MAX_ROWS:,} rows", hint="too-large")
            made = self._row(name, row, header, remarks, only=only)
            if isinstance(made, Entry):
                entries.append(made)
            elif made is not None:
                damages.append(made)
        if len(entries) == start and not damages:
            yield self._refusal("empty", name)
        yield from damages

    def _row(self, sheet: str, row: Row, header: Header, remarks: Remarks, *, only: bool) -> Entry | Damage | None:
        """The row as an entry, its refusal, or None for a caption, a repeated header or a sum."""
        layout = self._layout
        assert layout is not None
        place = f"{sheet}!A{row.number}"
        if any(len(cell.text) > MAX_CELL for cell in row.cells):
            return self._row_refusal("cell-too-long", place, row)
        if only and any(cell.text.strip() for cell in row.cells[header.width :]):
            return self._row_refusal("too-many-cells", place, row)
        cells: dict[str, tuple[str, ...]] = {}
        flags = [flag(code, place) for code in row.codes]
        for position, column in header.columns.items():
            cell = row.cells[position] if position < len(row.cells) else EMPTY
            if cell is EMPTY:
                if f"{letter(position)}{row.number}" not in remarks.formulas:
                    continue
                cell = Cell("", "formula")
            found = read(cell, column.type, layout.lists)
            if found.codes:
                where = f"{sheet}!{letter(position)}{row.number}"
                flags += [flag(code, where, clean(cell.text)[0]) for code in found.codes]
            if found.values:
                cells[column.name] = cells.get(column.name, ()) + found.values
        return self._judged(place, row, cells, tuple(flags), header)

    def _judged(
        self, place: str, row: Row, cells: dict[str, tuple[str, ...]], flags: tuple[str, ...], header: Header
    ) -> Entry | Damage | None:
        layout = self._layout
        assert layout is not None
        title = cells.get("title", ())
        if title and title[0].casefold().strip(". ") in _DITTO:
            return self._row_refusal("ditto", _cell_place(place, header), row, value=title[0])
        if title and not (fold(title[0]) in header.titles and _repeats_header(row, header)):
            return Entry(cells, place, flags, sheet_identity.candidates(cells, layout))
        # A caption ("Kelas VII"), a sum ("Jumlah 250") or the names once more at the top of a printed page.
        if title or _is_caption(row, cells):
            return None
        named = [one for one in sheet_identity.candidates(cells, layout) if not one.startswith("key:")]
        return self._row_refusal("no-title", _cell_place(place, header), row, identifier=(named or [""])[0])

    # ---- refusals ----------------------------------------------------------------------------------------

    def _refusal(self, code: str, sheet: str, payload: bytes = b"", *, value: str = "") -> Damage:
        """A whole sheet that is not read; of one about members nothing is kept but the name of the column."""
        message = say(code, self._language, place=sheet, value=value)
        return Damage(stage="split", reason=code, message=message, payload=payload, place=sheet)

    def _row_refusal(self, code: str, place: str, row: Row, *, value: str = "", identifier: str = "") -> Damage:
        texts = [cell.text for cell in row.cells]
        return Damage(
            stage="parse",
            reason=code,
            message=say(code, self._language, place=place, value=value),
            payload=msgspec.json.encode(texts)[:MAX_DAMAGE],
            identifier=identifier,
            place=place,
        )


def _first(rows: Iterator[Row], count: int) -> list[Row]:
    """The first *count* rows that are not empty."""
    found: list[Row] = []
    for row in rows:
        if any(cell.text.strip() for cell in row.cells):
            found.append(row)
        if len(found) == count:
            break
    return found


def _chain(head: Sequence[Row], rows: Iterable[Row]) -> Iterator[Row]:
    yield from head
    yield from (row for row in rows if any(cell.text.strip() for cell in row.cells))


def _members(head: Sequence[Row], header: Header | None, layout: Layout) -> str:
    """The name that shows a sheet about people among the rows of names, or among all first rows without them."""
    if header is None or not header.skip:
        rows = [(row, sheet_header.names_books(row, layout)) for row in head]
    else:
        rows = [(row, index >= header.skip - header.rows) for index, row in enumerate(head[: header.skip])]
    return next((found for row, sure in rows if (found := sheet_header.about_members(row, certain=sure))), "")


def _is_caption(row: Row, cells: Mapping[str, tuple[str, ...]]) -> bool:
    """True for a row without title that is no book: "Kelas VII", "Jumlah 250"."""
    texts = [fold(cell.text) for cell in row.cells if cell.text.strip()]
    return (len(cells) < 2 and len(texts) < 3) or bool(_SUMS & set(texts))


def _repeats_header(row: Row, header: Header) -> bool:
    """True where the row holds the names of its columns."""
    same = [
        fold(row.cells[position].text) in column.names
        for position, column in header.columns.items()
        if position < len(row.cells) and row.cells[position].text.strip()
    ]
    return len(same) > 1 and all(same)


def _unmerged(rows: Iterator[Row], merges: Sequence[Merge]) -> Iterator[Row]:
    """The rows with the values of blocks that are merged downwards in each of their rows."""
    starts: dict[int, list[Merge]] = {}
    for merge in merges:
        if merge.bottom > merge.top and merge.right - merge.left < 20:
            starts.setdefault(merge.top, []).append(merge)
    running: list[tuple[Merge, Cell]] = []
    for row in rows:
        running = [(merge, cell) for merge, cell in running if merge.bottom >= row.number]
        cells = list(row.cells)
        codes = row.codes
        for merge, cell in running:
            if merge.left <= len(cells) and cells[merge.left - 1] is EMPTY:
                cells[merge.left - 1] = cell
                codes = (*codes, "merged")
        for merge in starts.get(row.number, ()):
            if merge.left <= len(cells):
                running.append((merge, cells[merge.left - 1]))
        yield Row(row.number, tuple(cells), tuple(dict.fromkeys(codes)))


def _cell_place(place: str, header: Header) -> str:
    """The place of the title's cell in the row at *place*."""
    position = next((at for at, column in header.columns.items() if column.name == "title"), 0)
    sheet, _, cell = place.rpartition("!")
    return f"{sheet}!{letter(position)}{cell[1:]}"


def _is_open_document(stream: BinaryIO) -> bool:
    stream.seek(0)
    return b"application/vnd.oasis.opendocument" in stream.read(200)


def _shown(name: str) -> str:
    """A name of a file or sheet that is safe to show and to store."""
    return clean(name)[0][:60] or "?"
