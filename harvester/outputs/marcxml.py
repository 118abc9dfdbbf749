"""MARCXML collections, one record a line; a deletion is a record with leader/05 = d."""

from __future__ import annotations

import re

from harvester.formats import marcxml_write
from harvester.model import ClusterDocument, MarcRecord
from harvester.outputs import outputs
from harvester.outputs.batch import Opening
from harvester.outputs.deletion import deletion
from harvester.outputs.files import Files, Format, marc_of

_IDENTITY = re.compile(rb"<leader>.{5}(.).*?</leader>\s*<controlfield tag=\"001\">([^<]*)<", re.DOTALL)


@outputs.register("marcxml")
def open_marcxml(opening: Opening) -> Files:
    """url: a folder. Option: compress (gz, zst)."""
    marc = marc_of(opening)
    head, tail = marcxml_write.HEAD.encode(), marcxml_write.TAIL.encode()

    def encode(document: ClusterDocument) -> bytes:
        return one_line(marc(document))

    return Files(opening, Format("xml", head, tail, b"\n", encode, gone, identify))


def one_line(record: MarcRecord) -> bytes:
    """*record* without line ends (its values hold none)."""
    return marcxml_write.write(record, namespace=False).replace("\n", "").encode()


def gone(cluster: str, target: str) -> bytes:
    """The record of a deleted cluster."""
    return one_line(deletion(cluster, target))


def identify(piece: bytes) -> tuple[str, bool]:
    """The cluster of a record, and whether it is a deletion; the end tag of the collection is a deletion of nothing."""
    found = _IDENTITY.search(piece)
    return (found[2].decode(), found[1] == b"d") if found else ("", True)
