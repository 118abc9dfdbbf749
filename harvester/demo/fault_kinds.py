"""The faults that a script can name: each takes the answer as it should be and gives it as it goes over the wire.

The function's name with hyphens is its name in the script; `amount` is the number behind the @.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable

import msgspec

HTML = (
    b"<!DOCTYPE html><html><head><title>Sedang dalam pemeliharaan</title></head>"
    b"<body><h1>Mohon maaf</h1><p>Situs sedang dalam perbaikan. <br>Silakan kembali lagi.</body></html>"
)
TOKEN = re.compile(rb"<resumptionToken[^>]*>[^<]*</resumptionToken>|<resumptionToken[^>]*/>")
TITLE = re.compile(rb"(<dc:title>|tag=\"245\".*?code=\"a\">)", re.DOTALL)
RECORD = re.compile(rb"<record><header.*?</record>(?=\n<record><header|\n<|<resumptionToken)", re.DOTALL)
BOMB = 60_000_000


class Answer(msgspec.Struct, frozen=True):
    """What goes over the wire. `cut` is how many bytes of the body are really sent; None means all.

    `delay` is in seconds, `drip` in bytes a second (0: as fast as it goes).
    """

    body: bytes
    status: int = 200
    content_type: str = "text/xml; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    delay: float = 0.0
    drip: float = 0.0


Kind = Callable[[Answer, float | None], Answer]
KINDS: dict[str, Kind] = {}


def kind(function: Kind) -> Kind:
    """Make *function* a fault that scripts can name."""
    KINDS[function.__name__.replace("_", "-")] = function
    return function


def _with(answer: Answer, body: bytes) -> Answer:
    return msgspec.structs.replace(answer, body=body)


def _position(body: bytes, amount: float | None) -> int:
    """*amount* as a share of the body up to 1, as a byte offset above; the middle when None."""
    share = 0.5 if amount is None else amount
    return int(len(body) * share) if share <= 1 else min(int(share), len(body))


@kind
def truncate(answer: Answer, amount: float | None) -> Answer:
    """A whole HTTP answer whose body was cut: the length header agrees with the short body."""
    return _with(answer, answer.body[: _position(answer.body, amount)])


@kind
def drop(answer: Answer, amount: float | None) -> Answer:
    """The connection closes in the middle of the body; at 0 before any byte of the answer."""
    return msgspec.structs.replace(answer, cut=_position(answer.body, amount))


@kind
def delay(answer: Answer, amount: float | None) -> Answer:
    """The answer comes *amount* seconds late (1 by default)."""
    return msgspec.structs.replace(answer, delay=1.0 if amount is None else amount)


@kind
def html(answer: Answer, amount: float | None) -> Answer:
    """A maintenance page with status 200."""
    return Answer(HTML, content_type="text/html; charset=utf-8")


@kind
def ampersand(answer: Answer, amount: float | None) -> Answer:
    """A raw & in the first title of the page: no XML."""
    return _with(answer, _in_title(answer.body, b" & Co"))


@kind
def bad_utf8(answer: Answer, amount: float | None) -> Answer:
    """Latin-1 bytes under a UTF-8 declaration."""
    return _with(answer, _in_title(answer.body, b" caf\xe9"))


@kind
def control(answer: Answer, amount: float | None) -> Answer:
    """A control character that XML 1.0 forbids."""
    return _with(answer, _in_title(answer.body, b"\x0b"))


@kind
def notice(answer: Answer, amount: float | None) -> Answer:
    """A PHP notice before the XML declaration."""
    return _with(answer, b"<br />\n<b>Notice</b>: Undefined index: set in oai.php on line 88<br />\n" + answer.body)


@kind
def trailing(answer: Answer, amount: float | None) -> Answer:
    """A PHP warning after the end of the document."""
    return _with(answer, answer.body + b"<br />\n<b>Warning</b>: mysqli_close() in oai.php on line 401\n")


@kind
def expired(answer: Answer, amount: float | None) -> Answer:
    """badResumptionToken instead of the page."""
    return _with(answer, _with_error(answer.body, "badResumptionToken", "the token has expired"))


@kind
def no_records(answer: Answer, amount: float | None) -> Answer:
    """noRecordsMatch instead of the page, in the middle of a list."""
    return _with(answer, _with_error(answer.body, "noRecordsMatch", "nothing matches"))


@kind
def no_token(answer: Answer, amount: float | None) -> Answer:
    """The page without its resumption token: the list seems to end."""
    return _with(answer, TOKEN.sub(b"", answer.body))


@kind
def empty(answer: Answer, amount: float | None) -> Answer:
    """A page without records that still has its token."""
    return _with(answer, re.sub(rb"<record>.*</record>", b"", answer.body, flags=re.DOTALL))


@kind
def no_namespace(answer: Answer, amount: float | None) -> Answer:
    """The root element without the namespace of OAI-PMH."""
    return _with(answer, answer.body.replace(b' xmlns="http://www.openarchives.org/OAI/2.0/"', b"", 1))


@kind
def doctype(answer: Answer, amount: float | None) -> Answer:
    """An entity bomb in a DOCTYPE."""
    bomb = b'<!DOCTYPE OAI-PMH [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    return _with(answer, answer.body.replace(b"<OAI-PMH", bomb + b"<OAI-PMH", 1))


@kind
def repeat_token(answer: Answer, amount: float | None) -> Answer:
    """The same page and token for ever: the simulator answers with the token that it was asked for."""
    return answer


@kind
def drip(answer: Answer, amount: float | None) -> Answer:
    """The body comes *amount* bytes a second (1,000 by default)."""
    return msgspec.structs.replace(answer, drip=amount or 1000.0)


@kind
def zipped(answer: Answer, amount: float | None) -> Answer:
    """The body compressed and announced as gzip: nothing wrong."""
    return _encoded(answer, gzip.compress(answer.body))


@kind
def zipped_silently(answer: Answer, amount: float | None) -> Answer:
    """The body compressed, which no header says."""
    return _with(answer, gzip.compress(answer.body))


@kind
def zipped_badly(answer: Answer, amount: float | None) -> Answer:
    """Announced as gzip, cut in the middle."""
    whole = gzip.compress(answer.body)
    return _encoded(answer, whole[: len(whole) // 2])


@kind
def bomb(answer: Answer, amount: float | None) -> Answer:
    """A few kilobytes that unpack to 60 megabytes of blanks."""
    return _encoded(answer, gzip.compress(b" " * BOMB, compresslevel=9))


@kind
def redirect_away(answer: Answer, amount: float | None) -> Answer:
    """Moved permanently to another host."""
    return Answer(b"", 301, headers=(("Location", "http://portal.example.org/oai"),))


@kind
def redirect_loop(answer: Answer, amount: float | None) -> Answer:
    """Found at the same address again; use it with `*`."""
    return Answer(b"", 302, headers=(("Location", "?verb=Identify"),))


@kind
def odd_error(answer: Answer, amount: float | None) -> Answer:
    """Two errors, one of them of no known code."""
    body = _with_error(answer.body, "serverIsTired", "please ask tomorrow")
    return _with(answer, body.replace(b"</error>", b'</error><error code="badArgument">and differently</error>'))


@kind
def no_header(answer: Answer, amount: float | None) -> Answer:
    """The first record of the page without its header."""
    return _with(answer, re.sub(rb"<header>.*?</header>", b"", answer.body, count=1, flags=re.DOTALL))


@kind
def no_metadata(answer: Answer, amount: float | None) -> Answer:
    """The first record of the page without metadata, though it is not deleted."""
    return _with(answer, re.sub(rb"<metadata>.*?</metadata>", b"", answer.body, count=1, flags=re.DOTALL))


@kind
def twice(answer: Answer, amount: float | None) -> Answer:
    """The first record of the page stands there twice, the second time with another title."""
    found = RECORD.search(answer.body)
    if found is None:
        return answer
    again = _in_title(found[0], b"Lagi: ")
    return _with(answer, answer.body[: found.end()] + b"\n" + again + answer.body[found.end() :])


def set_token(body: bytes, token: str) -> bytes:
    """*body* with the text of its resumption token replaced."""
    return re.sub(
        rb"(<resumptionToken[^>]*>)[^<]*(</resumptionToken>)",
        lambda found: found[1] + token.encode() + found[2],
        body,
    )


def _in_title(body: bytes, extra: bytes) -> bytes:
    return TITLE.sub(lambda found: found[1] + extra, body, count=1)


def _with_error(body: bytes, code: str, message: str) -> bytes:
    error = f'<error code="{code}">{message}</error>'.encode()
    return re.sub(rb"<List(Records|Identifiers)>.*</List\1>", error, body, flags=re.DOTALL)


def _encoded(answer: Answer, body: bytes) -> Answer:
    return msgspec.structs.replace(answer, body=body, headers=(*answer.headers, ("Content-Encoding", "gzip")))
