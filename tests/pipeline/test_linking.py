"""$w of 773, 780 and 785 names the cluster of the record that is meant, whatever came first and whatever came after.

A consumer that follows the feed from the first change on must at any time hold what a new one is given: each change of
a target's cluster is a change of whoever names it.
"""

from __future__ import annotations

import multiprocessing
import random
import re
import signal
from collections.abc import Collection, Iterator
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from alembic import command

from db import migrate
from harvester import deciding, faultpoint, pipeline, publishing, rekeying, simulating
from harvester.clock import SystemClock
from harvester.errors import UsageError
from harvester.match import rules
from harvester.model import Catalogue, ClusterDocument, Policy
from harvester.outputs.batch import Batch, Drift, Marc, OutputState, Rejection
from harvester.outputs.deliver import deliver
from tests.journey import DEADLINE, Consortium
from tests.pipeline.shelf import Union
from tests.servers import postgres

_context = multiprocessing.get_context("forkserver")


class Item(NamedTuple):
    """A MARC 21 record: its control number (empty: its identifier), title and further fields (tag, codes and texts)."""

    title: str
    fields: tuple[tuple[str, str], ...] = ()
    control: str = ""
    agency: str = ""
    level: str = "s"

    def payload(self, identifier: str) -> bytes:
        made = f'<controlfield tag="001">{escape(self.control or identifier)}</controlfield>'
        made += f'<controlfield tag="003">{self.agency}</controlfield>' if self.agency else ""
        for tag, text in (("245", f"$a{self.title}"), *self.fields):
            parts = "".join(f'<subfield code="{one[0]}">{escape(one[1:])}</subfield>' for one in text.split("$")[1:])
            made += f'<datafield tag="{tag}" ind1="0" ind2=" ">{parts}</datafield>'
        leader = f"<leader>00000na{self.level} a2200000 a 4500</leader>"
        return f'<record xmlns="http://www.loc.gov/MARC21/slim">{leader}{made}</record>'.encode()


# Benedict Anderson's article in the first number of Cornell's journal
INDONESIA = Item("Indonesia", (("022", "$a0019-7289"), ("260", "$aIthaca, N.Y. :$bCornell$c1966-")), "JRN-12")
LANGUAGES = Item(
    "The languages of Indonesian politics",
    (
        ("100", "$aAnderson, Benedict R. O'G."),
        ("300", "$ap. 89-116"),
        ("773", "$tIndonesia$gno. 1 (April 1966), p. 89-116$x0019-7289$wJRN-12"),
    ),
    "ART-1",
    level="b",
)
# a serial that changed its spelling with everybody's in 1972
OLD = Item(
    "Madjalah kedokteran Indonesia", (("785", "$tMajalah kedokteran Indonesia$w(ID-JaBUK)S2"),), "S1", "ID-JaBUK"
)
NEW = Item(
    "Majalah kedokteran Indonesia", (("780", "$tMadjalah kedokteran Indonesia$w(ID-JaBUK)S1"),), "S2", "ID-JaBUK"
)


class Shadow:
    """A consumer's copy: cluster → its record as text, without the time of its change."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.state = OutputState()

    def apply(self, batch: Batch) -> list[Rejection]:
        for cluster in batch.gone:
            self.held.pop(cluster, None)
        self.held |= {key: written(one) for key, one in batch.documents.items()}
        return []

    def snapshot(self, catalogue: Catalogue) -> list[Rejection]:
        self.held = {one.cluster: written(one) for page in catalogue.pages() for one in page}
        return []

    def lost(self, state: OutputState) -> str:
        return ""

    def verify(self, catalogue: Catalogue, repair: bool = False) -> Drift:
        return Drift()


def written(document: ClusterDocument) -> str:
    made = publishing.write_marc(document.union, document.cluster, Marc({}, "", document.linked))
    return "\n".join(f"{tag} {body}" for tag, body in made.fields)


class World(Union):
    """Two libraries, and a consumer that follows the feed and is compared with a new one whenever somebody looks."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder, url)
        self.follower = Shadow()
        self.look()

    def look(self) -> dict[str, str]:
        """What the consumer holds, after it was seen to be what there is."""
        fresh = Shadow()
        with publishing.reading(self.pipeline) as catalogue:
            self.follower.state = deliver(self.follower, catalogue, self.follower.state, lambda state: None)
            fresh.snapshot(catalogue)
        assert self.follower.held == fresh.held
        assert self.faults() == []
        return fresh.held

    def named(self, address: str, tag: str = "773") -> list[str]:
        """The control numbers in $w of the record's cluster."""
        lines = self.look()[str(self.cluster_of(address))].splitlines()
        return [part[1:] for line in lines if line.startswith(tag) for part in line.split("\x1f") if part[:1] == "w"]

    def enrol(self, code: str, **partner: Any) -> None:
        """Another word about the partner in its file; the next night works by it."""
        (self.consortium.folder / "partners.d" / f"{code}.yaml").unlink()
        source = {"protocol": "oai-pmh", "url": "http://127.0.0.1:9/oai", "preset": "koha", "internal": True}
        self.consortium.add(code, partner=partner, **source)
        self.restart()
        self.match()

    def id_of(self, address: str) -> str:
        return f"(INDUK){self.cluster_of(address)}"


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    made = World(tmp_path / "union", database_url)
    yield made
    made.close()


