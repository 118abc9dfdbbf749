"""All identifiers of a partner change, and nothing else: history, decisions, pins and ids of clusters stay."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db import ledger, links, rekey
from db.tables import change, cluster_event, record
from harvester import deciding, rekey_pairing, rekeying
from harvester.demo import quirks
from harvester.errors import UsageError
from tests.pipeline.lone import Lone, lone
from tests.pipeline.moving import Library

pytestmark = pytest.mark.slow
SWEEP = {"options": {"strategy": "sweep+absence"}}
RENAMED = quirks.variant(quirks.KOHA, identifier_prefix="oai:baru.example:", page_size=20)
OLD_HOST = quirks.variant(quirks.KOHA, identifier_prefix="oai:lama.example:")
RULE = "oai:lama.example:=>oai:baru.example:"


def homes(partner: Lone) -> dict[str, int | None]:
    """Local key → cluster."""
    return {key: partner.cluster_of(key) for key in partner.active()}


def feed(partner: Lone) -> int:
    return len(partner.consortium.ask(lambda conn: conn.execute(select(change.c.seq)).all()))


def feed_rows(partner: Lone, after: int) -> Counter[int]:
    """Cluster → how often it is in the feed after *after* rows."""
    rows = partner.consortium.ask(lambda conn: conn.execute(select(change.c.cluster_id).order_by(change.c.seq)).all())
    return Counter(row[0] for row in rows[after:])


def decide(partner: Lone) -> dict[str, Any]:
    """A merge, a separation and a pin by a person."""
    names = sorted(partner.consortium.ask(lambda conn: [row[0] for row in conn.execute(select(record.c.identifier))]))
    address = [f"kampus/{name}" for name in names]
    with partner.opened() as opened:
        deciding.merge(opened, [address[0], address[1]], "sari", "the same book")
        deciding.never(opened, address[2], address[3], "sari", "two books")
    return {"together": names[:2], "apart": names[2:4]}


@pytest.mark.parametrize("harvested", [False, True], ids=["before the harvest", "after the harvest halted"])
def test_a_renamed_host_changes_no_cluster_and_loses_no_decision(tmp_path: Path, harvested: bool) -> None:
    with lone(tmp_path, 60, OLD_HOST, **SWEEP) as partner:
        partner.night()
        decide(partner)
        before, told = homes(partner), feed(partner)
        partner.server.set_quirks("kampus", RENAMED)
        if harvested:
            partner.sleep()
            assert partner.consortium.harvest("kampus")["kampus"].verdict == "halted"
        with partner.opened() as opened:
            plan = rekeying.plan_names(opened, "kampus", None, RULE)
            assert (len(plan.pairs), plan.twins, plan.decisions, plan.clashes) == (60, 60 * harvested, 2, ())
            done = rekeying.apply(opened, plan, "sari", "new host")
            assert done.addresses == 4
        partner.consortium.match()
        assert homes(partner) == before
        assert max(feed_rows(partner, told).values()) == 1
        outcome = partner.night()
        assert outcome.verdict == "complete", outcome
        assert homes(partner) == before
        with partner.opened() as opened, opened.database.read() as conn:
            held = ledger.find(conn, "kampus", "oai:baru.example:7")
            assert held is not None
            assert held["version"] == (2 if harvested else 1)
            assert all(one.in_force for one in links.listed(conn))
            assert {name.identifier[:16] for one in links.listed(conn) for name in one.addresses} == {
                "oai:baru.example"
            }
        assert partner.consortium.faults() == []


@pytest.mark.parametrize("harvested", [False, True], ids=["before the harvest", "after the harvest halted"])
def test_a_rekey_is_undone_and_everything_is_as_it_was(tmp_path: Path, database_url: str, harvested: bool) -> None:
    with lone(tmp_path, 30, OLD_HOST, database=database_url, **SWEEP) as partner:
        partner.night()
        decide(partner)
        before = homes(partner)
        names = partner.consortium.ask(_active_names)
        partner.server.set_quirks("kampus", RENAMED)
        if harvested:
            partner.consortium.harvest("kampus")
        with partner.opened() as opened:
            rekeying.apply(opened, rekeying.plan_names(opened, "kampus", None, RULE), "sari")
        partner.consortium.match()
        with partner.opened() as opened:
            done = rekeying.undo(opened, "kampus", "sari", "it was the wrong rule")
            assert done.records == 30
            with pytest.raises(UsageError, match="nothing to undo"):
                rekeying.undo(opened, "kampus", "sari")
        assert names <= partner.consortium.ask(_active_names)
        partner.server.set_quirks("kampus", quirks.variant(OLD_HOST, page_size=20))
        partner.consortium.match()
        with partner.opened() as opened, opened.database.read() as conn:
            assert {name.identifier[:16] for one in links.listed(conn) for name in one.addresses} == {
                "oai:lama.example"
            }
        assert {key: home for key, home in homes(partner).items() if home in before.values()}
        assert partner.consortium.faults() == []


def _hosts(conn: Any) -> set[str]:
    return {name.identifier[:16] for one in links.listed(conn) for name in one.addresses}


def _active_names(conn: Any) -> set[str]:
    return {row[0] for row in conn.execute(select(record.c.identifier).where(record.c.state == "active"))}


def test_a_table_renames_also_when_two_records_change_places(tmp_path: Path) -> None:
    with lone(tmp_path, 10, OLD_HOST) as partner:
        partner.night()
        before = homes(partner)
        table = tmp_path / "map.csv"
        name = "oai:lama.example:"
        table.write_text(f"old;new\n{name}1;{name}2\n{name}2;{name}1\n{name}3;{name}4\n{name}99;{name}98\n")
        with partner.opened() as opened:
            plan = rekeying.plan_names(opened, "kampus", rekey_pairing.table(table))
            assert [(one.old[-1], one.new[-1]) for one in plan.pairs] == [("1", "2"), ("2", "1"), ("3", "4")]
            assert plan.pairs[2].twin is not None, "number 4 is taken over, which a person sees in the preview"
            swap = plan.pairs[:2]
            rekeying.apply(opened, rekeying.Plan("kampus", swap), "sari")
        partner.consortium.match()
        after = homes(partner)
        assert (after["1"], after["2"]) == (before["2"], before["1"])
        assert partner.consortium.faults() == []


def test_what_cannot_be_understood_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "map.csv"
    for text, why in (("a;b\na;c\n", "twice"), ("a;b\nc;b\n", "twice"), ("a\n", "old and a new")):
        table.write_text(text)
        with pytest.raises(UsageError, match=why):
            rekey_pairing.table(table)
    for rule in ("nonsense", "re:(=>x", "=>x"):
        with pytest.raises(UsageError):
            rekey_pairing.rule(rule)


def test_a_plan_that_is_out_of_date_is_refused(tmp_path: Path) -> None:
    with lone(tmp_path, 5, OLD_HOST) as partner:
        partner.night()
        with partner.opened() as opened:
            plan = rekeying.plan_names(opened, "kampus", None, RULE)
            rekeying.apply(opened, plan, "sari")
            with pytest.raises(UsageError, match="no longer as it was planned"):
                rekeying.apply(opened, plan, "sari")


# ---- a move from SLiMS to Koha -----------------------------------------------------------------------------


def _move(folder: Path, size: int) -> str:
    """Move a whole library; returns the figures."""
    books = Library(size)
    with lone(folder, 0, quirks.SLIMS_OAI2, page_size=200, preset="slims-oai2", **SWEEP) as partner:
        for key in books.books:
            partner.store.put(str(key), {"oai_dc": books.dublin_core(key)})
        assert partner.night().verdict == "complete"
        names = partner.consortium.ask(_active_names)
        decided = decide(partner)
        before, told = homes_by_name(partner), feed(partner)
        for key, new in books.moved.items():
            partner.store.forget(str(key))
            partner.store.put(str(new), {"marcxml": books.marc(key)})
        partner.server.set_quirks("kampus", quirks.variant(quirks.KOHA, page_size=200))
        partner.change(preset="koha", metadata_prefix="marcxml")
        partner.sleep()
        assert partner.consortium.harvest("kampus", full=True)["kampus"].verdict == "halted"
        with partner.opened() as opened:
            plan = rekeying.plan_content(opened, "kampus")
            right = {one for one in plan.pairs if books.moved[int(_tail(one.old))] == int(_tail(one.new))}
            same = [one for one in plan.pairs if _alike(books, one)]
            wrong = len(plan.pairs) - len(right | set(same))
            listed = {one for one, _ in plan.doubtful} | set(plan.left)
            assert len(plan.pairs) + len(listed) == size
            assert {one.old for one in plan.pairs} | listed == names
            rekeying.apply(opened, plan, "sari", "moved to Koha")
        partner.consortium.match()
        after = homes_by_name(partner)
        moved = {one.old: one.new for one in plan.pairs}
        kept = sum(1 for old, new in moved.items() if after[new] == before[old])
        ended = partner.consortium.ask(_merged_away)
        assert kept + ended >= len(moved), "an id ends only where two records of the new form prove to be one book"
        rows = feed_rows(partner, told)
        assert max(rows.values()) == 1
        with partner.opened() as opened, opened.database.read() as conn:
            alive = [one for one in links.listed(conn) if one.in_force]
            assert len(alive) == 2
            for name in (*decided["together"], *decided["apart"]):
                assert any(moved.get(name, name) == one.identifier for held in alive for one in held.addresses)
        assert partner.consortium.faults() == []
        share = len(plan.pairs) / size
        assert wrong == 0
        assert share >= 0.95
        return f"{size} records: {share:.1%} relinked, {wrong} wrong, {len(listed)} listed, {kept} ids kept"


def homes_by_name(partner: Lone) -> dict[str, int]:
    from db.tables import membership

    query = select(record.c.identifier, membership.c.cluster_id).join(membership, membership.c.record_id == record.c.id)
    return partner.consortium.ask(lambda conn: {row[0]: row[1] for row in conn.execute(query)})


def _merged_away(conn: Any) -> int:
    return len(conn.execute(select(cluster_event.c.id).where(cluster_event.c.kind.in_(("merged", "joined")))).all())


def _tail(name: str) -> str:
    return name.rpartition(":")[2].rpartition("/")[2]


def _alike(books: Library, pair: rekey.Pair) -> bool:
    """Two doubles of one book, which nobody can tell apart."""
    old = books.books[int(_tail(pair.old))]
    new = next(books.books[key] for key, number in books.moved.items() if number == int(_tail(pair.new)))
    return (old.title, old.author, old.year, old.part, old.edition) == (
        new.title,
        new.author,
        new.year,
        new.part,
        new.edition,
    )


def test_a_library_moves_from_slims_to_koha(tmp_path: Path) -> None:
    print(_move(tmp_path, 250))


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_five_thousand_records_move_from_slims_to_koha(tmp_path: Path) -> None:
    print(_move(tmp_path, 5000))


def test_pairing_does_not_guess_between_equals() -> None:
    """Red on a pairing that takes the first of several."""
    from harvester.match import rules as match_rules
    from harvester.model import Profile

    rules = match_rules.load()
    book = Profile(title="sejarah desa", words=("sejarah", "desa"), author=("budi",), entry=("budi",), year=1990)
    twins = [rekey_pairing.Card(name, book, frozenset({1})) for name in ("a", "b")]
    found = rekey_pairing.by_content(
        twins, [rekey_pairing.Card(name, book, frozenset({1})) for name in ("x", "y")], rules
    )
    assert found.pairs == ()
    assert {name for name, _ in found.doubtful} <= {"a", "b"}
    marked = [one._replace(marks=rekey_pairing.Marks(frozenset({one.identifier}))) for one in twins]
    new = [rekey_pairing.Card("x", book, frozenset({1}), rekey_pairing.Marks(frozenset({"b"})))]
    assert [pair[:2] for pair in rekey_pairing.by_content(marked, new, rules).pairs] == [("b", "x")]
