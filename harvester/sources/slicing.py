"""Cuts a source into slices small enough to be had whole, and proves that together they are all of it.

Pure arithmetic over an injected count: servers cut searches without a word (Zebra, so Koha, expands a range or a
prefix to 10,000 terms and forgets the rest), so nothing is believed that does not add up. Prefixes of a date
(YYYY, MM, DD, HH, …) come first, other indexes next. Children that sum to more than their parent prove that the
parent was truncated; slices that sum to the count of all records prove that none is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Literal
from urllib.parse import quote, unquote

import msgspec

from harvester.errors import ConfigError, ProtocolError

DIGITS = "0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MORE = LETTERS.upper() + "-_/.:()+ "
TOO_MANY = "too-many"  # the code of the error of a server that only counts small results
OUT_OF_SEARCHES = "searches"
UNCOUNTED = 1 << 40
NONE = "~"  # the prefix of what has no value in an index: sorts behind every other
MAX_PREFIX = 40
# Hit counts from which a prefix is suspected when the sums do not agree: no server was seen to cut below 100 terms.
SUSPICIOUS = (900, 90)
_STEPS = {1: 2, 2: 3, 3: 4, 4: 6, 6: 8, 8: 10, 10: 12, 12: 14, 0: 1}
_RANGES = {4: range(1, 13), 6: range(1, 32), 8: range(24), 10: range(60), 12: range(60)}

Proof = Literal["proven", "claimed", "partial"]
Part = tuple[str, str]


def refuses_query(error: ProtocolError) -> bool:
    """True when the server only cannot do this search: a diagnostic (`bib-1/114`, `1/16`), or it cost too much."""
    return "/" in error.code or error.code in (TOO_MANY, OUT_OF_SEARCHES)


class Slice(msgspec.Struct, frozen=True):
    """The records that have each prefix in its index; `()` is every record, the prefix `~` is no value at all."""

    parts: tuple[Part, ...] = ()

    def __str__(self) -> str:
        return "&".join(f"{name}:{quote(prefix, safe=NONE)}" for name, prefix in self.parts) or "all"

    @classmethod
    def parse(cls, text: str) -> Slice:
        """The slice that *text* names.

        Raises:
            ConfigError: it names none.
        """
        if text in ("", "all"):
            return cls()
        parts = [part.partition(":") for part in text.split("&")]
        if not all(name and colon for name, colon, _ in parts):
            raise ConfigError(f"{text!r} is no slice")
        return cls(tuple((name, unquote(prefix)) for name, _, prefix in parts))

    def within(self, name: str, prefix: str) -> Slice:
        """This slice cut by a prefix of another index, or by a longer one of its last."""
        kept = tuple(part for part in self.parts if part[0] != name)
        return Slice((*kept, (name, prefix)))

    def reaches(self, other: Slice) -> bool:
        """True when this slice holds *other* or comes behind it in the order of a plan."""
        for (mine, one), (theirs, two) in zip(self.parts, other.parts, strict=False):
            if mine != theirs:
                return True  # cut by another index than before: begin again
            if one != two:
                return two.startswith(one) or one > two
        return True


class Axis(msgspec.Struct, frozen=True):
    """An index to cut by: `date` by calendar, `text` by characters, `list` by the given values."""

    name: str
    kind: Literal["date", "text", "list"] = "text"
    alphabet: str = ""
    values: tuple[str, ...] = ()

    def children(self, prefix: str, wide: bool = False) -> list[str]:
        """The prefixes one step longer; *wide* takes unlikely characters too. [] when there are none."""
        if self.kind == "date":
            return _date_children(prefix, wide)
        if self.kind == "list":
            return [] if prefix else sorted(self.values)
        if len(prefix) >= MAX_PREFIX:
            return []
        letters = self.alphabet or DIGITS + LETTERS
        return [prefix + letter for letter in dict.fromkeys(letters + (MORE if wide else ""))]


class Planned(msgspec.Struct, frozen=True):
    """A slice and the number of records that the server finds in it."""

    slice: Slice
    count: int


class Plan(msgspec.Struct, frozen=True):
    """The slices in order; `term_cap` is the lowest count that proved truncated, None when none did.

    `proof`: proven (the slices sum to `total`), claimed (there is no total, or slices overlap), partial (`missing`).
    """

    slices: tuple[Planned, ...]
    proof: Proof
    total: int | None = None
    term_cap: int | None = None
    searches: int = 0

    @property
    def sum(self) -> int:
        return sum(one.count for one in self.slices)

    @property
    def missing(self) -> int:
        """How many records no slice reaches."""
        return max(0, self.total - self.sum) if self.total is not None else 0


class Bounds(msgspec.Struct, frozen=True):
    """How large slices may be: `most` is what the server gives of one search (None: all), `wanted` what we like."""

    most: int | None = None
    wanted: int = 5_000
    searches: int = 20_000

    def too_large(self, count: int) -> bool:
        """True when a search that finds *count* cannot be had whole."""
        return self.most is not None and count > self.most


# ---- dates -------------------------------------------------------------------------------------------


def _date_children(prefix: str, wide: bool) -> list[str]:
    size = len(prefix)
    if size not in _STEPS:
        return []
    width = _STEPS[size] - size
    likely = _RANGES.get(size, range(10))
    numbers = range(10**width) if wide else likely
    return [f"{prefix}{number:0{width}d}" for number in numbers]


def cover(since: str | None, until: str | None) -> list[str]:
    """The fewest date prefixes that hold every moment from *since* to *until* (ISO 8601, both inclusive).

    Whole days, and one more on either side: 005 is written in the partner's local time, windows are in UTC.
    """
    low, high = _day(since, -1) or "00000000", _day(until, 1) or "99999999"
    return _covering("", low, high)


def _day(moment: str | None, shift: int) -> str:
    if not moment:
        return ""
    try:
        day = date.fromisoformat(moment[:10]) + timedelta(days=shift)
    except (ValueError, OverflowError):
        raise ConfigError(f"{moment!r} is no date of a window") from None
    return day.strftime("%Y%m%d").zfill(8)


def _covering(prefix: str, low: str, high: str) -> list[str]:
    size = len(prefix)
    first, last = prefix.ljust(8, "0"), prefix.ljust(8, "9")
    if last < low or first > high:
        return []
    if (low <= first and last <= high) or size == 8:
        return [prefix]
    found = [_covering(child, low, high) for child in _date_children(prefix, wide=False)]
    return [one for inner in found for one in inner]


# ---- planning ----------------------------------------------------------------------------------------


class Planner:
    """Plans with the fewest counts that prove something; each slice is counted once.

    *count* gives the hits of a slice and raises ProtocolError where an index is not there.
    """

    def __init__(self, count: Callable[[Slice], int], axes: tuple[Axis, ...], bounds: Bounds | None = None) -> None:
        self._ask = count
        self._axes = axes
        self._bounds = bounds or Bounds()
        self._known: dict[Slice, int] = {}
        self._truncated: dict[Slice, int] = {}
        self._unsplit: set[Slice] = set()
        self._refused = False
        self._floor: float = float("inf")
        self._wide = False

    @property
    def term_cap(self) -> int | None:
        """The lowest count that its children proved to be truncated."""
        return min(self._truncated.values(), default=None)

    def count(self, one: Slice) -> int:
        """The hits of *one*.

        Raises:
            ProtocolError: too many searches, or the index is not there.
        """
        if one not in self._known:
            if len(self._known) >= self._bounds.searches:
                raise ProtocolError(f"no plan within {self._bounds.searches} searches", code=OUT_OF_SEARCHES)
            self._known[one] = self._counted(one)
        return self._known[one]

    def _counted(self, one: Slice) -> int:
        try:
            return self._ask(one)
        except ProtocolError as error:
            if error.code != TOO_MANY or not one.parts:
                raise
            return UNCOUNTED

    # ---- a full listing ------------------------------------------------------------------------------

    def everything(self, total: int | None) -> Plan:
        """The slices of the whole source; *total* is the count of all records, None when the server has none.

        Raises:
            ProtocolError: there is no total, and no index can be counted by.
        """
        best: Plan | None = None
        refusal = ProtocolError("there is no count of all records and no index to slice by", code="no-query")
        for at, axis in enumerate(self._axes):
            try:
                plan = self.by_axis(at, total)
            except ProtocolError as error:
                if not refuses_query(error):
                    raise
                refusal = error
                continue  # the index is not there, or will not be cut
            if plan.proof == "proven":
                return plan
            if plan.slices and (best is None or plan.missing < best.missing or plan.sum > best.sum):
                best = plan
            if axis.kind == "list":
                break
        if total is None:
            if best is None:
                raise refusal
            return best
        whole = self._whole(total)
        if best is None or (whole.proof != "partial" and best.proof == "partial"):
            return whole
        return best

    def _whole(self, total: int) -> Plan:
        """Everything as one slice: believed, not proven, and partial when the server will not give it all."""
        proof: Proof = "partial" if self._bounds.too_large(total) else "claimed"
        return self._plan([Planned(Slice(), total)], total, proof)

    def by_axis(self, at: int, total: int | None) -> Plan:
        """The slices of the whole source by the axis number *at*, and further ones where those are too large.

        Raises:
            ProtocolError: the server has no such index.
        """
        axis = self._axes[at]
        plan = self._plan([], total)
        # Impossible months and rare characters hide below a truncated parent, whose likely children are already more.
        for floor, wide in ((float("inf"), False), *((floor, False) for floor in SUSPICIOUS), (SUSPICIOUS[-1], True)):
            self._floor, self._wide = floor, wide
            roots = [Slice().within(axis.name, child) for child in axis.children("", wide)]
            plan = self._reconciled(at, roots, total)
            if plan.proof != "partial":
                break
        self._floor, self._wide = float("inf"), False
        return plan

    def _reconciled(self, at: int, roots: list[Slice], total: int | None) -> Plan:
        leaves = [leaf for root in roots for leaf in self._leaves(root, at)]
        # What has no value is asked for last: while prefixes are truncated, their rest would look like it.
        if total is not None and sum(leaf.count for leaf in leaves) < total and self._floor == SUSPICIOUS[-1]:
            leaves += self._without(at)
        return self._plan(leaves, total)

    def _without(self, at: int) -> list[Planned]:
        """The slice of the records that have no value on the axis, cut further when it is too large."""
        one = Slice().within(self._axes[at].name, NONE)
        try:
            if not self.count(one):
                return []
            return self._smaller(one, at + 1)
        except ProtocolError as error:
            if not refuses_query(error):
                raise
            return []

    def _plan(self, leaves: Iterable[Planned], total: int | None, proof: Proof | None = None) -> Plan:
        slices = tuple(leaves)
        found = sum(one.count for one in slices)
        if proof is None:
            proof = "claimed" if total is None or found > total else "proven" if found == total else "partial"
        if self._refused or any(one.slice in self._unsplit for one in slices):
            proof = "partial"
        return Plan(slices, proof, total, self.term_cap, len(self._known))

    # ---- a stretch of time ---------------------------------------------------------------------------

    def changed(self, since: str | None, until: str | None) -> Plan:
        """The slices of what was changed from *since* to *until*; every large one is looked into.

        Raises:
            ProtocolError: there is no date index.
        """
        at = next((at for at, axis in enumerate(self._axes) if axis.kind == "date"), None)
        if at is None:
            raise ProtocolError("no index of dates to read changes by", code="no-date-index")
        self._floor = SUSPICIOUS[-1]
        name = self._axes[at].name
        leaves = [leaf for prefix in cover(since, until) for leaf in self._leaves(Slice().within(name, prefix), at)]
        self._floor = float("inf")
        return self._plan(leaves, None, "claimed")

    # ---- one slice -----------------------------------------------------------------------------------

    def part(self, one: Slice) -> Plan:
        """The slices of *one*, found to be too large on the way."""
        total = self.count(one)
        names = [axis.name for axis in self._axes]
        last = one.parts[-1][0] if one.parts else ""
        if not one.parts:
            return self.everything(total)
        if last not in names:
            raise ConfigError(f"{one} is cut by an index that the source does not name")
        at = names.index(last)
        cut = one.parts[-1][1] == NONE
        return self._plan(self._smaller(one, at + 1) if cut else self._leaves(one, at), total)

    # ---- cutting -------------------------------------------------------------------------------------

    def _leaves(self, one: Slice, at: int) -> list[Planned]:
        """The slices that make up *one* on axis *at*: itself when it is small and above suspicion."""
        count = self.count(one)
        if not count:
            return []
        large = count > min(self._bounds.wanted, self._bounds.most or self._bounds.wanted)
        if not large and count < self._floor:
            return [Planned(one, count)]
        children = self._children(one, at)
        if count >= UNCOUNTED:
            self._refused = self._refused or not children
            return [leaf for child in children for leaf in self._leaves(child, at)]
        found = sum(map(self.count, children))
        if not children or found < count:
            # Not every record has a longer value (or we do not know its characters): the parent holds more.
            return [Planned(one, count)] if not large else self._smaller(one, at + 1)
        if found > count:
            self._truncated[one] = count
        elif not large and (len(children) > 1 or self._axes[at].kind == "list"):
            return [Planned(one, count)]
        leaves = [leaf for child in children for leaf in self._leaves(child, at)]
        below = sum(leaf.count for leaf in leaves)
        if below > count:
            self._truncated[one] = count
        return leaves if large or below != count else [Planned(one, count)]

    def _children(self, one: Slice, at: int) -> list[Slice]:
        """The non-empty children of *one*, with unlikely values when the likely ones do not add up."""
        axis, prefix = self._axes[at], one.parts[-1][1]
        found: list[Slice] = []
        for wide in (self._wide, True):
            children = [one.within(axis.name, child) for child in axis.children(prefix, wide)]
            found = [child for child in children if self.count(child)]
            if sum(map(self.count, found)) >= self.count(one):
                break
        return found

    def _smaller(self, one: Slice, at: int) -> list[Planned]:
        """*one* cut by the axes from *at* on, when it is too large; whole and marked when they do not cut it."""
        count = self.count(one)
        if self._bounds.most is None or count <= self._bounds.most:
            return [Planned(one, count)]
        for axis in self._axes[at:]:
            try:
                cut = _Cut(self, one, axis, self._bounds.most)
                if cut.run():
                    return cut.leaves()
            except ProtocolError as error:
                if not refuses_query(error):
                    raise
        self._unsplit.add(one)
        return [Planned(one, count)]


class _Cut:
    """One slice cut by a second index.

    A prefix of the second index is truncated over the whole source before it is combined, so that a child may be
    short, even empty, though its own children are not: it is cut until the sum is right.
    """

    def __init__(self, planner: Planner, one: Slice, axis: Axis, most: int) -> None:
        self._planner = planner
        self._one = one
        self._axis = axis
        self._most = most
        self._open: dict[str, int] = {}

    def run(self) -> bool:
        """Cut until every slice is small enough and nothing is missing; False when that cannot be."""
        want = self._planner.count(self._one)
        for wide in (False, True):
            self._open = {"": 0}
            while (prefix := self._next(want)) is not None:
                self._split(prefix, wide)
            if self._sum() >= want and not self._large():
                return True
        return False

    def leaves(self) -> list[Planned]:
        """The slices, in order."""
        found = [(prefix, self._hits(prefix)) for prefix in sorted(self._open)]
        return [Planned(self._one.within(self._axis.name, prefix), hits) for prefix, hits in found if hits]

    def _next(self, want: int) -> str | None:
        """The prefix to cut next: the most crowded of those too large, else of all while records are missing."""
        large = self._large()
        if large or "" in self._open:
            return max(large, key=self._hits) if large else ""
        if self._sum() >= want:
            return None
        hiding = [prefix for prefix in self._open if self._open[prefix] >= 10 and self._axis.children(prefix)]
        return max(hiding, key=self._open.__getitem__) if hiding else None

    def _large(self) -> list[str]:
        return [prefix for prefix in self._open if prefix and self._hits(prefix) > self._most]

    def _split(self, prefix: str, wide: bool) -> None:
        del self._open[prefix]
        for child in self._axis.children(prefix, wide):
            everywhere = self._planner.count(Slice().within(self._axis.name, child))
            if everywhere:
                self._open[child] = everywhere

    def _hits(self, prefix: str) -> int:
        return self._planner.count(self._one.within(self._axis.name, prefix)) if prefix else 0

    def _sum(self) -> int:
        return sum(map(self._hits, self._open))
