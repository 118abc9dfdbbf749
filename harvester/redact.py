"""The one place where secrets are taken out of texts: before they reach a message, a log line or a page."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
_SHORTEST = 3  # a shorter "secret" would mask every text it happens to occur in

_ADDRESS = re.compile(r"(\w+://)(?:[^@/?#]*@)?([^/?#]*)(.*)")
_USERINFO = re.compile(r"(?<=://)[^\s/?#@'\"<>]+@")
_KEYS = (
    "api[_-]?key|apikey|access[_-]?key|access[_-]?token|auth|auth[_-]?token|token|key|client[_-]?secret|secret|"
    "pass|passwd|password|pwd|sid|session|phpsessid|jsessionid|signature|sig"
)
_QUERY = re.compile(rf"(?i)(?<![a-z0-9_-])({_KEYS})(=|%3d)[^&\s'\"<>;]+")
_HEADER = re.compile(r"(?i)\b(basic|bearer)\s+[a-z0-9+/_.=~-]{6,}")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """*text* without the given secrets (as they are, URL-quoted or in Base64), user info and keys of URLs."""
    for form in sorted(_forms(secrets), key=len, reverse=True):
        text = text.replace(form, MASK)
    text = _USERINFO.sub(f"{MASK}@", text)
    text = _QUERY.sub(rf"\1\2{MASK}", text)
    return _HEADER.sub(rf"\1 {MASK}", text)


def host_only(url: str) -> str:
    """*url* without what follows its host: the path and query of a webhook are its key.

    >>> host_only("https://hooks.example.org/services/T0/B1?key=x")
    'https://hooks.example.org/***'
    """
    found = _ADDRESS.match(url)
    return f"{found[1]}{found[2]}{'/' + MASK if found[3] else ''}" if found else (url and MASK)


def _forms(secrets: Iterable[str]) -> set[str]:
    plain = {secret for secret in secrets if len(secret) >= _SHORTEST}
    quoted = {form(secret) for secret in plain for form in (quote, quote_plus, _quote_all)}
    return plain | quoted | {base64.b64encode(secret.encode()).decode() for secret in plain}


def _quote_all(text: str) -> str:
    return quote(text, safe="")
