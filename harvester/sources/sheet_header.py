"""Where a sheet names its columns, what they are, and whether it may be read at all."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from harvester.sources.sheet_csv import Row
from harvester.sources.sheet_layout import Column, Layout, built_in
from harvester.sources.sheet_messages import flag
from harvester.sources.sheet_values import clean
from harvester.sources.sheet_xlsx import Merge, column_number
from harvester.text import fold

LOOKED_AT = 30  # rows at the start of a sheet among which the names are sought
_LIKE = 0.86
_SHORTEST_GUESS = 5

# Words of column names that only sheets about people have. "Dipinjam" (how many are out) is none of them.
_MEMBER_WORDS = frozenset(
    {
        "anggota", "peminjam", "peminjaman", "pinjam", "kembalikan", "member", "borrower", "patron", "nis", "nisn",
        "nik", "nip", "npm", "nim", "telepon", "telp", "hp", "handphone", "whatsapp", "wa", "denda", "email", "fine",
        "loan", "due",
    }
)  # fmt: skip
_MEMBER_NAMES = frozenset(
    {
        "e mail", "tanggal lahir", "tgl lahir", "tempat lahir", "tempat tanggal lahir", "ttl", "jenis kelamin",
        "nama siswa", "nama murid", "nama guru", "nama orang tua", "alamat siswa", "alamat rumah", "jatuh tempo",
        "tanggal kembali", "tgl kembali", "return date", "birth date", "phone", "date of birth", "gender", "fullname",
    }
)  # fmt: skip
_WEAK_NAMES = frozenset({"nama", "nama lengkap", "alamat", "kelas", "jurusan", "name", "address", "umur", "agama"})
_NO_MEMBER = frozenset({"nomor induk buku", "email penerbit", "telepon penerbit"})


class Header(NamedTuple):
    """The columns by position (from 0), how many rows to skip, page flags about the names, rows of names."""

    columns: Mapping[int, Column]
    skip: int
    width: int
    flags: tuple[str, ...] = ()
    rows: int = 1

    @property
    def titles(self) -> frozenset[str]:
        """The names that the column of titles can have."""
        return next((column.names for column in self.columns.values() if column.name == "title"), frozenset())


@functools.cache
def letter(position: int) -> str:
    """A, B, … AA for the position (from 0) of a column."""
    text = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        text = chr(65 + rest) + text
    return text


def about_members(row: Row, *, certain: bool) -> str:
    """The name in *row* that shows a sheet about members or loans, or "".

    *certain* rows name the columns; of other rows two such names are asked for.
    """
    texts = [clean(cell.text)[0] for cell in row.cells]
    if not certain and any(any(sign.isdigit() for sign in text) or len(text) > 40 for text in texts):
        return ""
    folded = [fold(text) for text in texts]
    strong = [text for text, name in zip(texts, folded, strict=True) if _is_member_name(name)]
    weak = [text for text, name in zip(texts, folded, strict=True) if name in _WEAK_NAMES]
    if strong and (certain or len(strong) > 1 or weak):
        return strong[0]
    # Kelas (grade) stands in lists of school books too: two other names are needed.
    people = [text for text in weak if fold(text) not in ("kelas", "jurusan")]
    return people[0] if len(people) > 1 else ""


def _is_member_name(name: str) -> bool:
    if name in _NO_MEMBER:
        return False
    return name in _MEMBER_NAMES or bool(_MEMBER_WORDS & set(name.split()))


def best_layout(rows: Sequence[Row]) -> Layout:
    """The built-in layout that knows most names of the first rows; the school's when none knows more."""
    layouts = sorted(built_in().values(), key=lambda layout: layout.name != "school-xlsx")
    return max(layouts, key=lambda layout: max((len(set(_exact(row, layout).values())) for row in rows), default=0))


def names_books(row: Row, layout: Layout) -> bool:
    """True when *row* holds a name of one of our columns."""
    return bool(_exact(row, layout))


def find(sheet: str, rows: Sequence[Row], layout: Layout, merges: Iterable[Merge], *, chosen: bool) -> Header | None:
    """The header among the first *rows*, or None; *chosen* layouts may also go by position."""
    best = (False, 0, 0)
    for index in range(min(len(rows), LOOKED_AT)):
        known = {column.name for column in _named_in(rows, index, layout).values()}
        score = ("title" in known, len(known), -index)
        if score > best and ("title" in known or len(known) > 1):
            best = score
    if not best[1]:
        return _by_position(rows, layout) if chosen else None
    return _header(sheet, rows, -best[2], layout, merges, chosen=chosen)


