"""classification."""

from __future__ import annotations

from harvester.model import Classification
from harvester.normalize.functions import functions


@functions.register("classification")
def classification(value: str, scheme: str) -> Classification | None:
    """The text as a class number of the *scheme* given.

    >>> classification("PL5089.H55 L37", "lcc")
    Classification(scheme='lcc', value='PL5089.H55 L37', mark='')
    """
    text = " ".join(value.split())
    return Classification(scheme, text) if text else None
