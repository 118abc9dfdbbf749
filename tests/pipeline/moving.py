"""A library that moves from SLiMS to Koha: the same books in Dublin Core before and in MARC after, all numbers new.

Among the books are what pairing could get wrong: volumes and editions of one title, school books by class, theses
with nearly equal titles, doubles of one book, and books without ISBN.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from harvester.demo import numbers
from harvester.demo.holdings import Copy
from harvester.demo.partners import koha, slims
from harvester.demo.works import Manifestation

THINGS = (
    *("sejarah", "ekonomi", "hukum", "kesehatan", "pertanian", "perikanan", "pendidikan", "bahasa", "sastra"),
    *("seni", "musik", "agama"),
)
ASPECTS = ("dasar", "umum", "modern", "praktis", "terapan", "nusantara", "daerah", "desa", "kota", "pesisir", "remaja")
FIRST = ("Siti", "Ahmad", "Budi", "Dewi", "Rina", "Agus", "Sri", "Joko", "Wahyu", "Putri", "Hasan", "Lestari", "Ratna")
LAST = ("Wibowo", "Santoso", "Rahayu", "Nugroho", "Siregar", "Simanjuntak", "Harahap", "Kusuma", "Pratama", "Hidayat")
PLACES = ("Jakarta", "Bandung", "Yogyakarta", "Surabaya")
PUBLISHERS = ("Balai Pustaka", "Gramedia", "Erlangga", "Mizan", "Kanisius", "Rineka Cipta", "Bumi Aksara")
FACTORS = ("motivasi", "disiplin", "gizi", "literasi", "lingkungan", "teknologi", "kepemimpinan", "promosi", "budaya")
EFFECTS = ("prestasi", "kinerja", "minat", "kepuasan", "loyalitas", "produktivitas", "kesehatan", "kemandirian")


class Library:
    """Books by local key, as they stand in both systems; `moved` is old number → new number."""

    def __init__(self, size: int, seed: int = 20261122) -> None:
        dice = random.Random(seed)
        made = _manifestations(dice)
        self.books = {key: next(made) for key in range(1, size + 1)}
        new = list(range(100_001, 100_001 + size))
        dice.shuffle(new)
        self.moved = dict(zip(self.books, new, strict=True))

    def dublin_core(self, key: int) -> bytes:
        return slims.render(Copy("S", key, self.books[key]))["oai_dc"]

    def marc(self, key: int) -> bytes:
        return koha.render(Copy("K", self.moved[key], self.books[key]))["marcxml"]


def _manifestations(dice: random.Random) -> Iterator[Manifestation]:
    number = 0
    while True:
        kinds = (_book, _volumes, _editions, _classes, _theses, _double)
        for facts in dice.choices(kinds, (20, 4, 4, 4, 6, 1))[0](dice):
            number += 1
            base = {"label": f"w{number}", "key": f"w{number}", "at": "KS", "publisher": dice.choice(PUBLISHERS)}
            base |= {"place": dice.choice(PLACES), "year": dice.randrange(1975, 2024)}
            base |= {"pages": str(dice.randrange(60, 600)), "ddc": f"{dice.randrange(1000):03d}.{dice.randrange(100)}"}
            yield Manifestation(**{**base, **facts})  # type: ignore[arg-type]


def _name(dice: random.Random) -> str:
    return f"{dice.choice(FIRST)} {dice.choice(FIRST)} {dice.choice(LAST)}"


def _isbn(dice: random.Random) -> str | None:
    body = f"979{dice.randrange(10, 99)}{dice.randrange(10**4):04d}"
    return f"{body[:3]}-{body[3:5]}-{body[5:]}-{numbers.check10(body)}" if dice.random() < 0.6 else None


def _title(dice: random.Random) -> str:
    return f"{dice.choice(THINGS).capitalize()} {dice.choice(ASPECTS)} {dice.choice(THINGS)} {dice.choice(ASPECTS)}"


def _book(dice: random.Random) -> list[dict[str, object]]:
    return [{"title": _title(dice), "author": (_name(dice),), "isbn": _isbn(dice)}]


def _volumes(dice: random.Random) -> list[dict[str, object]]:
    title, author, year = _title(dice), (_name(dice),), dice.randrange(1975, 2024)
    return [
        {"title": title, "author": author, "part": str(part), "year": year, "isbn": _isbn(dice)} for part in (1, 2, 3)
    ]


def _editions(dice: random.Random) -> list[dict[str, object]]:
    title, author, year = _title(dice), (_name(dice),), dice.randrange(1975, 2010)
    first = {"title": title, "author": author, "year": year}
    second = {"edition": 2, "edition_text": "Edisi 2", "isbn": _isbn(dice)}
    return [first, {**first, **second, "year": year + dice.randrange(2, 9)}]


def _classes(dice: random.Random) -> list[dict[str, object]]:
    title = dice.choice(("Matematika", "Bahasa Indonesia", "Ilmu pengetahuan alam"))
    author, year = (_name(dice),), dice.randrange(2005, 2023)
    facts = {"title": title, "author": author, "year": year, "level": "SMP/MTs", "curriculum": "Kurikulum 2013"}
    return [{**facts, "grade": grade, "audience": "Buku siswa"} for grade in ("VII", "VIII", "IX")]


def _theses(dice: random.Random) -> list[dict[str, object]]:
    effect, place = dice.choice(EFFECTS), f"SMA Negeri {dice.randrange(1, 30)} {dice.choice(PLACES)}"
    return [
        {
            "kind": "thesis",
            "title": f"Pengaruh {factor} terhadap {effect} siswa di {place}",
            "author": (_name(dice),),
            "degree": "Skripsi (S1)",
            "institution": "Universitas Nusantara",
            "faculty": "Fakultas Pendidikan",
            "nim": str(dice.randrange(10**8, 10**9)),
            "advisor": (_name(dice),),
            "publisher": None,
        }
        for factor in dice.sample(FACTORS, 2)
    ]


def _double(dice: random.Random) -> list[dict[str, object]]:
    book = {**_book(dice)[0], "publisher": "Erlangga", "place": "Jakarta", "year": 2001, "pages": "210", "ddc": "297.4"}
    return [book, dict(book)]
