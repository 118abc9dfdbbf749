"""A system that writes one class, level, language and country into every record (INLISLite) parts no books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import func, select

from db import catalogue
from db import constants as stored
from db.constants import Common
from db.tables import membership
from harvester import accounts, constants, pipeline, rebuilding, simulating
from harvester.formats.marcxml_write import write
from harvester.model import HarvestedRecord, MarcRecord
from tests.cli.test_commands import Call
from tests.journey import Consortium
from tests.pipeline.shelf import Shelf
from tests.web.desk import Session, password, served

CITIES = ("Ambon", "Bandung", "Cirebon", "Denpasar", "Enrekang", "Fakfak", "Garut", "Hulu", "Jambi", "Kudus", "Lawang")
THINGS = ("Sungai", "Gunung", "Pantai", "Hutan", "Sawah", "Kebun", "Ladang", "Telaga", "Danau", "Bukit", "Lembah")
WORDS = ("panen", "musim", "perahu", "jalan", "rumah", "cerita", "nyanyian", "pelajaran")
ISBN_WEIGHTS = (1, 3) * 6


class Codes(NamedTuple):
    """What a cataloguer typed: leader/06-07, 008/15-17 and 008/35-37."""

    leader: str = "am"
    country: str = "io "
    language: str = "ind"


FIXED = Codes()
TRUE = (Codes(language="eng", country="ja "), Codes(leader="em"), Codes(leader="as"), Codes(leader="gm"), Codes())


def book(number: int, codes: Codes, note: str = "") -> HarvestedRecord:
    """The book of that number in MARC 21; *codes* are all that two libraries tell differently."""
    base = f"978602{number * 7:06d}"
    check = -sum(int(digit) * weight for digit, weight in zip(base, ISBN_WEIGHTS, strict=True)) % 10
    title = f"{THINGS[number % 11]} {WORDS[number // 11 % 8]} {CITIES[number * 7 % 11]}"
    fields = [
        ("001", str(number)),
        ("008", f"060301s{1980 + number % 40}    {codes.country}            000 0 {codes.language}  "),
        ("020", f"  \x1fa{base}{check}"),
        ("100", f"0 \x1faPenulis {CITIES[number // 11 % 11]} {WORDS[number % 8].title()}"),
        ("245", f"10\x1fa{title}"),
        ("260", f"  \x1faJakarta :\x1fbPustaka {THINGS[number // 11 % 11]},\x1fc{1980 + number % 40}"),
        ("300", f"  \x1fa{100 + number} hlm."),
    ]
    if note:
        fields.append(("500", f"  \x1fa{note}"))
    made = MarcRecord(f"00000n{codes.leader} a2200000 a 4500", tuple(fields))
    return HarvestedRecord(str(number), "marcxml", write(made).encode())


class Two:
    """An INLISLite whose records all say the same, and a Koha that says what is true, of the same books."""

    def __init__(self, folder: Path, url: str) -> None:
        self.union = Consortium(folder, url)
        config = folder / "induk.yaml"
        guards = "guards: {delete_percent: 100, delete_records: 1000, delete_cap_percent: 100, month_percent: 100}\n"
        guards += "gates: {matches_percent: 100}\n"
        config.write_text(config.read_text(encoding="utf-8") + guards, encoding="utf-8")
        for code in ("inlis", "koha"):
            preset = "inlislite" if code == "inlis" else "koha"
            self.union.add(code, protocol="oai-pmh", url="http://127.0.0.1:9/oai", preset=preset, internal=True)

    def harvest(self, code: str, records: list[HarvestedRecord]) -> None:
        with self.union.opened() as made:
            done = pipeline.harvest_one(made, code, pipeline.Order(full=True), open_harvester=lambda: Shelf(records))
        assert done.verdict == "complete", done

    def fixed(self, count: int, others: Mapping[int, Codes] = {}) -> None:
        """INLISLite sends *count* books; *others* have codes of their own."""
        self.harvest("inlis", [book(one, others.get(one, FIXED)) for one in range(count)])

    def true(self, count: int) -> None:
        self.harvest("koha", [book(one, TRUE[one % 5]) for one in range(count)])

    def constants(self, code: str = "inlis") -> dict[str, str]:
        with self.union.opened() as made:
            number = made.source_ids[code]
        return self.union.ask(lambda conn: stored.of_source(conn, number))

    def sizes(self) -> list[int]:
        """How many clusters hold 1, 2 … records."""
        query = select(func.count(membership.c.record_id)).group_by(membership.c.cluster_id)
        found = Counter(self.union.ask(lambda conn: conn.execute(query).scalars().all()))
        return [found[size] for size in range(1, max(found) + 1)]

    def groups(self) -> set[frozenset[str]]:
        """The clusters, by their members' addresses."""
        held = self.union.ask(lambda conn: catalogue.members(conn, catalogue.active_ids(conn, 0, 10_000)))
        return {frozenset(one.address for one in members) for members in held.values()}


@pytest.fixture
def two(tmp_path: Path, database_url: str) -> Two:
    return Two(tmp_path / "union", database_url)


ALL = {"material": "book", "carrier_form": "print", "level": "m", "languages": "ind", "country": "ID"}


