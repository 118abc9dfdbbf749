"""Random faults for whole nights, then none: the source's state is reached, and nothing was called complete before.

Three kinds of proof over the whole pipeline: schedules of faults over thirty pages; nights of the real systems with
changes between the pages; and the same on a harvester that believes every list that ends, which must fail.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from db import ledger
from db.tables import record
from harvester import harvesting
from harvester import pipeline as journey
from harvester.demo import quirks
from harvester.demo.oai import Request
from harvester.sources.proof import Completeness
from tests.pipeline.lone import Lone, dublin_core, lone

pytestmark = pytest.mark.slow
SEED = 20261122
PAGES, PAGE_SIZE = 30, 3
KINDS = (
    *("500", "503", "429", "404", "403", "truncate@0.5", "truncate@0.9", "drop@0.3", "html", "ampersand", "bad-utf8"),
    *("control", "notice", "trailing", "expired", "no-records", "no-token", "empty", "no-namespace", "doctype"),
    *("repeat-token", "zipped", "zipped-badly", "odd-error", "twice", "redirect-loop"),
)
TITLE = re.compile(rb"<dc:title[^>]*>([^<]*)<")
SERVERS = (quirks.KOHA, quirks.INLISLITE_V33, quirks.SLIMS_OAI2)


def schedule(dice: random.Random) -> str:
    """Two to six faults. The server's own word that its first page is all is believed once, and proves nothing."""
    clauses = []
    for _ in range(dice.randint(2, 6)):
        where = f"page={dice.randint(1, PAGES)}" if dice.random() < 0.9 else "verb=Identify"
        kind, times = dice.choice(KINDS), dice.choice((1, 1, 2, 4, 9))
        clauses.append(f"{where}:{kind}*{1 if (where, kind) == ('page=1', 'no-token') else times}")
    return ", ".join(clauses)


def payloads(partner: Lone) -> dict[str, bytes]:
    """Local key → the bytes that the catalogue holds."""

    def read(conn: object) -> dict[str, bytes]:
        rows = conn.execute(select(record.c.identifier, record.c.stored_hash).where(record.c.state == "active"))  # type: ignore[attr-defined]
        return {row[0].rpartition(":")[2].rpartition("/")[2]: ledger.raw(conn, bytes(row[1])) for row in rows}  # type: ignore[arg-type]

    return partner.consortium.ask(read)


def truth(partner: Lone) -> dict[str, bytes]:
    return {key: row.payloads["oai_dc"] for key, row in partner.store.live().items()}


def titles(found: dict[str, bytes]) -> dict[str, bytes]:
    """Local key → its title, whatever the namespaces around it."""
    return {key: b"".join(TITLE.findall(body)) for key, body in found.items()}


# ---- schedules of faults -----------------------------------------------------------------------------------


def _schedule(folder: Path, number: int) -> None:
    dice = random.Random(SEED + number)
    habits = SERVERS[number % len(SERVERS)]
    source = {"options": {"strategy": "sweep+absence"}} if habits is not quirks.KOHA else {}
    with lone(folder, PAGES * PAGE_SIZE, habits, page_size=PAGE_SIZE, **source) as partner:
        script = schedule(dice)
        for night in range(2):
            partner.server.set_faults("kampus", script)
            partner.sleep()
            outcome = partner.consortium.harvest("kampus")["kampus"]
            if outcome.verdict == "complete":
                missing = truth(partner).keys() - payloads(partner).keys()
                claimed = "page=1:no-token" in script or "page=1:empty" in script
                assert not missing or (claimed and outcome.proof == "claimed"), (
                    number,
                    script,
                    night,
                    sorted(missing)[:5],
                )
        partner.server.set_faults("kampus", "")
        for _ in range(2):
            partner.sleep()
            outcome = partner.consortium.harvest("kampus", full=habits is quirks.KOHA)["kampus"]
        assert outcome.verdict == "complete", (number, script, outcome)
        assert titles(payloads(partner)) == titles(truth(partner)), (number, script)
        assert partner.consortium.faults() == []


@pytest.mark.parametrize("part", range(5))
def test_fifty_schedules_of_faults_end_in_the_state_of_the_source(tmp_path: Path, part: int) -> None:
    for number in range(part * 10, part * 10 + 10):
        _schedule(tmp_path / str(number), number)


