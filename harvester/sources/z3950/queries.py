"""The PQF queries of slices, from the options of a source: every term a leaf of the tree, never text put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harvester.errors import ConfigError
from harvester.sources.slicing import NONE, Axis, Slice
from harvester.sources.z3950 import pqf
from harvester.sources.z3950.pqf import Attribute, Boolean, Query, Term, Tree

# Zebra (so Koha) finds every record in this index; elsewhere `query` names what finds everything.
ALL_RECORDS = '@attr 1=_ALLRECORDS @attr 2=103 ""'
INDEXES = {
    "date": "@attr 1=1012 @attr 4=3 @attr 5=1",
    "identifier": "@attr 1=12 @attr 4=3 @attr 5=1",
}
_RELATION, _TRUNCATION, _ALWAYS_MATCHES = 2, 5, 103


class Queries(msgspec.Struct, frozen=True):
    """What finds everything, whether it has to narrow every slice, and the attributes of each index."""

    everything: Query
    narrow: bool
    indexes: tuple[tuple[str, tuple[Attribute, ...]], ...]

    def of(self, one: Slice) -> Query:
        """The query that finds *one*.

        Raises:
            ConfigError: cut by an index that has no attributes.
        """
        tree: Tree | None = self.everything.tree if self.narrow or not one.parts else None
        absent = [name for name, prefix in one.parts if prefix == NONE]
        for name, prefix in one.parts:
            if prefix != NONE:
                term = Term(prefix, self._attributes(name))
                tree = term if tree is None else Boolean("and", tree, term)
        for name in absent:
            tree = Boolean("not", self.everything.tree if tree is None else tree, self.any(name))
        return Query(tree if tree is not None else self.everything.tree, self.everything.attribute_set)

    def any(self, name: str) -> Term:
        """Whatever has a value in the index *name* (relation AlwaysMatches)."""
        kept = [one for one in self._attributes(name) if one.type not in (_RELATION, _TRUNCATION)]
        return Term("", (*kept, Attribute(_RELATION, _ALWAYS_MATCHES)))

    def _attributes(self, name: str) -> tuple[Attribute, ...]:
        found = dict(self.indexes).get(name)
        if found is None:
            raise ConfigError(f"no attributes for the index {name!r}", hint="options: indexes")
        return found


def read(options: Mapping[str, Any], place: str) -> tuple[Queries, tuple[Axis, ...]]:
    """The queries and the axes to slice by: `query`, `indexes` and `slicing` of the options.

    Raises:
        ConfigError: an option that cannot be read.
    """
    indexes = index_options(options, INDEXES, "attributes", place)
    attributes = tuple((name, pqf.attributes(str(entry["attributes"]))) for name, entry in indexes.items())
    everything = pqf.parse(str(options.get("query", ALL_RECORDS)))
    return Queries(everything, "query" in options, attributes), axes(options, indexes, place)


def index_options(
    options: Mapping[str, Any], known: Mapping[str, str], key: str, place: str
) -> dict[str, Mapping[str, Any]]:
    """The indexes by name, those of *options* over the *known* ones; a bare text is the value of *key*."""
    given = options.get("indexes", {})
    if not isinstance(given, Mapping):
        raise ConfigError("indexes must be a mapping", place=place)
    merged = {**known, **given}
    found = {str(name): entry if isinstance(entry, Mapping) else {key: entry} for name, entry in merged.items()}
    missing = [name for name, entry in found.items() if not entry.get(key)]
    if missing:
        raise ConfigError(f"index {missing[0]!r} has no {key}", place=place)
    return found


def axes(options: Mapping[str, Any], indexes: Mapping[str, Mapping[str, Any]], place: str) -> tuple[Axis, ...]:
    """The axes that `slicing` names (date, then identifier, by default), in order."""
    names = options.get("slicing", ["date", "identifier"])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError("slicing must be a list of index names", place=place, hint="[] reads everything at once")
    unknown = [name for name in names if name not in indexes]
    if unknown:
        raise ConfigError(f"unknown index {unknown[0]!r}", place=place, hint="known: " + ", ".join(sorted(indexes)))
    return tuple(_axis(name, indexes[name]) for name in names)


def _axis(name: str, entry: Mapping[str, Any]) -> Axis:
    values = entry.get("values") or []
    if values:
        return Axis(name, "list", values=tuple(str(value) for value in values))
    if entry.get("kind", name) == "date":
        return Axis(name, "date")
    return Axis(name, "text", str(entry.get("alphabet", "")))
