"""Trained dictionaries: they hold only what many records have, purging keeps its promise, and results stay the same."""

from __future__ import annotations

import json
import sys
from multiprocessing import resource_tracker, spawn
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, insert, select

from db import catalogue, dictionaries, phrases, sampling
from db.compress import Dictionary, DictionaryError, finished, pack, packer, unpack, zstd
from db.engine import Database
from db.tables import cluster, membership, node, normalized, partner, payload, source, zstd_dictionary
from db.tables import record as entry
from harvester import purging
from harvester.cli import induk
from harvester.formats.iso2709_write import write
from harvester.model import MarcRecord
from tests.journey import Consortium
from tests.pipeline.test_control_purge import everything

CANARY = b"Surat wasiat keluarga Tjokro"
RECORDS = 600


def sample(number: int, text: bytes = b"") -> bytes:
    return b"title: Bumi manusia jilid %d. " % number + text + b" place: Jakarta; publisher: Balai Pustaka; "


def test_a_phrase_of_nineteen_records_is_in_no_dictionary_and_one_of_twenty_is() -> None:
    few = [(1, sample(number, CANARY if number < phrases.FEWEST - 1 else b"")) for number in range(200)]
    enough = [(1, sample(number, CANARY if number < phrases.FEWEST else b"")) for number in range(200)]
    assert b"Tjokro" not in phrases.content(few, 1 << 16)
    assert CANARY in phrases.content(enough, 1 << 16)
    assert b"Bumi manusia jilid" in phrases.content(few, 1 << 16)


def test_words_that_are_common_make_no_phrase_that_is_not() -> None:
    """Each word of the canary stands in a hundred records, the four together in nineteen."""
    words = CANARY.split()
    scattered = [(1, sample(number, words[number % 4] + b"; ")) for number in range(400)]
    together = [(1, sample(number, CANARY + b"; ")) for number in range(phrases.FEWEST - 1)]
    made = phrases.content(scattered + together, 1 << 16)
    assert b"wasiat" in made
    assert b"wasiat keluarga" not in made


def test_zstds_own_trainer_would_keep_the_phrase_of_a_few() -> None:
    few = [sample(number, CANARY * 3 if number < 5 else b"") for number in range(400)]
    assert b"Tjokro" in zstd.train_dict(few, 1 << 14).dict_content
    assert b"Tjokro" not in phrases.content([(1, one) for one in few], 1 << 16)


def test_of_several_sources_two_must_have_it_or_a_fourth_of_one() -> None:
    def content(holders: list[int]) -> bytes:
        """Of a source 1 with 300 records and a source 2 with 300; *holders* of each have the canary."""
        texts = [(one, CANARY if number < holders[one - 1] else b"") for number in range(300) for one in (1, 2)]
        return phrases.content([(one, sample(number, text)) for number, (one, text) in enumerate(texts)], 1 << 16)

    assert CANARY not in content([40, 0])
    assert CANARY in content([40, 1])
    assert CANARY in content([75, 0])


def test_another_dictionary_is_told_apart() -> None:
    rows = [sample(number) * 20 for number in range(100)]
    content = phrases.content([(1, one) for one in rows], 1 << 16)
    own, other = finished(content, rows, 1), finished(content, rows, 2)
    packed = packer(Dictionary(1, own))(rows[0])
    assert unpack(packed, own) == rows[0]
    with pytest.raises(DictionaryError):
        unpack(packed, other)
    for spoilt in (packed[:-1], packed + b"x", packed * 2):
        with pytest.raises(DictionaryError):
            unpack(spoilt, own)


def test_what_one_cluster_says_thirty_times_is_in_no_dictionary(database: Database) -> None:
    """Each line about a large cluster, and each of its pairs, repeats what one record says."""
    with database.write() as conn:
        rows = [{"id": one, "state": "active", "size": 2, "version": 1, "doc_hash": b""} for one in range(1, 301)]
        conn.execute(insert(cluster), [{**row, "created_at": "", "changed_at": ""} for row in rows])
        nodes = [{"id": one, "profile_hash": b"%16d" % one, "solid": True, "profile": b""} for one in range(1, 401)]
        conn.execute(insert(node), nodes)
        lines = [(1, {"title": CANARY.decode()})] * 30 + [(one, {"place": "Jakarta raya"}) for one in range(2, 301)]
        told = {"kind": "joined", "actor": "match", "run_id": 1, "at": ""}
        made = [{**told, "cluster_id": one, "body": json.dumps(body)} for one, body in lines]
        catalogue.write_events(conn, made)
        pairs = [(1, other, {"left": CANARY.decode()}) for other in range(2, 40)]
        pairs += [(one, one + 1, {"left": "Jakarta raya"}) for one in range(100, 300, 2)]
        decided = [(*pair, "merge", 9.0, "isbn", pack(json.dumps(body).encode()), None, 1, 1) for *pair, body in pairs]
        catalogue.write_decisions(conn, [], decided)
        joined = {"code": "timur", "status": "active", "policy_hash": b"", "body": "{}", "added_at": ""}
        conn.execute(insert(partner), [joined])
        conn.execute(insert(source), [{"id": 1, "code": "timur", "partner": "timur", "added_at": ""}])
        known = {"source_id": 1, "state": "active", "version": 1, "format": "marc21", "datestamp": ""}
        hashes = {"raw_hash": b"", "stored_hash": b"", "payload_hash": b""}
        records = [{**known, **hashes, "id": one, "identifier": str(one)} for one in range(1, 301)]
        conn.execute(insert(entry), records)
        conn.execute(
            insert(membership), [{"record_id": one, "cluster_id": one, "node_id": one} for one in range(1, 301)]
        )
    with database.read() as conn:
        found = list(sampling.of_catalogue(conn, dictionaries.opener(conn)))
    for kind in ("event", "evidence"):
        content = phrases.content([(source_id, body) for name, source_id, body in found if name == kind], 1 << 16)
        assert b"Jakarta raya" in content
        assert b"Tjokro" not in content


