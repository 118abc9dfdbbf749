"""The error tree. An error says who acts, and where.

IndukError
├── ConfigError            the operator: a setting, mapping or rule file is wrong; nothing was started
│   └── UsageError         the operator: the command line is wrong
├── Locked                 nobody: another process does it already; try later (exit 75)
├── IntegrityError         the operator: the catalogue contradicts itself; stop and look (exit 4)
├── Halted                 a person must decide (exit 3)
├── SourceError            the partner: this harvest stops, the others go on
│   ├── SourceUnavailable  worth another try: network, 5xx, time-out, Retry-After
│   │   ├── Blocked        an answer that is no protocol answer: log-in, maintenance or bot-wall page
│   │   └── NothingYet     nobody: what is to be read is still being written; the next harvest reads it
│   ├── ProtocolError      not worth another try: the answer breaks the protocol or refuses the request
│   │   └── TokenExpired   the resumption token is gone: the window starts again
│   └── Refused            a bound of ours was passed: bytes, ratio, time, redirects, address
├── OutputError            the operator: an output's far side does not accept; the position stays, publish tries again
└── RecordError            a cataloguer: this record is quarantined

`place` is `source/record`, `file:line` or `URL` (without secrets) and stands first in the message.
"""

from __future__ import annotations


class IndukError(Exception):
    """Base of every error that Induk raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, place: str = "", hint: str = "") -> None:
        self.message = message
        self.place = place
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text} ({self.hint})" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.__dict__))


def _rebuild(cls: type[IndukError], message: str, state: dict[str, object]) -> IndukError:
    error = cls(message)
    error.__dict__.update(state)
    return error


class ConfigError(IndukError):
    """A configuration, mapping or rule file is wrong; carries every mistake at once in `problems`."""

    exit_code = 2

    def __init__(self, message: str, *, place: str = "", hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, place=place, hint=hint)
        self.problems = problems or (str(self),)


class UsageError(ConfigError):
    """The command line asks for something that cannot be done."""


class Locked(IndukError):
    """Another process holds the lock."""

    exit_code = 75


class IntegrityError(IndukError):
    """The database contradicts itself."""

    exit_code = 4


class Halted(IndukError):
    """A guard stopped the work until a person decides."""

    exit_code = 3


class SourceError(IndukError):
    """The harvest of one source cannot go on."""


class SourceUnavailable(SourceError):
    """The source did not answer, or asked us to come back; `retry_after` is in seconds."""

    def __init__(self, message: str, *, place: str = "", hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, place=place, hint=hint)
        self.retry_after = retry_after


class Blocked(SourceUnavailable):
    """Something that is not the source answered: a log-in, maintenance, WAF or captive-portal page."""


class NothingYet(SourceUnavailable):
    """There is nothing to read yet, and nothing is wrong."""


class ProtocolError(SourceError):
    """The answer breaks the protocol; `code` is the protocol's own error code if it gave one."""

    def __init__(self, message: str, *, place: str = "", hint: str = "", code: str = "") -> None:
        super().__init__(message, place=place, hint=hint)
        self.code = code


class TokenExpired(ProtocolError):
    """badResumptionToken: the window starts again."""


class Refused(SourceError):
    """The answer passed one of our bounds."""


class OutputError(IndukError):
    """The far side of an output (index, disk) does not answer or refuses everything; nothing was lost."""


class RecordError(IndukError):
    """One record cannot be used; `reason` is the quarantine code, `stage` where it happened."""

    def __init__(self, message: str, *, reason: str, stage: str = "parse", place: str = "", hint: str = "") -> None:
        super().__init__(message, place=place, hint=hint)
        self.reason = reason
        self.stage = stage
