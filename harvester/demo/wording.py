"""How libraries word the same facts: names with and without titles, titles with and without ISBD, parts, collation."""

from __future__ import annotations

import re

from harvester.demo import works
from harvester.demo.works import Manifestation

SMALL = frozenset(
    re.findall(r"\w+", "dan di ke dari yang untuk dalam pada atas dengan oleh atau bagi the of and in a an to")
)
BODIES = re.compile(r"^(Tim|Departemen|Kementerian|Badan|Pusat|Yasa Boga|Madcoms)\b")
ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV", "5": "V", "6": "VI", "15": "XV", "30": "XXX"}
ARABIC = {"VII": "7", "VIII": "8", "IX": "9"}


# ---- names -------------------------------------------------------------------------------------------


def direct(name: str) -> str:
    """The name as it is spoken."""
    return name


def heading(name: str) -> str:
    """The authorized form: the last element first, a mononym as it is."""
    known = works.people().get(name, {}).get("heading")
    if known:
        return known
    first, _, last = name.rpartition(" ")
    return f"{last}, {first}" if first and not BODIES.match(name) else name


def dates(name: str) -> str:
    """The years of a person's life, or nothing."""
    return works.people().get(name, {}).get("dates", "")


def titled(name: str) -> str:
    """The name with its titles and degrees, as a less strict library writes it."""
    return works.people().get(name, {}).get("titled", name)


# ---- titles ------------------------------------------------------------------------------------------


def capitals(text: str) -> str:
    """*text* with a capital at every word but the small ones, as title pages have it."""
    words = text.split(" ")
    return " ".join(
        word if index and word in SMALL else word[:1].upper() + word[1:] for index, word in enumerate(words)
    )


def school_words(this: Manifestation, *, short: bool = False) -> str:
    """Who a school book is for: "buku siswa SMP/MTs kelas VII semester 1", or "kelas 7 smt 1"."""
    if not this.grade:
        return ""
    semester = f" {'smt' if short else 'semester'} {this.semester}" if this.semester else ""
    if short:
        return f"kelas {ARABIC[this.grade]}{semester}"
    audience = f"{this.audience.lower()} " if this.audience else ""
    return f"{audience}{this.level} kelas {this.grade}{semester}"


def remainder(this: Manifestation) -> str:
    """What follows the title proper."""
    school = school_words(this)
    curriculum = this.curriculum.lower() if school and this.curriculum else ""
    return " ".join(text for text in (this.sub, school, curriculum) if text)


def part(this: Manifestation, *, roman: bool = False, word: str = "") -> str:
    """ "Jilid 2", or nothing."""
    if not this.part:
        return ""
    number = ROMAN.get(this.part, this.part) if roman else this.part
    return f"{word or this.part_word} {number}"


def isbd(this: Manifestation, *, title: str = "", mark: str = " : ") -> str:
    """Title, part and remainder in one line with ISBD marks: "Title. Jilid 1, Name : rest"."""
    text = title or this.title
    if this.part:
        text += f". {part(this)}" + (f", {this.part_name}" if this.part_name else "")
    rest = remainder(this)
    return f"{text}{mark}{rest}" if rest else text


def responsibility(this: Manifestation, *, with_titles: bool = False) -> str:
    """The statement of responsibility, in Indonesian."""
    form = titled if with_titles else direct
    shown = this.author or ((this.body,) if this.body else ())
    parts = [", ".join(form(name) for name in shown)] if shown else []
    if this.editor:
        parts.append("penyunting, " + ", ".join(form(name) for name in this.editor))
    if this.translator:
        parts.append("alih bahasa, " + ", ".join(form(name) for name in this.translator))
    return " ; ".join(parts)


# ---- publication and collation -----------------------------------------------------------------------


def impression(number: int) -> str:
    """ "Cet. 3"."""
    return f"Cet. {number}"


def collation(this: Manifestation, *, unit: str = "hlm.", illustrated: str = "ilus.") -> str:
    """ "xii, 300 hlm. : ilus. ; 21 cm"."""
    if not this.pages:
        return ""
    bare = not re.fullmatch(r"[\divxlc, -]+", this.pages)
    if bare:
        return this.pages
    pages = f"{this.pages} {unit}"
    if this.kind == "online":
        return f"1 sumber daring ({pages})"
    return f"{pages} : {illustrated} ; {this.size} cm" if illustrated else f"{pages} ; {this.size} cm"


def author_mark(this: Manifestation) -> str:
    """The letters behind the class number on the spine: HIR l."""
    lead = heading(this.author[0]) if this.author else (this.body or this.title)
    return f"{re.sub(r'[^A-Za-z]', '', lead)[:3].upper()} {this.title[:1].lower()}"


def thesis_note(this: Manifestation) -> str:
    """ "Skripsi (S1) -- Universitas …, 2016. NIM …. Pembimbing: …"."""
    if not this.degree:
        return ""
    return (
        f"{this.degree} -- {this.faculty}, {this.institution}, {this.year}. NIM {this.nim}. "
        f"Pembimbing: {'; '.join(this.advisor)}"
    )
