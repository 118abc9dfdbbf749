"""ISO 2709 in UTF-8; a record that does not fit is refused and listed, never cut and never written corrupt."""

from __future__ import annotations

from harvester.formats import iso2709_write
from harvester.model import ClusterDocument
from harvester.outputs import outputs
from harvester.outputs.batch import Opening
from harvester.outputs.deletion import deletion
from harvester.outputs.files import Files, Format, marc_of

END = b"\x1d"


@outputs.register("iso2709")
def open_iso2709(opening: Opening) -> Files:
    """url: a folder. Option: compress (gz, zst)."""
    marc = marc_of(opening)

    def encode(document: ClusterDocument) -> bytes:
        return iso2709_write.write(marc(document))[:-1]

    return Files(opening, Format("mrc", b"", b"", END, encode, gone, identify))


def gone(cluster: str, target: str) -> bytes:
    """The record of a deleted cluster, without its terminator."""
    return iso2709_write.write(deletion(cluster, target))[:-1]


def identify(piece: bytes) -> tuple[str, bool]:
    """The cluster of a record (its 001 is the first field), and whether it is a deletion."""
    base = int(piece[12:17])
    return piece[base : piece.index(b"\x1e", base)].decode(), piece[5:6] == b"d"
