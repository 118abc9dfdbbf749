"""One repeatable field while a mapping reads it: a MARC field, an XML element or a cell."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Generic, TypeVar

import msgspec

from harvester.formats.light import DELIMITER

T = TypeVar("T")
_CODE = itemgetter(0)
MAX_SHAPES = 256  # of one tag; damaged records have others in every field


class Field(msgspec.Struct, eq=False, gc=False):
    """A field: its tag, its indicators and its subfields in record order.

    >>> field = Field.of("245", "10", "$aLaskar pelangi /$cAndrea Hirata.")
    >>> field.first("a"), field.indicators
    ('Laskar pelangi /', '10')
    """

    tag: str
    parts: list[str]
    _shape: str | None = None

    @property
    def indicators(self) -> str:
        """The indicators of a MARC field; the text of a control field."""
        return self.parts[0]

    @classmethod
    def of(cls, tag: str, indicators: str, subfields: str) -> Field:
        """A field from its line form, subfields marked by $ (for doctests and tests)."""
        return cls(tag, [indicators, *subfields.split("$")[1:]])

    @property
    def shape(self) -> str:
        """The codes of the subfields in record order, as one text: fields of one shape are read in one way."""
        if self._shape is None:
            self._shape = shape_of(self.parts)
        return self._shape

    def texts(self, code: str) -> list[str]:
        """Every subfield *code* without outer blanks, empty ones left out."""
        found = []
        shape = self.shape
        at = shape.find(code)
        while at >= 0:
            if text := self.parts[at + 1][1:].strip():
                found.append(text)
            at = shape.find(code, at + 1)
        return found

    def first(self, code: str) -> str:
        """The first subfield *code* that is not empty, or ""."""
        if code not in self.shape:
            return ""
        texts = self.texts(code)
        return texts[0] if texts else ""

    def all(self, codes: str) -> list[str]:
        """Every subfield whose code is in *codes*, in record order."""
        return [text for part in self.parts[1:] if part[:1] in codes and (text := part[1:].strip()) and part[:1]]


def shape_of(parts: list[str]) -> str:
    """The shape of a field of these *parts*."""
    try:
        return "".join(map(_CODE, parts[1:]))
    except IndexError:  # a subfield without a code
        return "".join([part[:1] or DELIMITER for part in parts[1:]])


def places_of(codes: str, shape: str) -> list[list[int]]:
    """Where subfields *codes* stand in a field of this *shape*: those of one code each, those of several together."""
    places = [at for at, one in enumerate(shape, 1) if one in codes]
    return [[place] for place in places] if len(codes) == 1 else [places] if places else []


def texts_at(places: list[list[int]], parts: list[str]) -> list[str]:
    """The texts at these *places* without outer blanks, those of one place joined by a blank; empty ones left out."""
    texts = []
    for group in places:
        if len(group) == 1:
            text = parts[group[0]][1:].strip()
        else:
            text = " ".join([one for place in group if (one := parts[place][1:].strip())])
        if text:
            texts.append(text)
    return texts


class Shaped(dict[str, T], Generic[T]):
    """Shape of a field → what *make* makes of it, once."""

    def __init__(self, make: Callable[[str], T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, shape: str) -> T:
        made = self._make(shape)
        if len(self) < MAX_SHAPES:
            self[shape] = made
        return made
