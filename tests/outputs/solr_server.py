"""A stand-in for one Solr core with VuFind's schema, over HTTP on loopback.

It enforces what drivers get wrong: single- and multi-valued fields, unknown fields, the unique key, the order of
commands, deletes by id and by query, that a failing request keeps what came before the failure, that nothing is
visible before a commit, request limits, cursorMark. It knows of the query language what VuFind's loaders need.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests import canaries

# vufind-org/vufind solr/vufind/biblio/conf/schema.xml
_SINGLE = (
    "id fullrecord fulltext author_sort title title_sort title_sub title_short title_full title_auth publishDateSort "
    "edition description thumbnail lccn callnumber-first callnumber-subject callnumber-label callnumber-sort "
    "dewey-sort illustrated container_title container_volume container_issue container_start_page container_reference "
    "record_format first_indexed last_indexed"
)
_MULTI = (
    "allfields institution collection building language format author author_variant author_role author2 "
    "author2_variant author2_role author_corporate author_corporate_role author_additional physical publisher "
    "publishDate contents url ctrlnum isbn issn oclc_num callnumber-raw callnumber-search dewey-hundreds dewey-tens "
    "dewey-ones dewey-full dewey-raw dewey-search title_alt title_old title_new dateSpan series series2 topic "
    "topic_facet genre genre_facet geographic geographic_facet era era_facet"
)
SINGLE, MULTI = frozenset(_SINGLE.split()), frozenset(_MULTI.split())
DYNAMIC_SINGLE, DYNAMIC_MULTI = ("_str", "_boolean", "_date", "_txt", "_isn"), ("_str_mv", "_txt_mv", "_date_mv")
NOT_STORED = frozenset(("allfields", "fulltext", "publishDateSort"))
DATES = frozenset(("first_indexed", "last_indexed"))
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_CLAUSE = re.compile(r"([+-]?)\{!terms f=(\S+) v='([^']*)'\}")
Document = dict[str, Any]


class Refused(Exception):
    """HTTP 400 with a message."""


class Core:
    """Pending and visible documents."""

    def __init__(self) -> None:
        self.pending: dict[str, Document] = {}
        self.visible: dict[str, Document] = {}
        self.version = 0

    def update(self, commands: Any) -> None:
        if isinstance(commands, list):
            commands = {"add": commands}
        for name, value in commands.items():
            if name == "add":
                for document in value if isinstance(value, list) else [value["doc"]]:
                    self._add(document)
            elif name == "delete":
                self._delete(value)
            elif name == "commit":
                self.commit()
            else:
                raise Refused(f"Unknown command '{name}'")

    def commit(self) -> None:
        self.visible = dict(self.pending)

    def _add(self, document: Document) -> None:
        stored: Document = {}
        for name, value in document.items():
            multi = name in MULTI or name.endswith(DYNAMIC_MULTI)
            if not multi and name not in SINGLE and not name.endswith(DYNAMIC_SINGLE):
                raise Refused(f"ERROR: [doc={document.get('id')}] unknown field '{name}'")
            if not multi and isinstance(value, list):
                raise Refused(f"ERROR: [doc={document.get('id')}] multiple values for non multiValued field {name}")
            for one in value if isinstance(value, list) else [value]:
                self._check(document, name, one)
            if name not in NOT_STORED:
                stored[name] = (value if isinstance(value, list) else [value]) if multi else value
        if not isinstance(document.get("id"), str):
            raise Refused("Document is missing mandatory uniqueKey field: id")
        self.version += 1
        self.pending[document["id"]] = {**stored, "_version_": self.version}

    def _check(self, document: Document, name: str, value: Any) -> None:
        if name.endswith("_boolean") != isinstance(value, bool):
            raise Refused(f"ERROR: [doc={document.get('id')}] Error adding field '{name}'='{value}'")
        if name in DATES and not _DATE.fullmatch(value):
            raise Refused(f"Invalid Date String:'{value}'")
        if isinstance(value, str) and "BUANG" in value and name == "title":
            raise Refused(f"ERROR: [doc={document.get('id')}] poisoned")
        if isinstance(value, str) and name not in ("fullrecord", "allfields") and len(value.encode()) > 32766:
            raise Refused(f"immense term in field {name}")

    def _delete(self, value: Any) -> None:
        if isinstance(value, dict) and "query" in value:
            for key in [key for key, one in self.pending.items() if matches(value["query"], one)]:
                del self.pending[key]
            return
        for key in value if isinstance(value, list) else [value["id"] if isinstance(value, dict) else value]:
            self.pending.pop(key, None)


def matches(query: str, document: Document) -> bool:
    """Whether *document* matches; only the clauses that Induk and VuFind send are known."""
    if query == "*:*":
        return True
    if query.endswith(":*") and " " not in query:
        return bool(document.get(query[:-2]))
    found = list(_CLAUSE.finditer(query))
    if "".join(match[0] for match in found) != query.replace("} ", "}"):
        raise Refused(f"Cannot parse '{query}'")
    if len(found) > 1 and query.startswith("{!"):
        raise Refused("local parameters at the start make the whole rest their value")
    for match in found:
        value = document.get(match[2], [])
        held = set(value if isinstance(value, list) else [value])
        if bool(held & set(match[3].split(","))) == (match[1] == "-"):
            return False
    return True


class SolrServer:
    """Serve a core: `with SolrServer() as solr: solr.url`. `busy` answers 503 to as many requests."""

    def __init__(self, max_bytes: int = 1_000_000) -> None:
        self.core = Core()
        self.busy = 0
        self.requests: list[tuple[str, int]] = []
        self.max_bytes = max_bytes
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/solr/biblio"

    def __enter__(self) -> SolrServer:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def search(self, deduplicated: bool = True) -> list[Document]:
        """What a user of VuFind gets: merged and unique documents, or members only."""
        hidden = "merged_child_boolean" if deduplicated else "merged_boolean"
        return [one for one in self.core.visible.values() if not one.get(hidden)]

    def answer(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, dict[str, Any]]:
        canaries.saw("an update of Solr", path, body)
        self.requests.append((path, len(body)))
        if self.busy:
            self.busy -= 1
            return 503, {"error": {"msg": "busy"}}
        if len(body) > self.max_bytes:
            return 413, {"error": {"msg": "too large"}}
        try:
            if path.endswith("/update"):
                self.core.update(json.loads(body))
                return 200, {"responseHeader": {"status": 0}}
            return 200, {"responseHeader": {"status": 0}, **self._select(query | parse_qs(body.decode()))}
        except Refused as error:
            return 400, {"responseHeader": {"status": 400}, "error": {"msg": str(error), "code": 400}}

    def _select(self, query: dict[str, list[str]]) -> dict[str, Any]:
        mark, rows = query["cursorMark"][0], int(query["rows"][0])
        found = sorted(key for key, one in self.core.visible.items() if matches(query["q"][0], one))
        rest = [key for key in found if mark == "*" or key > mark][:rows]
        fields = query["fl"][0]
        names = None if fields == "*" else fields.split(",")
        docs = [self.core.visible[key] for key in rest]
        shown = [one if names is None else {name: one[name] for name in names if name in one} for one in docs]
        return {"response": {"numFound": len(found), "docs": shown}, "nextCursorMark": rest[-1] if rest else mark}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # one packet an answer
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                parts = urlsplit(self.path)
                status, answer = server.answer(parts.path, parse_qs(parts.query), body)
                payload = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *arguments: object) -> None:
                """Nothing on the terminal."""

        return Handler
