"""The application protocol data units of Z39.50 (ISO 23950, version 3): requests to bytes, answers to values.

Tags follow the ASN.1 of the standard (Z39-50-APDU); only what a harvester needs is read, the rest is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from harvester.errors import ConfigError, ProtocolError
from harvester.sources.z3950 import ber, pqf
from harvester.sources.z3950.ber import Buffer, Element

INIT, INIT_RESPONSE, SEARCH, SEARCH_RESPONSE, PRESENT, PRESENT_RESPONSE = 20, 21, 22, 23, 24, 25
SCAN, SCAN_RESPONSE, CLOSE = 35, 36, 48

BIB_1 = "1.2.840.10003.3.1"
# The registry of attribute sets of the Z39.50 maintenance agency.
ATTRIBUTE_SETS = {"": BIB_1, "bib-1": BIB_1} | {
    name: f"1.2.840.10003.3.{number}"
    for number, name in enumerate(
        ("exp-1", "ext-1", "ccl-1", "gils", "stas", "collections-1", "cimi-1", "geo-1", "zbig", "util", "xd-1"), 2
    )
}
_OID = re.compile(r"[0-2]\.[0-3]?[0-9](\.[0-9]{1,9}){1,20}")
SYNTAXES = {
    "unimarc": "1.2.840.10003.5.1",
    "usmarc": "1.2.840.10003.5.10",
    "sutrs": "1.2.840.10003.5.101",
    "opac": "1.2.840.10003.5.102",
    "grs-1": "1.2.840.10003.5.105",
    "xml": "1.2.840.10003.5.109.10",
}
_OID_BYTES = {ber.encode_oid(ber.OID, oid)[2:]: oid for oid in SYNTAXES.values()}

SEARCH_BIT, PRESENT_BIT, SCAN_BIT, NAMED_SETS_BIT = 0, 1, 7, 14


class Diagnostic(NamedTuple):
    """A diagnostic of the server; `condition` is a number of the Bib-1 set unless `set` says otherwise."""

    condition: int
    addinfo: str = ""
    set: str = "1.2.840.10003.4.1"

    @property
    def code(self) -> str:
        return f"bib-1/{self.condition}" if self.set == "1.2.840.10003.4.1" else f"{self.set}/{self.condition}"


class Credentials(msgspec.Struct, frozen=True):
    """How to log in: `open` is one string (`user/password`), otherwise user, password and maybe a group."""

    user: str = ""
    password: str = ""
    group: str = ""
    open: str = ""


class InitAnswer(NamedTuple):
    """What was agreed; without `accepted` the connection is over."""

    accepted: bool
    options: frozenset[int]
    message_size: int
    record_size: int
    implementation: str
    diagnostics: tuple[Diagnostic, ...] = ()


class RawRecord(NamedTuple):
    """One record as it came: the OID of its syntax and its bytes, or the diagnostic that stands for it."""

    syntax: str
    payload: bytes
    diagnostic: Diagnostic | None = None


class SearchAnswer(NamedTuple):
    """The number of hits, and what went wrong."""

    ok: bool
    hits: int
    diagnostics: tuple[Diagnostic, ...] = ()


class PresentAnswer(NamedTuple):
    """The records that came (fewer than asked is allowed) and the non-surrogate diagnostics."""

    records: list[RawRecord]
    status: int
    diagnostics: tuple[Diagnostic, ...] = ()


class ScanAnswer(NamedTuple):
    """(term, number of records) in index order; `status` 0 is complete."""

    terms: list[tuple[str, int]]
    status: int
    diagnostics: tuple[Diagnostic, ...] = ()


# ---- requests ----------------------------------------------------------------------------------------


def _authentication(credentials: Credentials) -> bytes:
    if credentials.open:
        return ber.constructed(7, ber.encode_text(ber.VISIBLE_STRING, credentials.open))
    if not credentials.user:
        return b""
    parts = [ber.encode_text(0, credentials.group)] if credentials.group else []
    parts += [ber.encode_text(1, credentials.user), ber.encode_text(2, credentials.password)]
    return ber.constructed(7, ber.constructed(ber.SEQUENCE, *parts))


def init(credentials: Credentials, message_size: int, record_size: int, named_sets: bool) -> bytes:
    """InitializeRequest for versions 2 and 3."""
    wanted = {SEARCH_BIT, PRESENT_BIT, SCAN_BIT} | ({NAMED_SETS_BIT} if named_sets else set())
    return ber.constructed(
        INIT,
        ber.encode_bits(3, frozenset({0, 1, 2})),
        ber.encode_bits(4, frozenset(wanted)),
        ber.encode_integer(5, message_size),
        ber.encode_integer(6, record_size),
        _authentication(credentials),
        ber.encode_text(110, "induk"),
        ber.encode_text(111, "Induk union catalogue harvester"),
        ber.encode_text(112, "1"),
    )


def attribute_set(name: str) -> str:
    """The OID of the attribute set called *name* (empty: Bib-1), or *name* itself when it is an OID.

    Raises:
        ConfigError: it is neither.
    """
    known = ATTRIBUTE_SETS.get(name.lower())
    if known is None and not _OID.fullmatch(name):
        raise ConfigError(f"unknown attribute set {name!r}", hint="known: " + ", ".join(sorted(ATTRIBUTE_SETS)[1:]))
    return known or name


def _attributes(attributes: tuple[pqf.Attribute, ...]) -> bytes:
    return ber.constructed(44, *(_attribute(attribute) for attribute in attributes))


def _attribute(attribute: pqf.Attribute) -> bytes:
    parts = [ber.encode_oid(1, attribute_set(attribute.set))] if attribute.set else []
    parts.append(ber.encode_integer(120, attribute.type))
    if isinstance(attribute.value, int):
        parts.append(ber.encode_integer(121, attribute.value))
    else:
        named = ber.constructed(1, ber.encode_text(1, attribute.value))
        parts.append(ber.constructed(224, named))
    return ber.constructed(ber.SEQUENCE, *parts)


def _term(term: pqf.Term) -> bytes:
    """Term ::= CHOICE; what has no plain form here travels as `general`, as YAZ sends it."""
    value = ber.encode_text(45, term.text)
    if term.kind == "numeric" and term.text.lstrip("-").isdecimal() and term.text.isascii():
        value = ber.encode_integer(215, int(term.text))
    elif term.kind == "string":
        value = ber.encode_text(216, term.text)
    elif term.kind == "null":
        value = ber.primitive(221, b"")
    return ber.constructed(102, _attributes(term.attributes), value)


def _structure(tree: pqf.Tree) -> bytes:
    if isinstance(tree, pqf.Term):
        return ber.constructed(0, _term(tree))
    if isinstance(tree, pqf.ResultSet):
        return ber.constructed(0, ber.encode_text(31, tree.name))
    if isinstance(tree, pqf.Boolean):
        operator = ber.primitive({"and": 0, "or": 1, "not": 2}[tree.operator], b"")
    else:
        operator = _proximity(tree)
    return ber.constructed(1, _structure(tree.left), _structure(tree.right), ber.constructed(46, operator))


def _proximity(tree: pqf.Proximity) -> bytes:
    return ber.constructed(
        3,
        ber.encode_boolean(1, tree.exclusion),
        ber.encode_integer(2, tree.distance),
        ber.encode_boolean(3, tree.ordered),
        ber.encode_integer(4, tree.relation),
        ber.constructed(5, ber.encode_integer(2 if tree.private else 1, tree.unit)),
    )


def search(query: pqf.Query, databases: tuple[str, ...], result_set: str) -> bytes:
    """SearchRequest that asks for no record: hits only."""
    rpn = ber.constructed(1, ber.encode_oid(ber.OID, attribute_set(query.attribute_set)), _structure(query.tree))
    return ber.constructed(
        SEARCH,
        ber.encode_integer(13, 0),
        ber.encode_integer(14, 1),
        ber.encode_integer(15, 0),
        ber.encode_boolean(16, True),
        ber.encode_text(17, result_set),
        ber.constructed(18, *(ber.encode_text(105, name) for name in databases)),
        ber.constructed(21, rpn),
    )


def present(result_set: str, start: int, count: int, element_set: str, syntax: str) -> bytes:
    """PresentRequest for *count* records from position *start* (1 is the first); *syntax* is an OID."""
    composition = ber.constructed(19, ber.encode_text(0, element_set)) if element_set else b""
    return ber.constructed(
        PRESENT,
        ber.encode_text(31, result_set),
        ber.encode_integer(30, start),
        ber.encode_integer(29, count),
        composition,
        ber.encode_oid(104, syntax),
    )


def scan(start: pqf.Term, databases: tuple[str, ...], count: int) -> bytes:
    """ScanRequest for *count* terms, the first of them *start* or what follows it."""
    return ber.constructed(
        SCAN,
        ber.constructed(3, *(ber.encode_text(105, name) for name in databases)),
        ber.encode_oid(ber.OID, BIB_1),
        _term(start),
        ber.encode_integer(5, 0),
        ber.encode_integer(6, count),
        ber.encode_integer(7, 1),
    )


def close() -> bytes:
    """Close with reason 0 (finished)."""
    return ber.constructed(CLOSE, ber.encode_integer(211, 0))


# ---- answers -----------------------------------------------------------------------------------------


def _number(buffer: Buffer, found: dict[int, Element], tag: int, default: int = 0) -> int:
    return ber.integer(buffer, found[tag]) if tag in found else default


def open_answer(buffer: Buffer, expected: int) -> Element:
    """The APDU in *buffer*.

    Raises:
        ProtocolError: another APDU than *expected* (Close carries the server's reason).
    """
    top = ber.element(buffer, 0, len(buffer))
    if top.tag == CLOSE and expected != CLOSE:
        found = ber.fields(buffer, top)
        said = ber.text(buffer, found[3])[:500] if 3 in found else ""
        raise ProtocolError(
            f"server closed the connection, reason {_number(buffer, found, 211)} {said}".rstrip(), code="close"
        )
    if top.tag != expected or not top.constructed:
        raise ProtocolError(f"answer {top.tag} where {expected} was expected")
    return top


def init_answer(buffer: Buffer) -> InitAnswer:
    """Read an InitializeResponse."""
    found = ber.fields(buffer, open_answer(buffer, INIT_RESPONSE))
    diagnostics = [*_embedded(buffer, found.get(11)), *_embedded(buffer, found.get(201))]
    return InitAnswer(
        bool(_number(buffer, found, 12)),
        ber.bits(buffer, found[4]) if 4 in found else frozenset({SEARCH_BIT, PRESENT_BIT}),
        _number(buffer, found, 5),
        _number(buffer, found, 6),
        ber.text(buffer, found[111])[:200] if 111 in found else "",
        tuple(diagnostics),
    )


def _embedded(buffer: Buffer, one: Element | None, depth: int = 0) -> Iterator[Diagnostic]:
    """Every DefaultDiagFormat below *one*: a refusal hides in userInformationField or otherInfo."""
    if one is None or not one.constructed or depth > ber.MAX_DEPTH:
        return
    inner = ber.elements(buffer, one.start, one.stop)
    if [part.tag for part in inner[:2]] == [ber.OID, ber.INTEGER]:
        yield _diagnostic(buffer, one)
        return
    for part in inner[:20]:
        yield from _embedded(buffer, part, depth + 1)


def _diagnostic(buffer: Buffer, one: Element) -> Diagnostic:
    """A DefaultDiagFormat, or condition 0 for a diagnostic in a form of the server's own."""
    inner = ber.elements(buffer, one.start, one.stop) if one.constructed else []
    if [part.tag for part in inner[:2]] != [ber.OID, ber.INTEGER]:
        return Diagnostic(0, "diagnostic in an unknown form")
    said = ber.text(buffer, inner[2])[:1000] if len(inner) > 2 else ""
    return Diagnostic(ber.integer(buffer, inner[1]), said, ber.oid(buffer, inner[0]))


def _diagnostics(buffer: Buffer, found: dict[int, Element]) -> tuple[Diagnostic, ...]:
    if 130 in found:
        return (_diagnostic(buffer, found[130]),)
    if 205 in found:
        many = ber.elements(buffer, found[205].start, found[205].stop)
        return tuple(_diagnostic(buffer, one) for one in many[:100])
    return ()


def search_answer(buffer: Buffer) -> SearchAnswer:
    """Read a SearchResponse."""
    found = ber.fields(buffer, open_answer(buffer, SEARCH_RESPONSE))
    hits = _number(buffer, found, 23)
    if hits < 0:
        raise ProtocolError(f"server reports {hits} hits")
    return SearchAnswer(bool(_number(buffer, found, 22)), hits, _diagnostics(buffer, found))


def present_answer(buffer: Buffer, most: int) -> PresentAnswer:
    """Read a PresentResponse of at most *most* records."""
    found = ber.fields(buffer, open_answer(buffer, PRESENT_RESPONSE))
    records: list[RawRecord] = []
    if 28 in found:
        for one in ber.elements(buffer, found[28].start, found[28].stop):
            if len(records) >= most:
                raise ProtocolError(f"server sent more than the {most} records asked for")
            records.append(_record(buffer, one))
    return PresentAnswer(records, _number(buffer, found, 27), _diagnostics(buffer, found))


def _record(buffer: Buffer, one: Element) -> RawRecord:
    """One NamePlusRecord."""
    if not one.constructed:
        raise ProtocolError("NamePlusRecord is no sequence")
    record = next((part for part in ber.elements(buffer, one.start, one.stop) if part.tag == 1), None)
    if record is None:
        raise ProtocolError("NamePlusRecord without a record")
    choice = ber.element(buffer, record.start, record.stop)
    if choice.tag == 1:
        return external(buffer, ber.element(buffer, choice.start, choice.stop))
    if choice.tag == 2:
        return RawRecord("", b"", _diagnostic(buffer, ber.element(buffer, choice.start, choice.stop)))
    raise ProtocolError(f"record of kind {choice.tag} (segmentation was not agreed)")


def external(buffer: Buffer, one: Element) -> RawRecord:
    """An EXTERNAL: the OID of its syntax and its contents; of a single ASN.1 type the whole element."""
    if one.tag != ber.EXTERNAL or not one.constructed:
        raise ProtocolError("record is no EXTERNAL")
    syntax, payload = "", b""
    for part in ber.elements(buffer, one.start, one.stop):
        if part.tag == ber.OID:
            known = _OID_BYTES.get(bytes(buffer[part.start : part.stop]))
            syntax = known or ber.oid(buffer, part)
        elif part.tag == 1:
            payload = ber.octets(buffer, part)
        elif part.tag == 0:
            payload = bytes(buffer[part.start : part.stop])
    return RawRecord(syntax, payload)


def scan_answer(buffer: Buffer) -> ScanAnswer:
    """Read a ScanResponse."""
    found = ber.fields(buffer, open_answer(buffer, SCAN_RESPONSE))
    terms: list[tuple[str, int]] = []
    diagnostics: tuple[Diagnostic, ...] = ()
    if 7 in found:
        lists = ber.fields(buffer, found[7])
        if 1 in lists:
            entries = ber.elements(buffer, lists[1].start, lists[1].stop)
            terms = [_entry(buffer, entry) for entry in entries[:10_000] if entry.tag == 1]
        if 2 in lists:
            many = ber.elements(buffer, lists[2].start, lists[2].stop)
            diagnostics = tuple(_diagnostic(buffer, one) for one in many[:100])
    return ScanAnswer(terms, _number(buffer, found, 4), diagnostics)


def _entry(buffer: Buffer, entry: Element) -> tuple[str, int]:
    inner = ber.fields(buffer, entry)
    one = next((inner[tag] for tag in (45, 216, 215) if tag in inner), None)
    if one is None:
        return "", _number(buffer, inner, 2)
    said = str(ber.integer(buffer, one)) if one.tag == 215 else ber.text(buffer, one)
    return said, _number(buffer, inner, 2)
