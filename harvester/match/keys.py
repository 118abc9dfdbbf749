"""Blocking keys: what two records must have in common to be compared at all.

Every coarse key has a finer one beside it (one more word, or year and pages), so that a coarse key that is suspended
because too many unlike titles carry it still leaves the finer.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from struct import Struct

from harvester.match.rules import KEY_KINDS, Rules
from harvester.match.titles import HALVES, spelled
from harvester.model import BlockingKey, Profile
from harvester.text import is_latin, significant

MAX_KEYS = 40
LIKENESS_WORDS = 2
SHEET_DIGITS = 3
_ENGLISH = ("eng",)


def keys(profile: Profile, rules: Rules) -> tuple[BlockingKey, ...]:
    """The keys of *profile*, each once, in a fixed order; at most forty."""
    return tuple(map(BlockingKey._make, plain_keys(profile)))


def plain_keys(profile: Profile) -> tuple[tuple[str, int, int], ...]:
    """The same as tuples of kind, hash and likeness, which are made and sent in a third of the time."""
    # The volumes of a set are unlike carriers of its number; a subtitle more or less makes none.
    subject = signed_hash("\x1f".join((*profile.words[:LIKENESS_WORDS], *profile.parts, *profile.part_names)))
    whole = signed_hash("\x1f".join((" ".join(profile.author), str(profile.year), profile.title, *profile.parts)))
    found = dict.fromkeys(_identifier_keys(profile), subject)
    for key in _title_keys(profile):
        found[key] = whole
    if len(found) > MAX_KEYS:
        found = dict(list(found.items())[:MAX_KEYS])
    keys = []
    for (kind, text), like in found.items():
        made = _BEGUN[kind].copy()
        made.update(text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass"))
        keys.append((kind, _signed(made.digest())[0], like))
    return tuple(keys)


def signed_hash(text: str) -> int:
    """64 bits of BLAKE2b as a signed integer: the same on every machine and both databases."""
    made = _EMPTY.copy()  # takes half the time of a new one
    made.update(text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass"))
    return _signed(made.digest())[0]  # type: ignore[no-any-return]


_EMPTY = blake2b(digest_size=8)
_signed = Struct(">q").unpack
# The hash of each kind and the separator: that of a key goes on from there.
_BEGUN = {kind: blake2b(f"{kind}\x1f".encode(), digest_size=8) for kind in KEY_KINDS}


def _identifier_keys(profile: Profile) -> list[tuple[str, str]]:
    found = [("isbn", value) for value in profile.isbns] if profile.isbns else []
    if profile.issns:
        found += [("issn", value) for value in profile.issns]
    if profile.ids:
        found += [("number", value) for value in profile.ids]
    if profile.documents:
        found += [("number", f"govdoc:{value}") for value in profile.documents]
    if profile.oclcs:
        found += [("number", f"oclc:{value}") for value in profile.oclcs]
    return found


def _title_keys(profile: Profile) -> Iterator[tuple[str, str]]:
    words = profile.words
    if profile.skeleton:
        yield "skeleton", profile.skeleton[:8]
    if not words:
        if profile.title:
            yield "title_year", f"{profile.title}|{profile.year}"
        yield from _variant_keys(profile, "")
        return
    year, pages = profile.year, profile.pages
    marks = "|".join((*profile.numbers, *profile.parts))
    in_order = sorted(words)
    names = _names(profile)
    yield "full_title", f"{' '.join(in_order)}|{marks}"
    if profile.material == "serial" and profile.proper != profile.title:
        # Neither a subtitle nor the year is the same in all libraries.
        proper = sorted(map(spelled, significant(profile.proper.split())))
        yield "full_title", f"{' '.join(proper)}|{marks}"
    if profile.variants:
        yield from _variant_keys(profile, marks)
    if len(words) >= 3:
        yield "title", " ".join(words[:3])
    if len(words) >= 4:
        yield "title_more", " ".join(words[:4])
    if year:
        yield "title_year", f"{' '.join(words[:2])}|{year}"
        if (not names or profile.material == "video") and len(words) > 1 and " " not in profile.proper:
            # Others leave the subtitle of a title of one word out, and name the actor where this names the director.
            yield "title_year", f"{words[0]}|{year}"
        if pages:
            yield "title_year_pages", f"{words[0]}|{year}|{pages}"
            for word in sorted(in_order, key=len, reverse=True)[:2]:
                yield "word_year_pages", f"{word}|{year}|{pages}"
    if year and profile.material == "map":
        yield from _sheet_keys(profile)
    if year and names and (pages or profile.volumes > 1):
        yield "author_year_pages", f"{names[0]}|{year}|{pages or f'{profile.volumes} v'}"
    for name in names:
        yield "author_title", f"{name}|{words[0]}"
        if len(words) > 1:
            yield "author_title_more", f"{name}|{words[0]} {words[1]}"


def _variant_keys(profile: Profile, marks: str) -> Iterator[tuple[str, str]]:
    """Of titles in script, which others have alone, and of parallel and original titles.

    English records have other wordings of their own title there: they would propose three in a hundred pairs more.
    """
    english = profile.languages == _ENGLISH
    for variant in profile.variants:
        if english and variant.isascii() and profile.material != "map":
            continue
        plain = significant(variant.split())
        words = list(map(spelled, plain))
        if not is_latin(variant):
            words = [word for word, written in zip(words, plain, strict=True) if written not in HALVES]
            yield "full_title", f"{' '.join(sorted(words))}|{marks}"
        elif profile.year and (len(words) > 1 or profile.material == "map"):
            yield "title_year", f"{' '.join(words[:2])}|{profile.year}"


def _sheet_keys(profile: Profile) -> Iterator[tuple[str, str]]:
    """The number of a sheet or chart, its scale and year: its title is that of another language elsewhere."""
    scale = next((mark for mark in profile.extra if mark.startswith("scale:")), "")
    if scale:
        number = "-".join(dict.fromkeys((*profile.series_numbers, *profile.parts)))
        if len(number) >= SHEET_DIGITS:  # every series has a map 2
            yield "title_year_pages", f"{number}|{profile.year}|{scale}"


def _names(profile: Profile) -> list[str]:
    """The two longest words of the first author's name; one of them the other record will have kept."""
    if not profile.author:
        return []
    return sorted(sorted([word for word in profile.author if len(word) > 2]), key=len, reverse=True)[:2]
