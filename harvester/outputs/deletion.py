"""A deletion as a MARC record: leader/05 is d, 001 the cluster id; 682 says which cluster took its place."""

from __future__ import annotations

from harvester.formats.light import data_body
from harvester.model import MarcRecord

LEADER = "00000dam a2200000 i 4500"


def deletion(cluster: str, target: str) -> MarcRecord:
    """The record that tells a MARC consumer to drop *cluster*; *target* is the cluster that holds its records now."""
    fields = [("001", cluster)]
    if target:
        fields.append(("682", data_body(" ", " ", [("i", "merged into"), ("0", target)])))
    return MarcRecord(LEADER, tuple(fields))
