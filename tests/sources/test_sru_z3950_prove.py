"""The long proofs: a catalogue of a hundred thousand records behind a server that cuts, and real captures replayed."""

from __future__ import annotations

import gzip
import re
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvester.errors import Blocked, ProtocolError, RecordError
from harvester.model import Source, Window
from harvester.sources import Limits, sru_response
from tests.journey import Consortium
from tests.servers import yaz
from tests.sources.killing import killed_harvest
from tests.sources.sliced_outcome import facts_of, harvest, opened
from tests.sources.test_sliced_journey import received
from tests.sources.test_sru_servers import fields_of_marc, fields_of_xml

pytestmark = [pytest.mark.prove, pytest.mark.servers]
LIMITS = Limits(connect_seconds=5, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=3)
TRUNCMAX = 1_000
CPU_GOAL = 20_000


@pytest.fixture(scope="module")
def payloads(corpus: Path) -> dict[str, bytes]:
    """The file by 001."""
    packed = next((corpus / "bench").glob("*.mrc.gz"))
    pieces = gzip.decompress(packed.read_bytes()).split(b"\x1d")[:-1]
    return {dict(fields_of_marc(piece))["001"].strip(): piece + b"\x1d" for piece in pieces}


# What XML 1.0 cannot say: Zebra keeps records as XML, cuts the subfield there or loses the whole record, before we ask.
NO_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1c]|\xef\xbf[\xbe\xbf]")


@pytest.fixture(scope="module")
def clean(payloads: dict[str, bytes]) -> dict[str, bytes]:
    """The records that Zebra can keep as they are."""
    kept = {number: payload for number, payload in payloads.items() if not NO_XML.search(payload)}
    assert len(payloads) - len(kept) < 200
    return kept


@pytest.fixture(scope="module")
def zebra(payloads: dict[str, bytes]) -> Iterator[yaz.Zebra]:
    with yaz.zebra(b"".join(payloads.values()), truncmax=TRUNCMAX) as made:
        yield made


def test_the_file_has_more_records_of_one_second_than_the_server_expands(payloads: dict[str, bytes]) -> None:
    seconds = Counter(dict(fields_of_marc(payload)).get("005", "")[:14] for payload in payloads.values())
    print(seconds.most_common(3))
    assert len(seconds) > TRUNCMAX


@pytest.mark.timeout(1_800)
def test_z3950_brings_the_file_at_more_than_20000_records_a_cpu_second(
    zebra: yaz.Zebra, payloads: dict[str, bytes], clean: dict[str, bytes]
) -> None:
    harvester = opened(
        "z3950",
        f"z3950://127.0.0.1:{zebra.port}/Default",
        limits=LIMITS,
        identifier_rule="001",
        options={"page_size": 500},
    )
    before = cpu_seconds()
    received = {one.identifier: one.payload for page in harvester.pages(Window()) for one in page.records}
    spent = cpu_seconds() - before
    assert_same(received, clean)
    assert set(received) <= set(payloads)
    speed = len(received) / spent
    print(f"{len(received):,} records, {spent:.1f} CPU seconds of the client: {speed:,.0f} a second")
    assert speed >= CPU_GOAL


def assert_same(received: dict[str, bytes], clean: dict[str, bytes]) -> None:
    """Byte for byte; where a leader is unusual (45e0 for 4500) Zebra writes the usual one, and the fields are equal."""
    differ = [number for number, payload in clean.items() if received.get(number) != payload]
    assert all(clean[number][10:12] + clean[number][20:24] != b"224500" for number in differ)
    assert all(fields_of_marc(received[number]) == fields_of_marc(clean[number]) for number in differ)
    assert len(differ) < 100


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("version", ["1.1", "1.2", "2.0"])
def test_sru_brings_the_file(zebra: yaz.Zebra, clean: dict[str, bytes], version: str) -> None:
    options = {"version": version, "query_language": "pqf", "page_size": 500}
    url = f"http://127.0.0.1:{zebra.port}/Default"
    outcome = harvest("sru", url, limits=LIMITS, identifier_rule="001", options=options)
    assert (outcome.verdict, outcome.proof) == ("complete", "proven")
    assert facts_of(outcome)["date-index"] == "works"
    assert set(clean) <= set(outcome.identifiers)
    for page in outcome.pages:
        for one in page.records:
            if one.identifier in clean:
                assert fields_of_xml(one.payload.decode()) == fields_of_marc(clean[one.identifier])


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("protocol", ["z3950", "sru"])
def test_killed_at_random_and_run_again_it_is_the_same(
    zebra: yaz.Zebra, clean: dict[str, bytes], protocol: str, tmp_path: Path
) -> None:
    scheme = "http" if protocol == "sru" else "z3950"
    options = {"query_language": "pqf", "page_size": 500} if protocol == "sru" else {"page_size": 500}
    url = f"{scheme}://127.0.0.1:{zebra.port}/Default"
    source = Source("p", protocol, url, internal=True, identifier_rule="001", options=options)
    found, hit = killed_harvest(source, tmp_path, kills=25, most_pages=60)
    assert hit > 15
    assert set(clean) <= set(found)
    if protocol == "z3950":
        assert_same(found, clean)


def test_the_second_night_reads_only_what_changed(zebra: yaz.Zebra, payloads: dict[str, bytes], tmp_path: Path) -> None:
    consortium = Consortium(tmp_path, f"sqlite:///{tmp_path / 'induk.db'}")
    url = f"z3950://127.0.0.1:{zebra.port}/Default"
    options = {"page_size": 500}
    consortium.add("target", protocol="z3950", url=url, internal=True, identifier_rule="001", options=options)
    first = consortium.harvest()["target"]
    changed = [
        payload.replace(stamp, b"20991231230000.0")
        for payload in payloads.values()
        if len(stamp := dict(fields_of_marc(payload)).get("005", "").encode()) == 16
    ][:5]
    zebra.update(*changed)
    second = consortium.harvest()["target"]
    numbers = received(consortium)
    print(f"\nthe first night received {numbers[0]:,}, the second {numbers[1]}")
    assert (first.verdict, first.proof, second.verdict) == ("complete", "proven", "complete")
    assert numbers[0] > len(payloads) - 200
    assert numbers[1] == len(changed) == 5
    assert consortium.faults() == []


def test_every_capture_of_a_real_server_is_read(corpus: Path) -> None:
    """Each one is an answer with records, diagnostics or an explanation; what cannot be read says why."""
    read, refused = Counter[str](), []
    for path in sorted(path for path in (corpus / "small" / "sru").rglob("*") if path.is_file()):
        body = path.read_bytes()
        try:
            answer = sru_response.read(body, "", path.name)
        except (Blocked, ProtocolError, RecordError) as error:
            refused.append((path.name, str(error)))
            continue
        if answer.kind == "explainResponse":
            assert sru_response.explained(body, path.name).indexes
        read["answers"] += 1
        read["diagnostics"] += len(answer.diagnostics)
        for record in answer.records:
            read["blank" if record.found is None else getattr(record.found, "reason", "records")] += 1
    print(dict(read), refused)
    assert read["answers"] >= 50
    assert read["records"] > 100
    assert len(refused) <= 1  # one capture has a comment before its XML declaration