@pytest.mark.parametrize("order", [("alun/j alun/a",), ("alun/j", "alun/a"), ("alun/a", "alun/j")])
def test_an_article_names_the_cluster_of_its_journal_in_whatever_order_they_come(
    world: World, order: tuple[str, ...]
) -> None:
    items = {"alun/j": INDONESIA, "alun/a": LANGUAGES}
    for night in order:
        world.night({address: items[address] for address in night.split()})
        world.look()
    assert world.named("alun/a") == [world.id_of("alun/j"), "(alun)JRN-12"]


def test_a_number_that_nobody_here_has_stays_as_the_partner_writes_it(world: World) -> None:
    lone = LANGUAGES._replace(fields=(("773", "$tIndonesia$w(DE-627)129466123"), ("773", "$tPrisma$w77")))
    world.night({"alun/a": lone, "bukit/j": INDONESIA._replace(control="77")})  # another library's 77 is another thing
    assert world.named("alun/a") == ["(DE-627)129466123", "(alun)77"]


def test_a_serial_names_what_it_was_and_what_it_became_by_the_organization_of_its_numbers(world: World) -> None:
    world.night({"alun/old": OLD})
    assert world.named("alun/old", "785") == ["(ID-JaBUK)S2"]
    world.night({"alun/new": NEW})
    assert world.named("alun/old", "785") == [world.id_of("alun/new"), "(ID-JaBUK)S2"]
    assert world.named("alun/new", "780") == [world.id_of("alun/old"), "(ID-JaBUK)S1"]


def test_people_join_and_part_journals_and_articles_follow(world: World) -> None:
    """The id of the journal changes three times without a change of the article."""
    world.night({"bukit/j": INDONESIA._replace(title="Indonesia (Ithaca)", fields=(), control="9")})
    world.night({"bukit/x": Item("Indonesia circle", control="X")})
    world.night({"alun/j": INDONESIA, "alun/a": LANGUAGES})
    alone = world.id_of("alun/j")
    assert world.named("alun/a")[0] == alone
    made = deciding.merge(world.pipeline, ["alun/j", "bukit/j", "bukit/x"], "Siti", "satu majalah")
    assert world.id_of("alun/j") == world.id_of("bukit/j") != alone
    assert world.named("alun/a")[0] == world.id_of("alun/j")
    deciding.split(world.pipeline, world.cluster_of("alun/j"), [["alun/j"]], "Siti", "bukan")
    assert world.id_of("alun/j") != world.id_of("bukit/j")
    assert world.named("alun/a")[0] == world.id_of("alun/j")
    for one in deciding.decisions(world.pipeline):
        deciding.undo(world.pipeline, one["id"], "Siti", "keliru")
        assert world.named("alun/a")[0] == world.id_of("alun/j")
    assert made is not None


