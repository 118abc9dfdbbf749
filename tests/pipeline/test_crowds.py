"""Crowded numbers join nothing wrong, a best-seller stays one, and ids outlive what does not concern them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from db import catalogue
from harvester import pipeline
from harvester.model import HarvestedRecord, Page, Window
from tests.journey import Consortium
from tests.pipeline.shelf import Book

FILLER = "9780000000000"
SYLLABLES = [first + vowel for first in "bdgklmnprstj" for vowel in "aiueo"]
PAGE = 500


class Copy(NamedTuple):
    """One library's record of a work; `work` is what a librarian would say it is."""

    work: int
    book: Book


class Lists:
    """A source of many records, in pages."""

    def __init__(self, records: list[HarvestedRecord]) -> None:
        self._records = records

    def pages(self, window: Window) -> Iterator[Page]:
        for start in range(int(window.token or 0), len(self._records), PAGE):
            token = str(start + PAGE) if start + PAGE < len(self._records) else ""
            part = tuple(self._records[start : start + PAGE])
            yield Page(records=part, token=token, list_size=len(self._records), server_time="2026-03-02T18:00:00Z")


def word(dice: random.Random, syllables: int) -> str:
    return "".join(dice.choice(SYLLABLES) for _ in range(syllables)) + dice.choice(["n", "s", "r", ""])


