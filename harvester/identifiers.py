"""Standard numbers: found in free text, checked, and brought to one canonical form.

Nothing here guesses: a number with a wrong check digit is kept as `invalid`, so that it can be shown and reported
but never matched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from harvester.model import Identifier

Status = Literal["valid", "cancelled", "invalid"]

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−\xad", "-") | {"\u00a0": " "})
_LETTERS = str.maketrans("OolI", "0011")
# Digits grouped by single hyphens, spaces or dots; the last character may be X.
_RUN = re.compile(r"(?<![0-9A-Za-z])(?:[0-9OolI](?:[ \-.]{0,2}(?=[0-9OolIXx]))?){8,12}[0-9OolIXx](?![0-9A-Za-z])")
_PARENTHESIS = re.compile(r"[(\[]([^()\[\]]*)[)\]]?")
_PRICE = re.compile(r"(?:Rp\.?|IDR|USD|US\$|EUR|\$|£|€)\s*[0-9][0-9.,\-]*", re.IGNORECASE)
_LABEL = re.compile(r"\b(?:e-?)?isbn(?:-?1[03])?\b[:.]?", re.IGNORECASE)
_ISSN = re.compile(r"(?<![0-9])([0-9]{4})[- ]?([0-9]{3}[0-9Xx])(?![0-9])")
_OCLC = re.compile(r"^(?:\(OCoLC\)|\(ocolc\)|oclc)?\s*(?:oc[mn]|on)?\s*0*([0-9]{1,12})$", re.IGNORECASE)
_DOI = re.compile(r"\b(10\.[0-9]{4,9}/[^\s\"<>]+)", re.IGNORECASE)
_HANDLE = re.compile(r"(?:hdl:|hdl\.handle\.net/|/handle/)([0-9][0-9.]*/[^\s?#]+)", re.IGNORECASE)


def isbn13_is_valid(digits: str) -> bool:
    """Whether the 13 *digits* carry the right EAN check digit."""
    return len(digits) == 13 and digits.isdecimal() and _ean_check(digits[:12]) == digits[12]


def isbn10_is_valid(digits: str) -> bool:
    """Whether the ten characters (the last may be X) carry the right check digit."""
    if len(digits) != 10 or not digits[:9].isdecimal() or digits[9] not in "0123456789X":
        return False
    return _isbn10_check(digits[:9]) == digits[9]


def isbn10_to_13(digits: str) -> str:
    """The ISBN-13 of a valid ISBN-10: 979-… of an Indonesian publisher becomes 978-979-…."""
    stem = "978" + digits[:9]
    return stem + _ean_check(stem)


def _ean_check(stem: str) -> str:
    total = sum(map(int, stem[0::2])) + 3 * sum(map(int, stem[1::2]))
    return str(-total % 10)


def _isbn10_check(stem: str) -> str:
    total = sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), stem, strict=True))
    return "0123456789X"[-total % 11]


@lru_cache(maxsize=4096)
def isbns(text: str, status: Status = "valid") -> tuple[Identifier, ...]:
    """Every ISBN (and ISMN, 979-0) in *text*, with its qualifier; unreadable numbers as `invalid`.

    *status* `cancelled` is for 020 $z. Prices and the word ISBN are dropped; an empty tuple means no number at all.
    """
    plain = text.translate(_DASHES)
    found = [_number(match.group(), status) for match in _RUN.finditer(plain)]
    qualifier = _qualifier(plain) if found else ""
    result = [Identifier(kind, value, qualifier, state) for kind, value, state in found if value]
    if not result and (digits := re.sub(r"[^0-9Xx]", "", _PRICE.sub("", _outside(plain)))) and len(digits) >= 4:
        result = [Identifier("isbn", digits.upper(), _qualifier(plain), "invalid")]
    return tuple(dict.fromkeys(result))


def _number(run: str, status: Status) -> tuple[str, str, Status]:
    digits = re.sub(r"[ \-.]", "", run).translate(_LETTERS).upper()
    if len(digits) == 9 and isbn10_is_valid("0" + digits):  # the SBN of 1966-1970
        digits = "0" + digits
    if isbn10_is_valid(digits):
        return "isbn", isbn10_to_13(digits), status
    if isbn13_is_valid(digits):
        if digits.startswith("9790"):
            return "ismn", digits, status
        # 979-3… of 13 digits is read by its own check digit; cutting 979 off would make it a German ISBN.
        if digits.startswith(("978", "979")):
            return "isbn", digits, status
    return "isbn", digits, "invalid"


def _outside(text: str) -> str:
    return _PARENTHESIS.sub(" ", _LABEL.sub(" ", text))


def _qualifier(text: str) -> str:
    inside = [part.strip(" :;,.") for part in _PARENTHESIS.findall(text)]
    rest = _PRICE.sub(" ", _RUN.sub(" ", _outside(text))).strip(" :;,.()[]-")
    words = [part for part in (*inside, rest) if part and any(c.isalpha() for c in part)]
    return "; ".join(re.sub(r"\s+", " ", word) for word in words)[:120]


def issn_is_valid(digits: str) -> bool:
    """Whether the eight characters (the last may be X) carry the right check digit."""
    if len(digits) != 8 or not digits[:7].isdecimal():
        return False
    total = sum(weight * int(digit) for weight, digit in zip(range(8, 1, -1), digits, strict=False))
    return "0123456789X"[-total % 11] == digits[7]


def issns(text: str, status: Status = "valid") -> tuple[Identifier, ...]:
    """Every ISSN in *text* as NNNN-NNNX; one with a wrong check digit as `invalid`."""
    result = []
    for match in _ISSN.finditer(text.translate(_DASHES)):
        digits = (match.group(1) + match.group(2)).upper()
        value = f"{digits[:4]}-{digits[4:]}"
        result.append(Identifier("issn", value, "", status if issn_is_valid(digits) else "invalid"))
    return tuple(dict.fromkeys(result))


def ismns(text: str, status: Status = "valid") -> tuple[Identifier, ...]:
    """The ISMN in *text* as 13 digits: M-2306-7118-7 becomes 9790230671187."""
    digits = re.sub(r"[ \-.]", "", text.translate(_DASHES)).upper()
    match = re.search(r"(?:M|9790)([0-9]{9})", digits)
    if not match:
        return ()
    value = "9790" + match.group(1)
    return (Identifier("ismn", value, "", status if isbn13_is_valid(value) else "invalid"),)


def lccn(text: str, status: Status = "valid") -> Identifier | None:
    """The LCCN normalized as the Library of Congress asks (info:lccn): no blanks, six digits behind a hyphen."""
    plain = re.sub(r"\s+", "", text).partition("/")[0]
    prefix, hyphen, serial = plain.partition("-")
    if hyphen:
        plain = prefix + serial.zfill(6)
    if not re.fullmatch(r"[A-Za-z]{0,3}[0-9]{6,10}", plain):
        return Identifier("lccn", plain.lower(), "", "invalid") if plain else None
    return Identifier("lccn", plain.lower(), "", status)


def oclc(text: str, status: Status = "valid") -> Identifier | None:
    """The OCLC number without prefix and leading zeros: (OCoLC)ocm00012345 → 12345; None if it is none."""
    match = _OCLC.match(text.strip())
    return Identifier("oclc", match.group(1), "", status) if match else None


def doi(text: str) -> Identifier | None:
    """The DOI in *text*, in lower case and without resolver; None when there is none."""
    match = _DOI.search(text)
    return Identifier("doi", match.group(1).rstrip(".,;)]").lower()) if match else None


def handle(text: str) -> Identifier | None:
    """The Handle in *text* (hdl: or a resolver's address); None when there is none."""
    match = _HANDLE.search(text)
    return Identifier("handle", match.group(1).rstrip(".,;)")) if match else None


def standard_number(terms: str) -> str:
    """The ISBN or ISSN that was typed, as it is stored; empty when the words are no number."""
    if not terms or any(char.isalpha() and char not in "xX" for char in terms):
        return ""
    found = [one.value for one in (*isbns(terms), *issns(terms)) if one.status == "valid"]
    return found[0] if found else ""


def canonical(kind: str, value: str) -> str:
    """*value* as records have it, however it was typed: an ISBN as its 13 digits, a DOI without its address."""
    found = _OF_KIND[kind](value) if kind in _OF_KIND else ()
    numbers = [one for one in (found if isinstance(found, tuple) else (found,)) if one]
    return numbers[0].value if len(numbers) == 1 else value.strip()


_OF_KIND: dict[str, Callable[[str], tuple[Identifier, ...] | Identifier | None]] = {
    "isbn": isbns, "issn": issns, "ismn": ismns, "lccn": lccn, "oclc": oclc, "doi": doi, "handle": handle,
}  # fmt: skip
