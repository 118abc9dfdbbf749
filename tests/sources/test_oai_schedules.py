"""Random schedules of faults over thirty pages: never called complete too early, whole soon after they stop."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import pytest

from harvester.demo.quirks import INLISLITE_V33, KOHA, Quirks, variant
from harvester.demo.simulator import Simulator
from harvester.demo.store import SampleClock, Store
from harvester.errors import IndukError, TokenExpired
from harvester.model import Page, Source, Window
from harvester.sources import Environment, Limits
from harvester.sources.oai_pmh import OaiPmh
from harvester.sources.proof import ListFacts, completeness
from harvester.sources.windows import restart
from tests.sources import naive_harvester
from tests.sources.oai_answers import dublin_core

SEED = 7
PAGES, PAGE_SIZE = 30, 3
WHOLE = Window()
LIMITS = Limits(delay_seconds=0, attempts=3, page_attempts=2, read_seconds=60, total_seconds=120)

# Faults that hide a record without a trace are among them: `no-token` ends a list early, `empty` swallows a page.
KINDS = (
    *("500", "503", "503;retry-after=9", "429", "404", "403", "truncate@0.5", "truncate@0.9", "drop@0.3", "html"),
    *("ampersand", "bad-utf8", "control", "notice", "trailing", "expired", "no-records", "no-token", "empty"),
    *("no-namespace", "doctype", "repeat-token", "zipped", "zipped-silently", "zipped-badly", "odd-error", "twice"),
    *("redirect-away", "redirect-loop"),
)


def library() -> Store:
    store = Store(SampleClock())
    for number in range(PAGES * PAGE_SIZE):
        store.put(f"{number:03}", {"oai_dc": dublin_core(f"Karya {number}")})
    return store


def schedule(source: random.Random) -> str:
    """Two to six faults, on pages or on Identify; some outlast our tries.

    A first page that stays without token and count is a server's word that this is all; no harvester can know better.
    Such a list is complete but only claimed, and never a basis for deletion.
    """
    clauses = []
    for _ in range(source.randint(2, 6)):
        where = f"page={source.randint(1, PAGES)}" if source.random() < 0.9 else "verb=Identify"
        kind, times = source.choice(KINDS), source.choice((1, 1, 2, 4, 9))
        clauses.append(f"{where}:{kind}*{1 if (where, kind) == ('page=1', 'no-token') else times}")
    return ", ".join(clauses)


@dataclass
class Catalogue:
    """What the pipeline does with windows and pages, in its smallest form: full lists, resumed after a failure."""

    url: str
    store: Store
    state: dict[str, bytes] = field(default_factory=dict)
    window: Window = WHOLE
    seen: set[str] = field(default_factory=set)
    sizes: list[int] = field(default_factory=list)
    spoiled: bool = False
    learned: dict[str, str] = field(default_factory=dict)

    def run(self) -> str:
        """One scheduled run; its verdict."""
        environment = Environment(clock=self.store.clock, limits=LIMITS, learned=self.learned, jitter=lambda: 0.5)
        source = Source(code="p", protocol="oai-pmh", url=self.url, internal=True, metadata_prefix="oai_dc")
        ended = False
        try:
            for page in OaiPmh(source, environment).pages(self.window):
                self._keep(page)
            ended = True
        except TokenExpired:
            (self.window, *_) = restart(self.window, "2026-03-02T18:00:00Z")
            self._begin_again()
        except IndukError:
            pass
        facts = ListFacts(
            ended=ended, distinct=len(self.seen), sizes=tuple(self.sizes), salvaged=self.spoiled, full=True
        )
        verdict = completeness(facts).verdict
        if ended:
            self._begin_again()
            if verdict == "complete":
                self.state = {name: body for name, body in self.state.items() if body}
        return verdict

    def _keep(self, page: Page) -> None:
        self.state |= {record.identifier: record.payload for record in page.records}
        self.seen |= {record.identifier for record in page.records}
        self.sizes += [] if page.list_size is None else [page.list_size]
        self.spoiled = self.spoiled or "salvaged" in page.flags
        self.window = msgspec.structs.replace(self.window, token=page.token, pages=self.window.pages + 1)
        learned = [flag[8:].partition("=") for flag in page.flags if flag.startswith("learned:")]
        self.learned |= {name: value for name, _, value in learned}

    def _begin_again(self) -> None:
        self.window = msgspec.structs.replace(self.window, token="", pages=0)
        self.seen, self.sizes, self.spoiled = set(), [], False


def wanted(partners: Simulator) -> set[str]:
    return {str(name) for name in partners.oracle("p")}


def run_schedules(first: int, count: int, quirks: Mapping[int, Quirks]) -> list[str]:
    """The faults of this property, as sentences; none is expected."""
    wrong: list[str] = []
    for number in range(first, first + count):
        source = random.Random(SEED * 1000 + number)
        store = library()
        flags = variant(quirks[number % len(quirks)], page_size=PAGE_SIZE, formats=("oai_dc",))
        with Simulator({"p": store}, quirks={"p": flags}) as partners:
            catalogue = Catalogue(partners.url("p"), store)
            for night in range(3):
                script = schedule(source)
                partners.set_faults("p", script)
                missing = wanted(partners) - catalogue.state.keys() if catalogue.run() == "complete" else set()
                if missing:
                    wrong.append(f"schedule {number}, night {night}: complete without {sorted(missing)[:3]}: {script}")
            partners.set_faults("p", "")
            verdicts = [catalogue.run(), catalogue.run()]
            if "complete" not in verdicts or catalogue.state.keys() != wanted(partners):
                wrong.append(f"schedule {number}: {verdicts} two runs after the faults stopped: {script}")
    return wrong


BEHAVIOURS = {0: Quirks(), 1: KOHA, 2: INLISLITE_V33, 3: variant(Quirks(), granularity="day")}


@pytest.mark.slow
def test_no_schedule_of_faults_makes_a_list_complete_too_early() -> None:
    assert run_schedules(0, 50, BEHAVIOURS) == []


@pytest.mark.prove
def test_no_schedule_of_five_hundred_makes_a_list_complete_too_early() -> None:
    assert run_schedules(0, 500, BEHAVIOURS) == []


def test_the_naive_harvester_calls_lists_complete_too_early() -> None:
    """Red proof: the same schedules, first night only."""
    early = 0
    for number in range(10):
        with Simulator({"p": library()}, quirks={"p": variant(Quirks(), page_size=PAGE_SIZE)}) as partners:
            partners.set_faults("p", schedule(random.Random(SEED * 1000 + number)))
            outcome = naive_harvester.harvest(partners.url("p"))
            early += outcome.verdict == "complete" and not wanted(partners) <= set(outcome.identifiers)
    assert early > 0
