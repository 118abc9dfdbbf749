"""lccn."""

from __future__ import annotations

from typing import Literal

from harvester import identifiers
from harvester.model import Identifier
from harvester.normalize.functions import functions


@functions.register("lccn")
def lccn(value: str, status: Literal["valid", "cancelled"] = "valid") -> Identifier | None:
    """The Library of Congress control number in its normal form.

    >>> lccn("   85-2 ").value, lccn(" 2001627090").value
    ('85000002', '2001627090')
    """
    return identifiers.lccn(value, status)
