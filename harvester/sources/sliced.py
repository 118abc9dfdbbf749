"""Harvests slice after slice: pages that can be resumed, counted against what the server says, never believed.

Shared by SRU and Z39.50, which have neither a list that ends nor a token: a search, a number of hits, positions.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import msgspec

from harvester.clock import stamp
from harvester.errors import ProtocolError, Refused, SourceUnavailable
from harvester.formats import formats
from harvester.model import Damage, Page, Window
from harvester.sources.environment import Environment
from harvester.sources.received import Portion
from harvester.sources.slicing import Axis, Bounds, Plan, Planned, Planner, Slice, refuses_query

OUT_OF_RANGE = "range"
MAX_PASSES = 3
MAX_REMEMBERED = 200_000
MAX_BARREN = 50
_NUMBERS = re.compile(r"([0-9]{1,12})/([0-9]{1,12})/([0-9]{1,3})")


class Reader(Protocol):
    """One server: counts and gives the records of a slice.

    `fetch` raises ProtocolError with the code `range` for a position that the server will not go to; `facts` are
    what it learned of the server since they were last taken.
    """

    @property
    def place(self) -> str: ...

    @property
    def axes(self) -> tuple[Axis, ...]: ...

    @property
    def page_size(self) -> int: ...

    @property
    def facts(self) -> dict[str, str]: ...

    def count(self, one: Slice) -> int: ...

    def fetch(self, one: Slice, position: int, size: int) -> Portion: ...

    def close(self) -> None: ...


class Token(NamedTuple):
    """Where a harvest stands: the next position of a slice that had so many hits, in which pass over it.

    No token comes twice in one harvest: the pipeline takes a token that does for a loop of the server.
    """

    position: int = 1
    hits: int = -1
    slice: Slice | None = None
    passes: int = 1

    def __str__(self) -> str:
        return f"{self.position}/{self.hits}/{self.passes} {self.slice}"

    @classmethod
    def parse(cls, text: str) -> Token:
        """The token that *text* is; the beginning for "".

        Raises:
            ProtocolError: it is none of ours.
        """
        if not text:
            return cls()
        numbers, _, name = text.partition(" ")
        match = _NUMBERS.fullmatch(numbers)
        if match is None or not name:
            raise ProtocolError(f"{text!r} is no position of a harvest", code="token")
        return cls(int(match[1]), int(match[2]), Slice.parse(name), int(match[3]))


class Progress:
    """What a slice has given so far: every (identifier, content) once, over all passes."""

    def __init__(self, whole: bool, passes: int = 1) -> None:
        self.passes = passes
        self._whole = whole  # begun at the first position
        self._received = 0
        self._before = 0
        self._seen: set[int] = set()
        self._digests: set[int] = set()

    def add(self, portion: Portion) -> bool:
        """Count the records of a page; False when it is a page that this pass has had already."""
        digest = hash(tuple(one.identifier for one in portion.records))
        if len(portion.records) > 1 and digest in self._digests:
            return False
        self._digests.add(digest)
        self._remember(portion)
        return True

    def _remember(self, portion: Portion) -> None:
        self._received += len(portion.records) + len(portion.damages)
        if len(self._seen) <= MAX_REMEMBERED:
            self._seen.update(hash((one.identifier, one.payload)) for one in portion.records)
            self._seen.update(hash((one.place, one.payload)) for one in portion.damages)

    def short(self, hits: int) -> int:
        """How many of *hits* did not come; 0 when that cannot be known."""
        remembered = len(self._seen) <= MAX_REMEMBERED
        return max(0, hits - (len(self._seen) if remembered else self._received)) if self._whole else 0

    @property
    def grew(self) -> bool:
        """True when this pass brought something new."""
        return len(self._seen) > self._before

    def again(self) -> None:
        """Begin another pass from the first position."""
        self._before, self._received = len(self._seen), 0
        self._whole = True
        self._digests.clear()
        self.passes += 1


class SlicedHarvester:
    """A harvest of one source through *reader*; `bounds` may shrink on the way, when the server shows a limit."""

    def __init__(self, reader: Reader, environment: Environment, bounds: Bounds, *, sliced: bool = True) -> None:
        self.reader = reader
        self._environment = environment
        self.bounds = self._learned(bounds)
        self._sliced = sliced
        self._planner: Planner | None = None
        self._facts: dict[str, str] = {}
        self._notes: list[str] = []
        self._refusal: ProtocolError | None = None
        self._pages = 0
        self._barren = 0
        self._short = 0

    def close(self) -> None:
        """Close the connection."""
        self.reader.close()

    # ---- planning ------------------------------------------------------------------------------------

    def _learned(self, bounds: Bounds) -> Bounds:
        most = self._environment.learned.get("most", "")
        return msgspec.structs.replace(bounds, most=int(most)) if most.isdecimal() and bounds.most is None else bounds

    def planner(self) -> Planner:
        """The planner, with the counts that it already has."""
        if self._planner is None:
            self._planner = Planner(self.reader.count, self.reader.axes if self._sliced else (), self.bounds)
        return self._planner

    def total(self) -> int | None:
        """The count of all records; None when the server cannot tell."""
        try:
            return self.planner().count(Slice())
        except ProtocolError as error:
            if not refuses_query(error):
                raise
            self._refusal = error
            return None

    def plan(self, window: Window = Window()) -> Plan:  # noqa: B008 - a frozen value
        """The slices of *window*, none of its own slice, with what they prove."""
        if window.slice:
            one = Slice.parse(window.slice)
            return Plan((Planned(one, self.planner().count(one)),), "claimed")
        dated = window.since is not None or window.until is not None
        if not dated or not self._dates_work():
            return self._everything()
        try:
            return self.planner().changed(window.since, window.until)
        except ProtocolError as error:
            if not refuses_query(error):
                raise
            return self._everything()

    def windows(self, window: Window = Window()) -> list[Window]:  # noqa: B008 - a frozen value
        """The slices of *window* as windows of their own, each to be harvested, checkpointed and retried by itself."""
        slices = self.plan(window).slices
        return [Window(window.since, window.until, str(planned.slice)) for planned in slices]

    def _everything(self) -> Plan:
        total = self.total()
        try:
            plan = self.planner().everything(total)
        except ProtocolError as error:
            raise (self._refusal if error.code == "no-query" and self._refusal else error) from None
        cut_by_date = bool(plan.slices) and any(plan.slices[0].slice.parts[:1]) and self._is_date(plan.slices[0].slice)
        if plan.proof == "proven" and cut_by_date:
            self._facts["date-index"] = "works"
        if plan.term_cap is not None:
            self._facts["term-cap"] = str(plan.term_cap)
        log = self._environment.log
        log(
            "slices", place=self.reader.place, slices=len(plan.slices), sum=plan.sum, total=plan.total, proof=plan.proof
        )
        return plan

    def _is_date(self, one: Slice) -> bool:
        return any(axis.kind == "date" and axis.name == one.parts[0][0] for axis in self.reader.axes)

    def _dates_work(self) -> bool:
        """True when slices by date were shown to be everything, by an earlier run or now."""
        if self._environment.learned.get("date-index") == "works":
            return True
        self._everything()
        return self._facts.get("date-index") == "works"

    # ---- harvesting ----------------------------------------------------------------------------------

    def pages(self, window: Window) -> Iterator[Page]:
        """Yield the pages of *window*, slice by slice.

        Raises:
            SourceUnavailable: worth another try later.
            ProtocolError: not worth another try; with the code `partial` when everything that can be had was yielded.
        """
        try:
            yield from self._pages_of(window)
        finally:
            self.close()  # whoever drops the iterator drops the connection; the next question opens another

    def _pages_of(self, window: Window) -> Iterator[Page]:
        token = Token.parse(window.token)
        plan = self.plan(window)
        self._short = plan.missing
        waiting = deque(one for one in plan.slices if token.slice is None or one.slice.reaches(token.slice))
        dated = window.since is not None or window.until is not None
        list_size = None if dated or window.slice else plan.total
        if not waiting:
            yield self._page(Portion(0, 1), "", list_size, plan)
        while waiting:
            planned = waiting.popleft()
            begin = token if planned.slice == token.slice else Token()
            for portion, here in self._slice(planned, begin, waiting):
                ahead = here or (Token(1, waiting[0].count, waiting[0].slice) if waiting else None)
                yield self._page(portion, str(ahead) if ahead else "", list_size, plan)
        self._finish(plan)

    def _finish(self, plan: Plan) -> None:
        if self._short or plan.proof == "partial":
            raise ProtocolError(
                f"{self._short} of {plan.total if plan.total is not None else plan.sum} records cannot be reached",
                place=self.reader.place,
                code="partial",
                hint="name another index to slice by in the options of the source",
            )

    def _page(self, portion: Portion, token: str, list_size: int | None, plan: Plan) -> Page:
        facts, portion = self._facts | self.reader.facts, self._readable(portion)
        flags = [f"learned:{name}={value}" for name, value in facts.items()] + self._notes
        self._facts, self._notes = {}, []
        self.reader.facts.clear()
        if not token:
            flags.append(f"proof:{'partial' if self._short else plan.proof}")
        now = stamp(self._environment.clock.now())
        return Page(portion.records, portion.damages, token, list_size, now, tuple(flags))

    def _readable(self, portion: Portion) -> Portion:
        """The records of a format that nobody here can read, in quarantine."""
        known = frozenset(formats.names())
        strange = [one for one in portion.records if one.format not in known]
        if not strange:
            return portion
        damages = (
            Damage("parse", "unknown-format", f"no parser for {one.format!r}", one.payload, one.identifier)
            for one in strange
        )
        records = tuple(one for one in portion.records if one.format in known)
        return Portion(portion.hits, portion.next, records, (*portion.damages, *damages))

    def _slice(self, planned: Planned, begin: Token, waiting: deque[Planned]) -> Iterator[tuple[Portion, Token | None]]:
        """The portions of one slice, each with the token behind it (None behind the last)."""
        position, hits, one = begin.position, begin.hits, planned.slice
        progress = Progress(position == 1, begin.passes)
        while True:
            portion = self._fetch(planned, position, hits, waiting)
            if portion is None:
                return
            if position > 1 and portion.hits != hits and progress.passes < MAX_PASSES:
                # The list moved under us: what was behind this position may stand before it now.
                progress.again()
                position, hits = 1, portion.hits
                continue
            self._see(portion, one)
            hits, position = portion.hits, portion.next
            if not progress.add(portion):
                raise ProtocolError(f"the same page of {one} came again", place=self.reader.place, code="repeatedPage")
            if position > hits and not self._is_enough(progress, hits, one):
                progress.again()
                position = 1
            if position > hits:
                yield portion, None
                return
            yield portion, Token(position, hits, one, progress.passes)

    def _see(self, portion: Portion, one: Slice) -> None:
        """Stop where page after page brings nothing that can be read: the rest would be no better."""
        self._barren = 0 if portion.records or not portion.damages else self._barren + 1
        if self._barren > MAX_BARREN:
            what = f"{MAX_BARREN} pages of {one} without a record that can be read"
            raise ProtocolError(what, place=self.reader.place, code="emptyPages")

    def _is_enough(self, progress: Progress, hits: int, one: Slice) -> bool:
        """False when the slice has to be read once more because its order may have changed under way."""
        short = progress.short(hits)
        if not short:
            return True
        if progress.grew and progress.passes < MAX_PASSES:
            return False
        if progress.grew:
            self._short += short
        self._notes.append(f"{'short' if progress.grew else 'duplicates'}:{one}:{short}")
        return True

    def _fetch(self, planned: Planned, position: int, hits: int, waiting: deque[Planned]) -> Portion | None:
        """The portion at *position*; None when the rest of the slice has to be had in smaller slices."""
        one = planned.slice
        self._go_on()
        try:
            portion = self.reader.fetch(one, position, self.reader.page_size)
        except ProtocolError as error:
            if error.code != OUT_OF_RANGE or position == 1:
                raise
            self._limit(position - 1)
            self._cut(one, max(hits, planned.count), position, waiting)
            return None
        if portion.next <= position and portion.hits >= position:
            raise ProtocolError(f"nothing came from position {position} of {one}", place=self.reader.place)
        return portion

    def _go_on(self) -> None:
        self._pages += 1
        if self._environment.cancel():
            raise SourceUnavailable("stopped on request", place=self.reader.place)
        if self._pages > self._environment.limits.pages:
            raise Refused(f"more than {self._environment.limits.pages:,} pages", place=self.reader.place)

    def _limit(self, most: int) -> None:
        """Take it that the server gives no more than *most* records of one search."""
        if self.bounds.most is None or most < self.bounds.most:
            self.bounds = msgspec.structs.replace(self.bounds, most=most)
            self._facts["most"] = str(most)
            self._planner = None

    def _cut(self, one: Slice, hits: int, position: int, waiting: deque[Planned]) -> None:
        plan = self.planner().part(one)
        if len(plan.slices) > 1 and all(inner.slice != one for inner in plan.slices):
            waiting.extendleft(reversed(plan.slices))
            self._short += plan.missing
        else:
            self._short += max(0, hits - position + 1)
