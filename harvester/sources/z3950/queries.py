"""The PQF queries of slices, from the options of a source: every term a leaf of the tree, never text put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harvester.errors import ConfigError
from harvester.sources.slice_options import axes, index_options
from harvester.sources.slicing import NONE, Axis, Slice
from harvester.sources.z3950 import apdu, pqf
from harvester.sources.z3950.pqf import Attribute, Boolean, Query, Term, Tree

# Zebra (so Koha) finds every record in this index; elsewhere `query` names what finds everything.
ALL_RECORDS = '@attr 1=_ALLRECORDS @attr 2=103 ""'
INDEXES = {
    "date": "@attr 1=1012 @attr 4=3 @attr 5=1",
    "identifier": "@attr 1=12 @attr 4=3 @attr 5=1",
}
_USE, _RELATION, _TRUNCATION, _ALWAYS_MATCHES = 1, 2, 5, 103


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
        # Zebra refuses AlwaysMatches beside a structure (117), and truncation would say something else.
        kept = [one for one in self._attributes(name) if one.type == _USE]
        return Term("", (*kept, Attribute(_RELATION, _ALWAYS_MATCHES)))

    def start(self, name: str, text: str) -> Term:
        """The term of the index *name* that Scan begins at; truncation has no meaning there."""
        return Term(text, tuple(one for one in self._attributes(name) if one.type not in (_RELATION, _TRUNCATION)))

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
    found = Queries(pqf.parse(str(options.get("query", ALL_RECORDS))), "query" in options, attributes)
    for name, _ in attributes:
        apdu.search(found.of(Slice(((name, "0"),))), ("Default",), "default")  # an unknown attribute set shows here
    return found, axes(options, indexes, place)
