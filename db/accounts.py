"""Web accounts, their sessions and tokens, failed log-ins, the audit, and reports of wrong merges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from db.tables import account, audit, login_failure, login_session, merge_report, token
from db.upsert import Row


def find(conn: Connection, name: str) -> Row | None:
    """The account called *name*, or None."""
    found = conn.execute(select(account).where(account.c.name == name)).mappings().first()
    return dict(found) if found else None


def listed(conn: Connection) -> list[Row]:
    """Every account, by name; without passwords."""
    columns = [column for column in account.c if column.name != "password"]
    return [dict(row) for row in conn.execute(select(*columns).order_by(account.c.name)).mappings()]


def add(conn: Connection, values: Row) -> int:
    """Store a new account; returns its id."""
    return int(conn.execute(insert(account).values(values).returning(account.c.id)).scalar_one())


def change(conn: Connection, account_id: int, values: Row) -> None:
    """Set columns of an account."""
    conn.execute(update(account).where(account.c.id == account_id).values(values))


# ---- sessions and tokens -----------------------------------------------------------------------------


def open_session(conn: Connection, digest: bytes, account_id: int, now: str, expires_at: str) -> None:
    """Store a session, and forget those that have expired."""
    conn.execute(delete(login_session).where(login_session.c.expires_at <= now))
    row = {"digest": digest, "account_id": account_id, "made_at": now, "expires_at": expires_at}
    conn.execute(insert(login_session).values(row))


def close_session(conn: Connection, digest: bytes) -> None:
    """End one session."""
    conn.execute(delete(login_session).where(login_session.c.digest == digest))


def close_sessions(conn: Connection, account_id: int) -> None:
    """End every session of an account."""
    conn.execute(delete(login_session).where(login_session.c.account_id == account_id))


def of_session(conn: Connection, digest: bytes, now: str) -> Row | None:
    """The active account of a session that has not expired."""
    query = select(account).join(login_session, login_session.c.account_id == account.c.id)
    query = query.where(login_session.c.digest == digest, login_session.c.expires_at > now, account.c.active)
    found = conn.execute(query).mappings().first()
    return dict(found) if found else None


def add_token(conn: Connection, digest: bytes, account_id: int, label: str, now: str) -> int:
    """Store a token's digest; returns its id."""
    row = {"digest": digest, "account_id": account_id, "label": label, "made_at": now}
    return int(conn.execute(insert(token).values(row).returning(token.c.id)).scalar_one())


def of_token(conn: Connection, digest: bytes) -> Row | None:
    """The active account of a token in force."""
    query = select(account).join(token, token.c.account_id == account.c.id)
    query = query.where(token.c.digest == digest, token.c.revoked_at.is_(None), account.c.active)
    found = conn.execute(query).mappings().first()
    return dict(found) if found else None


def tokens(conn: Connection, account_id: int) -> list[Row]:
    """The tokens of an account in force, the newest first; never their digests."""
    query = select(token.c.id, token.c.label, token.c.made_at)
    query = query.where(token.c.account_id == account_id, token.c.revoked_at.is_(None))
    return [dict(row) for row in conn.execute(query.order_by(token.c.id.desc())).mappings()]


def revoke_token(conn: Connection, account_id: int, token_id: int, now: str) -> bool:
    """Revoke a token of this account; whether there was one."""
    done = conn.execute(
        update(token)
        .where(token.c.id == token_id, token.c.account_id == account_id, token.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return done.rowcount == 1


# ---- failed log-ins ----------------------------------------------------------------------------------


def failures(conn: Connection, name: str, address: str, since: str) -> tuple[int, int]:
    """(failed log-ins of this name, of this address) after *since*."""
    query = select(login_failure.c.name, login_failure.c.address).where(
        login_failure.c.at > since, or_(login_failure.c.name == name, login_failure.c.address == address)
    )
    rows = list(conn.execute(query))
    return sum(row.name == name for row in rows), sum(row.address == address for row in rows)


def note_failure(conn: Connection, name: str, address: str, now: str, since: str) -> None:
    """Note a failed log-in; older ones than *since* go."""
    conn.execute(delete(login_failure).where(login_failure.c.at <= since))
    conn.execute(insert(login_failure).values({"name": name[:200], "address": address[:100], "at": now}))


def forget_failures(conn: Connection, name: str) -> None:
    """A log-in has succeeded: its name starts again."""
    conn.execute(delete(login_failure).where(login_failure.c.name == name))


# ---- audit -------------------------------------------------------------------------------------------


def note(conn: Connection, now: str, who: str, action: str, target: str, before: str = "", after: str = "") -> None:
    """Append to the audit."""
    row = {"at": now, "account": who, "action": action, "target": target[:1000]}
    conn.execute(insert(audit).values({**row, "before": before[:4000], "after": after[:4000]}))


def noted(conn: Connection, *, who: str = "", below: int = 0, limit: int = 100) -> list[Row]:
    """The audit, the newest first; lines with an id below *below* (0: from the end)."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if who:
        query = query.where(audit.c.account == who)
    if below:
        query = query.where(audit.c.id < below)
    return [dict(row) for row in conn.execute(query).mappings()]


# ---- reports of wrong merges -------------------------------------------------------------------------


def report(conn: Connection, cluster_id: int, who: str, remark: str, now: str) -> int:
    """Somebody says that a merge is wrong; returns the report's id."""
    row = {"cluster_id": cluster_id, "account": who, "remark": remark[:2000], "at": now, "state": "open"}
    return int(conn.execute(insert(merge_report).values(row).returning(merge_report.c.id)).scalar_one())


def reports(
    conn: Connection, *, cluster_ids: Sequence[int] = (), open_only: bool = True, limit: int = 200
) -> list[Row]:
    """Reports, the newest first; those of some clusters, or all."""
    query = select(merge_report).order_by(merge_report.c.id.desc()).limit(limit)
    if open_only:
        query = query.where(merge_report.c.state == "open")
    if cluster_ids:
        query = query.where(merge_report.c.cluster_id.in_(list(cluster_ids)))
    return [dict(row) for row in conn.execute(query).mappings()]


def open_reports(conn: Connection) -> int:
    """How many reports wait."""
    query = select(func.count()).select_from(merge_report).where(merge_report.c.state == "open")
    return int(conn.execute(query).scalar_one())


def settle_report(conn: Connection, report_id: int, who: str, now: str) -> bool:
    """Close a report; whether it was open."""
    values: dict[str, Any] = {"state": "settled", "settled_by": who, "settled_at": now}
    done = conn.execute(
        update(merge_report).where(merge_report.c.id == report_id, merge_report.c.state == "open").values(values)
    )
    return done.rowcount == 1
