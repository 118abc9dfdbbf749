"""The words of codes that records hold, and a value of a merged record as a reader is told it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harvester.i18n import N_
from harvester.web.code_names import COUNTRIES, LANGUAGES

MATERIALS = {
    "book": N_("book"),
    "thesis": N_("thesis"),
    "serial": N_("serial"),
    "article": N_("article"),
    "part": N_("part"),
    "score": N_("score"),
    "recording": N_("recording"),
    "video": N_("video"),
    "map": N_("map"),
    "electronic": N_("electronic"),
    "manuscript": N_("manuscript"),
    "schoolbook": N_("schoolbook"),
    "image": N_("image"),
    "object": N_("object"),
    "kit": N_("kit"),
    "other": N_("other"),
}
FORMS = {
    "print": N_("print"),
    "online": N_("online"),
    "electronic": N_("electronic"),
    "micro": N_("microform"),
    "braille": N_("braille"),
    "large_print": N_("large print"),
}
LEVELS = {
    "m": N_("monograph"),
    "s": N_("serial"),
    "i": N_("integrating resource"),
    "a": N_("part of a monograph"),
    "b": N_("part of a serial"),
    "c": N_("collection"),
    "d": N_("part of a collection"),
}
SCORE_FORMATS = {
    "full score": N_("full score"),
    "study score": N_("study score"),
    "vocal score": N_("vocal score"),
    "chorus score": N_("chorus score"),
    "condensed score": N_("condensed score"),
    "piano score": N_("piano score"),
    "parts": N_("parts"),
}
CONTENT_TYPES = {
    "txt": N_("text"),
    "sti": N_("still image"),
    "spw": N_("spoken word"),
    "prm": N_("performed music"),
    "ntm": N_("notated music"),
    "snd": N_("sounds"),
    "tdi": N_("two-dimensional moving image"),
    "tdm": N_("three-dimensional moving image"),
    "tdf": N_("three-dimensional form"),
    "cri": N_("cartographic image"),
    "crt": N_("cartographic tactile image"),
    "crd": N_("cartographic dataset"),
    "cod": N_("computer dataset"),
    "cop": N_("computer program"),
    "tct": N_("tactile text"),
    "tci": N_("tactile image"),
    "ntv": N_("notated movement"),
    "xxx": N_("other"),
    "zzz": N_("unspecified"),
}
MEDIA_TYPES = {
    "n": N_("unmediated"),
    "c": N_("computer"),
    "s": N_("audio"),
    "v": N_("video"),
    "h": N_("microform"),
    "g": N_("projected"),
    "p": N_("microscopic"),
    "e": N_("stereographic"),
    "x": N_("other"),
    "z": N_("unspecified"),
}
CARRIER_TYPES = {
    "nc": N_("volume"),
    "nb": N_("sheet"),
    "no": N_("card"),
    "na": N_("roll"),
    "nn": N_("flipchart"),
    "nr": N_("object"),
    "cr": N_("online resource"),
    "cd": N_("computer disc"),
    "ce": N_("computer disc cartridge"),
    "ca": N_("computer tape cartridge"),
    "ck": N_("computer card"),
    "cb": N_("computer chip cartridge"),
    "cz": N_("other computer carrier"),
    "sd": N_("audio disc"),
    "ss": N_("audiocassette"),
    "st": N_("audiotape reel"),
    "vd": N_("videodisc"),
    "vf": N_("videocassette"),
    "vr": N_("videotape reel"),
    "he": N_("microfiche"),
    "hd": N_("microfilm reel"),
    "ha": N_("aperture card"),
    "hg": N_("microopaque"),
    "gs": N_("slide"),
    "gt": N_("overhead transparency"),
    "mr": N_("film reel"),
    "zu": N_("unspecified"),
}
DESCRIPTION_RULES = {"aacr": N_("AACR"), "rda": N_("RDA"), "isbd": N_("ISBD")}

CODES: Mapping[str, Mapping[str, str]] = {
    "material": MATERIALS,
    "carrier_form": FORMS,
    "level": LEVELS,
    "score_format": SCORE_FORMATS,
    "content_types": CONTENT_TYPES,
    "media_types": MEDIA_TYPES,
    "carrier_types": CARRIER_TYPES,
    "languages": LANGUAGES,
    "original_languages": LANGUAGES,
    "country": COUNTRIES,
    "cataloguing": DESCRIPTION_RULES,
}
# feature of a comparison → the field whose codes it compares
COMPARED = {"material": "material", "form": "carrier_form", "language": "languages", "country": "country"}
LENDING = ("lent", "on site", "no")
DATE_MARKS = ("single", "range", "continuing", "reprint", "copyright", "unknown", "True")
SEPARATOR = " · "  # between the parts of a value that has several
Say = Callable[[str], str]


def words_of(field: str, gettext: Say) -> list[tuple[str, str]]:
    """(code, word) of every code that the field may hold, by word; empty for a field of free text."""
    return sorted(((code, gettext(word)) for code, word in CODES.get(field, {}).items()), key=lambda pair: pair[1])


def worded(field: str, value: str, gettext: Say, say: Say) -> str:
    """*value*, as explanations show it, in the words of a language: codes spelled, marks for machines left out."""
    if field in CODES:
        return gettext(CODES[field][value]) if value in CODES[field] else say(value)
    if field in _TOLD:
        return _TOLD[field](value, say)
    return value


def compared(feature: str, value: str, gettext: Say, say: Say) -> str:
    """*value* of a *feature*, as evidence holds it, in the words of a language."""
    if feature == "level":
        return value and gettext(value)  # a word of LEVELS
    return worded(COMPARED.get(feature, ""), value, gettext, say)


def _dates(value: str, say: Say) -> str:
    """The text as it stood on the page of the book; years where there is none."""
    parts = [part for part in value.split(SEPARATOR) if part not in DATE_MARKS]
    told = [part for part in parts if not part.isdecimal()]
    years = "–".join(dict.fromkeys("" if part == "9999" else part for part in parts))
    return told[-1] if told else years or value


def _identifier(value: str, say: Say) -> str:
    kind, _, rest = value.partition(" ")
    told = say(kind)
    return f"{kind.upper() if told == kind and len(kind) < 5 else told} {rest}"


def _classification(value: str, say: Say) -> str:
    scheme, *rest = value.split(SEPARATOR)
    return " ".join([*([] if scheme == "local" else [scheme.upper()]), *rest])


def _note(value: str, say: Say) -> str:
    return value.removeprefix(f"general{SEPARATOR}")


def _first(value: str, say: Say) -> str:
    """The words of the statement; the numbers behind them were read out of it."""
    return value.split(SEPARATOR)[0]


def _holding(value: str, say: Say) -> str:
    return SEPARATOR.join(say(part) if part in LENDING else part for part in value.split(SEPARATOR))


_TOLD: Mapping[str, Callable[[str, Say], str]] = {
    "dates": _dates,
    "edition": _first,
    "impression": _first,
    "extent": _first,
    "identifiers": _identifier,
    "classifications": _classification,
    "notes": _note,
    "holdings": _holding,
}
