"""What a rule may fill: the fields of NormalizedRecord and of the nouns in it, read from model.py itself."""

from __future__ import annotations

import types
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from harvester.model import NormalizedRecord


class Target(NamedTuple):
    """A place in the record: `field`, and `part` when it is one value of a noun (title.proper).

    kind: one (the first value wins) or many (values are added); item: the type of one value.
    """

    name: str
    field: str
    part: str
    kind: Literal["one", "many"]
    item: Any


def _shape(hint: Any) -> tuple[Literal["one", "many"], Any]:
    if get_origin(hint) is tuple:
        arguments = get_args(hint)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return "many", arguments[0]
    if get_origin(hint) in (Union, types.UnionType):
        return "one", next(item for item in get_args(hint) if item is not type(None))
    if get_origin(hint) is Literal:
        return "one", str
    return "one", hint


def parts_of(noun: Any) -> dict[str, tuple[Literal["one", "many"], Any]]:
    """Attribute → (kind, item type) of a noun of model.py."""
    return {name: _shape(hint) for name, hint in get_type_hints(noun).items() if not name.startswith("__")}


def is_noun(item: Any) -> bool:
    """Whether *item* is a struct of model.py and not a plain value."""
    return isinstance(item, type) and issubclass(item, msgspec.Struct)


def _targets() -> dict[str, Target]:
    found = {}
    for name, (kind, item) in parts_of(NormalizedRecord).items():
        found[name] = Target(name, name, "", kind, item)
        if kind == "one" and is_noun(item):
            for part, (inner, inner_item) in parts_of(item).items():
                found[f"{name}.{part}"] = Target(f"{name}.{part}", name, part, inner, inner_item)
    return found


TARGETS = _targets()
