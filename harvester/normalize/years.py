"""Years of publication out of 008 and out of what cataloguers write: ranges, certainty, copyright, Hijri years."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from harvester.model import Dates

LATEST = 2035
_RANGE_TYPES = {
    "m": "range",
    "q": "range",
    "i": "range",
    "k": "range",
    "c": "continuing",
    "d": "continuing",
    "u": "continuing",
}
_HIJRI = re.compile(r"\b(1[0-4][0-9]{2}|[3-9][0-9]{2})\s*(?:H|AH|هـ|ه)\b\.?", re.IGNORECASE)
_GREGORIAN = re.compile(r"\b((?:1[5-9]|20)[0-9]{2})\s*M\b")
_YEAR = r"(?:1[0-9]|20)[0-9]{2}"
_RANGE = re.compile(rf"({_YEAR})\s*\??\]?\s*[-–—/]\s*\[?((?:1[0-9]|20)?[0-9]{{2}})?(?![0-9])(\s*\?)?")
_PART_YEAR = re.compile(r"\b(1[0-9]|20)([0-9])?[-_?ux]{1,2}(?:-?\??)")
_DECADE = re.compile(r"\b(1[0-9]{2}0|20[0-9]0)(?:s|-?an)\b")
_COPYRIGHT = re.compile(rf"(?:©|\bc|\bcop(?:yright)?\.?\s?|℗|\bp|hak cipta\s?)\s?({_YEAR})", re.IGNORECASE)
_ANY_YEAR = re.compile(rf"(?<![0-9]){_YEAR}(?![0-9])")
_CORRECTED = re.compile(rf"\[?i\.\s?e\.?,?\s?({_YEAR})")
_ISO = re.compile(r"(1[0-9]{3}|20[0-9]{2})(?:-[01][0-9](?:-[0-3][0-9](?:T\S*)?)?)?")
_BETWEEN = re.compile(
    rf"\b(?:between|antara|zwischen|entre)\s({_YEAR})\??\s(?:and|dan|und|et|y)\s({_YEAR})", re.IGNORECASE
)
# A manuscript of the tenth century: three digits are a year only where something says so.
_EARLY = re.compile(
    r"(?P<open>\[)?(?P<about>(?:ca|circa|c|approximately|sekitar|um)\b\.?\s?)?(?P<year>[1-9][0-9]{2})(?P<doubt>\s?\?)?(?P<era>\s?A\.?D\b\.?)?(?P<close>\])?\.?",
    re.IGNORECASE,
)
_SUPPLIED = re.compile(r"(?<![0-9])([0-9]{1,3})[\[\]]([0-9]{1,3})(?![0-9])")  # "[19]25", "19[25]"
_PLAIN = re.compile(rf"\[?({_YEAR})\]?\.?")


@lru_cache(maxsize=4096)
def dates_of(text: str) -> Dates:
    """The years that *text* states; a text without any has only `text`.

    A Hijri year spans two of ours, so it gives an uncertain range unless a Gregorian year stands beside it.
    """
    plain = " ".join(text.split())
    if "[" in plain[1:] or "]" in plain[:-1]:
        plain = _SUPPLIED.sub(_closed, plain)
    if match := _PLAIN.fullmatch(plain):
        year = int(match[1])
        return Dates(year, year, "single", plain[0] != "[", text=plain)
    if match := _ISO.fullmatch(plain):
        return Dates(int(match[1]), int(match[1]), "single", text=plain)
    return _hijri(plain) or _ordinary(plain)


def _closed(match: re.Match[str]) -> str:
    """A year whose digits a bracket parts, without it."""
    return match[1] + match[2] if len(match[1] + match[2]) == 4 else match[0]


def _ordinary(text: str) -> Dates:
    certain = "?" not in text and "[" not in text and not re.search(r"\bca\.?\b|\bsekitar\b", text)
    if match := _CORRECTED.search(text):
        return Dates(int(match[1]), int(match[1]), "single", text=text)
    if (match := _BETWEEN.search(text)) and int(match[1]) <= int(match[2]) <= LATEST:
        return Dates(int(match[1]), int(match[2]), "range", False, text=text)
    if match := _DECADE.search(text):
        return Dates(int(match[1]), int(match[1]) + 9, "range", False, text=text)
    if match := _RANGE.search(text):
        first, last = int(match[1]), match[2]
        if not last:
            return Dates(first, 9999, "continuing", certain, text=text)
        end = int(last) if len(last) == 4 else int(match[1][:2] + last)
        if first <= end <= LATEST:
            return Dates(first, end, "range", certain, text=text)
    copyrights = [int(year) for year in _COPYRIGHT.findall(text)]
    years = [int(year) for year in _ANY_YEAR.findall(_COPYRIGHT.sub(" ", text)) if int(year) <= LATEST]
    if years:
        # "Cet. 1 2001, cet. 3 2005": the printing at hand is the latest year.
        year = max(years)
        return Dates(year, year, "single", certain, max(copyrights, default=None), text=text)
    if copyrights:
        year = max(copyrights)
        return Dates(year, year, "copyright", certain, year, text=text)
    if match := _PART_YEAR.search(text):
        stem = match[1] + (match[2] or "")
        low, high = int(stem.ljust(4, "0")), int(stem.ljust(4, "9"))
        return Dates(low, min(high, LATEST), "range", False, text=text)
    if (match := _EARLY.fullmatch(text)) and any(match[name] for name in ("about", "doubt", "era")):
        year = int(match["year"])
        return Dates(year, year, "single", certain, text=text)
    return Dates(text=text, kind="unknown", certain=False)


def _hijri(text: str) -> Dates | None:
    match = _HIJRI.search(text)
    if match is None:
        return None
    if ours := _GREGORIAN.search(text) or re.search(r"(?<![0-9])((?:1[89]|20)[0-9]{2})(?![0-9])", text):
        return Dates(int(ours[1]), int(ours[1]), "single", text=text)
    start = int(match[1]) * 0.970229 + 621.5643
    return Dates(int(start), int(start + 0.970229), "single", False, text=text)


@lru_cache(maxsize=4096)
def coded_dates(coded: str) -> Dates | None:
    """The dates of 008/06-14 (type and two dates, `u` for an unknown digit); None when they say nothing."""
    kind, first, second = coded[:1].lower(), coded[1:5], coded[5:9]
    span = _early(first) if first.startswith("0") else _span(first)
    if span is None:
        return None
    low, high = span
    certain = low == high and kind != "q"
    if kind in _RANGE_TYPES:
        end = _span(second)
        last = end[1] if end else (9999 if kind in "cu" or second == "9999" else high)
        if end and end[0] != end[1] and _RANGE_TYPES[kind] == "continuing":
            last = 9999  # ceased nobody knows when
        if last < low:
            return None
        return Dates(low, last, _RANGE_TYPES[kind], certain)
    other = _span(second)
    extra = other[0] if other and other[0] == other[1] else None
    if kind == "r":
        return Dates(low, high, "reprint", certain, None, extra)
    if kind == "t":
        return Dates(low, high, "single", certain, extra)
    return Dates(low, high, "single" if low == high else "range", certain)


def _span(digits: str) -> tuple[int, int] | None:
    """First and last year of four characters with `u` (or -, ?, x) for unknown ones."""
    text = re.sub(r"[-?xX| #]", "u", digits.lower())
    if text == "9999":
        return 9999, 9999
    if not re.fullmatch(r"[0-9]{1,4}u{0,3}", text) or len(text) != 4 or not text.startswith(("1", "20")):
        return None
    low, high = int(text.replace("u", "0")), int(text.replace("u", "9"))
    return (low, min(high, LATEST)) if low <= LATEST else None


def _early(digits: str) -> tuple[int, int] | None:
    """The span of a year before 1000, of a manuscript; less than 500 is rather a form left as it was."""
    text = digits.lower()
    if not re.fullmatch(r"0[5-9][0-9u]{2}", text):
        return None
    return int(text.replace("u", "0")), int(text.replace("u", "9"))


def joined(coded: Dates | None, told: Dates | None) -> Dates:
    """One statement of 008 and the transcribed date: 008 gives the kind, a plain transcribed year wins over it."""
    if told is None or told.year_from is None:
        if coded is None:
            return told or Dates()
        return _with_text(coded, told.text if told else "")
    if coded is None or coded.year_from is None:
        return told
    together = coded.kind in ("range", "continuing") or told.kind in ("range", "continuing")
    overlap = coded.year_from <= (told.year_to or 0) and told.year_from <= (coded.year_to or 0)
    if (
        coded.kind == "range"
        and told.kind in ("range", "continuing")
        and 0 < abs(told.year_from - coded.year_from) < 150
    ):
        return told  # "1962-<2001>" against m19659999; not "1365- [1986-]", whose first year is Iranian
    if together and (overlap or coded.certain):
        return _with_text(coded if coded.kind in ("range", "continuing") and coded.certain else told, told.text)
    if not overlap and coded.copyright_year != told.year_from:
        # 008 keeps the defaults of a form more often than a printed year is wrong.
        return _beside(told, coded)
    best = coded if coded.certain else told
    copyright_year = coded.copyright_year or told.copyright_year
    kind = coded.kind if coded.kind == "reprint" else told.kind
    return Dates(best.year_from, best.year_to, kind, best.certain, copyright_year, coded.original_year, told.text)


def _beside(told: Dates, coded: Dates) -> Dates:
    """*told* with the year of the code, which helps to tell a misprinted year from another edition.

    A later year that is not coded as that of a reprint is the year in which the record was typed: no evidence.
    """
    earlier = coded.kind == "single" and coded.certain and (coded.year_from or 0) < (told.year_from or 0)
    return msgspec.structs.replace(told, coded_year=coded.year_from) if earlier or coded.kind == "reprint" else told


def _with_text(dates: Dates, text: str) -> Dates:
    return Dates(
        dates.year_from, dates.year_to, dates.kind, dates.certain, dates.copyright_year, dates.original_year, text
    )
