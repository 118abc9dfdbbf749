"""OAI-PMH requests: which arguments a verb takes, date ranges, and resumption tokens that carry everything, signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

_LIST = (frozenset(("metadataPrefix",)), frozenset(("from", "until", "set")))
VERBS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {  # required, optional
    "Identify": (frozenset(), frozenset()),
    "ListSets": (frozenset(), frozenset()),
    "ListMetadataFormats": (frozenset(), frozenset(("identifier",))),
    "GetRecord": (frozenset(("identifier", "metadataPrefix")), frozenset()),
    "ListIdentifiers": _LIST,
    "ListRecords": _LIST,
}
RESUMABLE = frozenset(("ListSets", "ListIdentifiers", "ListRecords"))
MAX_ARGUMENT = 2_000
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SIGNATURE = 16


class OaiError(Exception):
    """One or more error conditions of the protocol."""

    def __init__(self, code: str, text: str, *more: tuple[str, str]) -> None:
        self.errors = ((code, text), *more)
        super().__init__(code, text)


class Range(NamedTuple):
    """What a list request wants; all of it travels in the resumption token."""

    verb: str
    prefix: str
    set_spec: str
    since: str
    until: str
    horizon: str
    epoch: str
    after: int = 0
    cursor: int = 0


def stamp(moment: datetime) -> str:
    """*moment* (UTC) in seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def argument_errors(parameters: Sequence[tuple[str, str]]) -> None:
    """Check verb and arguments.

    Raises:
        OaiError: badVerb or badArgument; every wrong argument is named.
    """
    verbs = [value for name, value in parameters if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in VERBS:
        raise OaiError("badVerb", "verb is missing, repeated or unknown")
    verb = verbs[0]
    required, optional = VERBS[verb]
    names = [name for name, _ in parameters if name != "verb"]
    problems = [f"{name[:50]} is repeated" for name in sorted(set(names)) if names.count(name) > 1]
    if "resumptionToken" in names and verb in RESUMABLE:
        problems += [f"{name[:50]} with a resumptionToken" for name in names if name != "resumptionToken"]
    else:
        problems += [f"{name} is missing" for name in sorted(required - set(names))]
        problems += [f"{name[:50]} is unknown" for name in names if name not in required | optional]
    problems += [f"{name[:50]} is too long" for name, value in parameters if len(value) > MAX_ARGUMENT]
    if problems:
        first, *rest = problems
        raise OaiError("badArgument", first, *(("badArgument", one) for one in rest))


def read_range(arguments: Mapping[str, str], horizon: str, epoch: str) -> Range:
    """The range of a first request; `until` ends at *horizon* at the latest.

    Raises:
        OaiError: badArgument for a date that is none, for two granularities, or for from after until.
    """
    since, until = arguments.get("from", ""), arguments.get("until", "")
    for name, date in (("from", since), ("until", until)):
        if name in arguments and not _is_date(date):
            raise OaiError("badArgument", f"{name} is no UTC date")
    if since and until and len(since) != len(until):
        raise OaiError("badArgument", "from and until differ in granularity")
    if since and until and since > until:
        raise OaiError("badArgument", "from is later than until")
    first = since if len(since) != 10 else f"{since}T00:00:00Z"
    last = until if len(until) != 10 else f"{until}T23:59:59Z"
    last = min(last or horizon, horizon)
    prefix, spec = arguments["metadataPrefix"], arguments.get("set", "")
    return Range(arguments["verb"], prefix, spec, first, last, horizon, epoch)


def _is_date(text: str) -> bool:
    if not (_DAY.fullmatch(text) or _SECOND.fullmatch(text)):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def write_token(wanted: Range, secret: bytes) -> str:
    """The resumption token that leads on to *wanted*."""
    body = msgspec.json.encode(list(wanted))
    return base64.urlsafe_b64encode(_sign(body, secret) + body).decode().rstrip("=")


def read_token(token: str, verb: str, secret: bytes) -> Range:
    """What *token* asks for.

    Raises:
        OaiError: badResumptionToken, if it is not ours, not whole or of another verb.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    signature, body = raw[:_SIGNATURE], raw[_SIGNATURE:]
    if not body or not hmac.compare_digest(signature, _sign(body, secret)):
        raise OaiError("badResumptionToken", "not a token of this repository")
    wanted = Range(*msgspec.json.decode(body))
    if wanted.verb != verb:
        raise OaiError("badResumptionToken", "the token belongs to another verb")
    return wanted


def _sign(body: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, b"oai-token\0" + body, hashlib.sha256).digest()[:_SIGNATURE]
