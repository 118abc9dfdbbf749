"""Decisions as a file, out and in: for a backup in git, another catalogue, or a union that was here before.

YAML holds everything; CSV one line for each record of a decision (`decision, action, kind, author, reason, at, side,
record, field, value, seen`). Importing twice changes nothing. Records that are not here yet are waited for.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection

from db import catalogue, links, work
from db.links import Decided, Draft
from harvester import yaml_file
from harvester.deciding import told, typed
from harvester.errors import ConfigError, UsageError
from harvester.identifiers import canonical
from harvester.model import Address, Value
from harvester.pipeline import Pipeline

MAX_BYTES = 200_000_000
COLUMNS = ("decision", "action", "kind", "author", "reason", "at", "side", "record", "field", "value", "seen")
ACTIONS = {  # what may be imported → what it says of its sides
    "merge": "must",
    "confirm": "must",
    "must": "must",
    "never": "cannot",
    "apart": "cannot",
    "undo_member": "cannot",
    "split": "split",
    "pin": "",
    "wrong": "",
    "old_id": "",
}
UNION = "union"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what starts so (OWASP, CSV injection)
BATCH = 500


class Imported(Value, frozen=True, omit_defaults=False):
    """How many decisions came in, were here already, and how many records now wait for a match."""

    decisions: int
    known: int
    waiting: int
    absent: int  # records named in the file that are not here yet


# ---- out -----------------------------------------------------------------------------------------------


def export(pipeline: Pipeline, format: str = "yaml") -> Iterator[str]:
    """The decisions in force, oldest first, as lines of YAML or CSV."""
    if format not in ("yaml", "csv"):
        raise UsageError(f"no format {format!r}", hint="yaml or csv")
    if format == "csv":
        yield _csv_line(COLUMNS)
    for one, plain in _exported(pipeline):
        if format == "yaml":
            yield yaml.safe_dump([plain], allow_unicode=True, sort_keys=False, width=10_000)
        else:
            yield from _csv_lines(one, plain)


def _exported(pipeline: Pipeline) -> Iterator[tuple[Decided, dict[str, Any]]]:
    last = 0
    while True:
        with pipeline.database.read() as conn:
            batch = links.listed(conn, after=last, limit=BATCH)
        if not batch:
            return
        last = batch[-1].id
        for one in batch:
            if one.action in ACTIONS:
                plain = one._replace(body=told(one)["body"])
                yield plain, _plain(plain)


def _plain(one: Decided) -> dict[str, Any]:
    found: dict[str, Any] = {"action": one.action, "author": one.author, "reason": one.reason, "at": one.at}
    found["records"] = [[str(address) for address in side] for side in one.sides]
    return found | ({"body": one.body} if one.body else {})


def _csv_lines(one: Decided, plain: Mapping[str, Any]) -> Iterator[str]:
    field, value = "", ""
    seen = str(one.body.get("seen", ""))
    if one.action == "pin":
        field = one.body["field"]
        value = "" if "donor" in one.body else json.dumps(one.body["value"], ensure_ascii=False)
    elif one.action == "wrong":
        field, value = one.body["kind"], one.body["value"]
    elif one.body.get("import") == UNION:
        field, value = UNION, _guarded(str(one.body["id"]))
    for number, side in enumerate(plain["records"]):
        for record in side:
            said = (_guarded(one.author), _guarded(one.reason))
            yield _csv_line((one.id, one.action, one.kind, *said, one.at, number, record, field, value, seen))


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _csv_line(row: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(row)
    return out.getvalue()


# ---- in ------------------------------------------------------------------------------------------------


def read(path: Path) -> str:
    """The text of a file of decisions, also packed."""
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error):
        raise UsageError("the file is not UTF-8", place=path.name) from None


@contextmanager
def placed(path: Path) -> Iterator[None]:
    """Whatever is wrong inside is told with the name of the file."""
    try:
        yield
    except ConfigError as error:
        place = f"{path.name}{':' if error.place.isdigit() else ': '}{error.place}" if error.place else path.name
        raise UsageError(error.message, place=place, hint=error.hint) from error


def import_links(pipeline: Pipeline, text: str, author: str, *, preview: bool = False) -> Imported:
    """Store the decisions of an exported file as of their own authors; match carries them out.

    Raises:
        UsageError: the file is not one of ours; the message names the first line or decision that is wrong.
    """
    drafts = list(_read(text, author))
    with pipeline.database.read() as conn:
        held = list(_all(conn))
    # a list written by hand may say no time: it is the same decision whenever it was made
    there = {
        _key(one.action, one.author, at, one.sides, one.body)
        for one in held
        for at in {one.at, "" if one.state in links.IN_FORCE else one.at}
    }
    fresh = list({key: one for one in drafts if (key := _key_of(*one)) not in there}.values())
    return _store(pipeline, fresh, len(drafts) - len(fresh), preview)


def _all(conn: Connection) -> Iterator[Decided]:
    last = 0
    while batch := links.listed(conn, after=last, limit=BATCH, states=("pending", "active", "undone")):
        last = batch[-1].id
        yield from batch


def _key(action: str, author: str, at: str, sides: Iterable[Iterable[Address]], body: Mapping[str, Any]) -> str:
    own = {name: body[name] for name in ("field", "donor", "value", "kind", "id") if name in body}
    if action == "wrong":  # older databases hold some as they were typed
        own["value"] = canonical(str(own["kind"]), str(own["value"]))
    return json.dumps([action, author, at, sorted(sorted(map(str, side)) for side in sides), own], sort_keys=True)


def _key_of(draft: Draft, at: str) -> str:
    return _key(draft.action, draft.author, at, draft.sides, draft.body)


def _read(text: str, author: str) -> Iterator[tuple[Draft, str]]:
    if len(text) > MAX_BYTES:
        raise UsageError(f"larger than {MAX_BYTES} characters")
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    rows: Iterable[Any] = _csv_rows(text) if first.startswith("decision,") else _yaml_rows(text)
    for number, row in enumerate(rows, 1):
        yield _draft(row, number, author)


def _yaml_rows(text: str) -> Iterator[Any]:
    """The decisions of a YAML list; one that starts each with `- ` at the margin is read decision by decision."""
    text = text.lstrip("\ufeff")
    parts = [part for part in re.split(r"(?m)^(?=- )", text) if part.strip() and not part.startswith("#")]
    if not parts or not all(part.startswith("- ") for part in parts):
        parts = [text] if text.strip() else []
    for number, part in enumerate(parts, 1):
        found = yaml_file.parse(part, name=f"decision {number}").value
        if not isinstance(found, list):
            raise UsageError("a file of decisions is a list", hint="`induk link export` shows what one looks like")
        yield from found


def _csv_rows(text: str) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    missing = [one for one in COLUMNS if one not in (reader.fieldnames or ())]
    if missing:
        raise UsageError(f"column {missing[0]} is missing", hint=f"columns: {', '.join(COLUMNS)}")
    for row in reader:
        made = found.setdefault(
            row["decision"],
            {name: _unguarded(row[name]) for name in ("action", "author", "reason", "at")}
            | {"records": {}, "body": {}},
        )
        made["records"].setdefault(row["side"], []).append(row["record"])
        if row["action"] == "pin":
            typed = {"value": _json(row)} if row["value"] else {"donor": row["record"]}
            made["body"] = {"field": row["field"], "seen": row["seen"], **typed}
        elif row["action"] == "wrong":
            made["body"] = {"kind": row["field"], "value": row["value"]}
        elif row["field"] == UNION:
            made["body"] = {"import": UNION, "id": _unguarded(row["value"])}
    return [{**made, "records": list(made["records"].values())} for made in found.values()]


def _json(row: Mapping[str, str]) -> Any:
    try:
        return json.loads(row["value"])
    except ValueError:
        raise UsageError("the pinned value is no JSON", place=f"decision {row['decision']}") from None


def _draft(row: Any, number: int, author: str) -> tuple[Draft, str]:
    place = f"decision {number}"
    if not isinstance(row, dict) or row.get("action") not in ACTIONS:
        raise UsageError("unknown action", place=place, hint=f"known: {', '.join(ACTIONS)}")
    records = row.get("records")
    if not isinstance(records, list) or not all(isinstance(side, list) and side for side in records):
        raise UsageError("`records` is a list of groups of addresses", place=place)
    sides = tuple(tuple(sorted({Address.parse(str(one)) for one in side})) for side in records)
    named = [one for side in sides for one in side]
    if not named or len(set(named)) != len(named) or not all(one.identifier for one in named):
        raise UsageError("an address is source/identifier, and stands in one group only", place=place)
    kind = ACTIONS[row["action"]]
    if (kind == "must" and len(named) < 2) or (kind in ("cannot", "split") and len(sides) < 2):
        raise UsageError(f"{row['action']} needs more records or groups", place=place)
    body = row.get("body") or {}
    wanted = {"pin": {"field"}, "wrong": {"kind", "value"}}.get(row["action"], set())
    if not isinstance(body, dict) or not wanted <= body.keys():
        raise UsageError(f"`body` of {row['action']} needs {', '.join(sorted(wanted))}", place=place)
    if row["action"] == "pin":
        body = {**body, **({"value": typed(body["field"], body.get("value"))} if "donor" not in body else {})}
    if row["action"] == "wrong":
        body = {**body, "value": canonical(str(body["kind"]), str(body["value"]))}
    who, why, at = (str(row.get(name) or "") for name in ("author", "reason", "at"))
    if at and not _is_time(at):
        raise UsageError(f"at: {at!r} is no time such as 2026-11-22T08:00:00Z", place=place)
    return Draft(row["action"], kind, who or author, why, sides, body), at


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _store(pipeline: Pipeline, drafts: Sequence[tuple[Draft, str]], known: int, preview: bool) -> Imported:
    """Store decisions in transactions of some hundred each; every one marks its records for the next match."""
    waiting, named = 0, 0
    for start in range(0, len(drafts), BATCH):
        part = drafts[start : start + BATCH]
        addresses = {one for draft, _ in part for one in draft.addresses}
        named += len(addresses)
        with pipeline.database.read() if preview else pipeline.database.write(durable=True) as conn:
            states = catalogue.states_of_addresses(conn, addresses)
            waiting += len(states)
            if not preview:
                _add(conn, part, [one.record_id for one in states if one.node_id or one.cluster_id], pipeline.now())
    return Imported(len(drafts), known, waiting, named - waiting)


def _add(conn: Connection, part: Sequence[tuple[Draft, str]], dirty: Sequence[int], now: str) -> None:
    run_id = work.open_run(conn, "decide", None, now)
    ids = []
    for draft, at in part:
        ids.append(links.add(conn, draft, at or now, run_id=run_id))
        _add_body(conn, ids[-1], draft)
    work.mark_dirty(conn, dirty)
    links.settle(conn, ids)
    work.close_run(conn, run_id, verdict="complete", reason="", proof="", now=now, body={"imported": len(part)})


def _add_body(conn: Connection, made: int, draft: Draft) -> None:
    body = draft.body
    if draft.action == "pin":
        typed = None if "donor" in body else json.dumps(body.get("value"), ensure_ascii=False)
        links.add_pin(conn, made, draft.sides[0][0], body["field"], typed, str(body.get("seen", "")))
    elif draft.action == "wrong":
        links.ignore(conn, made, draft.sides[0][0], str(body["kind"]), str(body["value"]))
    elif body.get("import") == UNION:
        links.keep_old_ids(conn, made, [(str(body.get("id", "")), one) for one in draft.addresses])


# ---- a union that was here before ----------------------------------------------------------------------


def import_union(pipeline: Pipeline, text: str, author: str, reason: str, *, preview: bool = False) -> Imported:
    """Take over the groups and ids of an older union catalogue from CSV: `cluster,record` with a header line.

    Its groups become must-links; `find_old` leads from its ids to where the records are now.

    Raises:
        UsageError: the columns are not there, or a line holds no address.
    """
    groups: dict[str, dict[Address, None]] = {}
    homes: dict[Address, str] = {}
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    for name in ("cluster", "record"):
        if name not in (reader.fieldnames or ()):
            raise UsageError(f"column {name} is missing", place="1", hint="columns: cluster,record")
    for number, row in enumerate(reader, 2):
        address = Address.parse((row["record"] or "").strip())
        if not address.identifier or not (row["cluster"] or "").strip():
            raise UsageError("needs an id and an address (source/identifier)", place=str(number))
        name = row["cluster"].strip()
        if homes.setdefault(address, name) != name:
            raise UsageError(f"{address} stands in two clusters", place=str(number))
        groups.setdefault(name, {})[address] = None
    at = pipeline.now()
    drafts = [(_taken_over(name, tuple(sorted(side)), author, reason), at) for name, side in groups.items()]
    with pipeline.database.read() as conn:
        there = {(one.body.get("id"), one.sides) for one in _all(conn) if one.body.get("import") == UNION}
    fresh = [one for one in drafts if (one[0].body["id"], one[0].sides) not in there]
    return _store(pipeline, fresh, len(drafts) - len(fresh), preview)


def _taken_over(name: str, side: tuple[Address, ...], author: str, reason: str) -> Draft:
    action = "merge" if len(side) > 1 else "old_id"
    return Draft(action, ACTIONS[action], author, reason, (side,), {"import": UNION, "id": name})


def find_old(pipeline: Pipeline, name: str) -> list[int]:
    """The clusters in which the records are now that the older union held under *name*, the largest share first."""
    with pipeline.database.read() as conn:
        return links.by_old_id(conn, name)


def named_old(pipeline: Pipeline, name: str) -> list[str]:
    """The addresses that the older union held under *name*, whether or not their records have come."""
    with pipeline.database.read() as conn:
        return links.under_old_id(conn, name)
