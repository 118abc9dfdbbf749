"""The evidence on a pair as bars that add up: the picture for eyes, its numbers stand in the table below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

WIDTH = 560
LABEL = 130
ROW = 22


class Bar(NamedTuple):
    """One line of the picture, in SVG units; *kind* is for, against or total."""

    label: str
    x: float
    y: int
    width: float
    kind: str
    points: float


class Picture(NamedTuple):
    """The bars and the lines of the thresholds."""

    bars: tuple[Bar, ...]
    height: int
    width: int
    merge: float
    review: float
    label: int


def picture(evidence: Sequence[dict[str, Any]], score: float, merge_at: float, review_at: float) -> Picture | None:
    """The bars of the evidence that gave points, one after the other; None when nothing did."""
    told = [one for one in evidence if one.get("points")]
    if not told:
        return None
    steps, run = [], 0.0
    for one in told:
        steps.append((str(one["feature"]), run, run + float(one["points"])))
        run += float(one["points"])
    ends = [0.0, merge_at, review_at, score, *(end for _, _, end in steps)]
    low, high = min(ends), max(ends)
    scale = (WIDTH - LABEL - 10) / ((high - low) or 1)

    def place(value: float) -> float:
        return round(LABEL + (value - low) * scale, 1)

    bars = [
        Bar(
            label,
            place(min(start, end)),
            row * ROW,
            max(1.0, round(abs(end - start) * scale, 1)),
            _kind(start, end),
            end - start,
        )
        for row, (label, start, end) in enumerate(steps)
    ]
    total = Bar("=", place(min(0.0, score)), len(steps) * ROW, max(1.0, round(abs(score) * scale, 1)), "total", score)
    return Picture((*bars, total), (len(steps) + 1) * ROW + 4, WIDTH, place(merge_at), place(review_at), LABEL)


def _kind(start: float, end: float) -> str:
    return "for" if end > start else "against"
