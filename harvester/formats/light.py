"""The light MARC record that every MARC format returns, and how its bodies are read."""

from __future__ import annotations

from collections.abc import Iterable

from harvester.model import MarcRecord

DELIMITER = "\x1f"
LEADER_LENGTH = 24


class LightMarc(MarcRecord, frozen=True):
    """A MarcRecord that can be taken apart. What comes of it is not kept: a slice of records would fill the cache."""

    def split(self) -> dict[str, list[list[str]]]:
        """The fields by tag, each as [indicators, code+text, …], a control field as [text]."""
        found: dict[str, list[list[str]]] = {}
        before: str | None = None
        for tag, body in self.fields:
            if tag is not before:  # fields of one tag mostly stand together
                before, same = tag, found.setdefault(tag, [])
            same.append(body.split(DELIMITER) if tag >= "010" else [body])
        return found


def is_control(tag: str) -> bool:
    """True for the tags of control fields: 001 to 009 and 00A to 00Z."""
    return tag.startswith("00")


def indicators(body: str) -> str:
    """The two indicators of a data field; blanks where the field has fewer."""
    head = body.partition(DELIMITER)[0]
    return (head + "  ")[:2]


def subfields(body: str) -> list[tuple[str, str]]:
    """(code, text) of each subfield in order; a delimiter without a code gives the code ""."""
    return [(part[:1], part[1:]) for part in body.split(DELIMITER)[1:]]


def data_body(first: str, second: str, parts: Iterable[tuple[str, str]]) -> str:
    """The body of a data field made of two indicators and (code, text) pairs."""
    return f"{first}{second}" + "".join(f"{DELIMITER}{code}{text}" for code, text in parts)


def normal_leader(text: str) -> str:
    """*text* cut or padded with blanks to the 24 characters of a leader."""
    return text[:LEADER_LENGTH].ljust(LEADER_LENGTH)
