"""Log lines: one event each, as JSON or for a terminal, and the one point at which secrets are taken out.

`log("page_refused", source="ugm", record="oai:ugm:17", …)`: names are event codes, values are data. A record cannot
forge a line: JSON escapes line breaks, the plain form replaces whatever is not printable, and values are capped.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TextIO

import structlog

from harvester.errors import ConfigError
from harvester.redact import redact
from harvester.secret import Secret, is_reference
from harvester.settings import Settings

LEVELS = ("debug", "info", "warning", "error")
LONGEST = 2000  # characters of one value
_GRAVE = ("_failed", "_crashed", "_refused")


def make(level: str, form: str, secrets: Iterable[str] = (), stream: TextIO | None = None) -> Callable[..., None]:
    """What logs: `log(event, **values)`; `level=` may be given, else failures are errors and the rest is info."""
    out = stream or sys.stderr
    plain = form == "plain" or (form == "auto" and out.isatty())
    known = tuple(secrets)
    render: Any = _plain if plain else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    logger = structlog.wrap_logger(
        structlog.WriteLogger(out),
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            lambda _logger, _method, event: _clean(event, known),
            render,
        ],
    )
    lowest = LEVELS.index(level)

    def log(event: str, /, **values: Any) -> None:
        told = str(values.pop("level", "error" if event.endswith(_GRAVE) else "info"))
        if LEVELS.index(told) >= lowest:
            getattr(logger, told)(event, level=told, **values)

    return log


def _clean(event: Any, secrets: tuple[str, ...]) -> Any:
    """The redaction point: every text of the line, nested ones too, without secrets and no longer than LONGEST."""
    return {str(name): _value(value, secrets) for name, value in event.items()}


def _value(value: Any, secrets: tuple[str, ...]) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_value(str(name), secrets): _value(one, secrets) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(one, secrets) for one in value]
    text = redact(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value), secrets)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _plain(_logger: Any, _method: str, event: Any) -> str:
    head = f"{event.pop('timestamp', '')} {event.pop('level', ''):<7} {event.pop('event', '')}"
    text = " ".join([head, *(f"{name}={value}" for name, value in event.items())])
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def secrets_of(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Every secret that the settings name and that can be read now: what must never stand in a line."""
    references = [reference for source in settings.sources for _, reference in source.credentials]
    references += [one.reference for output in settings.outputs.values() for one in output.credentials.values()]
    references += [one.reference for one in (settings.mail.password, settings.web.session_secret) if one]
    references += [settings.database] if is_reference(settings.database) else []
    found: list[str] = []
    for reference in references:
        with suppress(ConfigError):  # one that is missing is the affair of whoever needs it
            found.append(str.__str__(Secret(reference).reveal(environ)))
    with suppress(ConfigError):
        from sqlalchemy.engine import make_url

        password = make_url(str.__str__(settings.database_url(environ))).password
        found += [str(password)] if password else []
    return found
