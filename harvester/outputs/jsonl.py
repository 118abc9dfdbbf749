"""JSON Lines: MARC-in-JSON and an envelope `_union` with our own fields, the donor of each value and the members."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from harvester.formats import marc_json
from harvester.model import ClusterDocument, MarcRecord
from harvester.outputs import outputs
from harvester.outputs.batch import Opening
from harvester.outputs.files import Files, Format, marc_of


@outputs.register("jsonl")
def open_jsonl(opening: Opening) -> Files:
    """url: a folder. Option: compress (gz, zst)."""
    encode = encoder(marc_of(opening))
    return Files(opening, Format("jsonl", b"", b"", b"\n", encode, gone, identify))


def encoder(marc: Callable[[ClusterDocument], MarcRecord]) -> Callable[[ClusterDocument], bytes]:
    """Document → its line, without the line end."""

    def encode(document: ClusterDocument) -> bytes:
        envelope = {
            "id": document.cluster,
            "created": document.created,
            "changed": document.changed,
            "members": document.union.members,
            "record": document.union.record,
            "survivors": document.union.survivors,
        }
        return marc_json.write(marc(document))[:-1] + b',"_union":' + msgspec.json.encode(envelope) + b"}"

    return encode


def gone(cluster: str, target: str) -> bytes:
    """The line of a deleted cluster."""
    envelope: dict[str, object] = {"id": cluster, "deleted": True}
    return msgspec.json.encode({"_union": envelope | ({"redirect": target} if target else {})})


def identify(piece: bytes) -> tuple[str, bool]:
    """The cluster of a line, and whether it is a deletion."""
    envelope = msgspec.json.decode(piece)["_union"]
    return str(envelope["id"]), bool(envelope.get("deleted"))
