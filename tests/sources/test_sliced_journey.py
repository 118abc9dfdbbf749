"""SRU and Z39.50 sources through the whole pipeline: the first night proves the list, the second reads what changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.journey import Consortium
from tests.servers import catalogue, yaz

pytestmark = pytest.mark.servers


def received(consortium: Consortium) -> list[int]:
    """How many records each run brought, in order."""

    def ask(conn: Any) -> list[int]:
        return list(conn.execute(text("select received from run order by id")).scalars())

    return list(consortium.ask(ask))


def test_two_nights(tmp_path: Path) -> None:
    with yaz.zebra(b"".join(catalogue.records()), truncmax=100) as zebra:
        consortium = Consortium(tmp_path, f"sqlite:///{tmp_path / 'induk.db'}")
        host = f"127.0.0.1:{zebra.port}/Default"
        consortium.add("target", protocol="z3950", url=f"z3950://{host}", internal=True)
        consortium.add("server", protocol="sru", url=f"http://{host}", internal=True, options={"query_language": "pqf"})
        first = consortium.harvest()
        assert {(one.verdict, one.proof) for one in first.values()} == {("complete", "proven")}
        zebra.update(*(catalogue.record(number, "20991231230000.0", 1, 2005, 2) for number in (7, 450, 2_001)))
        second = consortium.harvest()
    assert {one.verdict for one in second.values()} == {"complete"}
    assert received(consortium) == [2_000, 2_000, 3, 3]
    assert consortium.faults() == []
