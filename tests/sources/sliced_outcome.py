"""What one harvest of an SRU or Z39.50 server brought, judged as the pipeline judges it."""

from __future__ import annotations

from typing import Any

from harvester.errors import IndukError
from harvester.model import Source, Window
from harvester.sources import Environment, Limits, sources
from harvester.sources.proof import ListFacts, completeness
from tests import canaries
from tests.sources.outcome import QUICK, WHOLE, Outcome
from tests.sources.outcome import _take as take
from tests.sources.scripted_server import TestClock


def opened(
    protocol: str, url: str, *, limits: Limits = QUICK, learned: dict[str, str] | None = None, **source: Any
) -> Any:
    """A harvester of a server on loopback; *source* are fields of the source, options among them."""
    given = {"code": "p", "protocol": protocol, "url": url, "internal": True}
    given |= {"credentials": canaries.credentials(protocol), **source}
    environment = Environment(clock=TestClock(), limits=limits, learned=learned or {}, jitter=lambda: 0.01)
    return sources.get(protocol)(Source(**given), environment)


def harvest(protocol: str, url: str, window: Window = WHOLE, **given: Any) -> Outcome:
    """What our harvester brings home, and the verdict on it."""
    outcome = Outcome(url=url)
    harvester = opened(protocol, url, **given)
    try:
        for page in harvester.pages(window):
            take(outcome, page)
        ended = True
    except IndukError as error:
        outcome.error, ended = error, False
    finally:
        harvester.close()
    facts = ListFacts(
        ended=ended,
        distinct=len(set(outcome.identifiers)),
        nameless=sum(1 for damage in outcome.damages if not damage.identifier),
        sizes=tuple(page.list_size for page in outcome.pages if page.list_size is not None),
        salvaged="salvaged" in outcome.flags,
        full=window.since is None,
    )
    outcome.verdict, outcome.proof, outcome.reason = completeness(facts)
    return outcome


def facts_of(outcome: Outcome) -> dict[str, str]:
    """What was learned of the server."""
    prefix = "learned:"
    learned = (flag.removeprefix(prefix) for flag in outcome.flags if flag.startswith(prefix))
    return dict(fact.split("=", 1) for fact in learned)
