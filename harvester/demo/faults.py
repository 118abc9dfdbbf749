"""A script of faults: which request goes wrong, how, and how often.

`page=3:truncate@0.5, page=4:503*2, request=1:delay@0.2, verb=Identify:html, page=2:503;retry-after=1`

Where: `page=N` is the N-th page of a list (a repeated request for it is the same page), `request=N` the N-th request
to this partner, `verb=V` any request with that verb, `any` every one. How often: once; `*2` twice; `*` for ever.
A status code is sent instead of the page; the other faults are the functions of this file.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import msgspec

from harvester.errors import ConfigError

FAULT = re.compile(
    r"(?P<where>any|page=\d+|request=\d+|verb=\w+):(?P<kind>[\w-]+)(?:@(?P<amount>[\d.]+))?"
    r"(?:;retry-after=(?P<retry_after>[^*]+?))?(?P<times>\*\d*)?"
)
FOR_EVER = 10**9
HTML = (
    b"<!DOCTYPE html><html><head><title>Sedang dalam pemeliharaan</title></head>"
    b"<body><h1>Mohon maaf</h1><p>Situs sedang dalam perbaikan. <br>Silakan kembali lagi.</body></html>"
)


class Answer(msgspec.Struct, frozen=True):
    """What goes over the wire. `cut` is how many bytes of the body are really sent; None means all."""

    body: bytes
    status: int = 200
    content_type: str = "text/xml; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    delay: float = 0.0


class Fault(msgspec.Struct, frozen=True):
    """One clause of the script."""

    where: str
    kind: str
    amount: float | None = None
    times: int = 1
    retry_after: str = ""

    def hits(self, page: int, request: int, verb: str) -> bool:
        """Whether the clause speaks of this request."""
        return self.where in ("any", f"page={page}" if page else "", f"request={request}", f"verb={verb}")


class Faults:
    """The clauses of one partner, and how often each has struck."""

    def __init__(self, script: str = "") -> None:
        self.clauses = parse(script)
        self._struck = [0] * len(self.clauses)
        self._lock = threading.Lock()

    def strike(self, page: int, request: int, verb: str) -> Fault | None:
        """The first clause that is due for this request, counted; None when all is well."""
        with self._lock:
            for index, clause in enumerate(self.clauses):
                if clause.hits(page, request, verb) and self._struck[index] < clause.times:
                    self._struck[index] += 1
                    return clause
        return None


def parse(script: str) -> list[Fault]:
    """The clauses of *script*.

    Raises:
        ConfigError: a clause that is not understood; the message names the known faults.
    """
    return [_clause(text.strip()) for text in script.split(",") if text.strip()]


def apply(fault: Fault, answer: Answer) -> Answer:
    """*answer* as the fault leaves it."""
    if fault.kind.isdecimal():
        headers = (("Retry-After", fault.retry_after),) if fault.retry_after else ()
        return Answer(b"try again", int(fault.kind), "text/plain", headers)
    return KINDS[fault.kind](answer, fault.amount)


def _clause(text: str) -> Fault:
    match = FAULT.fullmatch(text)
    if match is None or not (match["kind"] in KINDS or re.fullmatch(r"[1-5]\d\d", match["kind"])):
        raise ConfigError(f"fault {text!r} is not understood", hint="known: a status code, " + ", ".join(sorted(KINDS)))
    times = match["times"]
    return Fault(
        match["where"],
        match["kind"],
        float(match["amount"]) if match["amount"] else None,
        1 if times is None else int(times[1:] or FOR_EVER),
        match["retry_after"] or "",
    )


# ---- the faults ------------------------------------------------------------------------------------


def _with(answer: Answer, body: bytes) -> Answer:
    return msgspec.structs.replace(answer, body=body)


def _position(body: bytes, amount: float | None) -> int:
    """*amount* as a share of the body up to 1, as a byte offset above; the middle when None."""
    share = 0.5 if amount is None else amount
    return int(len(body) * share) if share <= 1 else min(int(share), len(body))


def truncate(answer: Answer, amount: float | None) -> Answer:
    """A whole HTTP answer whose body was cut: the length header agrees with the short body."""
    return _with(answer, answer.body[: _position(answer.body, amount)])


def drop(answer: Answer, amount: float | None) -> Answer:
    """The connection closes in the middle of the body; at 0 before any byte of the answer."""
    return msgspec.structs.replace(answer, cut=_position(answer.body, amount))


def delay(answer: Answer, amount: float | None) -> Answer:
    """The answer comes *amount* seconds late (1 by default)."""
    return msgspec.structs.replace(answer, delay=1.0 if amount is None else amount)


def html(answer: Answer, amount: float | None) -> Answer:
    """A maintenance page with status 200."""
    return Answer(HTML, content_type="text/html; charset=utf-8")


def ampersand(answer: Answer, amount: float | None) -> Answer:
    """A raw & in the first title of the page: no XML."""
    return _with(answer, _in_title(answer.body, b" & Co"))


def bad_utf8(answer: Answer, amount: float | None) -> Answer:
    """Latin-1 bytes under a UTF-8 declaration."""
    return _with(answer, _in_title(answer.body, b" caf\xe9"))


def control(answer: Answer, amount: float | None) -> Answer:
    """A control character that XML 1.0 forbids."""
    return _with(answer, _in_title(answer.body, b"\x0b"))


def notice(answer: Answer, amount: float | None) -> Answer:
    """A PHP notice before the XML declaration."""
    return _with(answer, b"<br />\n<b>Notice</b>: Undefined index: set in oai.php on line 88<br />\n" + answer.body)


def trailing(answer: Answer, amount: float | None) -> Answer:
    """A PHP warning after the end of the document."""
    return _with(answer, answer.body + b"<br />\n<b>Warning</b>: mysqli_close() in oai.php on line 401\n")


def expired(answer: Answer, amount: float | None) -> Answer:
    """badResumptionToken instead of the page."""
    return _with(answer, _with_error(answer.body, "badResumptionToken", "the token has expired"))


def no_records(answer: Answer, amount: float | None) -> Answer:
    """noRecordsMatch instead of the page, in the middle of a list."""
    return _with(answer, _with_error(answer.body, "noRecordsMatch", "nothing matches"))


def no_token(answer: Answer, amount: float | None) -> Answer:
    """The page without its resumption token: the list seems to end."""
    return _with(answer, TOKEN.sub(b"", answer.body))


def empty(answer: Answer, amount: float | None) -> Answer:
    """A page without records that still has its token."""
    return _with(answer, re.sub(rb"<record>.*</record>", b"", answer.body, flags=re.DOTALL))


def no_namespace(answer: Answer, amount: float | None) -> Answer:
    """The root element without the namespace of OAI-PMH."""
    return _with(answer, answer.body.replace(b' xmlns="http://www.openarchives.org/OAI/2.0/"', b"", 1))


def doctype(answer: Answer, amount: float | None) -> Answer:
    """An entity bomb in a DOCTYPE."""
    bomb = b'<!DOCTYPE OAI-PMH [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    return _with(answer, answer.body.replace(b"<OAI-PMH", bomb + b"<OAI-PMH", 1))


def repeat_token(answer: Answer, amount: float | None) -> Answer:
    """The same page and token for ever: the simulator answers with the token that it was asked for."""
    return answer


TOKEN = re.compile(rb"<resumptionToken[^>]*>[^<]*</resumptionToken>|<resumptionToken[^>]*/>")
TITLE = re.compile(rb"(<dc:title>|tag=\"245\".*?code=\"a\">)", re.DOTALL)


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


KINDS: dict[str, Callable[[Answer, float | None], Answer]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        truncate,
        drop,
        delay,
        html,
        ampersand,
        bad_utf8,
        control,
        notice,
        trailing,
        expired,
        no_records,
        no_token,
        empty,
        no_namespace,
        doctype,
        repeat_token,
    )
}
