"""PQF, the prefix query format of YAZ, as a syntax tree: a query is built from a tree, never by joining strings.

`parse(build(tree)) == tree` for every tree; a term may hold any character. The grammar is that of YAZ's manual,
"Prefix Query Format"; terms are quoted always, so that no term can be read as an operator.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from harvester.errors import ConfigError

MAX_DEPTH = 200
MAX_LENGTH = 100_000

TermKind = Literal["general", "numeric", "string", "oid", "datetime", "null"]


class Attribute(msgspec.Struct, frozen=True, array_like=True):
    """One attribute: `1=4` is (type 1, value 4); `set` may be empty.

    Zebra also takes a name as the value; a value made of digits is always a number.
    """

    type: int
    value: int | str
    set: str = ""


class Term(msgspec.Struct, frozen=True, tag="term"):
    """A term and its attributes, outermost first."""

    text: str
    attributes: tuple[Attribute, ...] = ()
    kind: TermKind = "general"


class ResultSet(msgspec.Struct, frozen=True, tag="set"):
    """The result set that an earlier search named."""

    name: str


class Boolean(msgspec.Struct, frozen=True, tag="boolean"):
    """Both sides combined; `not` keeps what is left but not right."""

    operator: Literal["and", "or", "not"]
    left: Term | ResultSet | Boolean | Proximity
    right: Term | ResultSet | Boolean | Proximity


class Proximity(msgspec.Struct, frozen=True, tag="prox"):
    """Both sides near each other, in the numbers of Z39.50 (relation 2 = less or equal, unit 2 = word)."""

    left: Term | ResultSet | Boolean | Proximity
    right: Term | ResultSet | Boolean | Proximity
    exclusion: bool = False
    distance: int = 1
    ordered: bool = False
    relation: int = 2
    private: bool = False
    unit: int = 2


Tree = Term | ResultSet | Boolean | Proximity


class Query(msgspec.Struct, frozen=True):
    """A whole query; `attribute_set` is a name or an OID and empty for Bib-1."""

    tree: Tree
    attribute_set: str = ""


def term(text: str, *attributes: tuple[int, int | str]) -> Term:
    """A term from (type, value) pairs: `term("2018", (1, 1012), (5, 1))`."""
    return Term(text, tuple(Attribute(kind, value) for kind, value in attributes))


def both(left: Tree, right: Tree) -> Tree:
    """What is in both."""
    return Boolean("and", left, right)


def without(left: Tree, right: Tree) -> Tree:
    """What is in *left* and not in *right*."""
    return Boolean("not", left, right)


# ---- build -------------------------------------------------------------------------------------------

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\v": "\\x0B", "\0": "\\x00"}
_BARE = re.compile(r"[A-Za-z0-9_.:=-]+")
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")


def quote(text: str) -> str:
    """*text* as a quoted PQF term."""
    return '"' + "".join(_ESCAPES.get(letter, letter) for letter in text) + '"'


def _name(text: str) -> str:
    """*text* when it can be the name or OID of an attribute set."""
    if not _NAME.fullmatch(text):
        raise ConfigError(f"PQF: {text!r} is no name of an attribute set")
    return text


def _attribute(attribute: Attribute) -> str:
    lead = f"@attr {_name(attribute.set)} " if attribute.set else "@attr "
    pair = f"{attribute.type}={attribute.value}"
    return lead + (pair if _BARE.fullmatch(pair) else quote(pair))


def _build(tree: Tree, out: list[str], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ConfigError(f"PQF query is nested deeper than {MAX_DEPTH}")
    if isinstance(tree, Term):
        out.extend(_attribute(attribute) for attribute in tree.attributes)
        if tree.kind != "general":
            out.append(f"@term {tree.kind}")
        out.append(quote(tree.text))
    elif isinstance(tree, ResultSet):
        out.append(f"@set {quote(tree.name)}")
    else:
        out.append(f"@{tree.operator}" if isinstance(tree, Boolean) else _proximity(tree))
        _build(tree.left, out, depth + 1)
        _build(tree.right, out, depth + 1)


def _proximity(tree: Proximity) -> str:
    which = "p" if tree.private else "k"
    return f"@prox {tree.exclusion:d} {tree.distance} {tree.ordered:d} {tree.relation} {which} {tree.unit}"


def build(query: Query) -> str:
    """The query as PQF text.

    Raises:
        ConfigError: nested too deep.
    """
    out = [f"@attrset {_name(query.attribute_set)}"] if query.attribute_set else []
    _build(query.tree, out, 0)
    return " ".join(out)


# ---- parse -------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|\{([^{}]*)\}|([^\s"{}]+))', re.DOTALL)
_ESCAPED = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_NAMED = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_KINDS: dict[str, TermKind] = {
    "general": "general",
    "numeric": "numeric",
    "string": "string",
    "oid": "oid",
    "datetime": "datetime",
    "null": "null",
}


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 3:
            return chr(int(code[1:], 16))
        return _NAMED.get(code, code)

    return _ESCAPED.sub(one, text)


class _Reader:
    """The tokens of a query: (text, quoted)."""

    def __init__(self, query: str) -> None:
        if len(query) > MAX_LENGTH:
            raise ConfigError(f"PQF query is longer than {MAX_LENGTH} characters")
        self.tokens: list[tuple[str, bool]] = []
        at, end = 0, len(query.rstrip())
        while at < end:
            match = _TOKEN.match(query, at)
            if match is None:
                raise ConfigError(f"PQF: cannot read {query[at : at + 20]!r} at character {at + 1}")
            quoted, braced, word = match.groups()
            self.tokens.append((word, False) if word is not None else (_unescape(quoted or braced or ""), True))
            at = match.end()
        self.at = 0

    def peek(self) -> str:
        """The operator that comes next, or "" when it is a term or the end."""
        text, quoted = self.tokens[self.at] if self.at < len(self.tokens) else ("", True)
        return text.lower() if text.startswith("@") and not quoted else ""

    def next(self) -> str:
        if self.at >= len(self.tokens):
            raise ConfigError("PQF: the query ends too early")
        self.at += 1
        return self.tokens[self.at - 1][0]

    def number(self) -> int:
        text = self.next()
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            raise ConfigError(f"PQF: {text!r} is no number")
        return int(text)


def parse(query: str) -> Query:
    """The tree of a PQF text, as a setting gives it.

    Raises:
        ConfigError: no PQF, or too long or too deep.
    """
    reader = _Reader(query)
    attribute_set = ""
    if reader.peek() == "@attrset":
        reader.next()
        attribute_set = _name(reader.next())
    tree = _parse(reader, 0)
    if reader.at < len(reader.tokens):
        raise ConfigError(f"PQF: {reader.next()!r} after the end of the query")
    return Query(tree, attribute_set)


def attributes(text: str) -> tuple[Attribute, ...]:
    """The attributes of a text such as `@attr 1=1012 @attr 4=3`.

    Raises:
        ConfigError: it is something else.
    """
    reader, found = _Reader(text), []
    while reader.peek() == "@attr":
        reader.next()
        found.append(_parse_attribute(reader))
    if reader.at < len(reader.tokens) or not found:
        raise ConfigError(f"PQF: {text!r} is no list of attributes", hint="write @attr type=value")
    return tuple(found)


def _parse(reader: _Reader, depth: int) -> Tree:
    if depth > MAX_DEPTH:
        raise ConfigError(f"PQF query is nested deeper than {MAX_DEPTH}")
    operator = reader.peek()
    if operator in ("", "@attr", "@term"):
        return _parse_term(reader)
    reader.next()
    if operator == "@set":
        return ResultSet(reader.next())
    if operator == "@prox":
        return _parse_proximity(reader, depth)
    if operator not in ("@and", "@or", "@not"):
        raise ConfigError(f"PQF: unknown operator {operator}", hint="known: @and @or @not @prox @set @attr @term")
    left = _parse(reader, depth + 1)
    name: Literal["and", "or", "not"] = "and" if operator == "@and" else "or" if operator == "@or" else "not"
    return Boolean(name, left, _parse(reader, depth + 1))


def _parse_proximity(reader: _Reader, depth: int) -> Proximity:
    exclusion, distance, ordered, relation = bool(reader.number()), reader.number(), reader.number(), reader.number()
    which = reader.next()
    if which not in ("k", "p", "known", "private", "0", "1"):
        raise ConfigError(f"PQF: {which!r} is neither known nor private")
    unit = reader.number()
    left = _parse(reader, depth + 1)
    right = _parse(reader, depth + 1)
    private = which[0] == "p" or which == "1"
    return Proximity(left, right, exclusion, distance, bool(ordered), relation, private, unit)


def _parse_term(reader: _Reader) -> Term:
    attributes = []
    kind: TermKind = "general"
    while reader.peek() in ("@attr", "@term"):
        if reader.next().lower() == "@term":
            name = reader.next()
            if name not in _KINDS:
                raise ConfigError(f"PQF: unknown kind of term {name!r}", hint="known: " + ", ".join(_KINDS))
            kind = _KINDS[name]
        else:
            attributes.append(_parse_attribute(reader))
    if reader.peek():
        raise ConfigError(f"PQF: {reader.peek()} where a term should stand")
    return Term(reader.next(), tuple(attributes), kind)


_ATTRIBUTE = re.compile(r"([0-9]{1,9})=(.+)", re.DOTALL)


def _parse_attribute(reader: _Reader) -> Attribute:
    text, name = reader.next(), ""
    if not _ATTRIBUTE.fullmatch(text):
        name, text = _name(text), reader.next()
    match = _ATTRIBUTE.fullmatch(text)
    if match is None:
        raise ConfigError(f"PQF: {text!r} is no attribute", hint="write @attr type=value")
    kind, value = match.groups()
    number = re.fullmatch(r"-?[0-9]{1,9}", value)
    return Attribute(int(kind), int(value) if number else value, name)
