"""dates."""

from __future__ import annotations

from harvester.model import Dates
from harvester.normalize.functions import functions
from harvester.normalize.years import dates_of


@functions.register("dates")
def dates(values: list[str]) -> Dates | None:
    """The years of the first value that holds any.

    >>> dates(["2005-03-01T00:00:00Z"]).year_from, dates(["1999-2003"]).year_to, dates(["1420 H/1999 M"]).year_from
    (2005, 2003, 1999)
    """
    read = [dates_of(value) for value in values]
    return next((one for one in read if one.year_from is not None), read[0] if read else None)
