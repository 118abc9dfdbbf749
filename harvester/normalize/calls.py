"""One entry of `do:` → a compiled call: which function, with which arguments, fed how, giving what."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from harvester.normalize.field import Field
from harvester.normalize.functions import functions
from harvester.normalize.patterns import Pattern, pattern
from harvester.normalize.tables import Table
from harvester.registry import suggestion

Values = list[Any]
Fed = Literal["value", "values", "field", "noun", "named"]


class Signature(NamedTuple):
    """How a mapping function wants to be called; `takes` is the type of its first parameter."""

    fed: Fed
    takes: Any
    parameters: dict[str, inspect.Parameter]
    hints: dict[str, Any]
    many: bool
    gives: Any


class Call(NamedTuple):
    """A compiled entry: `apply` turns the values before it into the values after it."""

    name: str
    fed: Fed
    takes: Any
    gives: Any
    apply: Callable[[Values], Values]
    function: Callable[..., Any]
    named: dict[str, bool]  # of a function with named inputs: name → wants all values (else the first)
    one: Callable[[Any], Any] | None = None  # of a function that makes one value of one value: the bare function


class BadCall(ValueError):
    """A call that cannot be made; the message says why, `hint` what is known."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


@lru_cache(maxsize=512)
def signature_of(name: str) -> Signature:
    """The signature of the mapping function *name*, read from its annotations."""
    function = functions.get(name)
    hints = get_type_hints(function)
    gives = hints.pop("return")
    parameters = dict(inspect.signature(function).parameters)
    first = next(iter(parameters.values()))
    many = get_origin(gives) in (list, tuple) and gives != tuple[str, str]
    item = get_args(gives)[0] if many else next((a for a in get_args(gives) if a is not type(None)), gives)
    if get_origin(gives) is tuple and not many:
        item = gives
    if first.kind is inspect.Parameter.KEYWORD_ONLY:
        return Signature("named", None, parameters, hints, many, item)
    takes = hints[first.name]
    del parameters[first.name]
    fed: Fed = "noun"
    if takes is str:
        fed = "value"
    elif get_origin(takes) is list:
        fed, takes = "values", get_args(takes)[0]
    elif takes is Field:
        fed = "field"
    return Signature(fed, takes, parameters, hints, many, item)


def compile_call(entry: Any, table: Callable[[str], Table]) -> Call:
    """The call of one entry: `name`, `{name: argument}` or `{name: {argument: value}}`.

    Raises:
        BadCall: unknown function or argument, or an argument of the wrong kind.
    """
    name, given = _parts(entry)
    known = functions.names()
    if name not in known:
        raise BadCall(f"unknown function {name!r}", suggestion(name, known))
    function, signature = functions.get(name), signature_of(name)
    if signature.fed == "named":
        if given:
            raise BadCall(f"function {name!r} takes its inputs from named paths, no arguments")
        named = {key: is_list(hint) for key, hint in signature.hints.items()}
        return Call(name, "named", None, signature.gives, _wrong, _listed(function, signature), named)
    arguments = _arguments(name, given, signature, table)
    apply, bare = _feeder(function, arguments, signature), _bare(function, arguments, signature)
    return Call(name, signature.fed, signature.takes, signature.gives, apply, function, {}, bare)


def is_list(hint: Any) -> bool:
    """Whether a named input wants all values: `list[str]` or `list[str] | None`."""
    return get_origin(hint) is list or any(get_origin(one) is list for one in get_args(hint))


def _wrong(values: Values) -> Values:
    raise AssertionError("a function of named inputs stands first in a rule")


def _parts(entry: Any) -> tuple[str, Any]:
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and len(entry) == 1:
        name, given = next(iter(entry.items()))
        return str(name), given
    raise BadCall("write a function name, or `name: argument`")


def _arguments(name: str, given: Any, signature: Signature, table: Callable[[str], Table]) -> dict[str, Any]:
    parameters = signature.parameters
    if not isinstance(given, dict):
        if not parameters:
            raise BadCall(f"function {name!r} takes no argument")
        given = {next(iter(parameters)): given}
    if unknown := [key for key in given if key not in parameters]:
        raise BadCall(f"function {name!r} has no argument {unknown[0]!r}", suggestion(unknown[0], list(parameters)))
    missing = [key for key, p in parameters.items() if p.default is p.empty and key not in given]
    if missing:
        raise BadCall(f"function {name!r} needs the argument {missing[0]!r}")
    return {key: _convert(name, key, value, signature.hints[key], table) for key, value in given.items()}


def _convert(name: str, key: str, value: Any, wanted: Any, table: Callable[[str], Table]) -> Any:
    if wanted is Table:
        return table(str(value))
    if wanted is Pattern:
        try:
            return pattern(str(value))
        except ValueError as error:
            raise BadCall(str(error)) from None
    if wanted is bool and isinstance(value, bool):
        return value
    if wanted is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if wanted is str and isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    if get_origin(wanted) is Literal and value in get_args(wanted):
        return value
    if get_origin(wanted) is list and isinstance(value, list):
        return [str(part) for part in value]
    raise BadCall(f"argument {key!r} of function {name!r} must be {_words(wanted)}, not {value!r}")


def _words(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return "one of " + ", ".join(map(str, get_args(wanted)))
    return {str: "text", int: "a number", bool: "true or false"}.get(wanted, "a list of texts")


def _bare(function: Callable[..., Any], arguments: dict[str, Any], signature: Signature) -> Callable[[Any], Any] | None:
    if signature.fed not in ("value", "noun") or signature.many:
        return None
    return partial(function, **arguments) if arguments else function


def _feeder(
    function: Callable[..., Any], arguments: dict[str, Any], signature: Signature
) -> Callable[[Values], Values]:
    call: Callable[..., Any] = partial(function, **arguments) if arguments else function
    if signature.fed == "values":
        return _listed(call, signature)
    if signature.many:
        return lambda values: [made for value in values for made in call(value)]
    plain = signature.gives in (str, bool)

    def each(values: Values) -> Values:
        found = []
        for value in values:
            made = call(value)
            if made or (made is not None and not plain):
                found.append(made)
        return found

    return each


def _listed(function: Callable[..., Any], signature: Signature) -> Callable[..., Values]:
    if signature.many:
        return lambda *values, **named: list(function(*values, **named))

    def one(*values: Any, **named: Any) -> Values:
        made = function(*values, **named)
        return [] if made is None or made == "" else [made]

    return one
