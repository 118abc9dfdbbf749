"""Night after night through `induk publish`: the index is what the catalogue is; damage is found and put right.

The index is a stand-in for Solr that enforces VuFind's schema, the order of commands and the limits of requests.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harvester.cli import induk
from harvester.cli.common import guarded
from tests import canaries
from tests.journey import Consortium
from tests.outputs.solr_server import SolrServer
from tests.pipeline.shelf import Book, Union

DAMAGED = 100


def publish(consortium: Consortium, *arguments: str) -> dict[str, Any]:
    """What `induk publish` says; it must end with 0 or, when it finds drift, with 4."""
    call = ["publish", *arguments, "--json", "--config", str(consortium.folder / "induk.yaml")]
    with CliRunner().isolation() as (out, _, _):
        code = guarded(lambda: induk.main(args=call, prog_name="induk", standalone_mode=False))
        told: dict[str, Any] = json.loads(out.getvalue())
    drift = told["drift"]
    assert code == (4 if drift and not drift["clean"] and "--repair" not in arguments else 0)
    return told


def damage(solr: SolrServer, dice: random.Random) -> tuple[set[str], set[str]]:
    """Change or remove 100 documents by hand; the ids of either."""
    ids = dice.sample(sorted(solr.core.visible), DAMAGED)
    changed, removed = set(ids[: DAMAGED // 2]), set(ids[DAMAGED // 2 :])
    for documents in (solr.core.pending, solr.core.visible):
        for one in removed:
            documents.pop(one, None)
        for one in changed & documents.keys():
            documents[one] = {**documents[one], "title": "changed by hand"}
    return changed, removed


WORDS = ("hujan", "bulan", "laut", "gunung", "kampung", "pasar", "rantau", "kota", "senja", "pagi", "cinta", "merdeka")
SHELVES = ("alun", "bukit", "curug", "danau")


def book(which: int) -> Book:
    """One of 250 books; libraries write the same one a little differently."""
    dice = random.Random(which)
    title = f"{' '.join(dice.sample(WORDS, 3)).capitalize()} {which}"
    return Book(title, author=f"Penulis {which % 40}", isbn=f"97860200{which:05d}", pages=str(80 + which))


def evening(union: Union, dice: random.Random, edits: int) -> None:
    """What partners do in a day: new books, edits, records that become another book's, deletions."""
    for _ in range(edits):
        address = f"{dice.choice(SHELVES)}/{dice.randrange(120)}"
        if address in union.books and dice.random() < 0.2:
            union.delete(address)
        else:
            union.put(address, book(dice.randrange(250))._replace(note=f"catatan {dice.randrange(9)}"))


def nights(folder: Path, url: str, number: int) -> int:
    dice = random.Random(number)
    with SolrServer() as solr:
        union = Union(folder / "union", url, codes=SHELVES)
        config = folder / "union" / "induk.yaml"
        outputs = f"outputs:\n  solr: {canaries.solr(config.parent, solr.url)}\n  dump: {{kind: jsonl, url: dump}}\n"
        config.write_text(config.read_text(encoding="utf-8") + outputs, encoding="utf-8")
        for night in range(1, number + 1):
            evening(union, dice, 300 if night == 1 else 40)
            union.night()
            for name in ("solr", "dump"):
                told = publish(union.consortium, name)
                assert (told["rejected"], told["snapshot"]) == ([], night == 1)
        for name in ("solr", "dump"):
            told = publish(union.consortium, name, "--verify")
            assert told["drift"]["clean"], told["drift"]
            assert all(here == there for _, here, there in told["drift"]["counts"])
        changed, removed = damage(solr, dice)
        told = publish(union.consortium, "solr", "--verify")
        assert (set(told["drift"]["different"]), set(told["drift"]["missing"])) == (changed, removed)
        told = publish(union.consortium, "solr", "--repair")
        assert told["drift"]["repaired"] == DAMAGED
        assert publish(union.consortium, "solr", "--verify")["drift"]["clean"]
        union.close()
    return int(told["reached"])


@pytest.mark.slow
def test_after_five_nights_nothing_drifts_and_a_hundred_damaged_documents_are_found_and_repaired(
    tmp_path: Path,
) -> None:
    nights(tmp_path, f"sqlite:///{tmp_path / 'induk.db'}", 5)


@pytest.mark.prove
def test_after_thirty_nights_nothing_drifts(tmp_path: Path, database_url: str) -> None:
    number = nights(tmp_path, database_url, 30)
    kind = database_url.partition(":")[0]
    print(f"\nindex after 30 nights, {number} changes, {kind}: drift 0; {DAMAGED} damaged, {DAMAGED} repaired")
