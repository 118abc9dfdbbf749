"""OAI-PMH 2.0 answers over a store, with the quirks of one server: request in, XML bytes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

import msgspec

from harvester.demo import selection
from harvester.demo.quirks import Quirks
from harvester.demo.selection import Cursor, OaiError
from harvester.demo.store import Row, Store

OAI = "http://www.openarchives.org/OAI/2.0/"
SCHEMA_NS = "http://www.w3.org/2001/XMLSchema-instance"
DC = ("oai_dc", f"{OAI}oai_dc/", f"{OAI}oai_dc.xsd")
MARC = ("marcxml", "http://www.loc.gov/MARC21/slim", "http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd")
RIF = ("rif", "http://ands.org.au/standards/rif-cs/registryObjects", "http://services.ands.org.au/rif.xsd")
# metadata prefix → the payload that the store keeps, namespace, schema
FORMATS = {"oai_dc": DC, "marcxml": MARC, "marc21": MARC, "marc": MARC, "oai_marc": MARC, "rif": RIF}
ARGUMENTS: dict[str, tuple[set[str], set[str]]] = {
    "Identify": (set(), set()),
    "ListMetadataFormats": (set(), {"identifier"}),
    "ListSets": (set(), {"resumptionToken"}),
    "ListIdentifiers": ({"metadataPrefix"}, {"from", "until", "set", "resumptionToken"}),
    "ListRecords": ({"metadataPrefix"}, {"from", "until", "set", "resumptionToken"}),
    "GetRecord": ({"identifier", "metadataPrefix"}, set()),
}
SQL_TEXT = "Cannot find records: SELECT * FROM catalogs WHERE active=1 AND IsOPAC=1 AND CreateDate >= '{since}'\n"


class Request(msgspec.Struct, frozen=True):
    """One request as it came: decoded arguments, the Host header, and the address of the endpoint."""

    arguments: Mapping[str, str]
    host: str
    base_url: str
    repeated: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        return self.arguments.get("verb", "")


class Provider:
    """One partner's server: a store seen through its quirks."""

    def __init__(self, name: str, store: Store, quirks: Quirks) -> None:
        self.name = name
        self.store = store
        self.quirks = quirks
        self._verbs: dict[str, Callable[[Request], str]] = {
            "Identify": self._identify,
            "ListMetadataFormats": self._formats,
            "ListSets": self._sets,
            "ListIdentifiers": self._list,
            "ListRecords": self._list,
            "GetRecord": self._get,
        }

    def answer(self, request: Request) -> bytes:
        """The whole response body."""
        before = ""
        echo = dict(request.arguments)
        try:
            with self.store.lock:
                self._check(request)
                content = self._verbs[request.verb](request)
        except OaiError as error:
            content = f'<error code="{error.code}">{escape(str(error))}</error>'
            if error.code in ("badVerb", "badArgument"):
                echo = {}
            if error.code == "noRecordsMatch" and self.quirks.empty_list == "sql-text":
                before = SQL_TEXT.format(since=request.arguments.get("from", ""))
        return (before + self._envelope(request, echo, content)).encode()

    def page_number(self, request: Request) -> int:
        """Which page of its list the request asks for, from 1; 0 for other verbs and unreadable tokens."""
        if request.verb not in ("ListRecords", "ListIdentifiers"):
            return 0
        token = request.arguments.get("resumptionToken")
        if not token:
            return 1
        try:
            cursor = selection.read_token(token, self.quirks, datetime.min.replace(tzinfo=UTC))
        except OaiError:
            return 0
        return cursor.offset // self.quirks.page_size + 1

    def identifier(self, key: str, host: str) -> str:
        """The OAI identifier that the server tells for a local key."""
        return self.quirks.identifier_prefix.format(host=host) + key

    # ---- verbs -----------------------------------------------------------------------------------

    def _check(self, request: Request) -> None:
        if self.quirks.disabled:
            raise OaiError("badVerb", "OAI Repository disabled")
        if request.verb not in ARGUMENTS or "verb" in request.repeated:
            raise OaiError("badVerb", "the verb is missing, repeated or unknown")
        required, optional = ARGUMENTS[request.verb]
        given = set(request.arguments) - {"verb"}
        unknown = given - required - optional
        if unknown or request.repeated:
            raise OaiError("badArgument", f"not understood: {', '.join(sorted(unknown | set(request.repeated)))}")
        if "resumptionToken" in given:
            self._check_token_arguments(given)
        elif required - given:
            raise OaiError("badArgument", f"missing: {', '.join(sorted(required - given))}")

    def _check_token_arguments(self, given: set[str]) -> None:
        rule = self.quirks.prefix_on_resumption
        if rule == "refused" and given != {"resumptionToken"}:
            raise OaiError("badArgument", "resumptionToken is an exclusive argument")
        if rule == "required" and "metadataPrefix" not in given:
            raise OaiError("badArgument", "missing: metadataPrefix")

    def _identify(self, request: Request) -> str:
        quirks = self.quirks
        rows = self.store.shown(self.store.clock.now())
        first = min((selection.header_stamp(row, quirks) for row in rows), default=self.store.clock.now())
        earliest = selection.written_stamp(first, quirks) if quirks.earliest is None else quirks.earliest
        name = f"<repositoryName>{escape(self.name)}</repositoryName>" * (2 if quirks.repeats_name else 1)
        address = f"http://localhost:80/{quirks.software[:5].lower()}" if quirks.wrong_base_url else request.base_url
        granularity = "YYYY-MM-DD" if quirks.granularity == "day" else "YYYY-MM-DDThh:mm:ssZ"
        return (
            f"<Identify>{name}<baseURL>{escape(address)}</baseURL><protocolVersion>2.0</protocolVersion>"
            f"<adminEmail>pustakawan@example.org</adminEmail><earliestDatestamp>{earliest}</earliestDatestamp>"
            f"<deletedRecord>{quirks.deleted_record}</deletedRecord><granularity>{granularity}</granularity></Identify>"
        )

    def _formats(self, request: Request) -> str:
        prefixes = list(self.quirks.formats)
        if identifier := request.arguments.get("identifier"):
            row = self._row(identifier, request)
            prefixes = [prefix for prefix in prefixes if FORMATS[prefix][0] in row.payloads]
        return (
            "<ListMetadataFormats>"
            + "".join(
                f"<metadataFormat><metadataPrefix>{prefix}</metadataPrefix><schema>{FORMATS[prefix][2]}</schema>"
                f"<metadataNamespace>{FORMATS[prefix][1]}</metadataNamespace></metadataFormat>"
                for prefix in prefixes
            )
            + "</ListMetadataFormats>"
        )

    def _sets(self, request: Request) -> str:
        if "resumptionToken" in request.arguments:
            raise OaiError("badResumptionToken", "the list of sets has one page")
        names = {spec: spec for row in self.store.rows() for spec in row.sets} | self.store.set_names
        if not names:
            raise OaiError("noSetHierarchy", "this server has no sets")
        return (
            "<ListSets>"
            + "".join(
                f"<set><setSpec>{escape(spec)}</setSpec><setName>{escape(name)}</setName></set>"
                for spec, name in sorted(names.items())
            )
            + "</ListSets>"
        )

    def _list(self, request: Request) -> str:
        cursor = self._cursor(request)
        page = selection.cut(self.store, self.quirks, cursor)
        if not page.rows and not cursor.offset and self.quirks.empty_list != "empty":
            raise OaiError("noRecordsMatch", "nothing matches the request")
        write = self._record if request.verb == "ListRecords" else self._bare_header
        rows = "\n".join(write(row, cursor.prefix, request.host) for row in page.rows)
        return f"<{request.verb}>\n{rows}\n{self._token(page, cursor)}</{request.verb}>"

    def _get(self, request: Request) -> str:
        prefix = request.arguments["metadataPrefix"]
        self._check_prefix(prefix)
        row = self._row(request.arguments["identifier"], request)
        if FORMATS[prefix][0] not in row.payloads:
            raise OaiError("cannotDisseminateFormat", f"{prefix} is not available for this record")
        return f"<GetRecord>{self._record(row, prefix, request.host)}</GetRecord>"

    # ---- parts -----------------------------------------------------------------------------------

    def _cursor(self, request: Request) -> Cursor:
        given = request.arguments
        since, until = given.get("from", ""), given.get("until", "")
        if token := given.get("resumptionToken"):
            cursor = selection.read_token(token, self.quirks, self.store.clock.now())
            # SLiMS reads from and until beside its token, which does not carry them.
            return msgspec.structs.replace(cursor, since=since, until=until) if since or until else cursor
        cursor = Cursor(given["metadataPrefix"], since, until, given.get("set", ""))
        self._check_prefix(cursor.prefix)
        selection.check_dates(cursor, self.quirks)
        if cursor.set_spec and not (self.store.set_names or any(row.sets for row in self.store.rows())):
            raise OaiError("noSetHierarchy", "this server has no sets")
        return cursor

    def _check_prefix(self, prefix: str) -> None:
        if prefix not in self.quirks.formats:
            raise OaiError("cannotDisseminateFormat", f"{prefix} is not offered")

    def _row(self, identifier: str, request: Request) -> Row:
        start = self.identifier("", request.host)
        for row in self.store.shown(self.store.clock.now()):
            if identifier == start + row.key and selection.listed(row, self.quirks):
                return row
        raise OaiError("idDoesNotExist", f"{identifier} is unknown")

    def _header(self, row: Row, host: str, *, stamped: bool) -> str:
        status = ' status="deleted"' if selection.told_deleted(row, self.quirks) else ""
        stamp = selection.written_stamp(selection.header_stamp(row, self.quirks), self.quirks)
        datestamp = f"<datestamp>{stamp}</datestamp>" if stamped else ""
        sets = "".join(f"<setSpec>{escape(spec)}</setSpec>" for spec in row.sets)
        identifier = escape(self.identifier(row.key, host))
        return f"<header{status}><identifier>{identifier}</identifier>{datestamp}{sets}</header>"

    def _bare_header(self, row: Row, prefix: str, host: str) -> str:
        return self._header(row, host, stamped=True)

    def _record(self, row: Row, prefix: str, host: str) -> str:
        header = self._header(row, host, stamped=self.quirks.datestamp_in_records)
        if selection.told_deleted(row, self.quirks):
            return f"<record>{header}</record>"
        payload = row.payloads.get(FORMATS[prefix][0], b"").decode()
        return f"<record>{header}<metadata>{payload}</metadata></record>"

    def _token(self, page: selection.Cut, cursor: Cursor) -> str:
        if page.follow is None and (not cursor.offset or self.quirks.resumption == "prefix/offset"):
            return ""
        size = f' completeListSize="{page.total + self.quirks.list_size_error}"' if self.quirks.list_size else ""
        token = selection.write_token(page.follow, self.quirks) if page.follow else ""
        return f'<resumptionToken{size} cursor="{cursor.offset}">{escape(token)}</resumptionToken>'

    def _envelope(self, request: Request, echo: Mapping[str, str], content: str) -> str:
        attributes = "".join(f" {name}={quoteattr(value)}" for name, value in echo.items() if name in _ECHOED)
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<OAI-PMH xmlns="{OAI}" xmlns:xsi="{SCHEMA_NS}" xsi:schemaLocation="{OAI} {OAI}OAI-PMH.xsd">'
            f"<responseDate>{self.store.clock.now():%Y-%m-%dT%H:%M:%SZ}</responseDate>"
            f"<request{attributes}>{escape(request.base_url)}</request>\n{content}\n</OAI-PMH>\n"
        )


_ECHOED = ("verb", "identifier", "metadataPrefix", "from", "until", "set", "resumptionToken")
