"""In which languages a title is, as far as its small words tell."""

from __future__ import annotations

from functools import lru_cache

_SMALL_WORDS = {
    "eng": "the of and for with from by on an to its how what at",
    "ind": "dan yang di untuk dari dengan pada dalam ke tentang oleh sebuah serta bagi terhadap",
    "ger": "der die das und des dem den im zur zum von eine ein fur fuer aus mit",
    "fre": "le la les l d des du et une un dans sur aux au",
    "dut": "het een van voor naar en de der den uit",
    "spa": "el la los las del y una un para en de",
    "ita": "il la gli le della del dei delle di e nel una un",
    "por": "o os a as do da dos das e em um uma para",
    "swe": "och en ett den det av som",
    "lat": "de et in ad sive seu ex",
}
_LANGUAGES = {language: frozenset(words.split()) for language, words in _SMALL_WORDS.items()}
_LANGUAGES["may"] = _LANGUAGES["ind"]


@lru_cache(maxsize=4_000)
def languages(title: str) -> frozenset[str]:
    """The languages whose small words stand in the folded *title*; none when it has no such word."""
    words = frozenset(title.split())
    return frozenset(name for name, small in _LANGUAGES.items() if not words.isdisjoint(small))
