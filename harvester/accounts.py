"""Who may do what: accounts, roles checked for each object, passwords, sessions, tokens.

There is no default account: `induk user add` makes the first one. Passwords are kept as argon2id; of session cookies
and tokens only digests are stored, so that nobody who reads the database can use them.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from db import accounts as stored
from db.engine import Database
from harvester.clock import stamp
from harvester.errors import UsageError
from harvester.model import Clock, Value

ROLES = ("viewer", "cataloguer", "partner", "admin")
SESSION_HOURS = 12
SHORTEST_PASSWORD = 10
WINDOW = timedelta(minutes=15)
TRIES_OF_NAME = 5
TRIES_OF_ADDRESS = 30
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")

# Action → who may do it. "all": everybody who is logged in; "own": cataloguers and partners for the partners that they
# are there for (a cataloguer without partners: for all); "cataloguer": the same, without partners; "admin": admins.
ACTIONS = {
    "read": "all",
    "report": "all",
    "self": "all",
    "decide": "cataloguer",
    "review": "cataloguer",
    "raw": "own",
    "ledger": "own",
    "quarantine": "own",
    "upload": "own",
    "approve": "cataloguer",
    "promote": "admin",
    "audit": "admin",
    "users": "admin",
}


class Account(Value, frozen=True):
    """A person as pages know them; *partners* are the codes they are there for."""

    id: int
    name: str
    role: str
    partners: tuple[str, ...] = ()

    def may(self, action: str, partners: Collection[str] | None = None) -> bool:
        """Whether this person may do *action*, to records of *partners* (None: to any at all).

        Of several partners one of theirs is enough: whoever cares for a member of a cluster may speak about it.
        """
        who = ACTIONS[action]
        if self.role == "admin" or who == "all":
            return True
        if who == "admin" or self.role == "viewer" or (who == "cataloguer" and self.role == "partner"):
            return False
        everywhere = self.role == "cataloguer" and not self.partners
        return everywhere or partners is None or not set(partners).isdisjoint(self.partners)


class TooManyTries(UsageError):
    """Too many failed log-ins lately."""


def digest(secret: str) -> bytes:
    """What is stored of a session cookie or token: both are long and random, so one round is enough."""
    return hashlib.blake2b(secret.encode("utf-8", "replace"), digest_size=16).digest()


def _hasher() -> Any:
    try:
        from argon2 import PasswordHasher
    except ImportError as error:
        raise UsageError("passwords need argon2", hint="from the checkout: pip install '.[web]'") from error
    return PasswordHasher()


def add(database: Database, clock: Clock, name: str, role: str, partners: Collection[str], password: str) -> int:
    """Make an account; returns its id. An empty password: log-in by reverse proxy or token only.

    Raises:
        UsageError: the name is taken or no name, the role unknown, the password too short, a partner without a code.
    """
    _check(name, role, partners, password)
    now = stamp(clock.now())
    row = {"name": name, "role": role, "partners": json.dumps(sorted(partners)), "active": True, "added_at": now}
    hashed = _hasher().hash(password) if password else ""
    with database.write(durable=True) as conn:
        if stored.find(conn, name):
            raise UsageError(f"there is an account {name} already", hint="`induk user passwd` changes its password")
        return stored.add(conn, {**row, "password": hashed})


def _check(name: str, role: str, partners: Collection[str], password: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"no name for an account: {name!r}", hint="letters, digits, dot, dash, underscore, @")
    if role not in ROLES:
        raise UsageError(f"no role {role!r}", hint=f"one of {', '.join(ROLES)}")
    if role == "partner" and not partners:
        raise UsageError("an account of a partner needs its partner's code")
    if password and len(password) < SHORTEST_PASSWORD:
        raise UsageError(f"the password is shorter than {SHORTEST_PASSWORD} characters")


def set_password(database: Database, name: str, password: str) -> None:
    """Give an account another password; its sessions end."""
    if len(password) < SHORTEST_PASSWORD:
        raise UsageError(f"the password is shorter than {SHORTEST_PASSWORD} characters")
    hashed = _hasher().hash(password)
    with database.write(durable=True) as conn:
        known = _known(conn, name)
        stored.change(conn, known["id"], {"password": hashed})
        stored.close_sessions(conn, known["id"])


def set_active(database: Database, name: str, active: bool) -> None:
    """Let an account in or keep it out; out, its sessions end at once."""
    with database.write(durable=True) as conn:
        known = _known(conn, name)
        stored.change(conn, known["id"], {"active": active})
        if not active:
            stored.close_sessions(conn, known["id"])


def make_token(database: Database, clock: Clock, name: str, label: str) -> str:
    """A new token of an account; it is shown once and never again."""
    secret = "induk_" + secrets.token_urlsafe(32)
    with database.write(durable=True) as conn:
        known = _known(conn, name)
        stored.add_token(conn, digest(secret), known["id"], label[:100], stamp(clock.now()))
    return secret


def _known(conn: Any, name: str) -> dict[str, Any]:
    known = stored.find(conn, name)
    if known is None:
        raise UsageError(f"no account {name}", hint="`induk user list` shows them")
    return known


# ---- logging in --------------------------------------------------------------------------------------


def log_in(database: Database, clock: Clock, name: str, password: str, address: str) -> tuple[Account, str]:
    """The account and the secret of a new session; a wrong name costs as much time as a wrong password.

    Raises:
        TooManyTries: this name or address has failed too often in the last quarter of an hour.
        UsageError: wrong name or password; it does not say which.
    """
    now = clock.now()
    since = stamp(now - WINDOW)
    with database.read() as conn:
        of_name, of_address = stored.failures(conn, name, address, since)
        known = stored.find(conn, name)
    if of_name >= TRIES_OF_NAME or of_address >= TRIES_OF_ADDRESS:
        raise TooManyTries("too many failed log-ins; try again in a quarter of an hour")
    if not _right(known, password):
        with database.write() as conn:
            stored.note_failure(conn, name, address, stamp(now), since)
        raise UsageError("wrong name or password")
    assert known is not None
    secret = secrets.token_urlsafe(32)
    expires = stamp(now + timedelta(hours=SESSION_HOURS))
    with database.write() as conn:
        stored.forget_failures(conn, name)
        stored.open_session(conn, digest(secret), known["id"], stamp(now), expires)
        stored.note(conn, stamp(now), name, "login", "")
    return account_of(known), secret


_NOBODY: list[str] = []


def _right(known: dict[str, Any] | None, password: str) -> bool:
    from argon2.exceptions import Argon2Error, InvalidHashError

    hasher = _hasher()
    if not _NOBODY:
        _NOBODY.append(hasher.hash(secrets.token_urlsafe(16)))
    usable = known is not None and known["active"] and known["password"]
    try:
        hasher.verify(known["password"] if known and usable else _NOBODY[0], password[:1000])
    except (Argon2Error, InvalidHashError):
        return False
    return bool(usable)


def account_of(row: dict[str, Any]) -> Account:
    """The account in a row of the table."""
    return Account(row["id"], row["name"], row["role"], tuple(json.loads(row["partners"])))


def by_session(conn: Any, secret: str, now: str) -> Account | None:
    """Who sent this session cookie."""
    row = stored.of_session(conn, digest(secret), now) if secret else None
    return account_of(row) if row else None


def by_token(conn: Any, secret: str) -> Account | None:
    """Who sent this token."""
    row = stored.of_token(conn, digest(secret)) if secret else None
    return account_of(row) if row else None


def by_name(conn: Any, name: str) -> Account | None:
    """The active account that a trusted proxy names."""
    row = stored.find(conn, name) if name else None
    return account_of(row) if row and row["active"] else None
