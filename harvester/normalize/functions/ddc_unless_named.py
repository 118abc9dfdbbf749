"""ddc_unless_named."""

from __future__ import annotations

from harvester.model import Classification
from harvester.normalize.classes import class_of
from harvester.normalize.field import Field
from harvester.normalize.functions import functions

# What is Dewey under another name: the subject groups of the German national bibliography are its divisions.
_DEWEY = ("ddc", "sdnb")


@functions.register("ddc_unless_named")
def ddc_unless_named(field: Field) -> list[Classification]:
    """The Dewey numbers in $a of a field for any scheme, unless its $2 names one that is not Dewey.

    >>> [one.value for one in ddc_unless_named(Field.of("084", "  ", "$a570$a590$2sdnb"))]
    ['570', '590']
    >>> ddc_unless_named(Field.of("084", "  ", "$a212.2$2njb/9"))
    []
    """
    scheme = field.first("2").lower()
    if scheme and not scheme.startswith(_DEWEY):
        return []
    return [found for text in field.texts("a") if (found := class_of(text))]
