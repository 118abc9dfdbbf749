"""The options that SRU and Z39.50 share: which indexes to slice by, and how large slices may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harvester.errors import ConfigError
from harvester.sources.slicing import Axis, Bounds


def whole(options: Mapping[str, Any], name: str, default: int | None, place: str) -> int | None:
    """The option *name* as a number above 0.

    Raises:
        ConfigError: it is something else.
    """
    value = options.get(name, default)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ConfigError(f"{name} must be a number above 0", place=place)
    return value


def bounds(options: Mapping[str, Any], place: str) -> Bounds:
    """`max_records` (what the server gives of one search), `slice_size` and `searches` of the options."""
    default = Bounds()
    return Bounds(
        whole(options, "max_records", None, place),
        whole(options, "slice_size", default.wanted, place) or default.wanted,
        whole(options, "searches", default.searches, place) or default.searches,
    )


def index_options(
    options: Mapping[str, Any], known: Mapping[str, str], key: str, place: str
) -> dict[str, Mapping[str, Any]]:
    """The indexes by name, those of *options* over the *known* ones; a bare text is the value of *key*."""
    given = options.get("indexes", {})
    if not isinstance(given, Mapping):
        raise ConfigError("indexes must be a mapping", place=place)
    merged = {**known, **given}
    found = {str(name): entry if isinstance(entry, Mapping) else {key: entry} for name, entry in merged.items()}
    missing = [name for name, entry in found.items() if not entry.get(key)]
    if missing:
        raise ConfigError(f"index {missing[0]!r} has no {key}", place=place)
    return found


def axes(options: Mapping[str, Any], indexes: Mapping[str, Mapping[str, Any]], place: str) -> tuple[Axis, ...]:
    """The axes that `slicing` names (date, then identifier, by default), in order."""
    names = options.get("slicing", ["date", "identifier"])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError("slicing must be a list of index names", place=place, hint="[] reads everything at once")
    unknown = [name for name in names if name not in indexes]
    if unknown:
        raise ConfigError(f"unknown index {unknown[0]!r}", place=place, hint="known: " + ", ".join(sorted(indexes)))
    return tuple(_axis(name, indexes[name]) for name in names)


def _axis(name: str, entry: Mapping[str, Any]) -> Axis:
    values = entry.get("values") or []
    if values:
        return Axis(name, "list", values=tuple(str(value) for value in values))
    if entry.get("kind", name) == "date":
        return Axis(name, "date")
    return Axis(name, "text", str(entry.get("alphabet", "")))
