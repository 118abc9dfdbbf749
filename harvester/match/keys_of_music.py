"""The key of a piece of music in a title, in English, German, French and Italian."""

from __future__ import annotations

import re
from collections.abc import Container

_TONES = frozenset("bcdefgh")
_INFLECTED = {"flat": "flat", "sharp": "sharp", "bemol": "flat", "bemolle": "flat", "diese": "sharp", "diesis": "sharp"}
_MODES = {"major": "", "dur": "", "majeur": "", "maggiore": "", "minor": "minor", "moll": "minor", "mineur": "minor"}
_MODES["minore"] = "minor"
_TELLING = frozenset((*_MODES, "in"))
_ROMANCE = {"do": "c", "ut": "c", "re": "d", "mi": "e", "fa": "f", "sol": "g", "la": "a", "si": "b"}
_GERMAN = {tone + "is": tone + "sharp" for tone in "cdfga"} | {tone + "es": tone + "flat" for tone in "cdg"}
_GERMAN |= {"es": "eflat", "as": "aflat", "b": "bflat", "h": "b", **{tone: tone for tone in "acdefg"}}
_MUSIC = frozenset((*_TONES, *_GERMAN, *_ROMANCE))  # every tone
# Materials of words, not of music: there a key is one only where it stands as a key does.
_TEXTS = frozenset(("book", "thesis", "serial", "article", "part", "schoolbook", "electronic"))
_STANDING = re.compile(r"(?:\b(?:in|en)\s+|[,;:(\[]\s*)([a-z]{1,3})\b|\b([a-z]{1,3})-(?:dur|moll)\b", re.IGNORECASE)


def with_keys(tokens: list[str], raw: str, material: str) -> list[str]:
    """*tokens* with the key of a piece as one word: in E flat, Es-Dur → eflatkey, in E → ekey, e-Moll → eminorkey.

    *raw* is the title as it is written: "vitamin C major sources" of a book is in no key, "Sonate, C-Dur" is.
    """
    if _TELLING.isdisjoint(tokens):
        return tokens
    keyed = not _MODES.keys().isdisjoint(tokens)
    if not keyed and ("in" not in tokens or _TONES.isdisjoint(tokens)):
        return tokens
    standing: Container[str] = _MUSIC
    if keyed and material in _TEXTS:
        # "in a minor role" is in none either
        standing = {
            tone.lower() for plain, hyphened in _STANDING.findall(raw) for tone in (plain, hyphened) if plain != "a"
        }
    result: list[str] = []
    at = 0
    while at < len(tokens):
        key, used = _key(tokens[at - 1] if at else "", tokens[at : at + 3], standing)
        result.append(key or tokens[at])
        at += used or 1
    return result


def _key(before: str, tokens: list[str], standing: Container[str]) -> tuple[str, int]:
    """The key that *tokens* begin with, and of how many of them it is; ("", 0) where they begin with none.

    With its mode it may have any of the tones *standing*.
    """
    tone, *rest = tokens
    inflected = _INFLECTED.get(rest[0], "") if rest else ""
    mode = rest[1] if inflected and len(rest) > 1 else rest[0] if rest and not inflected else ""
    used = 1 + bool(inflected) + (mode in _MODES)
    if mode in _MODES and tone not in standing:
        return "", 0
    minor = _MODES.get(mode, "")
    if mode in ("dur", "moll"):
        return (f"{_GERMAN[tone]}{minor}key", used) if tone in _GERMAN else ("", 0)
    if mode in ("majeur", "mineur", "maggiore", "minore"):
        return (f"{_ROMANCE[tone]}{inflected}{minor}key", used) if tone in _ROMANCE else ("", 0)
    # "a major problem" is in no key
    told = before == "in" or (tone != "a" and mode in _MODES)
    return (
        (f"{tone}{inflected}{minor}key", used) if told and (tone in _TONES or (tone == "a" and used > 1)) else ("", 0)
    )
