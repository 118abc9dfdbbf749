"""A read OAI-PMH answer as records, damages, errors and a token."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from lxml import etree
from sickle.models import ResumptionToken

from harvester.clock import stamp
from harvester.model import Damage, HarvestedRecord
from harvester.sources.oai_sheet import Piece, Sheet, children, local, text_of

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?)?")
_IDENTIFIER_LENGTH = 1000
_MARC = "http://www.loc.gov/MARC21/slim"
_FORMATS = {"dc": "oai_dc", "qualifieddc": "oai_dc", "record": "marcxml", "collection": "marcxml", "mods": "mods"}


class OaiPage(msgspec.Struct, frozen=True):
    """What one answer says. `errors` are (code, text); `whole` is False when bytes of it could not be read."""

    records: tuple[HarvestedRecord, ...] = ()
    damages: tuple[Damage, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    token: Any = None
    has_list: bool = True
    whole: bool = True
    response_date: str = ""
    flags: tuple[str, ...] = ()

    @property
    def next_token(self) -> str:
        """The token that fetches the next page, exactly as sent; "" at the end of the list."""
        text = (self.token.token or "") if self.token is not None else ""
        return text if text.strip() else ""

    @property
    def list_size(self) -> int | None:
        """completeListSize, if it is a number."""
        text = (self.token.complete_list_size or "").strip() if self.token is not None else ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None

    @property
    def cursor(self) -> int:
        """How many records came before this page, as the server says; 0 when it does not."""
        text = (self.token.cursor or "").strip() if self.token is not None else ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0

    @property
    def digest(self) -> str:
        """Equal for two pages with the same records in the same order."""
        names = "\n".join(f"{record.identifier} {record.datestamp} {record.deleted:d}" for record in self.records)
        return hashlib.sha256(names.encode("utf-8", "replace")).hexdigest()


def read_page(sheet: Sheet, verb: str, record_bytes: int) -> OaiPage:
    """*sheet* as a page; records that cannot be used are among its damages."""
    read = [_read_piece(piece, verb, record_bytes) for piece in sheet.pieces]
    damages = [each for each in read if isinstance(each, Damage)]
    if sheet.tail:
        damages.append(Damage("fetch", "truncated", "the answer ends within a record", sheet.tail[:record_bytes]))
    records = tuple(each for each in read if isinstance(each, HarvestedRecord))
    flags = sheet.flags
    if len({record.identifier for record in records}) < len(records):
        flags += ("identifier-twice",)
    root = sheet.root
    return OaiPage(
        records=records,
        damages=tuple(damages),
        errors=() if root is None else tuple(_errors(root, verb)),
        token=None if sheet.token is None else _token(sheet.token),
        has_list=root is None or bool(children(root, verb)),
        whole=sheet.whole,
        response_date="" if root is None else utc_moment(_first_text(root, "responseDate")),
        flags=flags,
    )


def utc_moment(text: str) -> str:
    """*text* (an OAI-PMH time) as ISO 8601 UTC with seconds; "" when it is no time. No zone means UTC."""
    text = text.strip()
    if not _MOMENT.fullmatch(text):
        return ""
    try:
        moment = datetime.fromisoformat(text)
        return stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return ""


def _errors(root: Any, verb: str) -> list[tuple[str, str]]:
    found = children(root, "error") + [error for each in children(root, verb) for error in children(each, "error")]
    codes = [error.get("code", "").strip()[:60] or "unknown" for error in found]
    texts = [" ".join(text_of(error).split())[:300] for error in found]
    return list(zip(codes, texts, strict=True))


def _token(element: Any) -> ResumptionToken:
    """The token with its text exactly as it came (blanks and line breaks may be part of it)."""
    return ResumptionToken(
        token=text_of(element),
        cursor=element.get("cursor"),
        complete_list_size=element.get("completeListSize"),
        expiration_date=element.get("expirationDate"),
    )


def _read_piece(piece: Piece, verb: str, record_bytes: int) -> HarvestedRecord | Damage:
    if piece.element is None:
        identifier = "" if piece.header is None else _first_text(piece.header, "identifier").strip()
        return Damage("parse", "not-well-formed", piece.problem[:500], piece.raw[:record_bytes], identifier)
    element = piece.element
    headers = [element] if verb == "ListIdentifiers" else children(element, "header")
    if len(headers) != 1:
        reason = "several-headers" if headers else "no-header"
        return _damage(piece, reason, f"a record with {len(headers)} headers", record_bytes)
    header = headers[0]
    identifier = _first_text(header, "identifier").strip()
    if len({text_of(each).strip() for each in children(header, "identifier")} - {""}) > 1:
        return _damage(piece, "several-identifiers", "a record with several identifiers", record_bytes)
    if not identifier or len(identifier) > _IDENTIFIER_LENGTH:
        return _damage(piece, "no-identifier", "a record without a usable identifier", record_bytes)
    record = HarvestedRecord(
        identifier=identifier,
        format="",
        datestamp=_first_text(header, "datestamp")[:100],
        deleted=header.get("status", "").strip().lower() == "deleted",
        sets=tuple(text_of(each).strip() for each in children(header, "setSpec")),
        flags=piece.flags,
    )
    return record if record.deleted or verb == "ListIdentifiers" else _with_payload(record, piece, record_bytes)


def _with_payload(record: HarvestedRecord, piece: Piece, record_bytes: int) -> HarvestedRecord | Damage:
    elements = [each for container in children(piece.element, "metadata") for each in container if local(each)]
    if not elements:
        reason = "a live record without metadata"
        return _damage(piece, "no-metadata", reason, record_bytes, record.identifier)
    metadata = _unwrapped(elements[0])
    payload = _serialized(metadata)
    if len(payload) > record_bytes:
        return _damage(piece, "too-large", f"{len(payload):,} bytes of metadata", record_bytes, record.identifier)
    flags = record.flags + (("metadata-several",) if len(elements) > 1 else ())
    return msgspec.structs.replace(record, format=format_of(metadata), payload=payload, flags=flags, received=piece.raw)


def _serialized(metadata: Any) -> bytes:
    """*metadata* as a document of its own: canonical, with only the namespaces that it uses."""
    try:
        return bytes(etree.tostring(metadata, method="c14n", exclusive=True, with_comments=False))
    except etree.C14NError:
        # Canonical XML does not allow relative namespace names, which some servers make up.
        return bytes(etree.tostring(metadata, encoding="UTF-8", with_tail=False))


def _unwrapped(metadata: Any) -> Any:
    """The one record of a MARCXML collection, else *metadata* itself."""
    records = children(metadata, "record") if local(metadata) == "collection" else []
    return records[0] if len(records) == 1 else metadata


def format_of(metadata: Any) -> str:
    """The format of a metadata element, by its name: what the server calls it is not asked."""
    name = local(metadata)
    return _FORMATS.get(name.lower(), name.lower())


def _damage(piece: Piece, reason: str, message: str, limit: int, identifier: str = "") -> Damage:
    raw = piece.raw or etree.tostring(piece.element, with_tail=False)
    return Damage("parse", reason, message, raw[:limit], identifier)


def _first_text(element: Any, name: str) -> str:
    """The text of the first child *name* that has one; some servers send an empty one before it."""
    texts = [text_of(each) for each in children(element, name)]
    return next((text for text in texts if text.strip()), texts[0] if texts else "")
