"""Solr in VuFind's shape, against a core that enforces the schema."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest

from harvester.errors import ConfigError, OutputError
from harvester.model import Address, Contributor, Holding, Link
from harvester.outputs import outputs
from harvester.outputs.batch import OutputState
from harvester.outputs.deliver import deliver
from harvester.outputs.solr_fields import levels, shape
from harvester.outputs.solr_local_id import local_key, member_id
from tests.outputs.solr_server import Core, Refused, SolrServer
from tests.outputs.union import Clock, Union, book, held_by, opening


@pytest.fixture
def solr() -> Iterator[SolrServer]:
    with SolrServer() as server:
        yield server


class Publisher:
    """A Solr output and its stored state."""

    def __init__(self, solr: SolrServer, union: Union, **options: object) -> None:
        self.solr, self.union, self.clock = solr, union, Clock()
        self.told: list[dict[str, object]] = []
        given = opening(solr.url, self.clock, **options)._replace(log=lambda event, **values: self.told.append(values))
        self.output = outputs.get("solr")(given)
        self.state = OutputState()

    def publish(self) -> None:
        def save(state: OutputState) -> None:
            self.state = msgspec.json.decode(msgspec.json.encode(state), type=OutputState)

        deliver(self.output, self.union, self.state, save)
        self.solr.core.commit()  # what commitWithin does in the end

    def index(self) -> dict[str, dict[str, object]]:
        return dict(self.solr.core.visible)

    def clean(self) -> bool:
        return self.output.verify(self.union).clean


def test_a_single_becomes_two_becomes_one_again(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    union.commit({"1": [held_by("ui/10")]})
    publisher.publish()
    assert set(publisher.index()) == {"ui.10"}
    assert "merged_child_boolean" not in publisher.index()["ui.10"]

    union.commit({"1": [held_by("ui/10"), held_by("ugm/oai:ugm:7")]})
    publisher.publish()
    index = publisher.index()
    assert set(index) == {"ui.10", "ugm.7", "1"}
    assert index["ui.10"]["merged_child_boolean"] is index["ugm.7"]["merged_child_boolean"] is True
    assert index["1"]["merged_boolean"] is True
    assert index["1"]["record_format"] == "merged"
    assert index["1"]["local_ids_str_mv"] == ["ugm.7", "ui.10"]
    assert "fullrecord" not in index["1"]
    assert [one["id"] for one in solr.search()] == ["1"]
    assert sorted(one["id"] for one in solr.search(deduplicated=False)) == ["ugm.7", "ui.10"]

    union.commit({"1": [held_by("ugm/oai:ugm:7")]})
    publisher.publish()
    assert set(publisher.index()) == {"ugm.7"}
    assert "merged_child_boolean" not in publisher.index()["ugm.7"]
    assert publisher.clean()


def test_a_split_and_a_merge_leave_every_member_where_it_belongs(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    union.commit({"1": [held_by("ui/10"), held_by("ugm/oai:ugm:7"), held_by("inlis/3")]})
    publisher.publish()
    union.commit({"1": [held_by("ui/10")], "2": [held_by("ugm/oai:ugm:7"), held_by("inlis/3")]})
    publisher.publish()
    assert set(publisher.index()) == {"ui.10", "ugm.7", "inlis.3", "2"}
    assert publisher.index()["inlis.3"]["dedup_id_str_mv"] == ["2"]
    union.commit({"2": [held_by("ui/10"), held_by("ugm/oai:ugm:7"), held_by("inlis/3")]}, {"1": "2"})
    publisher.publish()
    assert set(publisher.index()) == {"ui.10", "ugm.7", "inlis.3", "2"}
    union.commit({}, {"2": ""})
    publisher.publish()
    assert publisher.index() == {}


def test_a_batch_is_one_request_so_that_no_search_sees_half_of_a_split(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    union.commit({"1": [held_by("ui/10"), held_by("ugm/oai:ugm:7")]})
    publisher.publish()
    before = len(solr.requests)
    union.commit({"1": [held_by("ui/10")], "2": [held_by("ugm/oai:ugm:7")]})
    publisher.publish()
    assert [path for path, _ in solr.requests[before:]] == ["/solr/biblio/update"]


def test_five_rows_of_one_book_are_five_copies_of_one_member(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    rows = [
        held_by(f"inlis/{number}", book(holdings=(Holding("Pusat", call_number="899 HIR"),))) for number in range(1, 6)
    ]
    union.commit({"1": rows})
    publisher.publish()
    assert set(publisher.index()) == {"inlis.1"}
    row = publisher.index()["inlis.1"]
    assert row["copies_str"] == "5"
    assert row["local_id_str_mv"] == [f"inlis.{number}" for number in range(1, 6)]
    assert len(row["holdings_str_mv"]) == 5  # type: ignore[arg-type]
    union.commit({"1": rows[1:]})  # the row that gave the id goes
    publisher.publish()
    assert set(publisher.index()) == {"inlis.2"}


def test_licensed_addresses_stay_with_their_partner(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    ours = book(links=(Link("https://ui.example/proxy", access="licensed"),))
    union.commit({"1": [held_by("ui/10", ours), held_by("ugm/oai:ugm:7")]})
    publisher.publish()
    index = publisher.index()
    assert index["ui.10"]["url"] == ["https://ui.example/proxy"]
    assert index["1"]["url"] == ["https://example.org/teks"]


def test_fields_are_those_of_vufind(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    spelled = book(contributors=(Contributor("HIRATA, ANDREA", role="author", main=True),), title="LASKAR PELANGI")
    union.commit({"1": [held_by("ui/10"), held_by("inlis/3", spelled)]})
    publisher.publish()
    merged, inlis = publisher.index()["1"], publisher.index()["inlis.3"]
    assert merged["title"] == "Laskar pelangi"
    assert merged["author"] == ["Hirata, Andrea"]
    assert merged["author_variant"] == ["HIRATA, ANDREA"]
    assert merged["language"] == ["Indonesian"]
    assert merged["institution"] == ['Perpustakaan "Kota" / Pusat', "Perpustakaan UI"]
    assert inlis["building"] == ['0/Perpustakaan "Kota"   Pusat/', '1/Perpustakaan "Kota"   Pusat/Pusat/']
    assert set(inlis["building"]) < set(merged["building"])  # type: ignore[arg-type, call-overload]
    assert str(inlis["fullrecord"]).startswith("<record xmlns=")
    assert merged["first_indexed"] == merged["last_indexed"] == "2026-11-21T18:00:10Z"


def test_hierarchical_facets_and_single_fields_have_solrs_shape() -> None:
    assert levels("UGM", "Pusat", "Lantai 2") == ["0/UGM/", "1/UGM/Pusat/", "2/UGM/Pusat/Lantai 2/"]
    assert levels("UGM", "") == ["0/UGM/"]
    assert shape({"edition": ["Ed. 2", "Ed. 3"], "isbn": ["1", "1", ""], "topic": ["Novel", "NOVEL"], "url": []}) == {
        "edition": "Ed. 2", "isbn": ["1"], "topic": ["Novel"],
    }  # fmt: skip
    assert len(shape({"topic": ["x" * 5000]})["topic"][0]) == 1024


def test_local_keys_are_injective_and_hold_no_strange_character() -> None:
    names = ["12", "oai:x:12", "oai:x:", "~12", "~~12", "a b", "a/b", "a.b", "ä", "a~20b", "oai:x:~~12", "", "%20"]
    for prefix in ("", "oai:x:"):
        keys = [local_key(name, prefix) for name in names]
        assert len(set(keys)) == len(keys)
        assert all(
            set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-") for key in keys
        )
    assert member_id(Address("ui-etd", "x.1")).split(".", 1)[0] == "ui-etd"


# ---- refusals and outages ----------------------------------------------------------------------------


def test_z126_a_refused_document_is_singled_out_listed_retried_and_holds_the_position(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    publisher.publish()
    union.commit({str(n): [held_by(f"ui/{n}", book(f"Judul {n}"))] for n in range(1, 41)})
    poison = {"41": [held_by("ui/41", book("BUANG")), held_by("ugm/oai:ugm:41"), held_by("inlis/41")]}
    union.commit(poison)
    union.commit({"42": [held_by("ui/42")]})
    publisher.publish()
    assert set(publisher.index()) == {f"ui.{n}" for n in (*range(1, 41), 42)} | {"ugm.41", "inlis.41", "41"}
    assert publisher.index()["41"]["local_ids_str_mv"] == ["inlis.41", "ugm.41"]
    assert [(one.cluster, one.document, one.seq, one.tries) for one in publisher.state.rejected] == [
        ("41", "ui.41", 41, 1)
    ]
    assert "poisoned" in publisher.state.rejected[0].reason
    assert (publisher.state.position, publisher.state.reached) == (40, 42)
    publisher.publish()
    assert publisher.state.rejected[0].tries == 2
    union.commit({"41": [held_by("ui/41", book("Baik")), held_by("ugm/oai:ugm:41"), held_by("inlis/41")]})
    publisher.publish()
    assert publisher.state == OutputState("e1", 43, 43)
    assert publisher.clean()


def test_a_refused_merged_document_leaves_its_members_findable(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    publisher.publish()
    solr.core._check = refuse_merged  # type: ignore[method-assign, assignment]
    union.commit({"1": [held_by("ui/10"), held_by("ugm/oai:ugm:7")]})
    publisher.publish()
    assert sorted(str(one["id"]) for one in solr.search()) == ["ugm.7", "ui.10"]
    assert [one.document for one in publisher.state.rejected] == ["1"]


def refuse_merged(document: dict[str, object], name: str, value: object) -> None:
    if document.get("merged_boolean"):
        raise Refused("no merged ones today")


def test_z126_a_busy_server_is_asked_again_and_a_dead_one_loses_nothing(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union, tries=3, wait=7)
    publisher.publish()
    union.commit({"1": [held_by("ui/10")]})
    solr.busy = 2
    publisher.publish()
    assert publisher.clock.slept == [7, 7]
    told = [(values["trouble"], values["tries"], values["again_in"]) for values in publisher.told]
    assert told == [("HTTP 503", "1 of 3", "7 s"), ("HTTP 503", "2 of 3", "7 s")]  # nobody waits without a word
    union.commit({"2": [held_by("ui/11")]})
    solr.busy = 3
    with pytest.raises(OutputError, match="503"):
        publisher.publish()
    assert publisher.state.position == 1
    solr.busy = 0
    publisher.publish()
    assert publisher.clean()
    assert publisher.state.position == 2


def test_a_server_that_stays_busy_costs_a_run_three_minutes_in_all(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    union.commit({"1": [held_by("ui/10")]})
    solr.busy = 3
    publisher.publish()
    solr.busy = 1_000_000
    union.commit({"2": [held_by("ui/11")]})
    with pytest.raises(OutputError, match="HTTP 503"):
        publisher.publish()
    assert sum(publisher.clock.slept) == pytest.approx(180, abs=5)


def test_requests_keep_to_the_limits_and_a_cluster_larger_than_one_goes_in_parts() -> None:
    with SolrServer(max_bytes=12_000) as solr:
        union = Union()
        publisher = Publisher(solr, union, max_bytes=8_000)
        long = "Bab " * 500
        union.commit({str(n): [held_by(f"ui/{n}", book(contents=long))] for n in range(1, 9)})
        union.commit(
            {"9": [held_by(f"{source}/9", book(contents=long)) for source in ("ui", "ui-etd", "ugm", "inlis")]}
        )
        publisher.publish()
        assert publisher.state.rejected == ()
        assert publisher.clean()
        assert len(publisher.index()) == 13


def test_applying_twice_is_applying_once(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    publisher.publish()
    union.commit({"1": [held_by("ui/10"), held_by("ugm/oai:ugm:7")]})
    union.commit({"1": [held_by("ui/10")], "2": [held_by("ugm/oai:ugm:7")]})
    before = publisher.state
    publisher.publish()
    once = without_versions(publisher.index())
    publisher.state = before  # killed before the position was saved
    publisher.publish()
    assert without_versions(publisher.index()) == once


def without_versions(index: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    return {key: {name: value for name, value in one.items() if name != "_version_"} for key, one in index.items()}


def test_another_epoch_or_a_feed_that_was_pruned_starts_again_with_a_snapshot(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    union.commit({"1": [held_by("ui/10")], "2": [held_by("ui/11")]})
    publisher.publish()
    restored = Union()
    restored.epoch = "e2"
    restored.commit({"5": [held_by("ui/10")]})
    publisher.union = restored
    publisher.publish()
    assert set(publisher.index()) == {"ui.10"}
    assert publisher.state == OutputState("e2", 1, 1)
    restored.commit({"6": [held_by("ui/12")]})
    restored.commit({"7": [held_by("ui/13")]})
    restored.kept_since, restored.feed = 3, []
    publisher.publish()
    assert set(publisher.index()) == {"ui.10", "ui.12", "ui.13"}


def test_z122_verify_finds_and_repairs_exactly_what_was_damaged(solr: SolrServer) -> None:
    union = Union()
    publisher = Publisher(solr, union)
    for n in range(1, 121):
        members = [held_by(f"ui/{n}", book(f"Judul {n}"))] + ([held_by(f"inlis/{n}")] if n % 3 == 0 else [])
        union.commit({str(n): members})
    publisher.publish()
    assert publisher.clean()
    core, chance = solr.core, random.Random(7)
    foreign = {"id": "other.1", "record_format": "marc", "title": "not ours"}
    core.update([foreign])
    core.commit()
    picked = chance.sample(sorted(key for key in core.pending if key != "other.1"), 100)
    damage(core, picked)
    before = dict(core.visible)
    drift = publisher.output.verify(union)
    assert sorted({*drift.missing, *drift.different, *drift.surplus}) == sorted([*picked, "ui.900", "ui.901"])
    assert drift.surplus == ("ui.900", "ui.901")
    repaired = publisher.output.verify(union, repair=True)
    assert repaired.repaired == 102
    assert publisher.clean()
    untouched = [key for key in before if key not in {*picked, "ui.900", "ui.901"}]
    assert all(core.visible[key]["_version_"] == before[key]["_version_"] for key in untouched)
    assert "other.1" in core.visible
    counts = {name: (ours, theirs) for name, ours, theirs in publisher.output.verify(union).counts}
    assert counts == {"ui": (120, 120), "inlis": (40, 40)}


def damage(core: Core, picked: list[str]) -> None:
    """A fifth deleted, a field changed, a field lost, a flag set, the cluster lost; two documents of nobody."""
    for number, key in enumerate(picked):
        one = dict(core.pending[key])
        match number % 5:
            case 0:
                del core.pending[key]
                continue
            case 1:
                one["title"] = "rusak"
            case 2:
                del one["author"]
            case 3:
                one["hidden_component_boolean"] = True
            case 4:
                del one["dedup_id_str_mv"]
        core.pending[key] = one
    live = next(one for one in core.pending.values() if "dedup_id_str_mv" in one)
    core.pending["ui.900"] = {**live, "id": "ui.900"}
    core.pending["ui.901"] = {**live, "id": "ui.901", "dedup_id_str_mv": ["99999"]}
    core.commit()


def test_thirty_nights_of_churn_leave_no_drift(solr: SolrServer) -> None:
    union, chance = Union(), random.Random(3)
    publisher = Publisher(solr, union)
    sources = ("ui", "ui-etd", "ugm", "inlis")
    place = {f"{source}/{n}": str(n) for source in sources for n in range(12)}
    for night in range(30):
        touched: set[str] = set()
        for address in chance.sample(sorted(place), 12):
            target = str(chance.randrange(16))
            touched |= {place[address], target}
            place[address] = target
        groups = {
            cluster: [held_by(one) for one in sorted(place) if place[one] == cluster] for cluster in sorted(touched)
        }
        upsert = {cluster: members for cluster, members in groups.items() if members}
        union.commit(
            upsert, {cluster: "" for cluster, members in groups.items() if not members and cluster in union.clusters}
        )
        publisher.publish()
        if night % 10 == 9:
            assert publisher.clean()
            assert valid(solr)


def valid(solr: SolrServer) -> bool:
    """Every member with a flag is named by the merged document of its cluster, and the other way round."""
    index = solr.core.visible
    named = [key for one in index.values() if one.get("merged_boolean") for key in one["local_ids_str_mv"]]
    flagged = [key for key, one in index.items() if one.get("merged_child_boolean")]
    return sorted(named) == sorted(flagged)


def test_settings_are_checked_before_any_request() -> None:
    with pytest.raises(ConfigError, match="needs the url"):
        outputs.get("solr")(opening(""))
    with pytest.raises(ConfigError, match=r"outputs\.test\.options"):
        outputs.get("solr")(opening("http://127.0.0.1:1/", tries="many"))
