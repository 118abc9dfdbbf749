"""A mapping as a table for people: which field comes from where, through which functions, by which line."""

from __future__ import annotations

from typing import NamedTuple

from harvester.normalize.mapping import Mapping


class Line(NamedTuple):
    """One rule of a mapping, readable: field, what it reads, the functions in order, file:line."""

    field: str
    source: str
    functions: str
    place: str


def describe(mapping: Mapping) -> list[Line]:
    """Every rule of *mapping* in the order in which they run."""
    return [
        Line(
            rule.target.name,
            rule.source.label + (" (when …)" if rule.conditions else "") + (" (fallback)" if rule.fallback else ""),
            " → ".join(call.name for call in rule.calls),
            rule.place,
        )
        for rule in mapping.rules
    ]