@pytest.mark.slow
def test_books_meet_although_one_system_says_the_same_of_all(two: Two) -> None:
    two.fixed(150)
    two.true(250)
    two.union.match()
    assert two.constants() == {}
    assert two.sizes() == [280, 60]  # films, maps and serials do not meet their books
    two.fixed(250)
    two.union.match()
    assert two.constants() == ALL
    assert two.constants("koha") == {}
    assert two.sizes() == [0, 250]
    assert two.union.faults() == []
    call = Call(two.union.folder)
    covered = call.json("mapping", "coverage", "inlis")[0]["constants"]
    assert {row["name"]: row["value"] for row in covered if row["unheeded"]} == ALL
    assert [row["name"] for row in call.json("partner", "show", "inlis")["sources"][0]["constants"]] == sorted(ALL)
    assert "no evidence for matching: carrier" in call("partner", "show", "inlis")[1]
    assert call.json("report", "nightly")["constants"] == {"inlis": ALL}
    assert "no evidence for matching: inlis (carrier_form print, country ID, " in call("report", "nightly")[1]
    with two.union.opened() as made, served(made) as base:
        accounts.add(made.database, made.clock, "eko", "viewer", (), password("eko"))
        browser = Session(base)
        browser.log_in("eko")
        text = browser.see("/partners/inlis").text
        assert "it is no evidence for matching: carrier print (100.0 %)" in text
    record = call.json("record", "show", "inlis/7")["normalized"]
    assert (record["languages"], record["level"]) == (["ind"], "m")  # shown as it came


@pytest.mark.slow
def test_one_harvest_or_many_one_kill_or_none_and_every_other_way_to_a_profile_agree(tmp_path: Path) -> None:
    """Bulk; in three harvests with a kill in the middle of giving new profiles; all again; a simulation."""
    bulk, parts = (Two(tmp_path / name, f"sqlite:///{tmp_path / name}.db") for name in ("bulk", "parts"))
    odd = {249: Codes("em", "ja ", "jpn"), 248: Codes("em", "ja ", "jpn")}  # 0.8 %: the rest is still constant
    bulk.true(250)
    bulk.fixed(250, odd)
    bulk.union.match()
    parts.fixed(201)
    parts.union.match()
    assert parts.constants() == ALL
    parts.fixed(246)
    parts.true(250)
    parts.union.match()
    parts.fixed(250, odd)
    parts.union.match()
    assert bulk.constants() == parts.constants() == ALL
    assert bulk.groups() == parts.groups()
    with parts.union.opened() as made:
        assert {frozenset(group) for group in simulating.groups_by(made, made.match)} == parts.groups()
    rebuilding.rebuild(parts.union.settings(), {}, parts.union.clock)
    parts.union.match()
    assert bulk.groups() == parts.groups()
    assert parts.union.faults() == []


@pytest.mark.slow
@pytest.mark.parametrize("point", ["constants.noted", "constants.batch.committed"])
def test_killed_while_it_gives_new_profiles_it_gives_them_all_next_time(tmp_path: Path, point: str) -> None:
    two = Two(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    two.fixed(210)
    two.true(210)
    assert two.union.killed_at(point)
    two.union.match()
    assert two.constants() == ALL
    assert two.sizes() == [0, 210]
    two.fixed(210, dict.fromkeys(range(6), Codes(leader="em")))
    two.union.match()
    assert "material" not in two.constants()  # 97.1 %: its class is evidence again
    assert two.sizes()[1] < 210


def test_near_the_line_nothing_turns_over_every_night() -> None:
    was, kept = False, []
    for count in (197, 198, 199, 198, 197, 196, 197, 198, 199):  # of 200
        was = constants._counts(count, 200, was)
        kept.append(was)
    assert kept == [False, False, True, True, True, False, False, False, True]
    assert not constants._counts(199, 199, False)
    assert constants._counts(199, 199, True)
    assert not constants._counts(149, 149, True)


# (to the value, to the records): edited to have it or not, added or deleted with it or without.
STEPS = ((1, 0), (-1, 0), (1, 1), (0, 1), (-1, -1), (0, -1))


def test_a_count_that_is_not_made_would_have_found_the_same() -> None:
    """All that *moved* changes can do to a value: gained or lost by an edit, an addition or a deletion."""
    for records in range(196, 206):
        for count in range(records - 8, records + 1):
            for was in (True, False):
                one = Common("ind", count, was and constants._counts(count, records, True))
                for moved in (1, 2, 3):
                    after = {
                        constants._counts(
                            count + sum(a for a, _ in steps), records + sum(b for _, b in steps), one.constant
                        )
                        for steps in combinations_with_replacement(STEPS, moved)
                    }
                    if not constants._may_turn(one, records, moved):
                        assert after <= {one.constant}, (one, records, moved)


@pytest.mark.slow
def test_what_a_mapping_says_of_its_records_is_a_librarians_word(tmp_path: Path) -> None:
    """EPrints records are online because its preset says so; that they are theses every record says itself."""
    union = Consortium(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    union.add("eprints", protocol="oai-pmh", url="http://127.0.0.1:9/oai", preset="eprints", internal=True)
    dc = '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    body = (
        dc
        + "<dc:title>Pengaruh harga {0}</dc:title><dc:creator>Ani {0}</dc:creator><dc:type>Thesis</dc:type></oai_dc:dc>"
    )
    records = [HarvestedRecord(str(one), "oai_dc", body.format(one).encode()) for one in range(200)]
    with union.opened() as made:
        pipeline.harvest_one(made, "eprints", open_harvester=lambda: Shelf(records))
        pipeline.match(made)
        with made.database.read() as conn:
            assert stored.of_source(conn, made.source_ids["eprints"]) == {"material": "thesis"}
