"""What bench.run measured, as ratios, tables, a picture and a file to compare with."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("figures.json")
LOSS = 0.85
Row = dict[str, Any]
Round = dict[str, Row]
# What is compared with what: (words, step, its seconds, words, step, its seconds)
PAIRS = (
    ("parse, decode five tags", "parse", "wall", "pymarc reads", "pymarc", "wall"),
    ("parse, decode five tags", "parse", "wall", "yaz-marcdump -n", "yaz", "wall"),
    ("parse + map", "map", "wall", "pymarc + plain map", "plain-map", "wall"),
    ("parse + map", "map", "wall", "pymarc + the same mapping", "same-map", "wall"),
    ("parse + map MARCXML", "map-xml", "wall", "pymarc parses MARCXML", "pymarc-xml", "wall"),
    ("read → ledger", "ledger", "wall", "pymarc reads", "pymarc", "wall"),
    ("read → ledger", "ledger", "wall", "its rows by the driver alone", "rows", "wall"),
    ("unchanged again", "ledger", "again", "read → ledger", "ledger", "wall"),
    ("whole pipeline", "pipeline", "wall", "pymarc reads", "pymarc", "wall"),
    ("whole pipeline", "pipeline", "wall", "straightforward", "plain", "wall"),
    ("whole pipeline", "pipeline", "wall", "Catmandu, no matching", "catmandu", "wall"),
    ("read → ledger, OAI-PMH", "oai", "wall", "the same from ISO 2709", "few", "wall"),
)
HEADS = {
    "what": "what", "rate": "records/s", "baseline": "against", "baseline_rate": "records/s", "ratio": "ratio",
    "cpu_ratio": "CPU ratio", "cpu_us": "CPU µs", "peak_mib": "peak MiB", "pairs": "pairs",
    "size": "database ÷ file", "database": "database",
}  # fmt: skip
GROWTH = {
    "profiles": "profiles", "harvest_us": "harvest, µs", "match_us": "match, µs", "pairs": "pairs",
    "join_s": "join, s", "components_s": "components, s", "bulk_pairs": "pairs in all", "compare_s": "decide, s",
    "force_s": "put in force, s", "peak": "peak MiB",
}  # fmt: skip
JUDGING = {
    "records": "records", "profile_us": "profile, µs", "keys": "keys", "keys_us": "all its keys, µs", "pairs": "pairs",
    "compare_us": "comparison of a pair, µs", "matching_us": "matching in all, µs a record",
}  # fmt: skip
MEMORY = {
    "records": "records",
    "peak": "peak MiB",
    "size": "database ÷ file",
    "bytes": "bytes a record",
    "pairs": "pairs",
}


def compared(found: Sequence[Round], count: int, database: str) -> list[Row]:
    """Every figure as {what, baseline, rate, baseline_rate, ratio, …}; rates are records a second of wall time."""
    figures = []
    for what, step, seconds, baseline, other, others in PAIRS:
        if step not in found[0] or other not in found[0]:
            continue
        mine = [one[step][seconds] / one[step].get("records", count) for one in found]
        theirs = [one[other][others] / one[other].get("records", count) for one in found]
        last = found[-1][step]
        figures.append(
            {
                "what": what,
                "baseline": baseline,
                "database": database,
                "records": count,
                "rate": round(1 / statistics.median(mine)),
                "baseline_rate": round(1 / statistics.median(theirs)),
                "ratio": round(statistics.median(b / a for a, b in zip(mine, theirs, strict=True)), 2),
                **({"peak_mib": round(last["peak"])} if seconds == "wall" else {}),
                **{name: round(last[name], 2) for name in ("pairs", "size") if name in last and seconds == "wall"},
                **_cpu(found, (step, other), seconds, count),
            }
        )
    return figures


def _cpu(found: Sequence[Round], steps: tuple[str, str], seconds: str, count: int) -> Row:
    """Processor time a record, and how often that of ours goes into that of the other.

    The ledger's step also harvests again, so it is known of that only by itself.
    """
    if seconds != "wall":
        return {}
    mine, theirs = ([_took(one[step], count) for one in found] for step in steps)
    ratio = statistics.median(other / own for own, other in zip(mine, theirs, strict=True))
    return {"cpu_us": round(statistics.median(mine) * 1e6), "cpu_ratio": round(ratio, 2)}


def _took(row: Row, count: int) -> float:
    return float(row.get("cpu_wall", row["cpu"])) / int(row.get("records", count))


def table(rows: Sequence[Row], heads: Mapping[str, str]) -> str:
    """The rows as a table."""
    lines = [f"| {' | '.join(heads.values())} |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(_cell(row.get(name, '')) for name in heads)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float) and value >= 100:
        value = round(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}" if isinstance(value, float) else str(value)


def text(kept: Row) -> str:
    """What stands in docs/performance.md between the marks."""
    parts = [kept["note"], table(kept["figures"], HEADS)]
    if kept.get("judging"):
        parts += [kept["judging_note"], table(kept["judging"], JUDGING)]
    if kept.get("growth"):
        parts += [kept["growth_note"], table(kept["growth"], GROWTH)]
    if kept.get("memory"):
        parts += [kept["memory_note"], table(kept["memory"], MEMORY)]
    return "\n\n".join(parts)


# ---- the committed figures ---------------------------------------------------------------------------


def held() -> Row:
    """The committed figures."""
    kept: Row = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    return {"note": "", "figures": [], "completeness": 0.0, **kept}


def merged(kept: Row, made: Row) -> Row:
    """The figures *kept*, those that were measured anew in the place of the old ones."""
    new = {_name(row) for row in made["figures"]}
    rest = [row for row in kept["figures"] if _name(row) not in new]
    order = [(what, baseline) for what, _, _, baseline, _, _ in PAIRS]
    known = [row for row in [*made["figures"], *rest] if _name(row)[:2] in order]
    known.sort(key=lambda row: (row["database"] != "SQLite", order.index(_name(row)[:2])))
    return {**kept, **made, "figures": known, "note": made["note"] if made["figures"] else kept["note"]}


def _name(row: Row) -> tuple[str, str, str]:
    row.setdefault("database", "SQLite")
    return row["what"], row["baseline"], row["database"]


def lost(figures: Sequence[Row], completeness: float) -> list[str]:
    """What is worse than the committed figures."""
    if not FIGURES.exists():
        return [f"there is no {FIGURES.name} to compare with: run `make bench` first"]
    kept = held()
    before = {_name(row): row["ratio"] for row in kept["figures"]}
    bad = [
        f"{row['what']} against {row['baseline']}: {row['ratio']}, was {before[_name(row)]}"
        for row in figures
        if row["ratio"] < LOSS * before.get(_name(row), 0.0)
    ]
    if completeness < kept["completeness"]:
        bad.append(f"blocking finds {completeness} of the labelled duplicates, was {kept['completeness']}")
    return bad


# ---- the picture -------------------------------------------------------------------------------------

WIDTH, LINE, LEFT, RIGHT = 800, 26, 330, 70


def picture(figures: Sequence[Row]) -> str:
    """The ratios as bars: to the right of the line we are quicker, to the left slower; each step doubles."""
    rows = [(f"{row['what']} : {row['baseline']} ({row['database']})", row["ratio"]) for row in figures]
    most = max([1.0, *(abs(math.log2(max(ratio, 0.01))) for _, ratio in rows)])
    half = (WIDTH - LEFT - RIGHT) / 2
    middle, height = LEFT + half, LINE * len(rows) + 40
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="12" role="img" aria-label="Rates of Induk over those of others">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{middle - 8:.0f}" y="16" text-anchor="end" fill="#555">slower</text>',
        f'<text x="{middle + 8:.0f}" y="16" fill="#555">quicker</text>',
    ]
    for number, (words, ratio) in enumerate(rows):
        top = 26 + LINE * number
        long = half * math.log2(max(ratio, 0.01)) / most
        start, end = (middle, middle + long) if long > 0 else (middle + long, middle)
        colour = "#1b7f5c" if ratio >= 1 else "#b5651d"
        lines += [
            f'<text x="{LEFT - 8}" y="{top + 13}" text-anchor="end" fill="#222">{escape(words)}</text>',
            f'<rect x="{start:.1f}" y="{top}" width="{max(end - start, 1):.1f}" height="18" fill="{colour}"/>',
            f'<text x="{max(end, middle) + 6:.1f}" y="{top + 13}" fill="#222">{ratio:g}</text>',
        ]
    lines.append(f'<line x1="{middle:.1f}" y1="4" x2="{middle:.1f}" y2="{height - 8}" stroke="#222"/>')
    return "\n".join([*lines, "</svg>"]) + "\n"