def test_a_preview_tells_of_the_clusters_that_name_what_it_touches(world: World) -> None:
    other = INDONESIA._replace(fields=(("035", "$a(OCoLC)1752942"),), control="9")
    by_oclc = Item("Cornell's journals", (("787", "$tIndonesia$w(OCoLC)1752942"),), "C")
    world.night({"bukit/j": other, "bukit/x": Item("Indonesia circle", control="X"), "bukit/c": by_oclc})
    world.night({"alun/j": INDONESIA, "alun/a": LANGUAGES})
    deciding.never(world.pipeline, "alun/j", "bukit/j", "Siti", "dua")

    def told(result: deciding.Result) -> list[tuple[str, int | None]]:
        return sorted((one.kind, one.cluster or 0) for one in result.feed)

    clusters = {address: world.cluster_of(address) for address in world.books}
    together = ["alun/j", "bukit/j", "bukit/x"]
    foreseen = told(deciding.merge(world.pipeline, together, "Siti", "satu", preview=True))
    assert any(("upsert", clusters[one]) in foreseen for one in ("alun/a", "bukit/c")), "one of them loses its target"
    assert told(deciding.merge(world.pipeline, together, "Siti", "satu")) == foreseen
    parting = (world.pipeline, world.cluster_of("alun/j"), [["alun/j"], ["bukit/j"]], "Siti", "bukan")
    foreseen = told(deciding.split(*parting, preview=True))
    assert len([one for one in foreseen if one[0] == "upsert"]) == 4
    done = told(deciding.split(*parting))
    assert [one for one in done if one in foreseen] == [one for one in foreseen if one[1]]
    assert len(done) == len(foreseen)
    world.look()


def test_a_journal_that_is_deleted_and_comes_back_is_named_when_it_is_there(world: World) -> None:
    world.night({"alun/j": INDONESIA, "alun/a": LANGUAGES})
    world.delete("alun/j")
    world.night()
    assert world.named("alun/a") == ["(alun)JRN-12"]
    world.night({"alun/j": INDONESIA})
    assert world.named("alun/a") == [world.id_of("alun/j"), "(alun)JRN-12"]


def test_a_number_of_two_records_names_neither_until_one_of_them_has_another(world: World) -> None:
    world.night({"alun/j": INDONESIA, "alun/a": LANGUAGES, "alun/k": Item("Prisma", control="JRN-12")})
    assert world.named("alun/a") == ["(alun)JRN-12"]
    world.night({"alun/k": Item("Prisma", control="JRN-13")})
    assert world.named("alun/a")[0] == world.id_of("alun/j")
    world.night({"alun/j": INDONESIA._replace(control="JRN-14"), "alun/k": Item("Prisma", control="JRN-12")})
    assert world.named("alun/a")[0] == world.id_of("alun/k")
    world.delete("alun/k")
    world.night()
    assert world.named("alun/a") == ["(alun)JRN-12"]


def test_numbers_of_worldcat_and_the_library_of_congress_are_found_in_every_source(world: World) -> None:
    fields = (
        ("776", "$tIndonesia (Online)$w(DE-627)129$w(OCoLC)ocm01752942"),
        ("780", "$tIndonesie$w(DLC)   66051001 "),
    )
    world.night({"alun/a": Item("Indonesia", fields)})
    assert world.named("alun/a", "776") == ["(DE-627)129", "(OCoLC)ocm01752942"]
    online = Item("Indonesia (Online)", (("035", "$a(OCoLC)1752942"),))
    world.night({"bukit/o": online, "bukit/p": Item("Indonesie", (("010", "$a   66051001 "),))})
    assert world.named("alun/a", "776") == [world.id_of("bukit/o"), "(DE-627)129", "(OCoLC)ocm01752942"]
    assert world.named("alun/a", "780")[0] == world.id_of("bukit/p")
    world.night({"bukit/q": Item("Something else", (("035", "$a(OCoLC)1752942"),))})
    assert world.named("alun/a", "776") == ["(DE-627)129", "(OCoLC)ocm01752942"]
    world.night({"bukit/q": Item("Something else")})
    assert world.named("alun/a", "776")[0] == world.id_of("bukit/o")


def test_a_koha_names_its_records_by_001_in_w_and_by_biblionumber_in_0(world: World) -> None:
    journal = INDONESIA._replace(fields=(*INDONESIA.fields, ("999", "$c412$d412")), control="ocm01752942")
    by_control = LANGUAGES._replace(fields=(("773", "$tIndonesia$wocm01752942"),))
    by_biblionumber = Item("Cornell and Indonesia", (("773", "$tIndonesia$0412$91207"),), "ART-2", level="b")
    world.night({"alun/oai:412": journal, "alun/a": by_control, "alun/b": by_biblionumber})
    assert world.named("alun/a") == [world.id_of("alun/oai:412"), "(alun)ocm01752942"]
    assert world.named("alun/b") == [world.id_of("alun/oai:412"), "(alun)412"]
    world.night({"alun/oai:412": journal._replace(control="JRN-13")})
    assert world.named("alun/a") == ["(alun)ocm01752942"]
    assert world.named("alun/b")[0] == world.id_of("alun/oai:412")


