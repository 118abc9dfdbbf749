"""What a compression dictionary may hold: phrases that stand in many records, never a piece of a few.

`record purge` promises that nothing of a record is left. A dictionary made by zstd's own trainer holds pieces of single
records; one made here is put together of phrases each of which stood, byte for byte, in at least FEWEST records.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeVar

FEWEST = 20  # records that must have a phrase
SHARE = 4  # where there are several sources: of two of them, or of a fourth of the records of one
LONGEST = 64  # words of a phrase
WORTH = 4  # bytes: a shorter one saves nothing
T = TypeVar("T")
_WORDS = re.compile(rb"[0-9A-Za-z\x80-\xff]+[^0-9A-Za-z\x80-\xff]*|[^0-9A-Za-z\x80-\xff]+")


class _Level(NamedTuple):
    """The phrases of *words* words: their texts by number; in each sample, at which of its words which begins."""

    words: int
    texts: list[bytes]
    lines: list[dict[int, int]]


def content(samples: Sequence[tuple[int, bytes]], size: int) -> bytes:
    """The phrases of *samples* (source, bytes of one record) that save most, at most *size* bytes, the best last."""
    levels = _levels(samples)
    uses = _uses(levels, len(samples))
    order = sorted(uses, key=lambda phrase: (-(len(phrase) - WORTH + 1) * uses[phrase], phrase))
    made = b""
    for phrase in order:
        if len(phrase) < WORTH or phrase in made:
            continue
        if len(made) + len(phrase) > size:
            break
        made = phrase + made
    return made


def _levels(samples: Sequence[tuple[int, bytes]]) -> list[_Level]:
    """Phrases of 1, 2, 4, … words, the longest first: each is two of half its length, both in enough records."""
    sources = [source for source, _ in samples]
    rows = [_WORDS.findall(body) for _, body in samples]
    texts = _enough(sources, map(set, rows))
    numbers = {text: number for number, text in enumerate(texts)}
    lines = [{at: numbers[word] for at, word in enumerate(row) if word in numbers} for row in rows]
    levels = [_Level(1, texts, lines)]
    words = 1
    while words < LONGEST and texts:
        many = len(texts)  # two numbers as one: half the memory of a pair
        twos = [{at: one * many + line[at + words] for at, one in line.items() if at + words in line} for line in lines]
        found = _enough(sources, (set(line.values()) for line in twos))
        pairs = {one: number for number, one in enumerate(found)}
        texts = [texts[one // many] + texts[one % many] for one in found]
        lines = [{at: pairs[two] for at, two in line.items() if two in pairs} for line in twos]
        words *= 2
        levels.append(_Level(words, texts, lines))
    return levels[::-1]


def _enough(sources: Sequence[int], rows: Iterable[AbstractSet[T]]) -> list[T]:
    """What stands in enough of *rows*, each of which is of one record."""
    sizes = Counter(sources)
    counts: dict[int, Counter[T]] = {source: Counter() for source in sizes}
    for source, row in zip(sources, rows, strict=True):
        counts[source].update(row)
    share = -(-FEWEST // max(len(sizes), 1))  # what stands in FEWEST records stands in so many of one source
    likely = {one for held in counts.values() for one, number in held.items() if number >= share}
    total: Counter[T] = Counter()
    for held in counts.values():
        total.update({one: number for one, number in held.items() if one in likely})
    return [
        one
        for one, number in total.items()
        if number >= FEWEST
        and (
            len(sizes) == 1
            or sum(1 for held in counts.values() if one in held) > 1
            or any(SHARE * held[one] >= sizes[source] for source, held in counts.items())
        )
    ]


def _uses(levels: Sequence[_Level], number: int) -> Counter[bytes]:
    """How often each phrase is met when every sample is read in phrases as long as can be."""
    uses: Counter[bytes] = Counter()
    for sample in range(number):
        longest: dict[int, _Level] = {}
        for level in levels[::-1]:
            longest.update(dict.fromkeys(level.lines[sample], level))
        at, end = 0, max(longest, default=-1)
        while at <= end:
            if (best := longest.get(at)) is None:
                at += 1
            else:
                uses[best.texts[best.lines[sample][at]]] += 1
                at += best.words
    return uses
