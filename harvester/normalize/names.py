"""Names with honorifics and degrees taken off; never inverted, never guessed into surname and forename."""

from __future__ import annotations

import re
from functools import lru_cache

_SURE = (
    r"Prof|Dr|DR|dr|drg|Drg|Ir|IR|Drs|DRS|Dra|DRA|Hj|KH|K\.\s?H|KRT|Tgk|Ust|Ustadz|Ustaz|Haji|Hajjah|Kiai"
    r"|Kyai|Raden Ajeng|Raden Mas|"
    r"Raden|Sir|Dame|Letjen|Mayjen|Brigjen|Kolonel|Jenderal|Pdt|Rev|Mr|Mrs|Ny|Tn|Syaikh|Asy-?Syaikh|Apt|Ns"
)
_MAYBE = r"H|R\.\s?A|R\.\s?M|R\.\s?Ng|R"
_LEADING = re.compile(rf"(?:{_SURE})(?:\.\s*|\s+)(?=\S)")
_LEADING_MAYBE = re.compile(rf"(?:{_MAYBE})\.\s*(?=\S)")
_DEGREE = re.compile(
    r"(?:(?:S|M|D|A|B|Sp)\.(?:[A-Z][A-Za-z]{0,5}\.?)(?:[A-Z][A-Za-z]{0,3}\.?){0,3}(?:\s?I\.?)?|LL\.\s?[BMD]\.?"
    r"|S\.?\s?(?:Pd|Kom|Si|Sos|Ag|Hum|Kes|Ked|Farm|Psi|Th|Sn|Ds|Kep|Keb|Hut|Stat|Gz)\.?(?:\s?I\.?)?"
    r"|M\.?\s?(?:Pd|Kom|Si|Sos|Ag|Hum|Kes|Farm|Psi|Sn|Kep|Eng|Sc|Phil|Kn|Ikom)\.?(?:\s?I\.?)?"
    r"|SH|SE|ST|SS|SIP|SKM|STP|MM|MT|MH|MA|MBA|MSc|MSi|MPH|M\.?Ec|PhD|Ph\.?\s?D|Lc|Apt|Ak|CPA|CA|Ners|Amd"
    r"|A\.?Md\.?(?:\s?\w{1,4}\.?)?|Sp\.?\s?[A-Z]\w{0,4}|BSc|B\.?Sc|BA|DEA|Esq"
    r"|(?:(?:Prof|Dr|dr|drg|Ir|Drs|Dra|H|Hj|K\.?\s?H|Haji|Sir|Pdt)\b\.?\s?)+|et al)\.?(?:\s?\([^)]*\))?",
)
_PARTICLE = re.compile(r"\b(?:van|von|der|den|ter|ten|de|du|da|di|del|la|le|zu|y)\b")
_INITIALS = re.compile(r"(?:[A-Z]\.\s?)+")
_BODY = re.compile(
    r"\b(?:universitas|university|universit\w+|institut\w*|departemen|department|kementerian|ministry|badan"
    r"|dinas|direktorat|"
    r"perpustakaan|library|libraries|lembaga|pusat|center|centre|yayasan|foundation|asosiasi|association"
    r"|society|perhimpunan|ikatan|"
    r"majelis|komisi|commission|committee|komite|dewan|council|balai|kantor|biro|bureau|office|fakultas"
    r"|faculty|jurusan|sekolah|"
    r"school|inc|ltd|corp|company|republik|indonesia\.|united states|agency"
    r"|administration|museum)\b|^(?:pt|cv)\b|\btim (?:penyusun|penulis|redaksi|penerjemah)"
    r"|^bank (?:indonesia|dunia|\w+)",
    re.IGNORECASE,
)
_MARKS = " ,;:/"


@lru_cache(maxsize=4096)
def split_name(text: str) -> tuple[str, str]:
    """(name, titles): *text* without honorifics in front and degrees behind, and these as they stood.

    "H." and "R.A." are initials as often as titles: they go only when another title stands beside them.
    """
    name = " ".join(text.split()).strip(_MARKS)
    front: list[str] = []
    name, degrees = _degrees(name)
    name = _leading(name, front, bool(degrees))
    if not name:
        return " ".join(text.split()).strip(_MARKS), ""
    return _stopped(name), ", ".join([*([" ".join(front)] if front else []), *degrees])


def _leading(name: str, front: list[str], titled: bool) -> str:
    while True:
        match = _LEADING.match(name)
        if match is None and (front or titled):
            match = _LEADING_MAYBE.match(name)
        if match is None or not name[match.end() :].strip(" ."):
            return name
        front.append(match.group().strip())
        name = name[match.end() :].lstrip(" .,")


def _degrees(name: str) -> tuple[str, list[str]]:
    if "," not in name:
        return name, []
    head, *rest = [piece.strip() for piece in name.split(",")]
    degrees: list[str] = []
    while rest and _is_degree(rest[-1], head, len(rest)):
        degrees.insert(0, rest.pop())
    return ", ".join([head, *rest]), degrees


def _is_degree(piece: str, head: str, left: int) -> bool:
    if not _DEGREE.fullmatch(piece) or piece in ("H", "H."):
        return False
    # "Fisher, M.A." is a surname with initials; "Quraish Shihab, M.A." has a degree.
    surname = " " not in head or _PARTICLE.search(head) is not None
    return not (left == 1 and surname and _INITIALS.fullmatch(piece if piece.endswith(".") else piece + "."))


def _stopped(name: str) -> str:
    """*name* without a final full stop that belongs to no initial and no abbreviation."""
    if (
        name.endswith(".")
        and re.search(r"[^\W\d_]{3,}\.$", name)
        and not re.search(r"\b(?:Inc|Ltd|Tbk|Corp|Dept)\.$", name)
    ):
        return name[:-1]
    return name


@lru_cache(maxsize=4096)
def is_body(name: str) -> bool:
    """Whether *name* reads like a corporate body; for Dublin Core, which does not tell."""
    return _BODY.search(name) is not None
