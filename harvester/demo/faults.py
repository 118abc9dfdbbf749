"""A script of faults: which request goes wrong, how, and how often.

`page=3:truncate@0.5, page=4:503*2, request=1:delay@0.2, verb=Identify:html, page=2:503;retry-after=1`

Where: `page=N` is the N-th page of a list (a repeated request for it is the same page), `request=N` the N-th request
to this partner, `verb=V` any request with that verb, `any` every one. How often: once; `*2` twice; `*` for ever.
A status code is sent instead of the page, with `;retry-after=` seconds or `date+SECONDS` for an HTTP date; the other
faults are the functions of `fault_kinds.py`.
"""

from __future__ import annotations

import re
import threading
import time
from email.utils import formatdate

import msgspec

from harvester.demo.fault_kinds import KINDS, Answer
from harvester.errors import ConfigError

FAULT = re.compile(
    r"(?P<where>any|page=\d+|request=\d+|verb=\w+):(?P<kind>[\w-]+)(?:@(?P<amount>[\d.]+))?"
    r"(?:;retry-after=(?P<retry_after>[^*]+?))?(?P<times>\*\d*)?"
)
FOR_EVER = 10**9


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
        self._requests = 0
        self._lock = threading.Lock()

    def strike(self, page: int, verb: str) -> Fault | None:
        """The first clause that is due for the next request, counted; None when all is well."""
        with self._lock:
            self._requests += 1
            for index, clause in enumerate(self.clauses):
                if clause.hits(page, self._requests, verb) and self._struck[index] < clause.times:
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
        headers = (("Retry-After", _retry_after(fault.retry_after)),) if fault.retry_after else ()
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


def _retry_after(text: str) -> str:
    if text.startswith("date"):
        return formatdate(time.time() + float(text.removeprefix("date").removeprefix("+") or 1), usegmt=True)
    return text
