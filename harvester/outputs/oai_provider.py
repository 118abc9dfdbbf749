"""The union as an OAI-PMH 2.0 repository: request parameters in, XML out; no state, no clock, no HTTP of its own.

Datestamps are times of our changes, never the partners'. Deletions are persistent. A list is fixed by its first page:
it goes up to the horizon, some seconds before the request, because a change is dated before it is committed; the
responseDate of all its pages is that horizon, so that a harvester that goes on from there misses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from harvester.formats import marcxml_write
from harvester.formats.characters import ILLEGAL
from harvester.model import Catalogue, ClusterDocument, Touch
from harvester.outputs import dublin_core
from harvester.outputs.batch import Marc, MarcWriter, institutions
from harvester.outputs.oai_request import (
    VERBS,
    OaiError,
    Range,
    argument_errors,
    read_range,
    read_token,
    stamp,
    write_token,
)
from harvester.outputs.oai_sets import MATERIALS, Sets
from harvester.outputs.privacy import released

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ '
    'http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">'
)
FORMATS = {
    "oai_dc": (dublin_core.SCHEMA, dublin_core.OAI_DC),
    "marc21": ("http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd", marcxml_write.NAMESPACE),
}
SCAN_LIMIT = 50  # pages of changes looked through for one answer before it is sent short
LAG = timedelta(seconds=5)


class Repository(NamedTuple):
    """What the repository says of itself; *repository_id* stands in identifiers: chosen once, no host name."""

    name: str
    base_url: str
    repository_id: str
    admin_email: str
    secret: bytes
    marc: MarcWriter
    page_size: int = 100


def respond(
    parameters: Sequence[tuple[str, str]], catalogue: Catalogue, repository: Repository, now: datetime
) -> bytes:
    """The answer to a request, GET or POST; every error of the protocol is an answer too. *now* is aware, in UTC."""
    answer = _Answer(released(catalogue), repository, stamp(now - LAG))
    arguments = dict(parameters)
    verb = arguments.get("verb", "")
    date = stamp(now)
    try:
        argument_errors(parameters)
        body = answer.verb(verb, arguments)
        date = answer.horizon if verb in ("ListRecords", "ListIdentifiers") else date
    except OaiError as error:
        body = "".join(f"<error code={quoteattr(code)}>{_text(text)}</error>" for code, text in error.errors)
        if any(code in ("badVerb", "badArgument") for code, _ in error.errors):
            arguments = {}
    known = "".join(f" {name}={quoteattr(ILLEGAL.sub('', text))}" for name, text in arguments.items())
    request = f"<request{known}>{_text(repository.base_url)}</request>"
    return f"{HEAD}<responseDate>{date}</responseDate>{request}{body}</OAI-PMH>".encode()


class _Answer:
    """One answer; `horizon` is the time up to which it tells changes."""

    def __init__(self, catalogue: Catalogue, repository: Repository, horizon: str) -> None:
        self._catalogue = catalogue
        self._repository = repository
        self._sets = Sets(catalogue.partners())
        self.horizon = horizon

    def verb(self, verb: str, arguments: dict[str, str]) -> str:
        """The element of *verb*, which argument_errors has let pass."""
        match verb:
            case "Identify":
                inner = self._identify()
            case "ListSets":
                inner = self._list_sets(arguments)
            case "ListMetadataFormats":
                inner = self._formats(arguments)
            case "GetRecord":
                inner = self._get_record(arguments)
            case _:
                inner = self._list(arguments, with_records=verb == "ListRecords")
        assert verb in VERBS
        return f"<{verb}>{inner}</{verb}>"

    def _identify(self) -> str:
        repository = self._repository
        first = self._catalogue.touched("", "", "", "", 0, 1)
        earliest = first[0].at[:19] + "Z" if first else self.horizon
        sample = f"oai:{repository.repository_id}:1"
        return (
            f"<repositoryName>{_text(repository.name)}</repositoryName><baseURL>{_text(repository.base_url)}</baseURL>"
            f"<protocolVersion>2.0</protocolVersion><adminEmail>{_text(repository.admin_email)}</adminEmail>"
            f"<earliestDatestamp>{earliest}</earliestDatestamp><deletedRecord>persistent</deletedRecord>"
            "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity><description>"
            '<oai-identifier xmlns="http://www.openarchives.org/OAI/2.0/oai-identifier" xsi:schemaLocation='
            '"http://www.openarchives.org/OAI/2.0/oai-identifier http://www.openarchives.org/OAI/2.0/oai-identifier.xsd">'
            f"<scheme>oai</scheme><repositoryIdentifier>{_text(repository.repository_id)}</repositoryIdentifier>"
            f"<delimiter>:</delimiter><sampleIdentifier>{_text(sample)}</sampleIdentifier></oai-identifier></description>"
        )

    def _list_sets(self, arguments: dict[str, str]) -> str:
        if "resumptionToken" in arguments:
            raise OaiError("badResumptionToken", "the list of sets is one page")
        return "".join(
            f"<set><setSpec>{_text(spec)}</setSpec><setName>{_text(name)}</setName></set>"
            for spec, name in self._sets.listed()
        )

    def _formats(self, arguments: dict[str, str]) -> str:
        if "identifier" in arguments:
            self._touch(arguments["identifier"])
        return "".join(
            f"<metadataFormat><metadataPrefix>{prefix}</metadataPrefix><schema>{schema}</schema>"
            f"<metadataNamespace>{namespace}</metadataNamespace></metadataFormat>"
            for prefix, (schema, namespace) in FORMATS.items()
        )

    def _get_record(self, arguments: dict[str, str]) -> str:
        touch = self._touch(arguments["identifier"])
        _check_format(arguments["metadataPrefix"])
        document = self._catalogue.documents([touch.cluster]).get(touch.cluster)
        return self._record(touch, document, arguments["metadataPrefix"])

    def _touch(self, identifier: str) -> Touch:
        prefix = f"oai:{self._repository.repository_id}:"
        cluster = identifier.removeprefix(prefix)
        touch = self._catalogue.touch(cluster) if cluster and identifier.startswith(prefix) else None
        if touch is None:
            raise OaiError("idDoesNotExist", "no such identifier")
        return touch

    # ---- lists ---------------------------------------------------------------------------------------

    def _list(self, arguments: dict[str, str], with_records: bool) -> str:
        wanted = self._range(arguments)
        self.horizon = wanted.horizon
        rows, last = self._page(wanted)
        if not rows and not wanted.cursor:
            raise OaiError("noRecordsMatch", "nothing matches")
        parts = [
            self._record(touch, document, wanted.prefix) if with_records else self._header(touch, document is None)
            for touch, document in rows
        ]
        token = ""
        if last:
            token = write_token(wanted._replace(after=last, cursor=wanted.cursor + len(rows)), self._repository.secret)
        if token or wanted.cursor:
            parts.append(f'<resumptionToken cursor="{wanted.cursor}">{token}</resumptionToken>')
        return "".join(parts)

    def _range(self, arguments: dict[str, str]) -> Range:
        epoch = self._catalogue.epoch
        if "resumptionToken" in arguments:
            wanted = read_token(arguments["resumptionToken"], arguments["verb"], self._repository.secret)
            if wanted.epoch != epoch:
                raise OaiError("badResumptionToken", "the catalogue was restored since; start again")
            return wanted
        wanted = read_range(arguments, self.horizon, epoch)
        _check_format(wanted.prefix)
        if wanted.set_spec and not self._sets.exists(wanted.set_spec):
            raise OaiError("noRecordsMatch", "no such set")
        if wanted.since > self.horizon:
            raise OaiError("noRecordsMatch", "nothing has changed since")
        return wanted

    def _page(self, wanted: Range) -> tuple[list[tuple[Touch, ClusterDocument | None]], int]:
        """The rows of a page, and the change after which the next one begins (0: there is none)."""
        rows: list[tuple[Touch, ClusterDocument | None]] = []
        partner, material = self._sets.filters(wanted.set_spec)
        size, after = self._repository.page_size, wanted.after
        for scanned in count(1):
            found = self._catalogue.touched(wanted.since, wanted.until, partner, material, after, size + 1)
            room = size - len(rows)
            taken = found[:room]
            documents = self._catalogue.documents([touch.cluster for touch in taken if not touch.deleted])
            for touch in taken:
                inside = self._sets.holds(touch, wanted.set_spec)
                if inside or self._sets.held(touch, wanted.set_spec):
                    rows.append((touch, documents.get(touch.cluster) if inside else None))
            if len(found) <= len(taken):
                return rows, 0
            after = taken[-1].seq if taken else after
            if len(rows) >= size or (rows and scanned >= SCAN_LIMIT):  # a page is never empty
                break
        return rows, after

    def _record(self, touch: Touch, document: ClusterDocument | None, prefix: str) -> str:
        header = self._header(touch, document is None)
        if document is None:
            return f"<record>{header}</record>"
        if prefix == "marc21":
            told = Marc(institutions(self._catalogue.partners()), document.changed, document.linked)
            marc = self._repository.marc(document.union, document.cluster, told)
            metadata = marcxml_write.write(marc)
        else:
            metadata = dublin_core.write(document.union.record)
        return f"<record>{header}<metadata>{metadata}</metadata></record>"

    def _header(self, touch: Touch, deleted: bool) -> str:
        sets = "".join(f"<setSpec>{_text(spec)}</setSpec>" for spec in self._sets.of(touch))
        status = ' status="deleted"' if deleted else ""
        identifier = f"oai:{self._repository.repository_id}:{touch.cluster}"
        return (
            f"<header{status}><identifier>{_text(identifier)}</identifier>"
            f"<datestamp>{touch.at[:19]}Z</datestamp>{sets}</header>"
        )


def _check_format(prefix: str) -> None:
    if prefix not in FORMATS:
        raise OaiError("cannotDisseminateFormat", f"known: {', '.join(FORMATS)}")


def _text(text: str) -> str:
    return escape(ILLEGAL.sub("", text))


__all__ = ["FORMATS", "MATERIALS", "Repository", "respond"]
