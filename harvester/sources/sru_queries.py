"""The queries of slices for SRU: CQL, or PQF where CQL has no index of dates (Koha: `x-pquery`, 2.0: queryType=pqf)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harvester.errors import ConfigError
from harvester.sources import cql
from harvester.sources.slice_options import axes, index_options
from harvester.sources.slicing import DIGITS, LETTERS, NONE, Axis, Slice
from harvester.sources.z3950 import pqf
from harvester.sources.z3950 import queries as pqf_queries

ALL_RECORDS = "cql.allRecords=1"
INDEXES = {"date": "rec.lastModificationDate", "identifier": "rec.id"}

Pairs = list[tuple[str, str]]


class CqlQueries(msgspec.Struct, frozen=True):
    """What finds everything, whether it has to narrow every slice, and the CQL index of each index name."""

    everything: cql.Query
    narrow: bool
    indexes: tuple[tuple[str, str], ...]
    axes: tuple[Axis, ...]
    any: tuple[tuple[str, cql.Tree], ...] = ()

    def of(self, one: Slice) -> cql.Query:
        """The query that finds *one*."""
        tree: cql.Tree | None = self.everything.tree if self.narrow or not one.parts else None
        for name, prefix in one.parts:
            if prefix != NONE:
                clause = self._clause(name, prefix)
                tree = clause if tree is None else cql.Boolean("and", tree, clause)
        for name, prefix in one.parts:
            if prefix == NONE:
                left = self.everything.tree if tree is None else tree
                tree = cql.Boolean("not", left, self._whatever(name))
        return msgspec.structs.replace(self.everything, tree=tree if tree is not None else self.everything.tree)

    def _clause(self, name: str, prefix: str) -> cql.Clause:
        listed = any(axis.name == name and axis.kind == "list" for axis in self.axes)
        index = dict(self.indexes).get(name)
        if index is None:
            raise ConfigError(f"no CQL index for {name!r}", hint="options: indexes")
        return cql.exactly(index, prefix) if listed else cql.starting(index, prefix)

    def _whatever(self, name: str) -> cql.Tree:
        """Any value in the index: the configured clause, or every first character (CQL has no word for it)."""
        known = dict(self.any).get(name)
        if known is not None:
            return known
        letters = DIGITS if any(axis.name == name and axis.kind == "date" for axis in self.axes) else DIGITS + LETTERS
        tree: cql.Tree = self._clause(name, letters[0])
        for letter in letters[1:]:
            tree = cql.Boolean("or", tree, self._clause(name, letter))
        return tree

    def arguments(self, one: Slice, version: str) -> Pairs:
        """The query of *one* as request parameters."""
        return [("query", cql.build(self.of(one)))]

    def scan_clause(self, name: str, start: str) -> str:
        """The clause that Scan begins at."""
        return cql.build(cql.Query(cql.exactly(dict(self.indexes)[name], start)))


class PqfQueries(msgspec.Struct, frozen=True):
    """The same over PQF."""

    inner: pqf_queries.Queries
    axes: tuple[Axis, ...]

    def arguments(self, one: Slice, version: str) -> Pairs:
        """The query of *one* as request parameters."""
        text = pqf.build(self.inner.of(one))
        return [("queryType", "pqf"), ("query", text)] if version == "2.0" else [("x-pquery", text)]

    def scan_clause(self, name: str, start: str) -> str:
        """Scan has no PQF; the usual CQL index is asked."""
        return cql.build(cql.Query(cql.exactly(INDEXES.get(name, name), start)))


SruQueries = CqlQueries | PqfQueries


def queries(options: Mapping[str, Any], place: str) -> SruQueries:
    """The queries by `query_language`, `query`, `indexes` and `slicing` of the options.

    Raises:
        ConfigError: an option that cannot be read.
    """
    language = options.get("query_language", "cql")
    if language == "pqf":
        inner, cut = pqf_queries.read(options, place)
        return PqfQueries(inner, cut)
    if language != "cql":
        raise ConfigError(f"unknown query_language {language!r}", place=place, hint="known: cql, pqf")
    indexes = index_options(options, INDEXES, "index", place)
    names = tuple((name, str(entry["index"])) for name, entry in indexes.items())
    whatever = tuple((name, cql.parse(str(entry["any"])).tree) for name, entry in indexes.items() if entry.get("any"))
    everything = cql.parse(str(options.get("query", ALL_RECORDS)))
    return CqlQueries(everything, "query" in options, names, axes(options, indexes, place), whatever)
