"""Secrets by reference: a file names where a secret stands, and only its user ever reads it.

`env:NAME` is an environment variable, `file:PATH` the first line of a file, `credential:NAME` a file that systemd
puts into $CREDENTIALS_DIRECTORY (LoadCredential=).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from harvester.errors import ConfigError

MAX_BYTES = 64_000
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+|credential:[A-Za-z0-9_.@-]+")


class Secret:
    """A reference to a secret; printing or comparing it never reads the secret."""

    __slots__ = ("reference",)

    def __init__(self, reference: str) -> None:
        if not is_reference(reference):
            # The wrong text is most likely the secret itself: it must not reach a terminal or a log.
            raise ValueError("a secret must be written as env:NAME, file:PATH or credential:NAME, never as itself")
        self.reference = reference

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reference == self.reference

    def __hash__(self) -> int:
        return hash(self.reference)

    def reveal(self, environ: Mapping[str, str]) -> Revealed:
        """The secret itself, read now.

        Raises:
            ConfigError: nothing stands there; the message names the place, never a value.
        """
        kind, _, name = self.reference.partition(":")
        if kind == "env":
            if not environ.get(name):
                raise ConfigError(f"environment variable {name} is not set", hint=f"needed for {self.reference}")
            return Revealed(environ[name])
        return Revealed(_first_line(self._path(kind, name, environ), self.reference))

    def _path(self, kind: str, name: str, environ: Mapping[str, str]) -> Path:
        if kind == "file":
            return Path(name)
        folder = environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            raise ConfigError(f"{self.reference} needs systemd's LoadCredential=, $CREDENTIALS_DIRECTORY is not set")
        return Path(folder) / name


class Revealed(str):
    """The text of a secret; its repr is redacted, so that structures that hold one can be logged."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def is_reference(text: str) -> bool:
    """True for env:NAME, file:PATH and credential:NAME."""
    return _REFERENCE.fullmatch(text) is not None and text != "credential:.."


def _first_line(path: Path, reference: str) -> str:
    try:
        with path.open("rb") as file:
            line = file.read(MAX_BYTES).decode("utf-8").splitlines()[:1]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{reference} cannot be read: {type(error).__name__}") from error
    if not line or not line[0].strip():
        raise ConfigError(f"{reference} is empty")
    return line[0].strip()
