"""SRU answers to script a server with, in the three versions and with the habits of real servers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from tests.sources.scripted_server import Reply, Request, Script

NAMESPACES = {
    "1.1": ("http://www.loc.gov/zing/srw/", "http://www.loc.gov/zing/srw/diagnostic/"),
    "1.2": ("http://www.loc.gov/zing/srw/", "http://www.loc.gov/zing/srw/diagnostic/"),
    "2.0": (
        "http://docs.oasis-open.org/ns/search-ws/sruResponse",
        "http://docs.oasis-open.org/ns/search-ws/diagnostic",
    ),
}
MARC = "http://www.loc.gov/MARC21/slim"


def marcxml(number: int, title: str = "Bumi manusia") -> str:
    return (
        f'<record xmlns="{MARC}"><leader>00000nam a2200000 a 4500</leader>'
        f'<controlfield tag="001">b{number}</controlfield>'
        f'<datafield tag="245" ind1="1" ind2="0"><subfield code="a">{escape(title)}</subfield></datafield></record>'
    )


def entry(data: str, *, packing: str = "xml", schema: str = "marcxml", also: str = "") -> str:
    """One record of an answer around its (possibly escaped) data."""
    return (
        f"<zs:record><zs:recordSchema>{schema}</zs:recordSchema><zs:recordPacking>{packing}</zs:recordPacking>"
        f"<zs:recordData>{data}</zs:recordData>{also}</zs:record>"
    )


def diagnostic(number: int | str, details: str = "", message: str = "") -> str:
    uri = f"info:srw/diagnostic/1/{number}" if isinstance(number, int) else number
    return (
        f"<diag:diagnostic><diag:uri>{uri}</diag:uri><diag:details>{details}</diag:details>"
        f"<diag:message>{message}</diag:message></diag:diagnostic>"
    )


def response(
    entries: Sequence[str] = (),
    hits: int | None = None,
    *diagnostics: str,
    version: str = "1.1",
    also: str = "",
) -> bytes:
    space, diagnostics_space = NAMESPACES[version]
    told = f"<zs:numberOfRecords>{hits}</zs:numberOfRecords>" if hits is not None else ""
    listed = f"<zs:records>{''.join(entries)}</zs:records>" if entries else ""
    failed = f'<zs:diagnostics xmlns:diag="{diagnostics_space}">{"".join(diagnostics)}</zs:diagnostics>'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<zs:searchRetrieveResponse xmlns:zs="{space}">'
        f"<zs:version>{version}</zs:version>{told}{listed}{also}{failed if diagnostics else ''}"
        "</zs:searchRetrieveResponse>"
    ).encode()


EXPLAIN = b"""<zs:explainResponse xmlns:zs="http://www.loc.gov/zing/srw/"><zs:version>1.1</zs:version><zs:record>
<zs:recordData><explain xmlns="http://explain.z3950.org/dtd/2.0/"><databaseInfo><title>Katalog</title></databaseInfo>
<indexInfo><index><map><name set="rec">id</name></map></index></indexInfo>
<schemaInfo><schema identifier="info:srw/schema/1/dc-v1.1" name="dc"/>
<schema identifier="info:srw/schema/1/marcxml-v1.1" name="marcxml"/></schemaInfo>
<configInfo><setting type="maximumRecords">10</setting></configInfo></explain></zs:recordData></zs:record>
</zs:explainResponse>"""


def position(request: Request) -> tuple[int, int]:
    """(startRecord, maximumRecords) of a request."""
    arguments = request.arguments
    return int(arguments.get("startRecord", "1")), int(arguments.get("maximumRecords", "10"))


def paged(
    entries: Sequence[str], hits: int | None = None, explain: bytes = EXPLAIN, **also: Callable[[Request], bytes]
) -> Script:
    """A well-behaved server over *entries*; `page` answers instead for requests of records, `count` for counts."""
    total = len(entries) if hits is None else hits

    def script(request: Request) -> Reply:
        if request.arguments.get("operation") == "explain" or not request.arguments:
            return Reply(explain)
        start, most = position(request)
        if most == 0:
            return Reply(also["count"](request) if "count" in also else response((), total))
        if "page" in also:
            return Reply(also["page"](request))
        return Reply(response(entries[start - 1 : start - 1 + most], total))

    return script
