"""ddc."""

from __future__ import annotations

from harvester.model import Classification
from harvester.normalize.classes import class_of
from harvester.normalize.functions import functions


@functions.register("ddc")
def ddc(value: str) -> Classification | None:
    """The Dewey number without prefix and segmentation, its author mark apart; 2X0 numbers as scheme islam.

    >>> ddc("SR 899.221 HIR l")
    Classification(scheme='ddc', value='899.221', mark='HIR l')
    >>> ddc("813/.54").value
    '813.54'
    >>> ddc("2X1.3 SHI t").scheme, ddc("305.8/009598").value, ddc("PZ7.H5")
    ('islam', '305.8009598', None)
    """
    return class_of(value)
