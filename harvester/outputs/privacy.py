"""What may leave: released documents. Every output, page and API gets documents through here and nowhere else.

Invisible members and withheld fields go; student and lecturer numbers, mail addresses and telephone numbers inside
values go unless the partner switched its filters off (policy.value_filters).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from harvester.model import (
    Catalogue,
    Change,
    ClusterDocument,
    Contributor,
    Holding,
    Identifier,
    Link,
    Member,
    NormalizedRecord,
    Partner,
    Survivor,
    Touch,
    UnionRecord,
)
from harvester.outputs.batch import partner_of

HIDDEN = "[…]"
PERSONAL = frozenset(
    [
        "nim",
        "npm",
        "nrp",
        "nidn",
        "nidk",
        "nip",
        "nik",
        "nisn",
        "student_id",
        "email",
        "e-mail",
        "mail",
        "phone",
        "telepon",
        "hp",
    ]
)
STANDARD = frozenset(["isbn", "issn", "ismn", "lccn", "oclc", "doi", "ean", "handle", "govdoc", "publisher_number"])

_MAIL = re.compile(
    r"(?:mailto:)?[\w.+%-]{1,64}(?:@|%40|\s?\[at\]\s?|\s?\(at\)\s?)[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}", re.IGNORECASE
)
_NUMBERED = re.compile(  # NIM: 12/345678/SA/00001; NIDN. 0012345678
    r"\b(?:nim|npm|nrp|nidn|nidk|nip|nik|nisn|no(?:mor)?\.?\s?(?:induk|pokok)(?:\s?mahasiswa)?"
    r"|student\s?(?:id|number|no))[\s.:=#_-]{0,5}(?=[A-Z0-9./-]{0,12}\d)[A-Z0-9][A-Z0-9./-]{3,24}(?:\s\d{6}\s\d\s\d{3})?",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?<![\w./-])(?:"
    r"(?:\+62|\(\+62\)|0062)[\s.-]?\(?\d{2,4}\)?(?:[\s.-]?\d{2,5}){1,4}"  # +62 812 3456 7890
    r"|0?8[1-9]\d{1,2}[\s.-]?\d{3,4}[\s.-]?\d{3,5}"  # 0812-3456-7890
    r"|\(0\d{2,3}\)\s?\d{3,4}[\s.-]?\d{2,5}"  # (0274) 512345
    r"|(?:\+|00)[1-9]\d{0,2}[\s.-]\(?\d{1,4}\)?(?:[\s.-]?\d{2,4}){2,4}"  # +31 20 1234567
    r")(?![\w/])"
)
_CALLED = re.compile(
    r"\b(?:telp?|telepon|tlp|phone|fax|faks|hp|wa|whatsapp)\b[\s.:]{0,4}\+?[\d(][\d\s().-]{5,18}\d",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"(?<![\d-])\d{7,20}(?![\d-])")
_STUDENT_FILE = re.compile(
    r"(?<!\d)(?!123456789(?!\d))\d{9,15}(?!\d)"
)  # 123456789 is the handle prefix of every DSpace


def hide(text: str) -> str:
    """*text* with mail addresses, telephone and student or lecturer numbers replaced by […].

    >>> hide("Budi Santoso, NIM 21120111130045, budi@students.example.ac.id")
    'Budi Santoso, […], […]'
    """
    if _may_hold_mail(text):
        text = _MAIL.sub(HIDDEN, text)
    if _may_hold_number(text):
        for pattern in (_NUMBERED, _CALLED, _PHONE):
            text = pattern.sub(HIDDEN, text)
    return text


@lru_cache(maxsize=4096)
def personal(text: str) -> bool:
    """Whether the filters may take something out of *text*, wherever in a record it stands."""
    return hide(text) != text or bool(_DIGIT.search(text) and _LONG_NUMBER.search(text))


# The patterns try every word of a text; these look only for what each of them needs, and let most texts through.


def _may_hold_mail(text: str) -> bool:
    lowered = text.lower()
    return "@" in text or "%40" in text or "at]" in lowered or "at)" in lowered


def _may_hold_number(text: str) -> bool:
    if not _DIGIT.search(text):
        return False
    return not text.isascii() or bool(_TELEPHONE.search(text) or _LABEL.search(text.lower()))


_DIGIT = re.compile(r"\d")
_LABEL = re.compile(
    "(?:nim|npm|nrp|nidn|nidk|nip|nik|nisn|induk|pokok|student|tel|tlp|phone|fax|faks|hp|wa|whatsapp)[^0-9]{0,40}[0-9]"
)
_TELEPHONE = re.compile(r"[+(08](?<![\w./-].)[0-9+][^A-Za-z]{4}")


def release(document: ClusterDocument, partners: dict[str, Partner]) -> ClusterDocument | None:
    """*document* as it may leave, None if no member may be seen. *partners* by source code (partner_of).

    The union record is filtered if any of its members' partners wants filters: a value may come from any of them.
    """
    members = tuple(_member(member, partners) for member in document.members if member.visible)
    if not members or _stale(document):
        return None
    known = personal_numbers(member.record for member in document.members)
    filtered = any(_filters(member, partners) for member in members)
    union = _union(document.union, known) if filtered else document.union
    return msgspec.structs.replace(document, union=union, members=members)


def _stale(document: ClusterDocument) -> bool:
    """Whether the union was merged before a policy was tightened: it must not be shown until it is merged again."""
    hidden = {str(member.address) for member in document.members if not member.visible}
    if not hidden.isdisjoint(document.union.members):
        return True
    withheld = {(str(member.address), name) for member in document.members for name in member.withheld}
    if not withheld:
        return False
    lines = document.union.survivors
    dropped = {(line.donor, line.field) for line in lines if line.rule == "dropped:withheld"}
    given = {(line.donor, line.field) for line in lines if line.rule != "dropped:withheld"}
    # of a field that is withheld in part (holdings.copies) other parts may stand; merging notes the part it dropped
    parts = {(donor, name.partition(".")[0]) for donor, name in withheld - dropped if "." in name}
    return not given.isdisjoint(withheld | parts)


def _filters(member: Member, partners: dict[str, Partner]) -> bool:
    partner = partners.get(member.address.source)
    return partner is None or partner.policy.value_filters


def _member(member: Member, partners: dict[str, Partner]) -> Member:
    record = member.shown()
    if _filters(member, partners):
        record = filtered_record(record, personal_numbers([member.record]))
    return msgspec.structs.replace(member, record=record, withheld=())


def _union(union: UnionRecord, known: tuple[str, ...]) -> UnionRecord:
    lines = tuple(_line(line, known) for line in union.survivors)
    record = filtered_record(union.record, known)
    if record.links != union.record.links:
        kept = {link.url for link in record.links}
        lines = tuple(line for line in lines if line.field != "links" or line.value in kept)
    return msgspec.structs.replace(union, record=record, survivors=lines)


def _line(line: Survivor, known: tuple[str, ...]) -> Survivor:
    value, rule = _clean(line.value, known), _clean(line.rule, known)
    if line.field in ("local", "thesis.student_id") or (line.field == "contributors" and value):
        value = "" if line.field != "contributors" else _LONG_NUMBER.sub(HIDDEN, value)
        rule = _LONG_NUMBER.sub(HIDDEN, rule)
    same = value == line.value and rule == line.rule
    return line if same else msgspec.structs.replace(line, value=value, rule=rule)


def personal_numbers(records: Iterable[NormalizedRecord]) -> tuple[str, ...]:
    """Personal numbers that normalizing already found: they may stand elsewhere in the records, in a file name."""
    return tuple(sorted({number for record in records for number in _known(record)}))


def _known(record: NormalizedRecord) -> Iterator[str]:
    if record.thesis and len(record.thesis.student_id) >= 5:
        yield record.thesis.student_id
    yield from (value for key, value in record.local if key.casefold() in PERSONAL and len(value) >= 5)


def filtered_record(record: NormalizedRecord, known: tuple[str, ...] = ()) -> NormalizedRecord:
    """*record* without personal numbers and addresses; a link that carries one is left out: half of it is no use."""
    thesis = record.material == "thesis" or record.thesis is not None
    changed: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if not value or ((cleaned := _walk(value, known)) is value and name not in ("links", "local")):
            continue
        if name == "links":
            cleaned = tuple(link for link in value if not _bears_number(link, known, thesis))
        elif name == "local":
            cleaned = tuple((key, _clean(text, known)) for key, text in value if key.casefold() not in PERSONAL)
        changed[name] = cleaned
    if record.thesis and record.thesis.student_id:
        changed["thesis"] = msgspec.structs.replace(changed.get("thesis", record.thesis), student_id="")
    return msgspec.structs.replace(record, **changed) if changed else record


def filtered_holdings(holdings: tuple[Holding, ...], known: tuple[str, ...]) -> tuple[Holding, ...]:
    """*holdings* likewise."""
    cleaned: tuple[Holding, ...] = _walk(holdings, known)
    return cleaned


def _bears_number(link: Link, known: tuple[str, ...], thesis: bool) -> bool:
    text = f"{link.url} {link.label}"
    return _clean(text, known) != text or (thesis and bool(_STUDENT_FILE.search(link.url)))


def _walk(value: Any, known: tuple[str, ...]) -> Any:
    """*value* with every text in it cleaned; itself if nothing was to be cleaned."""
    if isinstance(value, str):
        text = _clean(value, known) if known else _hidden(value)
        return value if text == value else text
    if isinstance(value, tuple):
        walked = [_walk(single, known) for single in value]
        return value if all(map(operator.is_, walked, value)) else tuple(walked)
    if not isinstance(value, msgspec.Struct) or (isinstance(value, Identifier) and value.kind in STANDARD):
        return value  # an ISBN-10 of the group 0 looks like a telephone number
    changed: dict[str, Any] = {}
    for name in value.__struct_fields__:
        part = getattr(value, name)
        if part and not isinstance(part, int) and (cleaned := _walk(part, known)) is not part:
            changed[name] = cleaned
    if isinstance(value, Contributor):
        name = changed.get("name", value.name)
        if _DIGIT.search(name) and _LONG_NUMBER.search(name):
            changed["name"] = _LONG_NUMBER.sub(HIDDEN, name).strip(" ,;/-")
    return msgspec.structs.replace(value, **changed) if changed else value


def _clean(text: str, known: tuple[str, ...]) -> str:
    for number in known:
        text = text.replace(number, HIDDEN)
    return _hidden(text)


_hidden: Callable[[str], str] = lru_cache(maxsize=4096)(hide)


class _Released:
    """A catalogue whose documents are all released."""

    def __init__(self, inner: Catalogue) -> None:
        self._inner = inner
        self._partners = partner_of(inner.partners())
        self.epoch = inner.epoch
        self.released = inner.released
        self.kept_since = inner.kept_since

    def changes(self, since: int, limit: int = 1000) -> Sequence[Change]:
        return self._inner.changes(since, limit)

    def documents(self, clusters: Sequence[str]) -> dict[str, ClusterDocument]:
        found = self._inner.documents(clusters)
        return {one.cluster: one for one in self._all(found.values())}

    def pages(self, size: int = 500) -> Iterator[Sequence[ClusterDocument]]:
        for page in self._inner.pages(size):
            yield list(self._all(page))

    def touched(self, since: str, until: str, partner: str, material: str, after: int, limit: int) -> Sequence[Touch]:
        return self._inner.touched(since, until, partner, material, after, limit)

    def touch(self, cluster: str) -> Touch | None:
        return self._inner.touch(cluster)

    def partners(self) -> Sequence[Partner]:
        return self._inner.partners()

    def _all(self, documents: Iterable[ClusterDocument]) -> Iterator[ClusterDocument]:
        for document in documents:
            kept = release(document, self._partners)
            if kept is not None:
                yield kept


def released(catalogue: Catalogue) -> Catalogue:
    """*catalogue* with every document passed through release; one that is already so is returned as it is."""
    return catalogue if isinstance(catalogue, _Released) else _Released(catalogue)
