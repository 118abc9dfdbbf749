"""Edition, impression and part told apart: in Indonesia *cetakan* is a printing, *edisi* an edition."""

from __future__ import annotations

import re
from functools import lru_cache

from harvester.model import Edition, Impression
from harvester.normalize.numerals import ROMAN, WORDS, number_in, number_of
from harvester.normalize.parts import parts_in

_WORDS = "|".join(sorted((w for w in WORDS if len(w) > 2), key=len, reverse=True))
_N = rf"(?:[0-9]{{1,3}}|{_WORDS}|{ROMAN})"
_IMPRESSION = re.compile(
    rf"(?<!\w)(?:(?P<word>cetak(?:an)?|cet|ctk)\b[.:]?\s*(?:yang\s+)?(?:ke[-\s.]*)?(?P<number>{_N})?(?:\b|$)"
    rf"|(?P<before>[0-9]{{1,3}}|{_WORDS})(?:st|nd|rd|th|\.)?\s+(?:printing|impression|print\.?\b)"
    rf"|(?P<dutch>[0-9]{{1,3}})e?\s+oplage|(?P<german>[0-9]{{1,3}})\.\s+(?:unveränd\w*\.?\s+)?(?:druck|nachdr(?:uck)?)\b)"
    r"(?:\s*,?\s*(?:tahun\s+|th\.\s*)?(?:(?:jan|feb|mar|apr|mei|jun|jul|agu|sep|okt|nov|des)\w*\.?\s+)?(?:1[89]|20)[0-9]{2})?",
    re.IGNORECASE,
)
_EDITION_WORD = (
    r"edisi|edition|edn|ed|éd|édition|auflage|aufl|uitgave|uitg|utgave|utg|upplagan?|uppl|udgave|udg|druk|izd"
    r"|\w{0,20}painos|laitos|vyd|edici[oó]n|edi[cç][aã]o|edizione|изд(?:ание)?|вид(?:ання)?|wyd|chāp(?:-i)?"
)
_EDITION = re.compile(
    rf"(?<!\w)(?:{_EDITION_WORD}|الطبعة|ṭabʻah|tabʻah|tab'ah)\b\.?\s*(?:yang\s+)?(?:ke[-\s.]*|al-)?(?P<after>{_N})(?!\w)"
    rf"|(?<!\w)(?P<before>[0-9]{{1,3}}|{_WORDS})(?:-?(?:st|nd|rd|d|th|e|a|de|ste|ème|eme|е|ое|\.|ª))*[,\s]\s*"
    rf"(?:[^\s,;]+,?\s+){{0,4}}?\[?(?:{_EDITION_WORD})\b",
    re.IGNORECASE,
)
_REVISED = re.compile(
    r"\b(?:rev(?:isi|ised|idée|\.|ue)?|direvisi|diperbaharui|diperbarui|disempurnakan|diperbaiki|perbaikan|enlarged|überarb\w*|herz\w*|corr(?:ected)?)\b",
    re.IGNORECASE,
)
# "1st American from the 2d German ed." is the first: the second is the one that was translated.
_BASIS = re.compile(r"\s*,?\s+from\s+the\s.*", re.IGNORECASE)
# Chinese "Di 1 ban", "Hsin 1 pan", Japanese "Dai 1-han", Korean "Che 1-pʻan"; and "Chʻopʻan", "Shohan": the first.
_EAST_ASIAN = re.compile(
    r"(?<!\w)(?P<digits>[0-9]{1,2}|(?:yi|er|san|si|wu|liu|qi|ba|jiu)(?=\sban)"
    r"|(?:erh|san|ssu|wu|liu|(?<=ti )i)(?=\span))[\s-]"
    r"(?:ban|p[ʻ'’]?an|han)\b"
    r"|\b(?:ch[ʻ'’]?op[ʻ'’]?an|chu ban|ch[ʻ'’]?u pan|shohan)\b"
    r"|初版|초판|[第제]?\s?(?P<han>[一二三四五六七八九]|[0-9]{1,2})\s?[版판]",
    re.IGNORECASE,
)
_NUMERALS = ("yi i 一", "er erh 二", "san 三", "si ssu 四", "wu 五", "liu 六", "qi 七", "ba 八", "jiu 九")
_COUNTED = {word: number for number, words in enumerate(_NUMERALS, 1) for word in words.split()}
_MARKS = " ,.;:/()[]-"


@lru_cache(maxsize=4096)
def impression_of(text: str) -> Impression | None:
    """The printing named in *text*; None when it names none."""
    if not text or (text.isascii() and not _may_be_printing(text.lower())):
        return None
    match = _IMPRESSION.search(text)
    if match is None:
        return None
    token = match["number"] or match["before"] or match["dutch"] or match["german"] or ""
    number = number_of(token) if token else None
    return Impression(match.group(0).strip(_MARKS), number)


def _may_be_printing(low: str) -> bool:
    """Whether a word is there without which _IMPRESSION finds nothing; a chain of `in` is quick."""
    return (
        "cet" in low
        or "ctk" in low
        or "print" in low
        or "impression" in low
        or "oplage" in low
        or "druck" in low
        or "nachdr" in low
    )


@lru_cache(maxsize=4096)
def edition_of(text: str) -> Edition | None:
    """The edition that *text* states, without printing and part; None when nothing of an edition is left."""
    rest = _IMPRESSION.sub(" ", text) if any(c in "cCpPoOdD" for c in text) else text
    for part in parts_in(rest):
        rest = rest.replace(part, " ")
    rest = " ".join(rest.split()).strip(" ,;:/-")
    if not any(c.isalnum() for c in rest):
        return None
    if (
        rest.endswith(".")
        and rest.count(".") == 1
        and " " in rest
        and not rest.lower().endswith(("ed.", "rev.", "aufl."))
    ):
        rest = rest[:-1]
    return Edition(rest, _number(rest), bool(_REVISED.search(rest)))


def _number(text: str) -> int | None:
    match = _EDITION.search(_BASIS.sub(" edition", text))
    if match:
        return number_of(match["after"] or match["before"])
    if match := _EAST_ASIAN.search(text):
        counted = match["digits"] or match["han"] or "1"
        return _COUNTED.get(counted.lower()) or number_of(counted)
    # "2", "2nd", "kedua" alone, or "3rd 2003": the whole statement is the number.
    bare = re.sub(r"(?<=[a-z])\s+(?:19|20)[0-9]{2}$", "", text)
    return number_in(bare) if re.fullmatch(rf"(?:ke-?\s?)?{_N}(?:st|nd|rd|th|e|\.)*", bare, re.IGNORECASE) else None
