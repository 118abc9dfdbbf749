"""Paths of a mapping: text such as `245$a$b`, `020[ind1=0]$a`, `008/35-37`, `dc:identifier` → a compiled reader.

A path is one way of reading a field, for each tag that it names; what it gives of a record follows from that: tag after
tag, field after field. Nothing found is an empty list. One subfield gives each occurrence; several give one text a
field, joined by a blank in record order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import chain
from operator import methodcaller
from typing import Any, NamedTuple

from harvester.normalize.field import Field
from harvester.normalize.inner import BadPath, Check, Inner, compile_checks, compile_inner
from harvester.normalize.views import View

FAMILIES = ("marc", "dc", "mods", "row")
NOTHING = " |#"  # a piece of a control field that holds only these says nothing
_MARC = re.compile(
    r"(?P<tags>LDR|[0-9A-Za-zX.]{3}(?:\|[0-9A-Za-zX.]{3})*)(?P<tests>(?:\[[^\]]*\])*)"
    r"(?P<codes>(?:\$[0-9a-z])*)(?:/(?P<start>[0-9]+)(?:-(?P<end>[0-9]+))?)?"
)
_XML = re.compile(
    r"(?P<names>(?:[A-Za-z][\w.:/-]*)(?:\|[A-Za-z][\w.:/-]*)*)(?P<tests>(?:\[[^\]]*\])*)(?P<attr>@[\w:]+)?"
)
_EXAMPLES = {
    "dc": "dc:identifier, dc:date|dcterms:issued or identifier[@type=isbn]",
    "mods": "titleInfo/title, titleInfo/title[!@type] or identifier[@type=isbn]",
}


class Leg(NamedTuple):
    """What is read of each field of one tag (or element, or column).

    `codes`: a field with none of these subfields gives nothing ("": unknown); `cut`: these characters of a control
    field are read; `plain`: it gives those subfields or characters and no more is done.
    """

    key: str
    give: Callable[[Field], list[Any]]
    codes: str = ""
    plain: bool = False
    cut: slice | None = None


class Path(NamedTuple):
    """A compiled path. `keys` are the tags or names that it reads; `whole` tells that it names whole fields."""

    text: str
    whole: bool
    legs: tuple[Leg, ...]
    fields: tuple[Leg, ...]  # the same, giving the fields themselves

    @property
    def keys(self) -> tuple[str, ...]:
        """The tags or names that it reads, each once."""
        return tuple(dict.fromkeys(leg.key for leg in self.legs))

    def read(self, found: View) -> list[str]:
        """All texts that the path names in a record."""
        return read_legs(self.legs, found)


def legs_of(paths: Iterable[Path], as_fields: bool) -> tuple[Leg, ...]:
    """The legs of *paths*, one path after the other, giving texts or whole fields."""
    return tuple(chain.from_iterable([path.fields if as_fields else path.legs for path in paths]))


def read_legs(legs: Iterable[Leg], found: View) -> list[Any]:
    """What *legs* give of a record, one after the other."""
    return [
        value
        for leg in legs
        if leg.key in found
        for parts in found[leg.key]
        for value in leg.give(Field(leg.key, parts))
    ]


def compile_path(text: str, family: str) -> Path:
    """The compiled path *text* of a *family*.

    Raises:
        BadPath: no path of this family.
    """
    if family == "marc":
        return _marc_path(text)
    if family == "row":
        # "author|Author" is one column: read twice, every author would come twice.
        keys = tuple(dict.fromkeys(part.casefold().strip() for part in text.split("|")))
        return _path(text, keys, _dotted, None, whole=True)
    match = _XML.fullmatch(text)
    if not match:
        raise BadPath(f"{text!r} is no path of {family}: write {_EXAMPLES[family]}")
    keys = tuple(re.sub(r"[\w.-]+:", "", name) for name in match["names"].split("|"))
    check = compile_checks(match["tests"])
    if match["attr"]:
        return _path(text, keys, compile_inner(match["attr"]), check, codes="@")
    return _path(text, keys, _dotted, check, whole=True)


def _path(
    text: str, keys: tuple[str, ...], give: Inner, check: Check | None, *, codes: str = "", whole: bool = False
) -> Path:
    """The path that reads each field of *keys* that passes *check* by *give*."""
    if check is None:
        plain = len(codes) == 1 and isinstance(give, methodcaller)
        legs, fields = [Leg(key, give, codes, plain) for key in keys], [Leg(key, itself) for key in keys]
    else:
        legs = [Leg(key, lambda field: give(field) if check(field) else [], codes) for key in keys]
        fields = [Leg(key, lambda field: [field] if check(field) else []) for key in keys]
    return Path(text, whole, tuple(legs), tuple(fields))


def itself(field: Field) -> list[Field]:
    """The field, as what is read of it."""
    return [field]


def _marc_path(text: str) -> Path:
    """`100|110|111$a` gives all three tags the same suffix; `245$a|246$b` are two paths read one after the other."""
    groups: list[str] = []
    for piece in reversed(re.split(r"\|(?![^\[]*\])", text.replace(" |", "|").replace("| ", "|"))):
        bare = bool(re.fullmatch(r"[0-9A-Za-z.]{3}", piece))
        if bare and groups:
            groups[0] = f"{piece}|{groups[0]}"
        else:
            groups.insert(0, piece)
    paths = [_marc_one(group) for group in groups]
    if len(paths) == 1:
        return paths[0]._replace(text=text)
    legs, fields = chain.from_iterable([p.legs for p in paths]), chain.from_iterable([p.fields for p in paths])
    return Path(text, all(path.whole for path in paths), tuple(legs), tuple(fields))


def _marc_one(text: str) -> Path:
    match = _MARC.fullmatch(text.replace(" ", "") if "[" not in text else text.strip())
    if not match:
        raise BadPath(f"{text!r} is no MARC path: write 245$a, 100|110$a, 020[ind1=0]$a, 008/35-37 or LDR/6")
    tags = tuple(dict.fromkeys(tag for part in match["tags"].split("|") for tag in _expand(part)))
    check = compile_checks(match["tests"])
    codes = match["codes"].replace("$", "")
    cut = _range(match["start"], match["end"])
    if codes:
        give = _subfields(codes, padded=check is None and len(tags) == 1)
        return _path(text, tags, _cut(give, cut) if cut else give, check, codes=codes)
    if all(tag < "010" or tag == "LDR" for tag in tags):
        cut = cut or slice(None)
        give = _control(cut)
        legs = tuple([Leg(tag, give, plain=True, cut=cut) for tag in tags])
        return _path(text, tags, give, check)._replace(legs=legs)
    if cut:
        raise BadPath(f"{text!r}: positions need a control field or a subfield in front")
    return _path(text, tags, _all_text, check, whole=True)


def _expand(tag: str) -> list[str]:
    """1XX and 1.. stand for all tags of the hundred; other tags for themselves."""
    if tag == "LDR" or not re.search(r"[X.]", tag):
        return [tag]
    digits = [("0123456789" if c in "X." else c) for c in tag]
    return [a + b + c for a in digits[0] for b in digits[1] for c in digits[2]]


def _range(start: str | None, end: str | None) -> slice | None:
    if start is None:
        return None
    if end is not None and int(end) < int(start):
        raise BadPath(f"positions {start}-{end} run backwards")
    return slice(int(start), int(end or start) + 1)


def _cut(give: Inner, cut: slice) -> Inner:
    return lambda field: [part for text in give(field) if (part := text[cut].strip())]


def _control(cut: slice) -> Inner:
    def give(field: Field) -> list[str]:
        # Blanks carry meaning by position: only an all-blank or filled (|) piece counts as nothing.
        part = field.parts[0][cut]
        return [part] if part.strip(NOTHING) else []

    return give


def _subfields(codes: str, *, padded: bool) -> Inner:
    """Reads subfields; *padded*: of several, an empty one leaves its blank in the text."""
    if len(codes) == 1:
        return methodcaller("texts", codes)

    def joined(field: Field) -> list[str]:
        here = [part[1:].strip() for part in field.parts[1:] if part[:1] and part[0] in codes]
        text = " ".join(here if padded else filter(None, here))
        return [text] if text else []

    return joined


def _all_text(field: Field) -> list[str]:
    return [text] if (text := whole_text(field)) else []


def whole_text(field: Field) -> str:
    """All subfields of *field* but the linking ones ($0-$9, $w), joined by blanks."""
    return " ".join(part[1:].strip() for part in field.parts[1:] if part[:1].isalpha() and part[0] != "w" and part[1:])


def _dotted(field: Field) -> list[str]:
    return [text] if (text := field.parts[1][1:].strip()) else []
