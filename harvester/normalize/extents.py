"""Extent: the largest pagination, the number of volumes and the height out of a physical description."""

from __future__ import annotations

import math
import re
from functools import lru_cache

from harvester.model import Extent
from harvester.normalize.numerals import roman

_PAGE_WORD = (
    r"hlm|halaman|hal|hlmn|p|pp|pages?|pgs?|S|Seiten|s|blz|bladzijden|lembar|leaves|leaf|l|f|ff|pág|pagine|ص|صفحة|ss"
    r"|páginas|sivua|sidor|sider|str|stron|с|стр|σελ|頁|页|페이지|쪽|면|หน้า|עמ"
)
_UNNUMBERED = r"(?:(?:(?:un)?numbered|unpaged|unnumb\.|ungezählte|nummerierte|ongenummerde)\s+)?"
# Every repetition ends at another character than it holds: "1111…" must not be cut into numbers in a million ways.
_ONE = r"\[?[0-9ivxlcIVXLC]{1,9}\]?(?:\s?[-–]\s?[0-9]{1,9})?"
_BETWEEN = r"(?:[\s,;+&)]|\.(?=\s?\[))"
_PAGES = re.compile(
    rf"(?<!\w)(?P<numbers>{_ONE}(?:(?:{_BETWEEN}+|(?=\[)){_ONE})*{_BETWEEN}*)"
    rf"{_UNNUMBERED}(?:{_PAGE_WORD})\b",
    re.UNICODE,
)
MOST = 500  # characters that are looked at
_FILE = re.compile(r"(?:text|image|audio|video|application|other|pdf|html?)(?:/[\w.+-]+)?(?:[; ].*)?", re.IGNORECASE)
_NUMBER = re.compile(r"([0-9]{1,5})(?:\s?[-–]\s?([0-9]{1,5}))?")
_VOLUMES = re.compile(
    r"([0-9](?<![\w.][0-9])[0-9]{0,2})\s*"  # a digit first: nothing is tried where none stands
    r"(?:jilid|jil|jld|vols?|volumes?|v|bd|bde|bände|tomes?|t|juz|bagian|bks?|buku|osaa|delar|bind)\b\.?",
    re.IGNORECASE,
)
_HEIGHT = re.compile(
    r"(?:([0-9]{1,3})(?:[.,]([0-9]))?\s*[xX×]\s*)?([0-9]{1,3})(?:[.,]([0-9])|\s*1/2)?\s*(cm|mm)\b", re.IGNORECASE
)


@lru_cache(maxsize=4096)
def extent_of(text: str, size: str) -> Extent | None:
    """The extent in *text*, with the height from *size* (or from *text*); None when both are empty."""
    if not text and not size:
        return None
    told = text[:MOST]
    pages, volumes = _pages(told), _VOLUMES.search(told)
    clean = " ".join(text.split()).rstrip(" :;+,").rstrip()
    return Extent(clean, pages, int(volumes[1]) if volumes else None, _height((size or text)[:MOST]))


def is_file_type(text: str) -> bool:
    """Whether *text* of dc:format is a media type (application/pdf, text) and no extent."""
    # the extent of a book begins with its number
    return not text[:1].isdigit() and _FILE.fullmatch(text.strip()) is not None


def _pages(text: str) -> int | None:
    found: list[int] = []
    for match in _PAGES.finditer(text):
        numbers = match["numbers"]
        pairs = _NUMBER.findall(numbers)
        for first, last in pairs:
            # "hlm. 12-30" of an article counts the pages between; an ascending range is one.
            found.append(int(last) - int(first) + 1 if last and int(last) >= int(first) > 1 else int(last or first))
        if not pairs:
            found += [value for word in re.findall(r"[ivxlcIVXLC]+", numbers) if (value := roman(word))]
    if not found and (bare := re.fullmatch(r"\s*(?:pp\.?\s*)?(?:[ivxlc]+\s*[,+]\s*)?([0-9]{2,4})\s*\.?\s*", text)):
        found = [int(bare[1])]  # a column of pages: "529", "xiv, 529"; old catalogues: "pp. 24."
    return max(found) if found else None


@lru_cache(maxsize=4096)
def _height(text: str) -> int | None:
    match = _HEIGHT.search(text)
    if match is None:
        return None
    # "21 x 15 cm" and "15 x 21 cm" name one book: the longer side is its height on the shelf.
    sides = [float(f"{whole}.{part or 0}") for whole, part in ((match[1], match[2]), (match[3], match[4])) if whole]
    value = max(sides) / (10 if match[5].lower() == "mm" else 1)
    return math.ceil(value) or None
