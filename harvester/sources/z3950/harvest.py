"""A Z39.50 target as a bulk source: options checked, the worker asked, slices harvested."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from harvester.errors import ConfigError, ProtocolError, Refused, SourceUnavailable
from harvester.model import Source
from harvester.sources.connection import may_connect
from harvester.sources.environment import Environment
from harvester.sources.received import Portion
from harvester.sources.slice_options import bounds, whole
from harvester.sources.sliced import OUT_OF_RANGE, SlicedHarvester
from harvester.sources.slicing import TOO_MANY, Axis, Slice
from harvester.sources.z3950 import apdu, pqf, queries
from harvester.sources.z3950.apdu import Credentials
from harvester.sources.z3950.client import Target
from harvester.sources.z3950.messages import Count, Counted, Fetch, Scan, Terms
from harvester.sources.z3950.session import Session

PORT = 210
PAGE_SIZE = 200
MESSAGE_SIZE = 4 << 20
_RANGE_CODES = {"bib-1/13"}
_TOO_MANY = {"bib-1/12", "bib-1/33"}


def address(url: str, place: str) -> tuple[str, int, str, bool]:
    """Host, port, database and whether TLS is wanted, from `z3950://host:port/database` (z3950s with TLS).

    Raises:
        ConfigError: no such address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORT
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    if parts.scheme not in ("z3950", "z3950s") or not host:
        raise ConfigError("the address is no z3950://host:port/database", place=place)
    return host, port, unquote(parts.path.strip("/")) or "Default", parts.scheme == "z3950s"


def resolve(host: str, port: int, *, internal: bool) -> tuple[str, ...]:
    """The addresses of *host* that may be connected to, looked up here so that the worker needs no resolver.

    Raises:
        SourceUnavailable: the name is unknown.
        Refused: it only has addresses of a private network, and the source is not marked internal.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceUnavailable(f"unknown host: {error}", place=f"{host}:{port}") from None
    texts = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = tuple(text for text in texts if may_connect(text, internal=internal))
    if not allowed:
        raise Refused(
            f"{host} is at {', '.join(texts)}, which is not a public address",
            place=f"{host}:{port}",
            hint="mark the source `internal: true` (--internal) if it stands in your own network",
        )
    return allowed


def login(pairs: Mapping[str, str], place: str) -> Credentials:
    """The credentials: `username`, `password` and maybe `group`, or `open` as one string.

    Raises:
        ConfigError: another name.
    """
    unknown = sorted(set(pairs) - {"username", "password", "group", "open"})
    if unknown:
        raise ConfigError(
            f"unknown credential {unknown[0]!r}", place=place, hint="known: username, password, group, open"
        )
    return Credentials(
        pairs.get("username", ""), pairs.get("password", ""), pairs.get("group", ""), pairs.get("open", "")
    )


class Z3950Reader:
    """One target behind a worker process; nothing is connected before the first question."""

    def __init__(self, source: Source, environment: Environment) -> None:
        self._source = source
        self._environment = environment
        options = source.options
        self._address = address(source.url, source.code)
        self._login = login(dict(source.credentials), source.code)
        self._queries, self._axes = queries.read(options, source.code)
        self._page_size = whole(options, "page_size", PAGE_SIZE, source.code) or PAGE_SIZE
        syntax = str(options.get("syntax", source.metadata_prefix or "usmarc")).lower()
        if syntax not in apdu.SYNTAXES:
            raise ConfigError(
                f"unknown record syntax {syntax!r}", place=source.code, hint="known: " + ", ".join(apdu.SYNTAXES)
            )
        self._syntax = syntax
        self._session: Session | None = None
        self.facts: dict[str, str] = {}

    @property
    def place(self) -> str:
        return self._source.code

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self._axes

    @property
    def page_size(self) -> int:
        return self._page_size

    def _target(self) -> Target:
        host, port, database, tls = self._address
        options, limits = self._source.options, self._environment.limits
        return Target(
            host=host,
            port=port,
            addresses=resolve(host, port, internal=self._source.internal),
            databases=tuple(database.split("+")),
            tls=tls,
            ca_file=str(options.get("ca", "")),
            credentials=self._login,
            syntax=self._syntax,
            element_set=str(options.get("element_set", "F")),
            named_sets=bool(options.get("named_result_sets", True)),
            message_size=whole(options, "message_size", MESSAGE_SIZE, self.place) or MESSAGE_SIZE,
            record_size=limits.record_bytes,
            connect_seconds=limits.connect_seconds,
            read_seconds=limits.read_seconds,
            answer_seconds=limits.total_seconds,
            answer_bytes=limits.response_bytes,
        )

    @property
    def session(self) -> Session:
        """The session, opened when it is first asked for."""
        if self._session is None:
            secrets = tuple(value for name, value in self._source.credentials if name not in ("username", "group"))
            self._session = Session(self._target(), self._environment, self._source.identifier_rule, secrets)
        return self._session

    def query(self, one: Slice) -> pqf.Query:
        """The query of a slice."""
        return self._queries.of(one)

    def count(self, one: Slice) -> int:
        """The hits of a slice."""
        try:
            reply = self.session.ask(Count(self.query(one)))
        except ProtocolError as error:
            if error.code in _TOO_MANY:
                raise ProtocolError(error.message, place=error.place, code=TOO_MANY) from None
            raise
        assert isinstance(reply, Counted)
        return reply.hits

    def fetch(self, one: Slice, position: int, size: int) -> Portion:
        """At most *size* records of a slice from *position* on.

        Raises:
            ProtocolError: with the code `range`, the server goes no further.
        """
        label = f"{self._source.code} {one}"
        try:
            reply = self.session.ask(Fetch(self.query(one), position, size, label))
        except ProtocolError as error:
            if error.code in _RANGE_CODES:
                raise ProtocolError(error.message, place=error.place, code=OUT_OF_RANGE) from None
            raise
        assert isinstance(reply, Portion)
        return reply

    def scan(self, name: str, start: str, count: int) -> tuple[tuple[str, int], ...]:
        """Terms of the index *name* from *start* on, with the number of records of each."""
        reply = self.session.ask(Scan(self._queries.start(name, start), count))
        assert isinstance(reply, Terms)
        return reply.terms

    def close(self) -> None:
        """End the worker."""
        if self._session is not None:
            self._session.close()
            self._session = None


def open_z3950(source: Source, environment: Environment) -> SlicedHarvester:
    """Open a Z39.50 source: `z3950://host:port/database`, `z3950s://` with TLS, several databases joined by `+`.

    Options that SRU and Z39.50 share: `query` (what finds everything of the source), `slicing` (names of indexes, in
    order; [] reads all at once), `indexes` (name → index, or a mapping with `values` or `alphabet`), `max_records`
    (what the server gives of one search), `slice_size`, `searches`, `page_size`, `ca` (file of certificates).
    Of its own: `syntax`, `element_set`, `named_result_sets`, `message_size`. Queries and indexes are PQF.

    Raises:
        ConfigError: an option or the address cannot be used.
    """
    reader = Z3950Reader(source, environment)
    return SlicedHarvester(reader, environment, bounds(source.options, source.code))
