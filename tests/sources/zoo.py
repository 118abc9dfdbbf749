"""The zoo of faults as data: a script, what must come of it, and the proof that the test can fail.

Each case runs three ways: our harvester must pass its check; the naive harvester must fail it; where the naive one
happens to survive, a mutant of our own code must fail it instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.sources import naive_harvester
from tests.sources.outcome import Outcome, harvest
from tests.sources.scripted_server import Script, ScriptedServer

Check = Callable[[Outcome, ScriptedServer], None]
Mutant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """One case; `arguments` go to our harvester."""

    number: str
    label: str
    script: Callable[[], Script]
    check: Check
    mutant: Mutant | None
    arguments: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.number} {self.label}"

    @property
    def hangs(self) -> bool:
        """Whether only a short patience ends it."""
        return "limits" in self.arguments and self.arguments["limits"].total_seconds < 1


class Zoo:
    """The cases of one test file, and the three tests over them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(
        self, number: str, label: str, script: Callable[[], Script], mutant: Mutant | None = None, **arguments: Any
    ) -> Callable[[Check], Check]:
        """Decorator of the check of one case."""

        def keep(check: Check) -> Check:
            self.faults.append(Fault(number, label, script, check, mutant, arguments))
            return check

        return keep

    def handled(self) -> Callable[[Fault], None]:
        """The test that ours passes every check."""

        @pytest.mark.parametrize("case", self.faults, ids=str)
        def test(case: Fault) -> None:
            with ScriptedServer(case.script()) as server:
                case.check(harvest(server.url, **case.arguments), server)

        return test

    def naive_fails(self) -> Callable[[Fault], None]:
        """The test that the naive harvester fails every check that has no mutant."""

        @pytest.mark.parametrize("case", [case for case in self.faults if case.mutant is None], ids=str)
        def test(case: Fault) -> None:
            window = case.arguments.get("window")
            dates = {"from": window.since} if window else {}
            patience = 0.5 if case.hangs else 60
            with ScriptedServer(case.script(), most=60) as server, pytest.raises(AssertionError):
                case.check(naive_harvester.harvest(server.url, patience, **dates), server)

        return test

    def mutant_fails(self) -> Callable[[Fault, pytest.MonkeyPatch], None]:
        """The test that our mutant fails every check that has one."""

        @pytest.mark.parametrize("case", [case for case in self.faults if case.mutant is not None], ids=str)
        def test(case: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
            assert case.mutant is not None
            case.mutant(monkeypatch)
            with ScriptedServer(case.script(), most=60) as server, pytest.raises(AssertionError):
                case.check(harvest(server.url, **case.arguments), server)

        return test


def identifiers(*numbers: int) -> list[str]:
    """The identifiers that oai_answers gives to these records."""
    return [f"oai:x:{number}" for number in numbers]


def first(count: int) -> list[str]:
    """The identifiers of records 0 to *count* - 1."""
    return identifiers(*range(count))
