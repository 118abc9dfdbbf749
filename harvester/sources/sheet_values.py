"""What spreadsheets do to the values of librarians, undone where it can be, told where it cannot.

Each function takes one cell and returns its values and the codes of what was repaired or lost.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from harvester.identifiers import isbn10_is_valid

MAX_CELL = 20_000  # characters; Excel itself stops at 32,767
_SCIENTIFIC = re.compile(r"([0-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,3})")
_DECIMAL_ZERO = re.compile(r"([0-9]+)[.,]0+")
_GROUPED = re.compile(r"[12][.,][0-9]{3}")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_SERIAL_FROM, _SERIAL_TO = 3654, 73050  # 1910 to 2099 as Excel counts days
_EPOCH = date(1899, 12, 30)


class Cell(NamedTuple):
    """One cell: its text; the kind of value in it: text, number, date, error, formula; zeros its format shows."""

    text: str = ""
    kind: str = "text"
    zeros: int = 0


class Values(NamedTuple):
    """The values of a cell and the codes of what happened to it (see sheet_messages)."""

    values: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


EMPTY = Cell()


def cell_of(value: object, number_format: str = "") -> Cell:
    """The cell for what openpyxl found; numbers lose decimals that only floating point gave them."""
    if value is None:
        return EMPTY
    if isinstance(value, bool):
        return Cell("ya" if value else "tidak")
    if isinstance(value, int):
        return Cell(str(value) if abs(value) < 10**300 else "", "number", _shown_zeros(number_format))
    if isinstance(value, float):
        return Cell(_float_text(value), "number", _shown_zeros(number_format))
    if isinstance(value, (datetime, date)):
        return Cell(value.strftime("%Y-%m-%d") if value.year > 999 else str(value), "date")
    if isinstance(value, (time, timedelta)):
        return Cell(str(value), "date")
    return Cell(str(value))


def _float_text(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return ""
    rounded = float(f"{value:.12g}") if abs(value) < 1e9 else value
    return str(int(rounded)) if rounded == int(rounded) and abs(rounded) < 1e18 else repr(rounded)


def _shown_zeros(number_format: str) -> int:
    """How many digits a format such as 00000 shows at least."""
    return len(number_format) if len(number_format) > 1 and set(number_format) == {"0"} else 0


def clean(text: str) -> tuple[str, bool]:
    """*text* on one line without invisible characters, and whether any were there."""
    if text.isprintable():
        return " ".join(text.split()), False
    cleaned = _CONTROLS.sub("", text)
    return " ".join(cleaned.replace("\xa0", " ").split()), cleaned != text


def read(cell: Cell, type_: str, lists: str) -> Values:
    """The values of *cell* in a column of *type_*; *lists* says how several stand in one cell."""
    if cell.kind in ("error", "formula"):
        return Values((), ("cell-error" if cell.kind == "error" else "formula",))
    text, cleaned = clean(cell.text)
    codes = ("control-characters",) if cleaned else ()
    if not text or text in ("-", "--", "—", "–"):
        return Values((), codes)
    found = _READERS[type_](Cell(text, cell.kind, cell.zeros), lists)
    return Values(tuple(dict.fromkeys(value for value in found.values if value)), codes + found.codes)


def split_list(text: str, lists: str) -> tuple[str, ...]:
    """The values in one cell: <a><b> of SLiMS, or parted by semicolons."""
    if lists == "angle":
        if text.startswith("<") and text.endswith(">"):
            return tuple(part.strip() for part in text[1:-1].split("><"))
        return (text,)
    return tuple(part.strip() for part in text.split(";"))


def _text(cell: Cell, lists: str) -> Values:
    if cell.kind == "date":
        return Values((cell.text,), ("became-date",))
    return _padded(cell)


def _padded(cell: Cell) -> Values:
    if cell.kind == "number" and cell.text.isdigit() and len(cell.text) < cell.zeros:
        return Values((cell.text.zfill(cell.zeros),), ("zeros",))
    return Values((cell.text,))


def _list(cell: Cell, lists: str) -> Values:
    if cell.kind != "text":
        return _text(cell, lists)
    return Values(split_list(cell.text, lists))


def _inventory(cell: Cell, lists: str) -> Values:
    """Inventory numbers; commas part them too, but 045/HD,2010 is one number when nothing else is."""
    if cell.kind != "text":
        return _text(cell, lists)
    return Values(tuple(part.strip() for part in re.split(r"[;\n]|,\s+", cell.text)))


def _isbn(cell: Cell, lists: str) -> Values:
    if cell.kind == "date":
        return Values((), ("became-date",))
    values: list[str] = []
    codes: list[str] = []
    for part in split_list(cell.text, lists):
        value, code = _one_isbn(part)
        values.append(value)
        codes += [code] if code else []
    return Values(tuple(values), tuple(codes))


def _one_isbn(text: str) -> tuple[str, str]:
    found = _SCIENTIFIC.fullmatch(text.replace(" ", ""))
    if found:
        return _from_scientific(found)
    decimal = _DECIMAL_ZERO.fullmatch(text)
    if decimal and len(decimal[1]) in (9, 10, 13):
        text, code = decimal[1], "number-text"
    else:
        code = ""
    if text.isascii() and text.isdigit() and len(text) == 9 and isbn10_is_valid("0" + text):
        return "0" + text, "isbn-zero"
    return text, code


def _from_scientific(found: re.Match[str]) -> tuple[str, str]:
    """9.789793062792E+12 has all digits of the ISBN; 9.78979E+12 has lost seven of them."""
    digits, exponent = found[1] + (found[2] or ""), int(found[3])
    if exponent in (9, 12) and len(digits) >= exponent:
        return digits.ljust(exponent + 1, "0")[: exponent + 1], "isbn-scientific"
    return "", "isbn-lost"


def _year(cell: Cell, lists: str) -> Values:
    text = cell.text
    if cell.kind == "date":
        return Values((text[:4],), ("year-date",))
    decimal = _DECIMAL_ZERO.fullmatch(text)
    if decimal and len(decimal[1]) == 4:
        return Values((decimal[1],), ("number-text",))
    if _GROUPED.fullmatch(text):
        return Values((text[0] + text[2:],), ("number-text",))
    if text.isascii() and text.isdigit() and len(text) == 5 and _SERIAL_FROM <= int(text) <= _SERIAL_TO:
        return Values((str((_EPOCH + timedelta(days=int(text))).year),), ("year-date",))
    return Values((text,))


def _classification(cell: Cell, lists: str) -> Values:
    """DDC numbers: three digits before the point, whatever the spreadsheet made of 005 and 297,1."""
    if cell.kind == "date":
        return Values((), ("became-date",))
    text, codes = cell.text, []
    if re.fullmatch(r"(?:[0-9]{1,3}|2[Xx][0-9]),[0-9]+", text):
        text = text.replace(",", ".")
        codes.append("decimal-comma")
    elif re.fullmatch(r"[0-9]{1,3}\.0", text) and cell.kind == "number":
        text = text[:-2]
    whole, point, rest = text.partition(".")
    if whole.isascii() and whole.isdigit() and len(whole) < 3 and (not point or rest.isdigit()):
        text = whole.zfill(3) + point + rest
        codes.append("zeros")
    return Values((text,), tuple(codes))


def _count(cell: Cell, lists: str) -> Values:
    if cell.kind == "date":
        return Values((), ("became-date",))
    found = re.match(r"([0-9]{1,5})(?:[.,]0+)?(?:\s*(?:eks|exp|ex|buah|bh|copy|copies)\b.*)?$", cell.text.casefold())
    return Values((str(int(found[1])),)) if found else Values((cell.text,), ("no-count",))


_READERS = {
    "text": _text,
    "list": _list,
    "inventory": _inventory,
    "isbn": _isbn,
    "year": _year,
    "classification": _classification,
    "count": _count,
}
