"""Rule sets and derivations: which rules made what stands in the catalogue."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from db.tables import derivation, ruleset
from db.upsert import insert_new
from harvester.errors import ConfigError, Locked


def current(
    conn: Connection, match_hash: str, match_text: str, merge_hash: str, merge_text: str, code: str, now: str
) -> int:
    """The id of the current derivation; the first call makes it.

    Raises:
        ConfigError: the rules are others than those the catalogue was built with.
    """
    row = conn.execute(select(derivation).where(derivation.c.state == "current")).first()
    hashes = bytes.fromhex(match_hash), bytes.fromhex(merge_hash)
    if row is None:
        return start(conn, hashes, (match_text, merge_text), code, now)
    if (bytes(row.match_hash), bytes(row.survivorship_hash)) != hashes:
        raise ConfigError(
            "the match or survivorship rules changed since the catalogue was built",
            hint="run `induk match --all` to match everything by the new rules, or put the old file back",
        )
    return int(row.id)


def in_force(conn: Connection, match_hash: str, merge_hash: str) -> bool:
    """Whether these rules are those of the current derivation."""
    row = conn.execute(select(derivation).where(derivation.c.state == "current")).first()
    hashes = bytes.fromhex(match_hash), bytes.fromhex(merge_hash)
    return row is None or (bytes(row.match_hash), bytes(row.survivorship_hash)) == hashes


def refuse_overtaken(conn: Connection, derivation_id: int) -> None:
    """Raise Locked unless the rules of this derivation are in force, and keep them so until the transaction ends."""
    hashes = select(derivation.c.match_hash, derivation.c.survivorship_hash)
    current = derivation.c.state == "current"
    conn.execute(hashes.where(current).with_for_update(read=True))  # PostgreSQL: who puts others in force waits
    now, mine = conn.execute(hashes.where(current)).first(), hashes.where(derivation.c.id == derivation_id)
    if now is not None and now != conn.execute(mine).first():
        raise Locked("other rules were put in force meanwhile", hint="the next run goes by them")


def start(conn: Connection, hashes: tuple[bytes, bytes], texts: tuple[str, str], code: str, now: str) -> int:
    """Make a new current derivation of these rules; returns its id."""
    kinds = ("match", "survivorship")
    rows = [
        {"hash": made, "kind": kind, "name": kind, "text": text, "code_version": code, "at": now}
        for made, kind, text in zip(hashes, kinds, texts, strict=True)
    ]
    insert_new(conn, ruleset, rows)
    conn.execute(update(derivation).where(derivation.c.state == "current").values(state="old"))
    values = {"state": "current", "match_hash": hashes[0], "survivorship_hash": hashes[1], "made_at": now}
    return int(conn.execute(insert(derivation).values(values).returning(derivation.c.id)).scalar_one())
