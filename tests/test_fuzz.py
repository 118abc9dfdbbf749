"""The targets of tests/fuzz.py stand: none raises anything on mutants of what it reads."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import TARGETS
from tests.servers import catalogue
from tests.sources import scripted_target
from tests.sources.sru_answers import entry, marcxml, response
from tests.sources.test_oai_fuzz import PAGE, mutated
from tests.sources.test_sru_z3950_fuzz import CQL, PQF

GOOD = {
    "oai": PAGE,
    "sru": response([entry(marcxml(1))], 1),
    "z3950": scripted_target.present(scripted_target.record(catalogue.records(1)[0])),
    "cql": CQL[0],
    "pqf": PQF[0],
    "iso2709": b"".join(catalogue.records(2)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_raises_nothing(name: str) -> None:
    dice = random.Random(20261122)
    for body in (b"", GOOD[name], *(mutated(dice, GOOD[name]) for _ in range(300))):
        TARGETS[name](body)
