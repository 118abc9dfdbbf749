"""A loopback OAI-PMH server that does nothing but hand out pages made beforehand: python -m bench.oai FILE.mrc"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from harvester.formats.iso2709 import parse
from harvester.formats.marcxml_write import write

PAGE = 250
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
    "<responseDate>2026-11-22T12:00:00Z</responseDate><request>http://127.0.0.1/oai</request>"
)
IDENTIFY = (
    "<Identify><repositoryName>bench</repositoryName><baseURL>http://127.0.0.1/oai</baseURL>"
    "<protocolVersion>2.0</protocolVersion><adminEmail>bench@example.org</adminEmail>"
    "<earliestDatestamp>2020-01-01T00:00:00Z</earliestDatestamp><deletedRecord>persistent</deletedRecord>"
    "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity></Identify>"
)
FORMATS = (
    "<ListMetadataFormats><metadataFormat><metadataPrefix>marc21</metadataPrefix>"
    "<schema>http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd</schema>"
    "<metadataNamespace>http://www.loc.gov/MARC21/slim</metadataNamespace></metadataFormat></ListMetadataFormats>"
)


def pages(file: Path) -> list[bytes]:
    """The answers to ListRecords, one after the other."""
    payloads = file.read_bytes().split(b"\x1d")[:-1]
    records = [
        f"<record><header><identifier>oai:bench:{number}</identifier><datestamp>2026-11-01T00:00:00Z</datestamp>"
        f"</header><metadata>{write(parse(one + bytes([0x1D])))}</metadata></record>"
        for number, one in enumerate(payloads)
    ]
    cuts = range(0, len(records), PAGE)
    return [
        answer(
            f"<ListRecords>{''.join(records[start : start + PAGE])}"
            f'<resumptionToken completeListSize="{len(records)}" cursor="{start}">{token(start, len(records))}'
            "</resumptionToken></ListRecords>"
        )
        for start in cuts
    ]


def token(start: int, number: int) -> str:
    """What leads to the next page; empty after the last."""
    return str(start // PAGE + 1) if start + PAGE < number else ""


def answer(body: str) -> bytes:
    """A whole answer."""
    return f"{HEAD}{body}</OAI-PMH>".encode()


def serve(made: list[bytes]) -> None:
    """Serve for ever, on a port that is printed."""
    plain = {"Identify": answer(IDENTIFY), "ListMetadataFormats": answer(FORMATS)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            page = int(asked.get("resumptionToken", ["0"])[0])
            body = plain.get(asked.get("verb", [""])[0], made[page])
            self.send_response(200)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(pages(Path(sys.argv[1])))
