"""Which old identifier became which new one: by a rule, from a table, or from what the records say. Pure.

By content only what is beyond doubt is paired: both are each other's best, with a clear lead over every other.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harvester.errors import UsageError
from harvester.match import compare
from harvester.match.rules import Rules
from harvester.model import Profile, Value

LEAD = 5.0  # points (one unit of log-odds) between the best and the next
OWN_COPY = 30.0  # points for a shared inventory number or barcode: it is the library's own
SAME_CALL = 8.0
# comparisons that veto for want of evidence, and outcomes that speak against it
LACKING = {"thesis": "unsure", "thin": "present"}
FIGHTING = frozenset(("different", "different_twice", "set", "many", "two", "one", "near", "far"))
CROWD = 60  # a key that more records share says nothing here
MAX_ROWS = 5_000_000


class Marks(NamedTuple):
    """What a library writes on its own copies: inventory numbers and barcodes, call numbers (folded)."""

    items: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()


class Card(NamedTuple):
    """A record to be paired."""

    identifier: str
    profile: Profile
    keys: frozenset[int]
    marks: Marks = Marks()


class Pairing(Value, frozen=True):
    """old → new with the points that speak for it; what stays without a partner, and what has several."""

    pairs: tuple[tuple[str, str, float], ...] = ()
    unpaired: tuple[str, ...] = ()
    doubtful: tuple[tuple[str, tuple[str, ...]], ...] = ()


# ---- by rule and by table ------------------------------------------------------------------------------


def rule(text: str) -> Callable[[str], str]:
    """The function that a rule names.

    `OLD=>NEW` exchanges a beginning; `re:PATTERN=>TEXT` replaces what a pattern finds (\\1 … are its groups);
    `number` keeps the last number only; `number:PREFIX` puts PREFIX before it.

    >>> rule("oai:old.example:=>oai:new.example:")("oai:old.example:17")
    'oai:new.example:17'
    >>> rule("number:KOHA-OAI:")("oai:slims/17")
    'KOHA-OAI:17'
    """
    if text == "number" or text.startswith("number:"):
        prefix = text.partition(":")[2]
        return lambda name: _last_number(name, prefix)
    old, arrow, new = text.removeprefix("re:").partition("=>")
    if not arrow or not old:
        raise UsageError(f"rule {text!r} is not understood", hint="OLD=>NEW, re:PATTERN=>TEXT or number[:PREFIX]")
    if not text.startswith("re:"):
        return lambda name: new + name[len(old) :] if name.startswith(old) else name
    try:
        pattern = re.compile(old)
        return lambda name: pattern.sub(new, name, count=1)
    except re.error as error:
        raise UsageError(f"rule {text!r}: {error}") from error


def _last_number(name: str, prefix: str) -> str:
    found = re.findall(r"[0-9]+", name)
    return f"{prefix}{int(found[-1])}" if found else name


def table(path: Path) -> dict[str, str]:
    """Old → new from the first two columns of a CSV file; a first row `old,new` is a heading.

    Raises:
        UsageError: a row without both, or an identifier that stands twice; the line is named.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    with path.open(encoding="utf-8-sig", newline="") as stream:
        first = stream.readline()
        stream.seek(0)
        for number, row in enumerate(csv.reader(stream, delimiter=";" if ";" in first else ","), 1):
            cells = [cell.strip() for cell in row[:2]]
            if not any(cells) or (number == 1 and [cell.lower() for cell in cells] == ["old", "new"]):
                continue
            if number > MAX_ROWS or len(cells) < 2 or not all(cells):
                raise UsageError("a row needs an old and a new identifier", place=f"{path.name}:{number}")
            if cells[0] in found or cells[1] in taken:
                raise UsageError("an identifier stands twice", place=f"{path.name}:{number}")
            found[cells[0]] = cells[1]
            taken.add(cells[1])
    return found


# ---- by content ----------------------------------------------------------------------------------------