def test_a_list_that_began_again_is_no_measure_for_the_next_one(tmp_path: Path) -> None:
    """Schedule 124: its records were counted twice, and the next whole list was held back as too short."""
    _schedule(tmp_path, 124)


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_five_hundred_schedules_of_faults_end_in_the_state_of_the_source(tmp_path: Path) -> None:
    for number in range(500):
        _schedule(tmp_path / str(number), number)


def _naive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that ends is believed, a page that broke is as good as any."""
    monkeypatch.setattr(harvesting, "completeness", lambda *given: Completeness("complete", "proven", ""))
    monkeypatch.setattr(harvesting, "wants_a_person", lambda *given: False)
    monkeypatch.setattr(journey, "gate_of", lambda *given: lambda run_id, windows: ("", {}))


def test_a_harvester_that_believes_every_list_that_ends_calls_gaps_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _naive(monkeypatch)
    with pytest.raises(AssertionError):
        for number in range(20):
            _schedule(tmp_path / str(number), number)


# ---- the real systems, night after night ---------------------------------------------------------------------


class Busy:
    """A library at work while it is harvested: it inserts, edits and deletes between pages and between nights."""

    def __init__(self, partner: Lone, seed: int) -> None:
        self.partner = partner
        self.dice = random.Random(seed)
        self.newest = max(map(int, partner.store.live()))
        self.left = 0

    def night(self, changes: int) -> None:
        """So many changes now, and as many between the pages."""
        self.left = changes
        for _ in range(changes):
            self.change()

    def between_pages(self, _name: str, request: Request, page: int) -> None:
        if page > 1 and request.verb == "ListRecords" and self.left and self.dice.random() < 0.5:
            self.left -= 1
            self.change()

    def change(self) -> None:
        store, kind = self.partner.store, self.dice.random()
        if kind < 0.4:
            self.newest += 1
            store.put(str(self.newest), {"oai_dc": dublin_core(self.newest)})
        elif kind < 0.8:
            key = self.dice.choice(sorted(store.live()))
            store.edit(key, {"oai_dc": dublin_core(int(key), f"Judul kali ke {self.dice.randrange(10**9)}")})
        else:
            store.delete(self.dice.choice(sorted(store.live())))


SYSTEMS = {
    "slims-oai": quirks.SLIMS_OAI,
    "slims-oai2": quirks.SLIMS_OAI2,
    "inlislite-3.2": quirks.INLISLITE_32,
    "inlislite-v33": quirks.INLISLITE_V33,
}


def _nights(folder: Path, system: str, nights: int, quiet: int = 3) -> Iterator[str]:
    """Busy nights, then quiet ones in which nothing changes; yields the verdicts."""
    preset = "inlislite" if system.startswith("inlis") else system
    with lone(folder, 150, SYSTEMS[system], page_size=20, preset=preset) as partner:
        busy = Busy(partner, SEED)
        partner.server.before_answer = busy.between_pages
        for _ in range(nights):
            busy.night(2)
            partner.sleep()
            yield partner.consortium.harvest("kampus")["kampus"].verdict
        busy.left = 0
        for _ in range(quiet):
            partner.sleep()
            outcome = partner.consortium.harvest("kampus")["kampus"]
        yield outcome.verdict
        partner.consortium.match()
        assert outcome.verdict == "complete", outcome
        assert titles(payloads(partner)) == titles(truth(partner))
        assert partner.consortium.faults() == []


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_five_busy_nights_and_a_quiet_period_end_in_the_partners_own_store(tmp_path: Path, system: str) -> None:
    assert list(_nights(tmp_path, system, 5))[-1] == "complete"


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_twenty_busy_nights_and_a_quiet_period_end_in_the_partners_own_store(tmp_path: Path, system: str) -> None:
    assert list(_nights(tmp_path, system, 20))[-1] == "complete"


def test_a_dated_harvest_of_slims_would_never_see_the_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant that follows SLiMS by its dates, as its Identify invites to, is red."""
    told = journey.strategy
    dated = {"incremental": True, "sweeps_absent": False}
    monkeypatch.setattr(journey, "strategy", lambda *given: {**told(*given), **dated})
    with pytest.raises(AssertionError):
        list(_nights(tmp_path, "slims-oai2", 3))
