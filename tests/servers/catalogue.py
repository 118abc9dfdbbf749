"""Two thousand MARC 21 records of an imagined library, always the same ones: real authors, titles, places, publishers.

Most carry the second in which they were loaded together, as catalogues do that moved to another system; a few carry
no date at all, and some an impossible one.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

BULK_LOAD = "20240115103000.0"
BULK = 1_050
UNDATED = 12

_WORKS = (
    ("Toer, Pramoedya Ananta", "Bumi manusia", "Jakarta", "Hasta Mitra", "ind"),
    ("Hirata, Andrea", "Laskar pelangi", "Yogyakarta", "Bentang", "ind"),
    ("Tohari, Ahmad", "Ronggeng Dukuh Paruk", "Jakarta", "Gramedia", "ind"),
    ("Lubis, Mochtar", "Harimau! harimau!", "Jakarta", "Pustaka Jaya", "ind"),
    ("Moeis, Abdoel", "Salah asuhan", "Batavia", "Balai Poestaka", "ind"),
    ("Rusli, Marah", "Siti Nurbaya : kasih tak sampai", "Jakarta", "Balai Pustaka", "ind"),
    ("Alisjahbana, S. Takdir", "Layar terkembang", "Jakarta", "Balai Pustaka", "ind"),
    ("Mahayana, Maman S.", "Ekstrinsikalitas sastra Indonesia", "Jakarta", "RajaGrafindo Persada", "ind"),
    ("Koentjaraningrat", "Pengantar ilmu antropologi", "Jakarta", "Aksara Baru", "ind"),
    ("Soekanto, Soerjono", "Sosiologi : suatu pengantar", "Jakarta", "Rajawali Pers", "ind"),
    ("Geertz, Clifford", "The religion of Java", "Glencoe", "Free Press", "eng"),
    ("Ricklefs, M. C.", "A history of modern Indonesia", "London", "Macmillan", "eng"),
    ("Multatuli", "Max Havelaar", "Amsterdam", "De Ruyter", "dut"),
    ("ابن خلدون", "مقدمة ابن خلدون", "بيروت", "دار الفكر", "ara"),
    ("Ronggowarsito", "ꦱꦼꦫꦠ꧀ꦏꦭꦠꦶꦝ", "Surakarta", "Radya Pustaka", "jav"),
    ("Camus, Albert", "L'étranger", "Paris", "Gallimard", "fre"),
)
_SUBJECTS = ("Indonesian fiction", "Java (Indonesia)", "Islam", "Sociology", "Anthropology", "Kesusastraan Indonesia")

Field = tuple[str, str]


def record(number: int, modified: str, work: int, year: int, edition: int) -> bytes:
    """One MARC 21 record in UTF-8; an empty *modified* leaves 005 out."""
    author, title, place, publisher, language = _WORKS[work % len(_WORKS)]
    fixed = f"150102s{year}    io            000 1 {language}  "
    fields: list[Field] = [("001", f"bib{number:06d}"), ("003", "ID-JaPKB")]
    fields += [("005", modified)] if modified else []
    fields += [
        ("008", fixed),
        ("100", f"1 \x1fa{author}"),
        ("245", f"10\x1fa{title} /\x1fc{author}."),
        ("250", f"  \x1faCetakan ke-{edition}."),
        ("264", f" 1\x1fa{place} :\x1fb{publisher},\x1fc{year}."),
        ("650", f" 0\x1fa{_SUBJECTS[number % len(_SUBJECTS)]}."),
    ]
    return iso2709(fields)


def iso2709(fields: Iterable[Field]) -> bytes:
    """Fields (tag, body) as one ISO 2709 record."""
    directory, data = b"", b""
    for tag, body in fields:
        encoded = body.encode() + b"\x1e"
        directory += tag.encode() + b"%04d%05d" % (len(encoded), len(data))
        data += encoded
    base = 24 + len(directory) + 1
    total = base + len(data) + 1
    return b"%05dnam a22%05d a 4500" % (total, base) + directory + b"\x1e" + data + b"\x1d"


def modified(number: int, chance: Random) -> str:
    """005 of record *number*: the bulk load, nothing, an impossible month, or some second since 2019."""
    if number <= UNDATED:
        return ""
    if number % 500 == 499:
        return "20231300000000.0"
    if number % 2_000 <= BULK + UNDATED:
        return BULK_LOAD
    year, month, day = chance.randint(2019, 2025), chance.randint(1, 12), chance.randint(1, 28)
    return (
        f"{year}{month:02d}{day:02d}{chance.randint(7, 16):02d}{chance.randint(0, 59):02d}{chance.randint(0, 59):02d}.0"
    )


def records(count: int = 2_000) -> list[bytes]:
    """The catalogue."""
    chance = Random(4)
    return [
        record(
            number, modified(number, chance), chance.randrange(1_000), chance.randint(1950, 2025), chance.randint(1, 9)
        )
        for number in range(1, count + 1)
    ]
