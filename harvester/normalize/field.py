"""One repeatable field while a mapping reads it: a MARC field, an XML element or a cell."""

from __future__ import annotations


class Field:
    """A field: its tag, its indicators and its subfields in record order.

    >>> field = Field.of("245", "10", "$aLaskar pelangi /$cAndrea Hirata.")
    >>> field.first("a"), field.indicators
    ('Laskar pelangi /', '10')
    """

    __slots__ = ("_codes", "indicators", "parts", "tag")

    def __init__(self, tag: str, parts: list[str]) -> None:
        self.tag = tag
        self.indicators = parts[0]
        self.parts = parts
        self._codes: dict[str, list[str]] | None = None

    @classmethod
    def of(cls, tag: str, indicators: str, subfields: str) -> Field:
        """A field from its line form, subfields marked by $ (for doctests and tests)."""
        return cls(tag, [indicators, *subfields.split("$")[1:]])

    @property
    def codes(self) -> dict[str, list[str]]:
        """Subfield code → texts without outer blanks, empty ones left out; made once."""
        codes = self._codes
        if codes is None:
            codes = self._codes = {}
            for part in self.parts[1:]:
                text = part[1:].strip()
                if text:
                    codes.setdefault(part[0], []).append(text)
        return codes

    def first(self, code: str) -> str:
        """The first subfield *code*, or ""."""
        texts = self.codes.get(code)
        return texts[0] if texts else ""

    def all(self, codes: str) -> list[str]:
        """Every subfield whose code is in *codes*, in record order."""
        return [text for part in self.parts[1:] if part[:1] in codes and (text := part[1:].strip()) and part[:1]]
