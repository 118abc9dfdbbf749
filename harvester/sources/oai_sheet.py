"""One OAI-PMH answer taken apart: the envelope, its records as elements, its token. Names count, namespaces do not."""

from __future__ import annotations

from typing import Any

import msgspec

OAI_NAMESPACE = "http://www.openarchives.org/OAI/2.0/"
LISTS = ("ListRecords", "ListIdentifiers", "GetRecord")
_MEMBERS = frozenset({"record", "header", "resumptionToken", "error", ""})
_RECORDS = frozenset({"record", "header", ""})


class Piece(msgspec.Struct, frozen=True):
    """One record as it stood in the answer: its element, or what is wrong and its header if at least that is sound.

    `raw` is there only where it was not strict XML.
    """

    element: Any = None
    raw: bytes = b""
    flags: tuple[str, ...] = ()
    problem: str = ""
    header: Any = None


class Sheet(msgspec.Struct, frozen=True):
    """One answer, read. `whole` means that every byte between its first and last tag is accounted for.

    `root` is None where not even the envelope could be read; `tail` is a record that was cut off at the end.
    """

    root: Any
    pieces: tuple[Piece, ...] = ()
    whole: bool = True
    flags: tuple[str, ...] = ()
    token: Any = None
    tail: bytes = b""


def sheet_of(root: Any, verb: str, flags: tuple[str, ...] = ()) -> Sheet:
    """The sound answer under *root*."""
    if root.tag != f"{{{OAI_NAMESPACE}}}OAI-PMH":
        flags += ("namespace",)
    lists = children(root, verb)
    if verb in LISTS and any(stray(each) for each in lists):
        flags += ("stray-content",)
    name = "header" if verb == "ListIdentifiers" else "record"
    pieces = tuple(Piece(element) for each in lists for element in children(each, name))
    # Some servers write the token behind the list instead of into it.
    tokens = [token for each in (*lists, root) for token in children(each, "resumptionToken")]
    return Sheet(root, pieces, True, flags, tokens[-1] if tokens else None)


def local(element: Any) -> str:
    """The name of *element* without its namespace; "" for comments and processing instructions."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def children(element: Any, name: str) -> list[Any]:
    """The children of *element* with the local name *name*, whatever their namespace."""
    return [child for child in element if local(child) == name]


def text_of(element: Any) -> str:
    """All text within *element*."""
    return "".join(element.itertext())


def stray(container: Any) -> bool:
    """True when a list holds text or elements that belong to no record."""
    return has_text(container) or any(local(child) not in _MEMBERS for child in container)


def only_records(container: Any) -> bool:
    """True when *container* holds records or headers and nothing else."""
    return not has_text(container) and all(local(child) in _RECORDS for child in container)


def has_text(container: Any) -> bool:
    """True when there is text between the children of *container*."""
    texts = [container.text, *(child.tail for child in container)]
    return any((text or "").strip() for text in texts)
