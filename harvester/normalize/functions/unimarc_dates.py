"""unimarc_dates."""

from __future__ import annotations

from harvester.model import Dates
from harvester.normalize.functions import functions
from harvester.normalize.functions.publication_dates import publication_dates

# Types of UNIMARC 100 $a/8 as those of MARC 21 008/06.
_TYPES = str.maketrans("abcdefghij", "cdusrqmtpe")


@functions.register("unimarc_dates")
def unimarc_dates(*, coded: str = "", texts: list[str]) -> Dates | None:
    """The years of publication from UNIMARC 100 $a/8-16 and the transcribed dates.

    >>> unimarc_dates(coded="d2005    ", texts=["2005"]).kind, unimarc_dates(coded="a19999999", texts=[]).kind
    ('single', 'continuing')
    """
    made: Dates | None = publication_dates(coded=coded[:1].translate(_TYPES) + coded[1:], texts=texts)
    return made
