"""The simulated partner's own records: the oracle that a harvest is measured against."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from harvester.model import Clock


class SampleClock:
    """A clock that stands still until it is moved, so that nights are reproducible."""

    def __init__(self, now: datetime = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)) -> None:
        self._now = now
        self._passed = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Move the clock on by *seconds*; returns at once."""
        self._now += timedelta(seconds=seconds)
        self._passed += seconds


class Row(msgspec.Struct, frozen=True):
    """One record in the partner's database. `payloads` maps payload format to the XML under <metadata>.

    `updated` is None until the first edit; `hidden` is the partner's own flag "not in the OPAC"; `previous` is
    what the server still shows before `visible_from`.
    """

    key: str
    payloads: Mapping[str, bytes]
    created: datetime
    updated: datetime | None = None
    sets: tuple[str, ...] = ()
    hidden: bool = False
    deleted: bool = False
    visible_from: datetime | None = None
    previous: Row | None = None

    @property
    def modified(self) -> datetime:
        return self.updated or self.created

    def at(self, now: datetime) -> Row | None:
        """The row as the server shows it at *now*; None when it shows nothing yet."""
        if self.visible_from is None or now >= self.visible_from:
            return self
        return self.previous.at(now) if self.previous else None


class Store:
    """Records by local key. Every change takes its time from the clock, or from *at*."""

    def __init__(self, clock: Clock, *, set_names: Mapping[str, str] | None = None) -> None:
        self.clock = clock
        self.set_names = dict(set_names or {})
        self.lock = threading.RLock()
        self.lag = timedelta()
        self.backdate = timedelta()
        self._rows: dict[str, Row] = {}

    def put(
        self, key: str, payloads: Mapping[str, bytes], *, sets: tuple[str, ...] = (), at: datetime | None = None
    ) -> None:
        """Add a record, or replace it when *key* is known (a deleted one comes back)."""
        with self.lock:
            known = self._rows.get(key)
            if known is None:
                stamp = self._stamp(at)
                self._keep(Row(key, dict(payloads), stamp, None, sets), at)
            else:
                self._change(key, at, payloads=dict(payloads), sets=sets or known.sets, deleted=False)

    def edit(self, key: str, payloads: Mapping[str, bytes], *, at: datetime | None = None) -> None:
        """Change some payloads of a live record."""
        with self.lock:
            self._change(key, at, payloads={**self._rows[key].payloads, **payloads})

    def delete(self, key: str, *, at: datetime | None = None) -> None:
        """Delete a record; whether a harvester is told depends on the server's quirks."""
        self._change(key, at, deleted=True)

    def forget(self, key: str) -> None:
        """Remove a record without a trace, as a server does whose memory of deletions ends."""
        with self.lock:
            del self._rows[key]

    def hide(self, key: str, *, hidden: bool = True, at: datetime | None = None) -> None:
        """Take a record out of the OPAC, or put it back, without deleting it."""
        self._change(key, at, hidden=hidden)

    def rename(self, old: str, new: str) -> None:
        """Give a record another key and nothing else, as a migration to another system does."""
        with self.lock:
            self._rows[new] = msgspec.structs.replace(self._rows.pop(old), key=new)

    def rows(self) -> list[Row]:
        """Every row, deleted and hidden ones too, in the order of insertion."""
        with self.lock:
            return list(self._rows.values())

    def row(self, key: str) -> Row | None:
        """The row with this local key, deleted or not."""
        with self.lock:
            return self._rows.get(key)

    def shown(self, now: datetime) -> list[Row]:
        """Every row as the server shows it at *now*: changes that lag behind are not there yet."""
        return [row for row in (kept.at(now) for kept in self.rows()) if row is not None]

    def live(self) -> dict[str, Row]:
        """What a complete harvest must end with: rows neither deleted nor hidden, by local key."""
        return {row.key: row for row in self.rows() if not (row.deleted or row.hidden)}

    def _change(self, key: str, at: datetime | None, **changes: object) -> None:
        with self.lock:
            known = self._rows[key]
            self._keep(msgspec.structs.replace(known, updated=self._stamp(at), **changes), at, known)

    def _keep(self, row: Row, at: datetime | None, known: Row | None = None) -> None:
        if self.lag:
            visible = (at or self.clock.now()) + self.lag
            row = msgspec.structs.replace(row, visible_from=visible, previous=known)
        self._rows[row.key] = row

    def _stamp(self, at: datetime | None) -> datetime:
        return (at or self.clock.now()).replace(microsecond=0) - self.backdate
