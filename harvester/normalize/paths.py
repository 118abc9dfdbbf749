"""Paths of a mapping: text such as `245$a$b`, `020[ind1=0]$a`, `008/35-37`, `dc:identifier` → a compiled reader.

A reader takes the view of one record (or, inside `each`, one field) and returns a list of texts; nothing found is an
empty list. One subfield gives each occurrence; several give one text a field, joined by a blank in record order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from harvester.normalize.field import Field
from harvester.normalize.inner import BadPath, Check, compile_checks, compile_inner
from harvester.normalize.views import View

Read = Callable[[View], list[str]]
Fields = Callable[[View], list[Field]]

FAMILIES = ("marc", "dc", "mods", "row")
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


class Path(NamedTuple):
    """A compiled path. `keys` are the tags or names that it reads; `whole` tells that it names whole fields."""

    text: str
    keys: tuple[str, ...]
    whole: bool
    read: Read
    fields: Fields


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
        return Path(text, keys, True, _dotted(keys, None), _fields(keys, None))
    match = _XML.fullmatch(text)
    if not match:
        raise BadPath(f"{text!r} is no path of {family}: write {_EXAMPLES[family]}")
    keys = tuple(re.sub(r"[\w.-]+:", "", name) for name in match["names"].split("|"))
    check = compile_checks(match["tests"])
    if match["attr"]:
        return Path(text, keys, False, _attribute(keys, match["attr"], check), _fields(keys, check))
    return Path(text, keys, True, _dotted(keys, check), _fields(keys, check))


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
    keys = tuple(dict.fromkeys(key for path in paths for key in path.keys))
    reads, fields = [path.read for path in paths], [path.fields for path in paths]
    return Path(
        text,
        keys,
        all(path.whole for path in paths),
        lambda found: [value for read in reads for value in read(found)],
        lambda found: [field for several in fields for field in several(found)],
    )


def _marc_one(text: str) -> Path:
    match = _MARC.fullmatch(text.replace(" ", "") if "[" not in text else text.strip())
    if not match:
        raise BadPath(f"{text!r} is no MARC path: write 245$a, 100|110$a, 020[ind1=0]$a, 008/35-37 or LDR/6")
    tags = tuple(dict.fromkeys(tag for part in match["tags"].split("|") for tag in _expand(part)))
    check = compile_checks(match["tests"])
    codes = match["codes"].replace("$", "")
    cut = _range(match["start"], match["end"])
    if codes:
        read = _subfields(tags, codes, check)
        return Path(text, tags, False, _cut(read, cut) if cut else read, _fields(tags, check))
    if all(tag < "010" or tag == "LDR" for tag in tags):
        return Path(text, tags, False, _control(tags, cut), _fields(tags, check))
    if cut:
        raise BadPath(f"{text!r}: positions need a control field or a subfield in front")
    return Path(text, tags, True, _all_text(tags, check), _fields(tags, check))


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


def _cut(read: Read, cut: slice) -> Read:
    return lambda found: [part for text in read(found) if (part := text[cut].strip())]


def _control(tags: tuple[str, ...], cut: slice | None) -> Read:
    whole = cut or slice(None)

    def read(found: View) -> list[str]:
        texts = []
        for tag in tags:
            for f in found.get(tag, ()):
                # Blanks carry meaning by position: only an all-blank or filled (|) piece counts as nothing.
                if (part := f[0][whole]).strip(" |#"):
                    texts.append(part)
        return texts

    return read


def _subfields(tags: tuple[str, ...], codes: str, check: Check | None) -> Read:
    if check is None and len(tags) == 1 and len(codes) == 1:
        tag = tags[0]

        def one(found: View) -> list[str]:
            texts = []
            if tag in found:
                for f in found[tag]:
                    for part in f[1:]:
                        if part[:1] == codes and (text := part[1:].strip()):
                            texts.append(text)
            return texts

        return one

    if check is None and len(tags) == 1:

        def joined(found: View) -> list[str]:
            texts = []
            for f in found.get(tags[0], ()):
                here = [part[1:].strip() for part in f[1:] if part[:1] and part[0] in codes]
                if text := " ".join(here) if len(here) > 1 else "".join(here):
                    texts.append(text)
            return texts

        return joined

    def several(found: View) -> list[str]:
        texts: list[str] = []
        for tag in tags:
            for f in found.get(tag, ()):
                if check is None or check(Field(tag, f)):
                    here = [text for part in f[1:] if part[:1] and part[0] in codes and (text := part[1:].strip())]
                    texts += here if len(codes) == 1 or not here else [" ".join(here)]
        return texts

    return several


def _all_text(tags: tuple[str, ...], check: Check | None) -> Read:
    def read(found: View) -> list[str]:
        fields = [Field(tag, f) for tag in tags for f in found.get(tag, ())]
        return [text for field in fields if (check is None or check(field)) and (text := whole_text(field))]

    return read


def whole_text(field: Field) -> str:
    """All subfields of *field* but the linking ones ($0-$9, $w), joined by blanks."""
    return " ".join(part[1:].strip() for part in field.parts[1:] if part[:1].isalpha() and part[0] != "w" and part[1:])


def _dotted(keys: tuple[str, ...], check: Check | None) -> Read:
    def read(found: View) -> list[str]:
        return [
            text
            for key in keys
            for f in found.get(key, ())
            if (text := f[1][1:].strip()) and (check is None or check(Field(key, f)))
        ]

    return read


def _attribute(keys: tuple[str, ...], name: str, check: Check | None) -> Read:
    inner = compile_inner(name)

    def read(found: View) -> list[str]:
        return [text for field in _fields(keys, check)(found) for text in inner(field)]

    return read


def _fields(keys: tuple[str, ...], check: Check | None) -> Fields:
    def fields(found: View) -> list[Field]:
        made = []
        for key in keys:
            if key in found:
                for f in found[key]:
                    field = Field(key, f)
                    if check is None or check(field):
                        made.append(field)
        return made

    return fields