def test_every_linking_field_names_a_cluster(world: World) -> None:
    tags = [f"{tag}" for tag in (*range(760, 764, 2), 765, 767, 770, *range(772, 778), 780, 785, 786, 787)]
    fields = tuple((tag, f"$tIndonesia {tag}$wJRN-12") for tag in tags)
    world.night({"alun/j": INDONESIA, "alun/a": Item("Prisma", fields)})
    for tag in tags:
        assert world.named("alun/a", tag) == [world.id_of("alun/j"), "(alun)JRN-12"], tag


def test_a_library_is_named_by_its_isil_also_when_it_is_told_later(world: World) -> None:
    fields = (("773", "$tIndonesia$w(ID-BkBUKIT)JRN-12"),)
    world.night({"alun/a": LANGUAGES._replace(fields=fields), "bukit/j": INDONESIA})
    assert world.named("alun/a") == ["(ID-BkBUKIT)JRN-12"]
    world.enrol("bukit", isil="ID-BkBUKIT")
    assert world.named("alun/a") == [world.id_of("bukit/j"), "(ID-BkBUKIT)JRN-12"]
    world.enrol("bukit")
    assert world.named("alun/a") == ["(ID-BkBUKIT)JRN-12"]


def test_an_identifier_that_two_have_names_one_of_them_when_the_other_gets_another_by_rekey(world: World) -> None:
    by_identifier = LANGUAGES._replace(fields=(("773", "$tIndonesia$woai:lama:12"),))
    world.night({"alun/oai:lama:12": INDONESIA, "alun/k": Item("Prisma", control="oai:lama:12")})
    world.night({"alun/a": by_identifier})
    assert world.named("alun/a") == ["(alun)oai:lama:12"]
    plan = rekeying.plan_names(world.pipeline, "alun", {"oai:lama:12": "oai:baru:12"})
    rekeying.apply(world.pipeline, plan, "Siti")
    world.match()
    assert world.named("alun/a") == [world.id_of("alun/k"), "(alun)oai:lama:12"]


def test_what_may_not_be_seen_is_not_named(world: World) -> None:
    world.night({"alun/a": LANGUAGES._replace(fields=(("773", "$tIndonesia$w(bukit)JRN-12"),)), "bukit/j": INDONESIA})
    assert world.named("alun/a")[0] == world.id_of("bukit/j")
    world.enrol("bukit", policy=Policy(visibility="withheld"))
    assert world.named("alun/a") == ["(bukit)JRN-12"]


def test_an_old_catalogue_finds_out_what_its_records_name(world: World) -> None:
    world.night({"alun/j": INDONESIA, "alun/a": LANGUAGES})
    with world.pipeline.database.write() as conn:  # as 0014 left it; what came later is there and stays
        for table in ("linking_entry", "control_number"):
            conn.exec_driver_sql(f"DROP TABLE {table}")
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0014'")
        command.upgrade(migrate.config(conn), "0015")
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0016'")
        command.upgrade(migrate.config(conn), "0017")
        conn.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{migrate.head()}'")
    world.restart()
    world.match()
    assert world.named("alun/a") == [world.id_of("alun/j"), "(alun)JRN-12"]


@pytest.mark.slow
def test_other_rules_part_journals_and_articles_follow_there_and_back(world: World, tmp_path: Path) -> None:
    world.night({"bukit/j": INDONESIA, "bukit/a": LANGUAGES})
    world.night({"alun/j": INDONESIA})
    assert world.together("alun/j", "bukit/j")
    together = world.named("bukit/a")
    assert together[0] == world.id_of("bukit/j")
    strict = tmp_path / "strict.yaml"
    strict.write_text(re.sub(r"(?m)^  merge: .*$", "  merge: 99", rules.load().text, count=1), encoding="utf-8")
    simulating.promote(world.consortium.settings(), {}, SystemClock(), strict)
    world.restart()
    assert not world.together("alun/j", "bukit/j")
    assert world.named("bukit/a") == [world.id_of("bukit/j"), "(bukit)JRN-12"] != together
    simulating.rollback(world.consortium.settings(), {}, SystemClock())
    world.restart()
    assert world.named("bukit/a") == together


