"""A rule as it stands in a file, and how its mistakes are told."""

from __future__ import annotations

from typing import Any, NamedTuple

from harvester.normalize.field import Field
from harvester.normalize.problems import Problems
from harvester.registry import suggestion


class Raw(NamedTuple):
    """A rule as it stands in a file: its target, its body, and where (the file's problems and the YAML path)."""

    target: str
    body: Any
    problems: Problems
    path: tuple[str | int, ...]

    def blame(self, message: str, hint: str = "", *path: str | int) -> None:
        """Note a mistake at *path* under this rule."""
        self.problems.add((*self.path, *path), message, hint)


def blame_unknown_keys(raw: Raw, body: dict[str, Any], known: tuple[str, ...], *path: str | int) -> None:
    """Note every key of *body* that is not *known*."""
    for key in body:
        if key not in known:
            raw.blame(f"unknown key {key!r}", suggestion(str(key), list(known)), *path, key)


def name_of(item: Any) -> str:
    """A type in a cataloguer's words."""
    plain = {str: "text", int: "a number", bool: "true or false", Field: "a whole field", None: "nothing"}
    return plain.get(item) or str(getattr(item, "__name__", item))