# ---- in a catalogue ----------------------------------------------------------------------------------


def record(number: int) -> bytes:
    """A made-up record; nineteen have the canary as their note."""
    fields = [
        ("001", f"R{number:06}"),
        ("008", f"060301s{1950 + number % 60}    io a          000 0 ind d"),
        ("100", f"1 \x1faLubis, Mochtar, {1900 + number % 50}-"),
        ("245", f"10\x1faSungai ke-{number} di pulau {number * 7} /\x1fcMochtar Lubis."),
        ("260", "  \x1faJakarta :\x1fbBalai Pustaka,\x1fc1990."),
        ("300", f"  \x1fa{80 + number % 300} hlm. ;\x1fc21 cm"),
    ]
    fields += [("500", f"  \x1fa{CANARY.decode()}")] if number < phrases.FEWEST - 1 else []
    return write(MarcRecord("00000nam a2200000 a 4500", tuple(fields)))


def filled(folder: Path, url: str) -> Consortium:
    folder.mkdir(exist_ok=True)
    made = Consortium(folder / "union", url)
    for code, numbers in (("timur", range(RECORDS // 2)), ("barat", range(RECORDS // 2, RECORDS))):
        (folder / f"{code}.mrc").write_bytes(b"".join(map(record, numbers)))
        options = {"stable_seconds": 0, "format": "iso2709"}
        made.add(code, protocol="files", url=str(folder / f"{code}.mrc"), options=options)
    for code in ("timur", "barat"):
        made.harvest(code)
    made.match()
    return made


def bodies(conn: Any) -> list[bytes]:
    return [bytes(row[0]) for row in conn.execute(select(zstd_dictionary.c.body))]


def named(conn: Any) -> set[int | None]:
    """The dictionaries that rows name."""
    tables = (payload, normalized, node)
    return {row[0] for table in tables for row in conn.execute(select(table.c.dictionary_id).distinct())}


@pytest.mark.slow
def test_dictionaries_change_no_result_and_hold_no_canary(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = filled(tmp_path / "plain", f"sqlite:///{tmp_path / 'plain.db'}")
    monkeypatch.setattr(dictionaries, "FIRST", 100)
    monkeypatch.setattr(dictionaries, "LEAST", 100)
    made = filled(tmp_path / "made", database_url)
    assert made.dump() == plain.dump()
    assert made.faults() == []
    held = made.ask(bodies)
    assert len(held) == 3, "raw, normalized and profile"
    assert not [one for one in held if b"Tjokro" in one]
    assert len(made.ask(named)) == 4, "the records of the first source came before there was a dictionary"
    before = made.dump()
    config = ["--config", str(made.folder / "induk.yaml")]
    done = CliRunner().invoke(induk, ["db", "pack", *config])
    assert done.exit_code == 0, done.output
    assert made.dump() == before
    assert len(made.ask(bodies)) == len(made.ask(named)) == 3, "the old ones are gone, nothing is packed without"
    assert made.faults() == []


@pytest.mark.slow
def test_nothing_of_a_purged_record_is_left_although_there_are_dictionaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dictionaries, "FIRST", 100)
    monkeypatch.setattr(dictionaries, "LEAST", 100)
    made = filled(tmp_path, f"sqlite:///{tmp_path / 'induk.db'}")
    assert made.ask(everything).count(CANARY) > phrases.FEWEST - 1
    with made.opened() as opened:
        for number in range(phrases.FEWEST - 1):
            purging.forget(opened, f"timur/R{number:06}", "sari")
    assert made.ask(lambda conn: conn.execute(select(func.count()).select_from(zstd_dictionary)).scalar_one()) >= 3
    assert b"Tjokro" not in made.ask(everything)
    assert made.faults() == []


def test_a_training_that_is_killed_again_and_again_is_left_to_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory is short each page would start a process that dies."""
    made = Consortium(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    (tmp_path / "timur.mrc").write_bytes(b"".join(map(record, range(60))))
    made.add("timur", protocol="files", url=str(tmp_path / "timur.mrc"), options={"stable_seconds": 0})
    made.harvest("timur")
    tries, dying = tmp_path / "tries", tmp_path / "python"
    dying.write_text(f"#!/bin/sh\necho >> '{tries}'\nexit 9\n")
    dying.chmod(0o755)
    monkeypatch.setattr(dictionaries, "FIRST", 20)
    resource_tracker.ensure_running()  # it is started by the same executable, once for all tests
    with made.opened() as opened:
        spawn.set_executable(str(dying))
        try:
            for _ in range(6):
                assert dictionaries.in_use(opened.database, opened.now).raw is None
        finally:
            spawn.set_executable(sys.executable)
        assert len(tries.read_text().splitlines()) == dictionaries.TRIES


def test_nothing_is_trained_by_who_comes_when_it_is_no_longer_due(database: Database) -> None:
    assert dictionaries._train_alone(database, lambda: "2026-03-01T00:00:00Z", ledger=True)
    with database.read() as conn:
        assert conn.execute(select(zstd_dictionary)).all() == []
