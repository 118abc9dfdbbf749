"""What a compression dictionary may hold: phrases that stand in many records, never a piece of a few.

`record purge` promises that nothing of a record is left. A dictionary made by zstd's own trainer holds pieces of single
records; one made here is put together of phrases each of which stood, byte for byte, in at least FEWEST records.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any, TypeVar

FEWEST = 20  # records that must have a phrase
SHARE = 4  # where there are several sources: of two of them, or of a fourth of the records of one
LONGEST = 64  # words of a phrase
WORTH = 4  # bytes: a shorter one saves nothing
T = TypeVar("T")
_WORDS = re.compile(rb"[0-9A-Za-z\x80-\xff]+[^0-9A-Za-z\x80-\xff]*|[^0-9A-Za-z\x80-\xff]+")


def content(samples: Sequence[tuple[int, bytes]], size: int) -> bytes:
    """The phrases of *samples* (source, bytes of one record) that save most, at most *size* bytes, the best last."""
    uses = _uses(samples)
    order = sorted(uses, key=lambda phrase: (-(len(phrase) - WORTH + 1) * uses[phrase], phrase))
    made = b""
    for phrase in order:
        if len(phrase) < WORTH or phrase in made:
            continue
        if len(made) + len(phrase) > size:
            break
        made = phrase + made
    return made


def _uses(samples: Sequence[tuple[int, bytes]]) -> Counter[bytes]:
    """How often each phrase is met when every sample is read in phrases as long as can be.

    Phrases are of 1, 2, 4, … words: each is two of half its length, both in enough records. A line of numbers says at
    which words of a sample which phrases begin.
    """
    sources = [source for source, _ in samples]
    rows = [_WORDS.findall(body) for _, body in samples]
    texts = _enough(sources, list(map(set, rows)))
    lengths = [1] * len(texts)
    numbers: dict[Any, int] = {text: number for number, text in enumerate(texts)}
    lines = [{at: numbers[word] for at, word in enumerate(row) if word in numbers} for row in rows]
    longest = [line.copy() for line in lines]
    words = 1
    while words < LONGEST and numbers:
        many = len(texts)  # two numbers as one: half the memory of a pair
        twos = [{at: one * many + line[at + words] for at, one in line.items() if at + words in line} for line in lines]
        found = _enough(sources, [set(line.values()) for line in twos])
        numbers = {two: number for number, two in enumerate(found, many)}
        lines = [{at: numbers[two] for at, two in line.items() if two in numbers} for line in twos]
        words *= 2
        texts += [texts[two // many] + texts[two % many] for two in found]
        lengths += [words] * len(found)
        for held, line in zip(longest, lines, strict=True):
            held.update(line)
    uses = Counter(chain.from_iterable(_read(line, lengths) for line in longest))
    return Counter({texts[number]: times for number, times in uses.items()})


def _read(line: Mapping[int, int], lengths: Sequence[int]) -> Iterator[int]:
    """The phrases of a sample, one after the other."""
    end = 0
    for at in sorted(line):
        if at >= end:
            yield line[at]
            end = at + lengths[line[at]]


def _enough(sources: Sequence[int], rows: Sequence[AbstractSet[T]]) -> list[T]:
    """What stands in enough of *rows*, each of which is of one record."""
    total = Counter(chain.from_iterable(rows))
    sizes = Counter(sources)
    held: dict[int, set[T]] = {source: set() for source in sizes}
    for source, row in zip(sources, rows, strict=True):
        held[source] |= row
    found = []
    for one, number in total.items():
        if number >= FEWEST:
            where = [source for source, those in held.items() if one in those]
            if len(sizes) == 1 or len(where) > 1 or SHARE * number >= sizes[where[0]]:
                found.append(one)
    return found
