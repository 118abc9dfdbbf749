"""The worklist of suspect clusters is a function of what is stored, whatever people did and took back on the way."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from db import suspects
from harvester import deciding, reviewing
from harvester.errors import UsageError
from harvester.model import Policy
from tests.pipeline.shelf import Book, Union

PELANGI = Book("Laskar pelangi", isbn="9789793062792")
HUKUM = Book("Pengantar ilmu hukum", author="Rahardjo, Satjipto", edition="Edisi 2", publisher="Alumni", year="1986")
SHELF = {
    "alun/1": PELANGI,
    "alun/2": PELANGI._replace(pages="520"),
    "bukit/1": PELANGI._replace(pages="529"),
    "bukit/2": PELANGI._replace(year="2006", note="cetakan 2"),
    "alun/3": HUKUM,
    "alun/4": HUKUM._replace(pages="536"),
    "bukit/3": HUKUM._replace(edition="Edisi 3"),
    "bukit/4": HUKUM._replace(edition="Edisi 3", pages="532"),
    "bukit/5": Book("Kimia dasar", author="Syukri", isbn=PELANGI.isbn, year="1999", pages="200"),
}
CHANGES: dict[str, Any] = {"pages": ("534", "525", "510", "400"), "year": ("2005", "2006", "1986"), "note": ("", "x")}


@pytest.fixture
def union(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Union]:
    monkeypatch.setattr("harvester.reviewing_suspects.WEAK_POINTS", 1000.0)
    made = Union(tmp_path / "union", database_url)
    yield made
    assert made.consortium.faults() == []
    made.close()


def listed(union: Union) -> list[Any]:
    """The worklist without numbers of clusters."""
    members = {key: tuple(sorted(several)) for key, several in union.clusters().items()}

    def plain(values: Mapping[str, Any]) -> list[Any]:
        return sorted((name, members[one] if name == "cluster" else one) for name, one in values.items())

    return sorted(
        (members[one.clusters[0]], one.left, one.right, [(why.code, why.weight, plain(why.values)) for why in one.why])
        for one in reviewing.queue(union.pipeline, 50, kinds=("cluster",))
    )


def anew(union: Union) -> list[Any]:
    """The worklist without what is stored of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suspects, "mark", lambda conn: None)
        return listed(union)


def codes(union: Union) -> list[str]:
    return sorted(why[0] for one in listed(union) for why in one[3])


def night_elsewhere(union: Union) -> None:
    """A night that brings a book of its own: the worklist is stored anew."""
    number = len(union.books)
    union.night({f"alun/x{number}": Book(f"Sejarah {'i' * number}", author=f"Guru {number}", year=str(1900 + number))})


def test_a_doubt_that_a_join_took_off_the_worklist_comes_back_with_its_undo(union: Union) -> None:
    union.night({"alun/1": PELANGI, "bukit/1": PELANGI._replace(pages="529")})
    assert codes(union) == ["weak"]
    made = deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "")
    night_elsewhere(union)
    assert codes(union) == []
    undone = deciding.undo(union.pipeline, made.decision or 0, "ana", "")
    assert codes(union) == ["weak"]
    night_elsewhere(union)
    assert codes(union) == ["weak"]
    deciding.undo(union.pipeline, undone.decision or 0, "ana", "")
    assert codes(union) == []


def test_of_a_chain_of_joins_each_can_bring_the_doubt_back(union: Union) -> None:
    union.night({f"alun/{number}": PELANGI._replace(pages=pages) for number, pages in enumerate(("534", "530", "526"))})
    assert len(union.groups()) == 1
    assert "weak" in codes(union)
    chain = [deciding.must(union.pipeline, f"alun/{one}", "alun/1", "ana", "") for one in (0, 2)]
    night_elsewhere(union)
    assert codes(union) == []
    for one in chain:
        made = deciding.undo(union.pipeline, one.decision or 0, "ana", "")
        assert "weak" in codes(union)
        deciding.undo(union.pipeline, made.decision or 0, "ana", "")
        night_elsewhere(union)
        assert codes(union) == []


def test_an_edit_of_a_record_that_nobody_may_see_is_looked_at(union: Union) -> None:
    told = {"protocol": "oai-pmh", "url": "http://127.0.0.1:9/oai", "preset": "koha", "internal": True}
    (union.consortium.folder / "partners.d" / "bukit.yaml").unlink()
    union.consortium.add("bukit", partner={"policy": Policy(visibility="withheld")}, **told)
    union.restart()
    same = PELANGI._replace(author="Hirata, A.")
    union.night({"alun/1": PELANGI, "alun/2": PELANGI._replace(note="x"), "bukit/1": same})
    for pages in ("400", "534"):
        union.night({"bukit/1": same._replace(pages=pages)})
        assert ("pages" in codes(union)) == (pages == "400")
        assert listed(union) == anew(union)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_the_worklist_after_joins_and_undos_is_that_of_a_catalogue_without_them(
    union: Union, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    union.night(SHELF)
    standing: list[int] = []
    for _ in range(25):
        try:
            _act(union, draw, standing)
        except UsageError:
            continue
        assert listed(union) == anew(union)
    for one in standing[::-1]:
        deciding.undo(union.pipeline, one, "ana", "")
    union.match()
    kept = listed(union)
    fresh = Union(tmp_path / "fresh", f"sqlite:///{tmp_path / 'fresh.db'}")
    fresh.night(union.books)
    fresh.night()
    assert _lasting(kept) == _lasting(listed(fresh))
    assert kept == anew(union)
    fresh.close()


def _lasting(lines: list[Any]) -> list[Any]:
    """Without what the last match brought: that is told by the merge log, which holds the joins too."""
    bare = [(*one[:3], [why for why in one[3] if why[0] != "grown"]) for one in lines]
    return [one for one in bare if one[3]]


def _act(union: Union, draw: random.Random, standing: list[int]) -> None:
    acts = ("must", "must", "merge", "never", "undo", "undo", "night", "elsewhere", "elsewhere", "confirm")
    what = draw.choice(acts)
    left = draw.choice(sorted(SHELF))
    alike = [one for one in sorted(SHELF) if SHELF[one].title == SHELF[left].title] if draw.random() < 0.8 else SHELF
    right = draw.choice([one for one in sorted(alike) if one != left] or sorted(SHELF))
    if what == "must":
        standing.append(deciding.must(union.pipeline, left, right, "ana", "").decision or 0)
    elif what == "merge":
        standing.append(deciding.merge(union.pipeline, [left, right], "ana", "").decision or 0)
    elif what == "never":
        standing.append(deciding.never(union.pipeline, left, right, "ana", "").decision or 0)
    elif what == "confirm":
        standing.append(deciding.merge(union.pipeline, [left, left], "ana", "").decision or 0)
    elif what == "undo" and standing:
        one = standing.pop(draw.randrange(len(standing)))
        made = deciding.undo(union.pipeline, one, "budi", "")
        if draw.random() < 0.3:
            deciding.undo(union.pipeline, made.decision or 0, "budi", "")
            standing.append(one)
    elif what == "night":
        name = draw.choice(sorted(CHANGES))
        union.night({left: union.books[left]._replace(**{name: draw.choice(CHANGES[name])})})
    else:
        night_elsewhere(union)
