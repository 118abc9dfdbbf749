"""OAI-PMH answers written out, byte for byte as a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from tests.sources.scripted_server import Reply, Request, Script

OPEN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" '
    b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    b"<responseDate>2026-03-02T18:00:00Z</responseDate><request>http://x/oai</request>"
)
CLOSE = b"</OAI-PMH>"
TITLES = ("Laskar pelangi", "Bumi manusia", "Ronggeng Dukuh Paruk", "Saman", "Pulang", "Cantik itu luka")


def dublin_core(title: str) -> bytes:
    """An oai_dc record with one title, which is given as XML."""
    return (
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></oai_dc:dc>'
    ).encode()


def record(number: int, *, title: str = "", deleted: bool = False, datestamp: str | None = "2026-01-01") -> bytes:
    """Record oai:x:*number*; *title* is XML, *datestamp* None leaves the element out."""
    stamp = "" if datestamp is None else f"<datestamp>{datestamp}</datestamp>"
    status = ' status="deleted"' if deleted else ""
    header = f"<header{status}><identifier>oai:x:{number}</identifier>{stamp}</header>".encode()
    metadata = b"" if deleted else b"<metadata>" + dublin_core(title or TITLES[number % 6]) + b"</metadata>"
    return b"<record>" + header + metadata + b"</record>"


def token(text: str, *, size: int | None = None, cursor: int | None = None) -> bytes:
    """A resumptionToken element."""
    counts = {"completeListSize": size, "cursor": cursor}
    given = "".join(f" {name}={quoteattr(str(value))}" for name, value in counts.items() if value is not None)
    return f"<resumptionToken{given}>{escape(text)}</resumptionToken>".encode()


def listing(*parts: bytes, verb: str = "ListRecords") -> bytes:
    """A whole answer with a list of *parts*."""
    return OPEN + f"<{verb}>".encode() + b"".join(parts) + f"</{verb}>".encode() + CLOSE


def error(code: str, text: str = "") -> bytes:
    """A whole answer with one error."""
    return OPEN + f"<error code={quoteattr(code)}>{escape(text)}</error>".encode() + CLOSE


def identify(
    *, name: str = "Perpustakaan Uji", granularity: str = "YYYY-MM-DDThh:mm:ssZ", earliest: str = "2001-01-01"
) -> bytes:
    """A whole answer to Identify."""
    return (
        OPEN
        + (
            f"<Identify><repositoryName>{name}</repositoryName><baseURL>http://x/oai</baseURL>"
            "<protocolVersion>2.0</protocolVersion><adminEmail>pustakawan@x.example</adminEmail>"
            f"<earliestDatestamp>{earliest}</earliestDatestamp><deletedRecord>persistent</deletedRecord>"
            f"<granularity>{granularity}</granularity></Identify>"
        ).encode()
        + CLOSE
    )


def in_pages(total: int, page_size: int, *, size: bool = True) -> list[bytes]:
    """The pages of a list of *total* records; the tokens are t1, t2 …"""
    starts = range(0, total, page_size)
    pages = []
    for page, start in enumerate(starts, 1):
        records = [record(number) for number in range(start, min(total, start + page_size))]
        last = page == len(starts)
        told = total if size else None
        more = b"" if last and not told else token("" if last else f"t{page}", size=told, cursor=start)
        pages.append(listing(*records, more))
    return pages


Answers = Mapping[str, bytes | Reply | Callable[[Request], bytes | Reply]]


def serve(pages: Sequence[bytes | Reply], **others: bytes | Reply | Callable[[Request], bytes | Reply]) -> Script:
    """Answers lists with *pages* (the page of token tN is number N), other verbs with *others* by their names."""
    answers: Answers = {"Identify": identify(), **others}

    def script(request: Request) -> Reply:
        arguments = request.arguments
        verb = arguments.get("verb", "")
        if verb in ("ListRecords", "ListIdentifiers") and verb not in answers:
            text = arguments.get("resumptionToken", "t0")
            known = text[1:].isdigit() and int(text[1:]) < len(pages)
            answer = pages[int(text[1:])] if known else error("badResumptionToken", text)
        else:
            answer = answers.get(verb, error("badVerb"))
        if callable(answer):
            answer = answer(request)
        return answer if isinstance(answer, Reply) else Reply(answer)

    return script


def each_time(*answers: bytes | Reply) -> Callable[[Request], bytes | Reply]:
    """The answers one after another, for one verb; the last one for ever."""
    asked = [0]

    def answer(request: Request) -> bytes | Reply:
        asked[0] += 1
        return answers[min(asked[0], len(answers)) - 1]

    return answer
