"""publication_dates."""

from __future__ import annotations

from functools import lru_cache

from harvester.model import Dates
from harvester.normalize import years
from harvester.normalize.functions import functions


@functions.register("publication_dates")
def publication_dates(*, coded: str = "", texts: list[str], fallback: list[str] | None = None) -> Dates | None:
    """The years of publication from the coded dates (008/6-14) and the transcribed ones.

    `fallback` is asked only when neither gives a year. Unreadable text is kept, so that it can be reported.

    >>> publication_dates(coded="s2005    ", texts=["2005."]).year_from
    2005
    >>> publication_dates(texts=["c1999"]).copyright_year, publication_dates(texts=["[19--]"]).year_to
    (1999, 1999)
    >>> publication_dates(texts=["2019-02-01T03:04:05Z", "2005"]).year_from
    2005
    >>> publication_dates(texts=["1420 H"]).year_from, publication_dates(texts=["[t.t.]"]).kind
    (1999, 'unknown')
    """
    return _dates(coded, tuple(texts), tuple(fallback or ()))


@lru_cache(maxsize=4096)
def _dates(coded: str, texts: tuple[str, ...], fallback: tuple[str, ...]) -> Dates | None:
    """The same; a few years and ways of writing them make most of what is asked."""
    told = _told(texts)
    result = years.joined(years.coded_dates(coded) if coded else None, told)
    if result.year_from is None and fallback:
        other = _told(fallback)
        if other is not None and other.year_from is not None:
            return other
    return result if result.year_from is not None or result.text else None


def _has_time(text: str) -> bool:
    return text[10:11] == "T"


def _told(texts: tuple[str, ...]) -> Dates | None:
    if not texts:
        return None
    if len(texts) == 1:
        return years.dates_of(texts[0])
    # DSpace gives the moments of accession and release beside the date of issue: a time of day is no publication date.
    read = [years.dates_of(text) for text in sorted(texts, key=_has_time)]
    return next((one for one in read if one.year_from is not None), read[0])
