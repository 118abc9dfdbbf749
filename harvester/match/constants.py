"""What nearly every record of a source says alike: its system may have written it, so it is no evidence for a pair.

The value stays on the record and is shown. Only matching passes it over: it neither speaks for a pair nor against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Coded(Protocol):
    """What carries the fields that may be constant: a normalized record, or that part of one."""

    @property
    def material(self) -> str: ...
    @property
    def carrier_form(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def languages(self) -> tuple[str, ...]: ...
    @property
    def country(self) -> str: ...


Constants = Mapping[str, str]  # field → the value that counts for nothing
NONE: Constants = {}
# Codes that software fills in by itself, out of leader, 006, 007, 008 or dc:type, dc:format and dc:language.
FIELDS: Mapping[str, Callable[[Coded], str]] = {
    "material": lambda one: one.material,
    "carrier_form": lambda one: one.carrier_form,
    "level": lambda one: one.level,
    "languages": lambda one: " ".join(one.languages),
    "country": lambda one: one.country,
}
# What the profile says of such a field. A class still chooses what is compared: theses stay as careful as theses are.
# A form and a language are kept: print and online, or a text and its translation, are not put together on the word of a
# system, nor parted as if somebody knew.
_SILENT: Mapping[str, Mapping[str, Any]] = {
    "material": {"assumed": True},
    "carrier_form": {"form_assumed": True},
    "level": {"level": ""},
    "languages": {"language_assumed": True},
    "country": {"country": ""},
}


def silenced(record: Coded, constants: Constants) -> dict[str, Any]:
    """The attributes of the profile in which *record* says only what its whole source says, with what stands there."""
    changes: dict[str, Any] = {}
    for name, value in constants.items():
        if FIELDS[name](record) == value:
            changes |= _SILENT[name]
    return changes
