"""What one harvest of a scripted server brought, in the same shape for ours and for the naive one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harvester.errors import IndukError
from harvester.model import Damage, Page, Source, Window
from harvester.sources import Environment, Limits
from harvester.sources.fetch import Answer, Fetcher
from harvester.sources.oai_pmh import OaiPmh
from harvester.sources.proof import ListFacts, completeness
from tests import canaries
from tests.sources.scripted_server import TestClock

WHOLE = Window()
QUICK = Limits(connect_seconds=60, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=3)  # no pause


@dataclass
class Outcome:
    """verdict: complete or partial; `proof` and `reason` stay empty for the naive harvester."""

    url: str = ""
    identifiers: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    payloads: list[str] = field(default_factory=list)
    datestamps: list[str] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    record_flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    verdict: str = "partial"
    proof: str = ""
    reason: str = ""
    error: Exception | None = None
    clock: TestClock = field(default_factory=TestClock)

    @property
    def code(self) -> str:
        return getattr(self.error, "code", "")

    @property
    def text(self) -> str:
        return "".join(self.payloads)


def harvest(
    url: str,
    window: Window = WHOLE,
    *,
    limits: Limits = QUICK,
    learned: dict[str, str] | None = None,
    last_full: int = 0,
    **source: object,
) -> Outcome:
    """What our harvester brings home from *url*, judged by the completeness proof."""
    outcome = Outcome(url=url)
    given = {"code": "p", "protocol": "oai-pmh", "url": url, "internal": True, "metadata_prefix": "oai_dc"}
    given |= {"credentials": canaries.credentials("oai-pmh"), **source}
    known = {} if learned is None else learned
    environment = Environment(clock=outcome.clock, limits=limits, learned=known, jitter=lambda: 0.5)
    harvester = OaiPmh(Source(**given), environment)  # type: ignore[arg-type]
    try:
        for page in harvester.pages(window):
            _take(outcome, page)
        ended = True
    except IndukError as error:
        outcome.error, ended = error, False
    facts = ListFacts(
        ended=ended,
        distinct=len(set(outcome.identifiers)),
        nameless=sum(1 for damage in outcome.damages if not damage.identifier),
        sizes=tuple(page.list_size for page in outcome.pages if page.list_size is not None),
        salvaged="salvaged" in outcome.flags,
        full=window.since is None,
        last_full=last_full,
    )
    outcome.verdict, outcome.proof, outcome.reason = completeness(facts)
    return outcome


def _take(outcome: Outcome, page: Page) -> None:
    outcome.pages.append(page)
    outcome.damages += page.damages
    outcome.identifiers += [record.identifier for record in page.records]
    outcome.identifiers += [damage.identifier for damage in page.damages if damage.identifier]
    outcome.deleted += [record.identifier for record in page.records if record.deleted]
    outcome.payloads += [record.payload.decode() for record in page.records]
    outcome.datestamps += [record.datestamp for record in page.records]
    outcome.flags |= set(page.flags)
    outcome.record_flags.update({record.identifier: record.flags for record in page.records})


def fetcher(url: str, *, limits: Limits = QUICK, approvals: frozenset[str] = frozenset(), **source: object) -> Fetcher:
    """A fetcher for *url*, internal unless said otherwise."""
    environment = Environment(clock=TestClock(), limits=limits, approvals=approvals, contact="katalog@induk.example")
    given = {"code": "p", "protocol": "oai-pmh", "internal": True}
    given |= {"credentials": canaries.credentials("oai-pmh"), **source}
    return Fetcher(Source(url=url, **given), environment)  # type: ignore[arg-type]


def get(url: str, **options: Any) -> Answer:
    """The answer to one GET."""
    return fetcher(url, **options).get()
