"""Third-party OAI-PMH servers: every live record in, every told or proven deletion out, quiet nights quiet."""

from __future__ import annotations

import gzip
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from db import changes
from harvester.formats.iso2709 import parse
from harvester.formats.iso2709_split import split
from harvester.formats.marcxml_write import write as write_marcxml
from harvester.formats.span import Span
from tests.journey import Consortium
from tests.pipeline.test_journey import active
from tests.servers.third_party_oai import serving

TITLES = ("Laporan tahunan", "Sejarah desa", "Pengantar ekonomi", "Kumpulan puisi", "Atlas daerah")


def own(number: int) -> list[bytes]:
    """*number* MARCXML records made here."""
    return [
        (
            f'<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a2200000 a 4500</leader>'
            f'<controlfield tag="001">shelf{key}</controlfield>'
            f'<datafield tag="100" ind1="0" ind2=" "><subfield code="a">Penulis {key % 70}</subfield></datafield>'
            f'<datafield tag="245" ind1="1" ind2="0"><subfield code="a">{TITLES[key % 5]} {key}</subfield></datafield>'
            f'<datafield tag="260" ind1=" " ind2=" "><subfield code="c">{1950 + key % 70}</subfield></datafield>'
            f"</record>"
        ).encode()
        for key in range(number)
    ]


def two_harvests(folder: Path, url: str, kind: str, payloads: Sequence[bytes]) -> dict[str, object]:
    """Harvest, delete one in a hundred, harvest again, harvest without changes; returns what was seen."""
    with serving(kind, payloads) as server:
        consortium = Consortium(folder, url, batch=1000)
        strategy = {"strategy": "sweep"} if kind == "oai_repo" else {}
        consortium.add("shelf", protocol="oai-pmh", url=server.url, internal=True, options=strategy)
        started = time.monotonic()
        first = consortium.night()["shelf"]
        seconds = time.monotonic() - started
        assert (first.verdict, first.reason) == ("complete", "")
        assert active(consortium, "shelf") == server.shelf.live()
        server.shelf.delete(sorted(server.shelf.live())[::100])
        time.sleep(1.1)  # the next list must begin after the deletions
        second = consortium.night()["shelf"]
        assert second.verdict == "complete"
        assert active(consortium, "shelf") == server.shelf.live()
        assert consortium.faults() == []
        before, seq = consortium.dump(), consortium.ask(changes.feed_state)["seq"]
        assert consortium.night()["shelf"].verdict == "complete"
        assert consortium.dump() == before
        assert consortium.ask(changes.feed_state)["seq"] == seq
        return {"records": len(payloads), "seconds": round(seconds, 1), "left": len(server.shelf.live())}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["oaipmh", "oai_repo"])
def test_a_third_party_server_is_harvested_whole_and_followed(tmp_path: Path, database_url: str, kind: str) -> None:
    two_harvests(tmp_path / "union", database_url, kind, own(300))


@pytest.mark.prove
@pytest.mark.parametrize("kind", ["oaipmh", "oai_repo"])
def test_ten_thousand_real_records_from_a_third_party_server(tmp_path: Path, corpus: Path, kind: str) -> None:
    path = next(corpus.glob("bench/*.mrc.gz"))
    payloads = []
    with gzip.open(path) as stream:
        for one in split(stream):
            if isinstance(one, Span) and len(payloads) < 10_000:
                payloads.append(write_marcxml(parse(one.payload)).encode())
            if len(payloads) == 10_000:
                break
    print(kind, two_harvests(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", kind, payloads))