def _killed(folder: str, point: str) -> None:
    faultpoint.arm(point, 1)
    pipeline.match(pipeline.open_pipeline(Consortium.settings_in(Path(folder)), {}, SystemClock()))


@pytest.mark.slow
@pytest.mark.parametrize("point", ["match.batch.numbered", "match.batch.committed"])
def test_killed_between_the_journal_and_its_articles_nothing_is_forgotten(world: World, point: str) -> None:
    world.night({f"alun/{n}": LANGUAGES._replace(title=f"Languages {n}", control=f"ART-{n}") for n in range(5)})
    world.put("alun/j", INDONESIA)
    world.harvest()
    process = _context.Process(target=_killed, args=(str(world.consortium.folder), point))
    process.start()
    process.join(DEADLINE)
    assert process.exitcode == -signal.SIGKILL
    postgres.until_idle(world.consortium.url)
    world.restart()
    world.match()
    assert {world.named(f"alun/{n}")[0] for n in range(5)} == {world.id_of("alun/j")}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_after_any_sequence_of_edits_and_decisions_the_feed_has_told_of_everything(world: World, seed: int) -> None:
    """Journals and articles are edited, renumbered, deleted, joined, parted; whoever follows holds what there is."""
    dice = random.Random(seed)
    for _ in range(10):
        for address in dice.sample([f"{code}/{n}" for code in world.codes for n in range(6)], 4):
            if address in world.books and dice.random() < 0.3:
                world.delete(address)
            else:
                world.put(address, _item(dice))
        world.night()
        _decide(world, dice)
        world.look()
    for one in deciding.decisions(world.pipeline):
        deciding.undo(world.pipeline, one["id"], "Siti", "keliru")
        world.look()


@pytest.mark.slow
def test_what_was_built_night_by_night_is_what_is_built_at_once(world: World, tmp_path: Path) -> None:
    dice = random.Random(5)
    for _ in range(8):
        for address in dice.sample([f"{code}/{n}" for code in world.codes for n in range(8)], 5):
            world.put(address, _item(dice))
        world.night()
    told = _clusters(world)
    assert any('"linked"' in line for line in told)
    afresh = World(tmp_path / "afresh", f"sqlite:///{tmp_path / 'afresh.db'}")
    afresh.night(world.books)
    assert told == _clusters(afresh)
    afresh.close()


def _item(dice: random.Random) -> Item:
    """A serial with one of a few titles and numbers, which names up to two others by several kinds of numbers."""
    number = dice.randrange(6)
    fields = [("035", f"$a(OCoLC)7000{dice.randrange(6)}")] if dice.random() < 0.5 else []
    for tag in dice.sample(("773", "776", "780", "785"), dice.randrange(3)):
        meant = dice.choice(("J{}", "(alun)J{}", "(bukit)J{}", "(OCoLC)7000{}")).format(dice.randrange(6))
        fields.append((tag, f"$tMajalah {dice.randrange(6)}$w{meant}"))
    return Item(f"Majalah {'abcdef'[number] * 4}", tuple(fields), f"J{dice.randrange(6)}")


def _decide(world: World, dice: random.Random) -> None:
    clusters = world.clusters()
    large = [key for key, members in clusters.items() if len(members) > 1]
    if large and dice.random() < 0.5:
        key = dice.choice(large)
        parting = (world.pipeline, key, [clusters[key][:1]], "Siti", "lain")
        foreseen = _told(deciding.split(*parting, preview=True), clusters)
        assert _told(deciding.split(*parting), clusters) == foreseen
    elif len(clusters) > 1:
        pair = dice.sample(sorted(clusters), 2)
        with suppress(UsageError):  # somebody has said that they are two
            foreseen = _told(deciding.merge(world.pipeline, pair, "Siti", "sama", preview=True), clusters)
            assert _told(deciding.merge(world.pipeline, pair, "Siti", "sama"), clusters) == foreseen


def _told(result: deciding.Result, held: Collection[int]) -> tuple[set[tuple[str, int | None]], int]:
    """What consumers are told of the clusters *held*, and of how many in all; a preview knows no new ids."""
    return {(one.kind, one.cluster) for one in result.feed if one.cluster in held}, len(result.feed)


def _clusters(world: World) -> list[str]:
    return [line for line in world.consortium.dump().splitlines() if '"kind":"cluster"' in line]
