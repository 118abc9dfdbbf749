"""Records without header, identifier or metadata, or twice (zoo Z025 to Z027)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harvester.sources import oai_page, oai_pmh
from tests.sources.oai_answers import (
    dublin_core,
    listing,
    record,
    serve,
)
from tests.sources.outcome import Outcome
from tests.sources.scripted_server import ScriptedServer
from tests.sources.zoo import Zoo, first, identifiers

ZOO = Zoo()

HEADLESS = b"<record><metadata>" + dublin_core("Tanpa kepala") + b"</metadata></record>"
NAMELESS = b"<record><header><datestamp>2026-01-01</datestamp></header><metadata><x/></metadata></record>"
BARE = b"<record><header><identifier>oai:x:7</identifier></header></record>"
HOLLOW = b"<record><header><identifier>oai:x:7</identifier></header><metadata/></record>"

TWO_HEADS = HEADLESS.replace(b"<record>", b"<record><header><identifier>a</identifier></header><header/>", 1)
TWO_NAMES = BARE.replace(b"</header>", b"<identifier>oai:x:8</identifier></header>", 1)

for label, damaged, reason in (
    ("with two headers", TWO_HEADS, "several-headers"),
    ("with two identifiers", TWO_NAMES, "several-identifiers"),
    ("without header", HEADLESS, "no-header"),
    ("without identifier", NAMELESS, "no-identifier"),
):

    @ZOO.fault("Z025", f"a record {label}", lambda damaged=damaged: serve([listing(record(0), damaged, record(1))]))
    def _(outcome: Outcome, server: ScriptedServer, reason: str = reason) -> None:
        assert outcome.verdict == "complete"
        assert outcome.identifiers == first(2)
        assert [damage.reason for damage in outcome.damages] == [reason]
        assert b"record" in outcome.damages[0].payload


for label, damaged in (("without metadata", BARE), ("with empty metadata", HOLLOW)):

    @ZOO.fault(
        "Z026", f"a live record {label}", lambda damaged=damaged: serve([listing(record(0), damaged, record(1))])
    )
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        assert outcome.verdict == "complete"
        assert [(each.reason, each.identifier) for each in outcome.damages] == [("no-metadata", "oai:x:7")]
        assert outcome.deleted == []
        assert len(outcome.payloads) == 2


def keeps_first(patch: pytest.MonkeyPatch) -> None:
    read = oai_pmh.OaiPmh._page

    def unique(harvester: oai_pmh.OaiPmh, page: oai_page.OaiPage, *flags: str) -> Any:

        one_each = tuple({each.identifier: each for each in reversed(page.records)}.values())
        return read(harvester, msgspec.structs.replace(page, records=one_each), *flags)

    patch.setattr(oai_pmh.OaiPmh, "_page", unique)


@ZOO.fault(
    "Z027",
    "the same identifier twice in one page",
    lambda: serve([listing(record(1, title="Saman"), record(1, title="Larung"))]),
    mutant=keeps_first,
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.identifiers == identifiers(1, 1)
    assert "Saman" in outcome.payloads[0] and "Larung" in outcome.payloads[1], "both arrive, in order"
    assert "identifier-twice" in outcome.flags


test_the_fault_is_handled = ZOO.handled()
test_the_naive_harvester_fails = ZOO.naive_fails()
test_the_mutant_fails = ZOO.mutant_fails()
