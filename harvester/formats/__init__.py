"""Add a format: one file that turns the payload bytes of one record into a light record, under the file's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from harvester.registry import Registry


class Record(Protocol):
    """A light record: MarcRecord, XmlRecord or RowRecord; `flags` names every repair, as `what:how:where`."""

    @property
    def flags(self) -> tuple[str, ...]: ...


Parser = Callable[[bytes], Record]
"""The payload of one record → its light form. Raises RecordError (stage split, decode or parse), nothing else."""

formats: Registry[Parser] = Registry("format", "harvester.formats")