def shelves(size: int, libraries: int) -> list[Copy]:
    """*size* records: one title in *libraries* libraries, the others of works with one to four copies.

    .4 % carry the filler ISBN, 1 % one of twenty numbers of sets (fewer in a small catalogue, so that each is as
    crowded); each of these is a work of its own.
    """
    dice = random.Random(20261122)
    sets = [isbn(f"978979{number:06}") for number in range(max(1, size // 5000))]
    best = Book("Bumi manusia", "Toer, Pramoedya Ananta", isbn("978979110000"), "1980", "354", "Hasta Mitra")
    made = [Copy(0, wording(best, number)._replace(note=f"eksemplar {number}")) for number in range(libraries)]
    while len(made) < size:
        work = len(made)
        title = " ".join(word(dice, 3) for _ in range(4))
        book = Book(title, f"{word(dice, 2)}, {word(dice, 3)}", "", str(dice.randint(1950, 2024)), str(work % 800 + 40))
        book = book._replace(publisher=word(dice, 3))
        chance = dice.random()
        if chance < 0.004 * 1.8:
            made.append(Copy(work, book._replace(isbn=FILLER)))
        elif chance < 0.014 * 1.8:
            number = work % len(sets)
            # every other one is a volume of the set, the rest are works that got its number by mistake
            volume = Book(
                f"Ensiklopedi {SYLLABLES[number]}san jilid {work // len(sets)}",
                "Shadily, Hassan",
                year="1984",
                pages="520",
            )
            made.append(Copy(work, (volume if work // len(sets) % 2 else book)._replace(isbn=sets[number])))
        else:
            copies = dice.choice([1, 1, 1, 2, 4])
            made += [Copy(work, book._replace(note=f"eksemplar {number}")) for number in range(copies)]
    return made[:size]


def wording(book: Book, number: int) -> Book:
    """*book* as one of nine kinds of libraries writes it."""
    forms = [{}, {"title": book.title.upper()}, {"title": f"{book.title} : sebuah roman"}, {"isbn": ""}, {"pages": ""}]
    forms += [{"author": "Pramoedya Ananta Toer"}, {"author": "Toer, P. A."}, {"publisher": "PT Hasta Mitra"}]
    forms += [{"title": f"{book.title} (sebuah roman)", "publisher": "Hastamitra"}]
    return book._replace(**forms[number % len(forms)])


def isbn(body: str) -> str:
    """*body* (twelve digits) with its check digit."""
    odd, even = sum(map(int, body[::2])), sum(map(int, body[1::2]))
    return body + str(-(odd + 3 * even) % 10)


class Crowd:
    """The records in a catalogue, and what became of them."""

    def __init__(self, folder: Path, copies: list[Copy], libraries: int) -> None:
        self.copies = copies
        self.names = [f"l{number % libraries:03}/{number:06}" for number in range(len(copies))]
        self.codes = sorted({name.partition("/")[0] for name in self.names})
        self.consortium = Consortium(folder, f"sqlite:///{folder / 'induk.db'}", batch=5000)
        for code in self.codes:
            self.consortium.add(code, protocol="oai-pmh", url="http://127.0.0.1:9/oai", preset="koha", internal=True)

    def harvest(self) -> None:
        with self.consortium.opened() as opened:
            by_code: dict[str, list[HarvestedRecord]] = {code: [] for code in self.codes}
            for name, copy in zip(self.names, self.copies, strict=True):
                code, _, number = name.partition("/")
                by_code[code].append(HarvestedRecord(number, "marcxml", copy.book.payload(number)))
            for code, listed in by_code.items():
                outcome = pipeline.harvest_one(opened, code, open_harvester=lambda listed=listed: Lists(listed))
                assert outcome.verdict == "complete", outcome
            pipeline.match(opened)

    def clusters(self) -> dict[int, list[str]]:
        with self.consortium.opened() as opened, opened.database.read() as conn:
            held = catalogue.members(conn, catalogue.active_ids(conn, 0, 1_000_000))
        return {key: [one.address for one in members] for key, members in held.items()}

    def crowded_numbers_join_nothing(self, libraries: int) -> str:
        works = {name: copy.work for name, copy in zip(self.names, self.copies, strict=True)}
        clusters = self.clusters()
        wrong = [members for members in clusters.values() if len({works[one] for one in members}) > 1]
        assert wrong == []
        assert max(map(len, clusters.values())) == libraries, "the best-seller is one cluster"
        assert self.consortium.faults() == []
        funnel = self.consortium.ask(catalogue.funnel)
        numbers = len({copy.book.isbn for copy in self.copies} - {"", FILLER, self.copies[0].book.isbn})
        assert funnel["suspended_keys"] >= numbers, "the numbers of sets are suspended; the filler is no key at all"
        return (
            f"{len(self.names)} records, {len(clusters)} clusters, 0 wrong, {funnel['suspended_keys']} suspended keys"
        )


@pytest.mark.slow
def test_ids_stay_on_the_same_harvest_and_after_edits_of_one_record_in_a_hundred(tmp_path: Path) -> None:
    """5,000 records with crowded numbers; then the same again; then one per cent edited."""
    made = Crowd(tmp_path / "union", shelves(5000, 300), 10)
    made.harvest()
    print(made.crowded_numbers_join_nothing(300))
    before = made.clusters()
    made.harvest()
    assert made.clusters() == before
    dice = random.Random(1)
    edited = set(dice.sample(range(len(made.copies)), len(made.copies) // 100))
    made.copies = [edit(copy, dice) if number in edited else copy for number, copy in enumerate(made.copies)]
    made.harvest()
    touched = {made.names[number] for number in edited}
    untouched = {key: members for key, members in before.items() if touched.isdisjoint(members)}
    after = made.clusters()
    kept = sum(after.get(key) == members for key, members in untouched.items())
    assert kept >= 0.999 * len(untouched)
    assert 0.9 * len(before) < len(untouched) < len(before)


def edit(copy: Copy, dice: random.Random) -> Copy:
    """What cataloguers change: a note, the pages, a misspelled title, a number."""
    book = copy.book
    return dice.choice(
        [
            copy._replace(book=book._replace(note="direvisi")),
            copy._replace(book=book._replace(pages=str(int(book.pages) + 2))),
            copy._replace(book=book._replace(title=book.title + "a")),
            copy._replace(book=book._replace(isbn=isbn(f"978602{dice.randrange(10**6):06}"))),
        ]
    )


@pytest.mark.prove
def test_z130_a_hundred_thousand_records_with_crowded_numbers(tmp_path: Path) -> None:
    made = Crowd(tmp_path / "union", shelves(100_000, 300), 10)
    made.harvest()
    print(made.crowded_numbers_join_nothing(300))
