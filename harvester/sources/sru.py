"""SRU 1.1, 1.2 and 2.0 as a bulk source: searched slice by slice, paged by what arrived, its limits found out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harvester.errors import ConfigError, ProtocolError, RecordError, SourceError, SourceUnavailable
from harvester.model import Damage, HarvestedRecord, Source
from harvester.sources import sources
from harvester.sources.environment import Environment
from harvester.sources.fetch import Fetcher
from harvester.sources.received import Portion
from harvester.sources.slice_options import bounds, whole
from harvester.sources.sliced import OUT_OF_RANGE, SlicedHarvester
from harvester.sources.slicing import TOO_MANY, Axis, Slice
from harvester.sources.sru_queries import SruQueries, queries
from harvester.sources.sru_response import Diagnostic, Explained, SruAnswer, explained, read

Version = Literal["1.1", "1.2", "2.0"]
VERSIONS: tuple[Version, ...] = ("1.1", "1.2", "2.0")
PAGE_SIZE = 100
LARGEST_PAGE = 500
# Best first; a name of a schema counts when it contains one of these.
_SCHEMAS = ("marcxml", "marc21", "marcxchange", "unimarc", "mods", "dc")
_PASSING = {"1/2"}
_RANGE = "1/61"
_TOO_MANY = {"1/60"}
_VERSION = "1/5"
_PARAMETER = {"1/6", "1/8", "1/71"}


def error_of(diagnostics: tuple[Diagnostic, ...], place: str) -> SourceError:
    """The error that diagnostics are: unavailable when the first asks to come back, otherwise a refusal."""
    said = "; ".join(str(one) for one in diagnostics[:5])
    if diagnostics[0].code in _PASSING:
        return SourceUnavailable(f"diagnostic {said}", place=place)
    code = TOO_MANY if diagnostics[0].code in _TOO_MANY else diagnostics[0].code
    if code == "1/3":
        return ProtocolError(f"log-in refused: {said}", place=place, code="login", hint="see credentials")
    return ProtocolError(f"diagnostic {said}", place=place, code=code)


class SruReader:
    """One server; nothing is fetched before the first question."""

    def __init__(self, source: Source, environment: Environment) -> None:
        options = source.options
        self._source = source
        self._environment = environment
        self._fetcher = Fetcher(source, environment)
        self._queries: SruQueries = queries(options, source.code)
        self._size = whole(options, "page_size", None, source.code)
        self._schema: str | None = source.metadata_prefix or options.get("schema")
        self._versions = self._wanted_versions(options)
        self._packing = str(options.get("record_packing", ""))
        self._explained: Explained | None = None
        self._hits: dict[str, int] = {}
        self._body = b""
        self.facts: dict[str, str] = {}

    def _wanted_versions(self, options: Mapping[str, Any]) -> list[Version]:
        wanted = str(options.get("version") or self._environment.learned.get("version", ""))
        if wanted and wanted not in VERSIONS:
            raise ConfigError(f"unknown SRU version {wanted!r}", place=self._source.code, hint="known: 1.1, 1.2, 2.0")
        return [one for one in VERSIONS if one == wanted] or list(VERSIONS)

    @property
    def place(self) -> str:
        return self._source.code

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self._queries.axes

    @property
    def version(self) -> Version:
        """The version in use."""
        return self._versions[0]

    @property
    def page_size(self) -> int:
        """How many records to ask for; explain is advice (BnF: silently 50, Zebra gives more than it says)."""
        if self._size is None:
            learned = self._environment.learned.get("page-size", "")
            advice = self.explain().most_records or PAGE_SIZE
            self._size = int(learned) if learned.isdecimal() and int(learned) else min(advice, LARGEST_PAGE)
        return self._size

    @property
    def schema(self) -> str:
        """The schema to ask for: the configured one, or the best that explain offers, or "" for the server's own."""
        if self._schema is None:
            offered = [name or identifier for name, identifier in self.explain().schemas]
            ranked = [name for wish in _SCHEMAS for name in offered if wish in name.lower()]
            self._schema = ranked[0] if ranked else ""
        return self._schema

    # ---- requests ------------------------------------------------------------------------------------

    def _get(self, arguments: list[tuple[str, str]]) -> bytes:
        answer = self._fetcher.get(arguments=arguments)
        if answer.status >= 400 and not answer.body.lstrip()[:1] == b"<":
            raise ProtocolError(f"HTTP {answer.status}", place=answer.url, code=str(answer.status))
        self._body = answer.body
        return answer.body

    def explain(self) -> Explained:
        """What the server says of itself, asked once; empty when it says nothing that can be read."""
        if self._explained is None:
            arguments = [] if self.version == "2.0" else [("version", self.version), ("operation", "explain")]
            try:
                self._explained = explained(self._get(arguments), self.place)
            except (ProtocolError, RecordError) as error:
                self._environment.log("sru.explain", source=self.place, reason=error.message)
                self._explained = Explained()
        return self._explained

    def _arguments(self, one: Slice, position: int, size: int, schema: str) -> list[tuple[str, str]]:
        new = self.version == "2.0"
        arguments = [("version", self.version)] + ([] if new else [("operation", "searchRetrieve")])
        arguments += self._queries.arguments(one, self.version)
        if size:
            arguments.append(("startRecord", str(position)))
        arguments.append(("maximumRecords", str(size)))
        if size and schema:
            arguments.append(("recordSchema", schema))
        if size and self._packing:
            arguments.append(("recordXMLEscaping" if new else "recordPacking", self._packing))
        extra = self._source.options.get("parameters", {})
        return arguments + [(str(name), str(value)) for name, value in dict(extra).items()]

    def _search(self, one: Slice, position: int, size: int, schema: str) -> SruAnswer:
        """One answer; a version or an optional parameter that the server refuses is not used again.

        Raises:
            RecordError: the answer is not well-formed.
        """
        rule, place = self._source.identifier_rule, f"{self.place} {one}"
        for _ in range(len(VERSIONS) + 1):
            body = self._get(self._arguments(one, position, size, schema))
            answer = read(body, rule, place, position)
            if answer.records or not answer.diagnostics or not self._adapt(answer.diagnostics[0]):
                return answer
        return answer

    def _adapt(self, diagnostic: Diagnostic) -> bool:
        """Give up what the server does not know; True when another try may do."""
        if diagnostic.code == _VERSION and len(self._versions) > 1:
            named = [one for one in self._versions[1:] if one in diagnostic.details or one in diagnostic.message]
            self._versions = [*named, *(one for one in self._versions[1:] if one not in named)]
            self.facts["version"] = self.version
            return True
        if diagnostic.code in _PARAMETER and self._packing:
            self._packing = ""
            return True
        return False

    # ---- questions -----------------------------------------------------------------------------------

    def count(self, one: Slice) -> int:
        """The hits of a slice.

        Raises:
            ProtocolError: refused, or no number given.
        """
        answer = self._whole_answer(one, 1, 0)
        if answer.diagnostics and answer.diagnostics[0].code == _RANGE:
            return answer.hits or 0
        if answer.hits is None:
            answer = self._whole_answer(one, 1, 1)  # some servers refuse to send no record at all
        if answer.hits is None:
            raise error_of(answer.diagnostics or (Diagnostic("", "no numberOfRecords"),), self.place)
        if answer.diagnostics and not answer.records and not answer.hits:
            raise error_of(answer.diagnostics, self.place)
        self._hits[str(one)] = answer.hits
        return answer.hits

    def _whole_answer(self, one: Slice, position: int, size: int) -> SruAnswer:
        """An answer that is well-formed; fetched again when it broke off.

        Raises:
            SourceUnavailable: it never was.
        """
        reason = ""
        for _ in range(max(1, self._environment.limits.page_attempts)):
            try:
                return self._search(one, position, size, self.schema if size else "")
            except RecordError as error:
                if error.reason in ("doctype", "bounds"):
                    raise ProtocolError(error.message, place=self.place, code=error.reason) from None
                reason = error.message
        raise SourceUnavailable(f"broken answer: {reason}", place=f"{self.place} {one} position {position}")

    def fetch(self, one: Slice, position: int, size: int) -> Portion:
        """At most *size* records of a slice from *position* on.

        A page that cannot be read is asked for again in smaller parts, so that a broken record costs only itself.

        Raises:
            ProtocolError: refused; with the code `range`, the server goes no further.
        """
        try:
            answer = self._whole_answer(one, position, size)
        except SourceUnavailable as error:
            if not error.message.startswith("broken answer"):
                raise
            return self._smaller(one, position, size, error)
        if not answer.records:
            return self._empty(answer, one, position)
        return self._portion(answer, one, position, size)

    def _smaller(self, one: Slice, position: int, size: int, error: SourceUnavailable) -> Portion:
        if size > 1:
            return self.fetch(one, position, max(1, size // 4))
        hits = self._hits.get(str(one), 0)
        if position >= hits:
            raise error
        place = f"{self.place} {one} position {position}"
        damage = Damage("fetch", "not-well-formed", error.message, self._body[: 4 << 20], "", place)
        return Portion(hits, position + 1, (), (damage,))

    def _empty(self, answer: SruAnswer, one: Slice, position: int) -> Portion:
        """No record came: the end, a limit of the server, or a refusal."""
        codes = {diagnostic.code for diagnostic in answer.diagnostics}
        if answer.hits == 0 and not codes - {_RANGE}:
            return Portion(0, 1)
        limited = _RANGE in codes or (not codes and answer.hits is not None)
        if limited and position > 1:
            if answer.hits is not None and answer.hits < position:
                return Portion(answer.hits, position)
            raise ProtocolError(f"no record from position {position} on", place=self.place, code=OUT_OF_RANGE)
        if answer.diagnostics:
            raise error_of(answer.diagnostics, f"{self.place} {one}")
        raise ProtocolError(f"no record of {answer.hits} came", place=f"{self.place} {one}")

    def _portion(self, answer: SruAnswer, one: Slice, position: int, size: int) -> Portion:
        found = [
            record.found if record.found is not None else self._blank(one, position + at)
            for at, record in enumerate(answer.records)
        ]
        behind = position + len(found)
        hits = answer.hits if answer.hits is not None else self._unnumbered(answer, behind)
        self._hits[str(one)] = hits
        if len(found) < size and behind <= hits and self._size is not None and len(found) < self._size:
            self._size = len(found)  # BnF: more than 50 silently becomes 50
            self.facts["page-size"] = str(len(found))
        records = tuple(record for record in found if isinstance(record, HarvestedRecord))
        damages = tuple(record for record in found if isinstance(record, Damage))
        return Portion(hits, behind, records, damages)

    def _unnumbered(self, answer: SruAnswer, behind: int) -> int:
        """The hits where there is no numberOfRecords: at least one more when a next position is named."""
        return max(answer.next_position or 0, behind - 1)

    def _blank(self, one: Slice, position: int) -> HarvestedRecord | Damage:
        """A record that came empty, asked for alone and in the server's own schema."""
        place = f"{self.place} {one} position {position}"
        for schema in dict.fromkeys((self.schema, "")):
            try:
                answer = self._search(one, position, 1, schema)
            except (ProtocolError, RecordError):
                continue
            if answer.records and answer.records[0].found is not None:
                return answer.records[0].found
        return Damage("parse", "empty", "the server sent an empty record", b"", "", place)

    def scan(self, name: str, start: str, count: int) -> tuple[tuple[str, int], ...]:
        """Terms of the index *name* from *start* on, with the number of records of each."""
        clause = self._queries.scan_clause(name, start)
        arguments = [("version", self.version), ("operation", "scan"), ("scanClause", clause)]
        try:
            answer = read(self._get([*arguments, ("maximumTerms", str(count))]), "", self.place)
        except RecordError as error:
            raise ProtocolError(error.message, place=self.place) from None
        if answer.diagnostics and not answer.terms:
            raise error_of(answer.diagnostics, self.place)
        return answer.terms

    def close(self) -> None:
        """Close the kept connections."""
        self._fetcher.close()


@sources.register("sru")
def open_sru(source: Source, environment: Environment) -> SlicedHarvester:
    """Open an SRU source; its schema is `metadata_prefix`.

    Options that SRU and Z39.50 share: `query` (what finds everything of the source), `slicing` (names of indexes, in
    order; [] reads all at once), `indexes` (name → index, or a mapping with `values` or `alphabet`), `max_records`
    (what the server gives of one search), `slice_size`, `searches`, `page_size`, `ca` (file of certificates).
    Of its own: `version`, `query_language` (cql or pqf), `record_packing`, `parameters` (further ones, by name); an
    index may have `any`, the CQL that finds whatever has a value in it.

    Raises:
        ConfigError: an option or the address cannot be used.
    """
    return SlicedHarvester(SruReader(source, environment), environment, bounds(source.options, source.code))