def by_content(olds: Sequence[Card], news: Sequence[Card], rules: Rules) -> Pairing:
    """Pair records of one library before and after it changed its system."""
    scores = {pair: points for pair in _candidates(olds, news) if (points := _points(*pair, olds, news, rules)) > -1e9}
    left: dict[int, dict[int, float]] = defaultdict(dict)
    right: dict[int, dict[int, float]] = defaultdict(dict)
    for (old, new), points in scores.items():
        left[old][new] = points
        right[new][old] = points
    found: dict[int, tuple[int, float]] = {}
    waiting = set(left)
    while waiting:
        sure = [(old, best) for old in sorted(waiting) if (best := _sure(old, left, right)) is not None]
        if not sure:
            break
        for old, new in sure:
            found[old] = (new, left[old][new])
            _take(old, new, left, right)
            waiting.discard(old)
        waiting = {old for old in waiting if left[old]}
    return Pairing(
        tuple((olds[old].identifier, news[new].identifier, points) for old, (new, points) in sorted(found.items())),
        tuple(one.identifier for number, one in enumerate(olds) if number not in found and not left[number]),
        tuple(
            (olds[old].identifier, tuple(news[new].identifier for new in sorted(left[old])))
            for old in sorted(left)
            if old not in found and left[old]
        ),
    )


def _candidates(olds: Sequence[Card], news: Sequence[Card]) -> set[tuple[int, int]]:
    """Pairs that share a key or a copy of their own."""
    carriers: dict[object, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for place, cards in enumerate((olds, news)):
        for number, one in enumerate(cards):
            for key in (*one.keys, *one.marks.items):
                carriers[key][place].append(number)
    return {
        (old, new)
        for before, after in carriers.values()
        if len(before) <= CROWD and len(after) <= CROWD
        for old in before
        for new in after
    }


def _points(old: int, new: int, olds: Sequence[Card], news: Sequence[Card], rules: Rules) -> float:
    """How much speaks for it that two records are one, or -infinity when they cannot be."""
    left, right = olds[old], news[new]
    mine, theirs = left.marks, right.marks
    if mine.items and theirs.items and mine.items.isdisjoint(theirs.items):
        return float("-inf")
    decision = compare.decide(left.profile, right.profile, rules)
    if decision.verdict == "veto":  # the whole score: that of a veto is how far one had to look
        decision = compare.explain(left.profile, right.profile, rules)
    own = OWN_COPY * bool(mine.items & theirs.items) + SAME_CALL * bool(mine.calls & theirs.calls)
    points = decision.score + own
    if decision.verdict == "veto" and not (mine.items & theirs.items or _merely_lacking(left, right, rules)):
        return float("-inf")
    enough = decision.verdict in ("merge", "review") or points >= rules.merge_at
    return points if enough else float("-inf")


def _merely_lacking(left: Card, right: Card, rules: Rules) -> bool:
    """Whether a veto stands only on what one form does not tell, such as the institution of a thesis in Dublin Core.

    Between two libraries that is too little; within one, title and year that agree and nothing that differs are enough.
    """
    found = compare.outcomes(left.profile, right.profile, rules)
    lacking = any(found.get(name) == outcome for name, outcome in LACKING.items())
    return lacking and found.get("title") == found.get("year") == "equal" and FIGHTING.isdisjoint(found.values())


def _sure(old: int, left: Mapping[int, Mapping[int, float]], right: Mapping[int, Mapping[int, float]]) -> int | None:
    """The one new record that is clearly the best of *old*, which is clearly its best too."""
    new = _clear(left[old])
    return new if new is not None and _clear(right[new]) == old else None


def _clear(scores: Mapping[int, float]) -> int | None:
    if not scores:
        return None
    ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    if len(ranked) > 1 and ranked[0][1] - ranked[1][1] < LEAD:
        return None
    return ranked[0][0]


def _take(old: int, new: int, left: Mapping[int, dict[int, float]], right: Mapping[int, dict[int, float]]) -> None:
    """Take a pair out of the race."""
    for other in list(left[old]):
        right[other].pop(old, None)
    for other in list(right[new]):
        left[other].pop(new, None)


def folded(numbers: Iterable[str]) -> frozenset[str]:
    """Call numbers or barcodes as they compare: without blanks, points, case and letters in front (SKR, R, SR)."""
    return frozenset(text for one in numbers if (text := re.sub(r"^[a-z\s]+(?=\d)|[\s.]+", "", one.lower())))