def _named_in(rows: Sequence[Row], index: int, layout: Layout) -> dict[int, Column]:
    """The columns that row *index* names, with those of the row below when that goes on with names."""
    names = _exact(rows[index], layout)
    if index + 1 < len(rows) and _continues(rows[index + 1], names, layout):
        return {**names, **_exact(rows[index + 1], layout)}
    return names


def _exact(row: Row, layout: Layout) -> dict[int, Column]:
    found = {}
    for position, cell in enumerate(row.cells):
        if cell.kind == "text" and 0 < len(cell.text) < 80:
            column = _named(cell.text, layout)
            if column is not None:
                found[position] = column
    return found


def _named(text: str, layout: Layout) -> Column | None:
    """The column of that name; of "Judul / Title" and "Tahun (terbit)" the first part may do."""
    column = layout.column(text)
    for sign in "/(\n":
        if column is None and sign in text:
            column = layout.column(text.split(sign)[0])
    return column


def _header(
    sheet: str, rows: Sequence[Row], index: int, layout: Layout, merges: Iterable[Merge], *, chosen: bool
) -> Header:
    row = rows[index]
    columns = _exact(row, layout)
    texts = {position: cell.text for position, cell in enumerate(row.cells) if cell.text.strip()}
    skip, named = index + 1, 1
    below = rows[skip] if skip < len(rows) else None
    if below is not None and _continues(below, columns, layout):
        second = _exact(below, layout)
        columns = {**columns, **second}
        texts |= {position: cell.text for position, cell in enumerate(below.cells) if cell.text.strip()}
        skip, named = skip + 1, 2
    flags = _guess(sheet, row.number, texts, columns, layout)
    _spread(columns, row.number, merges)
    if chosen:
        _letters(columns, layout)
    return Header(dict(sorted(columns.items())), skip, max([*texts, *columns]) + 1, tuple(flags), named)


def _continues(row: Row, columns: Mapping[int, Column], layout: Layout) -> bool:
    """True when *row*, below a row of names, holds names too: names in two rows, the upper ones merged."""
    second = _exact(row, layout)
    if not columns:
        return False
    new = {column.name for column in second.values()} - {column.name for column in columns.values()}
    filled = sum(1 for cell in row.cells if cell.text.strip())
    return len(second) > 1 and bool(new) and 2 * len(second) >= filled


def _guess(sheet: str, number: int, texts: Mapping[int, str], columns: dict[int, Column], layout: Layout) -> list[str]:
    """Flags for the names that are none of ours; misspelt ones become columns."""
    taken = {column.name for column in columns.values()}
    known = {name: column for column in layout.columns for name in column.names if column.name not in taken}
    flags = []
    for position, text in texts.items():
        folded = fold(text)
        if position in columns or not folded or folded in layout.ignored:
            continue
        near = (
            difflib.get_close_matches(folded, list(known), n=1, cutoff=_LIKE) if len(folded) >= _SHORTEST_GUESS else []
        )
        place = f"{sheet}!{letter(position)}{number}"
        if near and known[near[0]].name not in taken:
            columns[position] = known[near[0]]
            taken.add(known[near[0]].name)
            flags.append(flag("header-guessed", place, text))
        else:
            flags.append(flag("column-unused", place, text))
    return flags


def _spread(columns: dict[int, Column], number: int, merges: Iterable[Merge]) -> None:
    """A name merged over several columns names them all."""
    for merge in merges:
        if merge.top <= number <= merge.bottom and merge.right > merge.left and merge.left - 1 in columns:
            for position in range(merge.left, min(merge.right, merge.left + 20)):
                columns.setdefault(position, columns[merge.left - 1])


def _letters(columns: dict[int, Column], layout: Layout) -> None:
    """Columns that no name was found for stand where the layout says, if nothing else stands there."""
    taken = {column.name for column in columns.values()}
    for column in layout.columns:
        if column.letter and column.name not in taken:
            columns.setdefault(column_number(column.letter) - 1, column)


def _by_position(rows: Sequence[Row], layout: Layout) -> Header | None:
    """A sheet without names, in the order or the letters of its layout."""
    if layout.order and rows and len(layout.order) <= len(rows[0].cells) <= len(layout.order) + 1:
        named = {position: layout.named(name) for position, name in enumerate(layout.order) if name != "-"}
        columns = {position: column for position, column in named.items() if column is not None}
        return Header(columns, 0, len(layout.order))
    if any(column.letter for column in layout.columns) and rows:
        columns = {column_number(column.letter) - 1: column for column in layout.columns if column.letter}
        title = layout.named("title")
        if title and title.letter and len(rows[-1].cells) >= column_number(title.letter):
            return Header(dict(sorted(columns.items())), layout.header_rows, max(columns) + 1)
    return None
