"""Third-party OAI-PMH servers over a list of MARC records: the PyPI packages oaipmh and oai_repo, on real HTTP.

    with serving("oaipmh", records) as server:
        server.url; server.delete(identifiers)

`oaipmh` tells deletions (persistent); the straightforward backend of oai_repo only drops the records.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from lxml import etree

MARCXML = "http://www.loc.gov/MARC21/slim"
SCHEMA = "http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd"
FIRST = datetime(2019, 5, 1, 8, 0, 0, tzinfo=UTC)


class Shelf:
    """The records behind a server: identifier → (datestamp, MARCXML bytes or None when deleted)."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self.rows: dict[str, tuple[datetime, bytes | None]] = {
            f"oai:shelf.example:{number:06d}": (FIRST + timedelta(seconds=number), payload)
            for number, payload in enumerate(payloads)
        }

    def delete(self, identifiers: Sequence[str]) -> None:
        for identifier in identifiers:
            self.rows[identifier] = (datetime.now(UTC).replace(microsecond=0), None)

    def live(self) -> set[str]:
        return {identifier for identifier, (_, payload) in self.rows.items() if payload is not None}

    def between(self, since: datetime | None, until: datetime | None, *, deleted: bool) -> list[str]:
        def inside(moment: datetime) -> bool:
            return (since is None or moment >= since) and (until is None or moment <= until)

        return [
            identifier
            for identifier, (moment, payload) in self.rows.items()
            if inside(moment) and (deleted or payload is not None)
        ]


class Serving:
    """A server that runs."""

    def __init__(self, url: str, shelf: Shelf) -> None:
        self.url = url
        self.shelf = shelf


@contextmanager
def serving(kind: str, payloads: Sequence[bytes], page_size: int = 100) -> Iterator[Serving]:
    """Serve *payloads* (MARCXML records) with the package *kind* on a free port of loopback."""
    shelf = Shelf(payloads)
    box: dict[str, Callable[[dict[str, str]], bytes]] = {}

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()}
        body = box["answer"](query)
        start("200 OK", [("Content-Type", "text/xml; charset=utf-8"), ("Content-Length", str(len(body)))])
        return [body]

    server = make_server("127.0.0.1", 0, app, server_class=_Server, handler_class=_Quiet)
    url = f"http://127.0.0.1:{server.server_port}/oai"
    box["answer"] = {"oaipmh": _oaipmh, "oai_repo": _oai_repo}[kind](shelf, url, page_size)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Serving(url, shelf)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


def _oaipmh(shelf: Shelf, url: str, page_size: int) -> Callable[[dict[str, str]], bytes]:
    from oaipmh import common, error, metadata, server

    class Backend:
        def identify(self) -> Any:
            naive = FIRST.replace(tzinfo=None)
            return common.Identify(
                "Shelf", url, "2.0", ["shelf@example.org"], naive, "persistent", "YYYY-MM-DDThh:mm:ssZ", []
            )

        def listMetadataFormats(self, identifier: str | None = None) -> Any:
            return [("marcxml", SCHEMA, MARCXML)]

        def listSets(self, cursor: int = 0, batch_size: int = 10) -> Any:
            raise error.NoSetHierarchyError("no sets")

        def _header(self, identifier: str) -> Any:
            moment, payload = shelf.rows[identifier]
            return common.Header(None, identifier, moment.replace(tzinfo=None), [], payload is None)

        def _found(self, arguments: dict[str, Any]) -> list[str]:
            def aware(moment: datetime | None) -> datetime | None:
                return moment.replace(tzinfo=UTC) if moment else None

            found = shelf.between(aware(arguments.get("from_")), aware(arguments.get("until")), deleted=True)
            if not found:
                raise error.NoRecordsMatchError("none")
            return found

        def listRecords(self, cursor: int = 0, batch_size: int = 10, **arguments: Any) -> Any:
            part = self._found(arguments)[cursor : cursor + batch_size]
            return [(self._header(one), shelf.rows[one][1], None) for one in part]

        def listIdentifiers(self, cursor: int = 0, batch_size: int = 10, **arguments: Any) -> Any:
            return [self._header(one) for one in self._found(arguments)[cursor : cursor + batch_size]]

        def getRecord(self, metadataPrefix: str, identifier: str) -> Any:
            if identifier not in shelf.rows:
                raise error.IdDoesNotExistError(identifier)
            return self._header(identifier), shelf.rows[identifier][1], None

    registry = metadata.MetadataRegistry()
    registry.registerWriter("marcxml", lambda element, payload: element.append(etree.fromstring(payload)))
    made = server.BatchingServer(Backend(), metadata_registry=registry, resumption_batch_size=page_size)

    def answer(query: dict[str, str]) -> bytes:
        body = made.handleRequest(query)
        return body.encode() if isinstance(body, str) else body

    return answer


def _oai_repo(shelf: Shelf, url: str, page_size: int) -> Callable[[dict[str, str]], bytes]:
    import oai_repo

    class Backend(oai_repo.DataInterface):
        limit = page_size

        def get_identify(self) -> Any:
            return oai_repo.Identify(
                base_url=url,
                admin_email=["shelf@example.org"],
                repository_name="Shelf",
                earliest_datestamp=FIRST.strftime("%Y-%m-%dT%H:%M:%SZ"),
                deleted_record="no",
                granularity="YYYY-MM-DDThh:mm:ssZ",
            )

        def is_valid_identifier(self, identifier: str) -> bool:
            return shelf.rows.get(identifier, (FIRST, None))[1] is not None

        def get_metadata_formats(self, identifier: str | None = None) -> Any:
            return [oai_repo.MetadataFormat("marcxml", SCHEMA, MARCXML)]

        def get_record_header(self, identifier: str) -> Any:
            moment = shelf.rows[identifier][0]
            return oai_repo.RecordHeader(
                identifier=identifier, datestamp=moment.strftime("%Y-%m-%dT%H:%M:%SZ"), setspecs=[], status=None
            )

        def get_record_metadata(self, identifier: str, metadataprefix: str) -> Any:
            return etree.fromstring(shelf.rows[identifier][1] or b"<x/>")

        def get_record_abouts(self, identifier: str) -> Any:
            return []

        def list_set_specs(self, identifier: str | None = None, cursor: int = 0) -> Any:
            return [], 0, None

        def get_set(self, setspec: str) -> Any:
            return None

        def list_identifiers(
            self,
            metadataprefix: str,
            filter_from: datetime | None = None,
            filter_until: datetime | None = None,
            filter_set: str | None = None,
            cursor: int = 0,
        ) -> Any:
            def aware(moment: datetime | None) -> datetime | None:
                return moment.replace(tzinfo=UTC) if moment else None

            found = shelf.between(aware(filter_from), aware(filter_until), deleted=False)
            return found[cursor : cursor + page_size], len(found), None

    repository = oai_repo.OAIRepository(Backend())
    return lambda query: bytes(repository.process(dict(query)))
