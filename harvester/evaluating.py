"""What the match rules are worth on labelled records, and points fitted to labels; needs no database."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from db import catalogue, ledger, whole
from harvester.clock import SystemClock
from harvester.errors import ConfigError, RecordError
from harvester.formats import formats
from harvester.match import blocking, evaluate, train
from harvester.match.evaluate import Curve, Interval, LabelledPair
from harvester.match.profile import profile
from harvester.match.rules import Rules
from harvester.model import HarvestedRecord, NormalizedRecord, Page, Profile, Source, Window
from harvester.normalize import mapping as mappings
from harvester.normalize.apply import Context, normalize
from harvester.normalize.layers import FAMILY_OF_FORMAT
from harvester.pipeline import Pipeline
from harvester.sources import Environment
from harvester.sources.files import open_paths

ENOUGH = 1000  # fewer labelled pairs than this say nothing about thresholds at a precision of .9965
_decode = msgspec.json.Decoder(NormalizedRecord).decode


class Gathered(NamedTuple):
    """The profiles by identifier, (identifier, reason) of what could not be read: it never merges; and whose identifier
    stands at several records: the last counts.
    """

    profiles: dict[str, Profile]
    unreadable: tuple[tuple[str, str], ...]
    repeated: tuple[str, ...] = ()


class Labels(NamedTuple):
    """Profiles with what people said about pairs of them."""

    profiles: Mapping[str, Profile]
    pairs: Sequence[LabelledPair]


# ---- reading -----------------------------------------------------------------------------------------


def gather(path: Path, rules: Rules) -> Gathered:
    """The records of a file (MARC-in-JSON lines, ISO 2709, MARCXML; also packed) by 001, as matching sees them.

    Raises:
        ConfigError: it holds none.
    """
    marc21 = mappings.load("marc21")
    profiles: dict[str, Profile] = {}
    unreadable: list[tuple[str, str]] = []
    repeated: set[str] = set()
    for page in pages(path):
        for one in page.records:
            if one.identifier in profiles:
                repeated.add(one.identifier)
            try:
                profiles[one.identifier] = profile(normalized(one, marc21), rules)
            except RecordError as error:
                unreadable.append((one.identifier, str(error)))
        unreadable += [(one.identifier, one.message) for one in page.damages]
    for identifier, _ in unreadable:
        if identifier:
            profiles.setdefault(identifier, Profile(thin=True))
    if not profiles:
        why = unreadable[0][1] if unreadable else "it is empty"
        raise ConfigError(f"holds no record that can be read: {why}", place=path.name)
    return Gathered(profiles, tuple(unreadable), tuple(sorted(repeated)))


def pages(path: Path) -> Iterator[Page]:
    """The records of a file; a leader that says "deleted" means nothing here."""
    options = {"content": "delta", "deleted_leader": False}
    return open_paths(Source("file", "files", options=options), Environment(clock=SystemClock()), [path]).pages(
        Window()
    )


def normalized(one: HarvestedRecord, marc21: mappings.Mapping) -> NormalizedRecord:
    """One record of any format, normalized as a file of no known partner is."""
    how = marc21 if FAMILY_OF_FORMAT.get(one.format) == "marc" else mappings.for_source("generic", one.format)
    parsed: Any = formats.get(one.format)(one.payload)
    context = Context(source="file", identifier=one.identifier, partner="file", flags=one.flags)
    return normalize(parsed, how, context).record


def read_pairs(path: Path) -> list[LabelledPair]:
    """The labelled pairs of a CSV `left,right,duplicate`, also packed; see match.evaluate.read_pairs."""
    found = evaluate.read_pairs(_lines(path), path.name)
    return [LabelledPair(_tidy(one.left), _tidy(one.right), one.duplicate) for one in found]


def read_clusters(path: Path) -> dict[str, str]:
    """record → cluster of a CSV `record,cluster`, also packed."""
    return {_tidy(name): cluster for name, cluster in evaluate.read_clusters(_lines(path), path.name).items()}


def _lines(path: Path) -> io.StringIO:
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigError(f"is no CSV in UTF-8: {error}", place=path.name) from error
    return io.StringIO(text, newline="")


def _tidy(name: str) -> str:
    """An identifier as records have it: blanks at its ends and inside count once."""
    return " ".join(name.split())


# ---- evaluating --------------------------------------------------------------------------------------


def report(
    gathered: Gathered, pairs: Sequence[LabelledPair], clusters: Mapping[str, str], rules: Rules, *, samples: int = 200
) -> dict[str, Any]:
    """What `induk match evaluate --json` prints: figures as plain numbers, their 95 % intervals under `intervals`.

    Rows of *pairs* and *clusters* that name a record which is not there are left out, and told under `left_out`; so
    are, under `odd_rows`, pairs of a record with itself, those that stand there already, and those labelled both ways.

    The headline is judged at the thresholds of *rules*, a vetoed pair being no merge; `without_vetoes` is the same
    curve by points alone. `whole_set` and `b_cubed` need *clusters*; without them they are None.

    Raises:
        ConfigError: there is no pair, or no pair, or no row of the clusters, names records of the file.
    """
    profiles = gathered.profiles
    left_out = {
        "pairs": _unknown([(one.left, one.right) for one in pairs], profiles, "pairs"),
        "clusters": _unknown([(name,) for name in clusters], profiles, "clusters"),
    }
    pairs, odd = _once([one for one in pairs if one.left in profiles and one.right in profiles])
    if not pairs:
        raise ConfigError("--pairs holds no labelled pair of two records")
    known = {name: cluster for name, cluster in clusters.items() if name in profiles}
    found = evaluate.evaluate(profiles, pairs, known, rules, samples=samples)
    whole_set = found.population
    candidates = blocking.candidates(profiles, rules)
    largest = max((len(group) for group in evaluate.grouped(profiles, candidates, rules)), default=0)
    return {
        "records": len(profiles),
        "unreadable": [{"record": name, "reason": reason} for name, reason in gathered.unreadable],
        "repeated": list(gathered.repeated),
        "left_out": left_out,
        "odd_rows": odd,
        "unclustered": len(profiles) - len(known) if clusters else 0,
        "pairs": found.pairs,
        "duplicates": found.duplicates,
        "rules": rules.hash,
        "thresholds": {"merge": rules.merge_at, "review": rules.review_at},
        "precision": found.precision.value,
        "recall": found.recall.value,
        "f1": found.f1,
        "best_f1": found.best_f1,
        "recall_at_precision": {at: one.value for at, one in found.recall_at_precision.items()},
        "intervals": {
            "precision": _ends(found.precision),
            "recall": _ends(found.recall),
            "f1": _ends(found.f1_interval),
            "recall_at_precision": {at: _ends(one) for at, one in found.recall_at_precision.items()},
        },
        "without_vetoes": _curve(found.without_vetoes),
        "review_share": found.review_share,
        "review_catches": found.review_catches,
        "pair_completeness": found.pair_completeness,
        "candidates_per_record": _compared(profiles, candidates) / max(len(profiles), 1),
        "suspended_keys": len(candidates.suspended),
        "largest_cluster": largest,
        "b_cubed": _cubed(whole_set),
        "whole_set": _whole_set(whole_set),
        "curve": found.curve,
        "disagreements": [msgspec.to_builtins(one) for one in found.disagreements],
    }


SAMPLES = 10  # of records that rows name and the file does not hold


def _unknown(rows: Sequence[tuple[str, ...]], profiles: Mapping[str, Profile], what: str) -> dict[str, Any]:
    """How many *rows* name records that are not there, and some of these.

    Raises:
        ConfigError: every row does.
    """
    lost = [row for row in rows if any(name not in profiles for name in row)]
    names = sorted({name for row in lost for name in row if name not in profiles})
    if rows and len(lost) == len(rows):
        held = ", ".join(sorted(profiles)[:2]) or "none"
        raise ConfigError(
            f"no row of --{what} names only records of the file: it lacks {', '.join(names[:3])}; it holds {held}"
        )
    return {"rows": len(lost), "records": names[:SAMPLES]}


def _once(pairs: Sequence[LabelledPair]) -> tuple[list[LabelledPair], dict[str, int]]:
    """Each pair of two records that has one label, once; and how many rows are left out for which reason."""
    labels: dict[frozenset[str], set[bool]] = {}
    for one in pairs:
        labels.setdefault(frozenset((one.left, one.right)), set()).add(one.duplicate)
    kept: dict[frozenset[str], LabelledPair] = {}
    odd = {"itself": 0, "repeated": 0, "contradictory": 0}
    for one in pairs:
        ends = frozenset((one.left, one.right))
        if len(ends) == 1:
            odd["itself"] += 1
        elif len(labels[ends]) > 1:
            odd["contradictory"] += 1
        elif kept.setdefault(ends, one) is not one:
            odd["repeated"] += 1
    return list(kept.values()), odd


def _ends(one: Interval) -> list[float]:
    return [one.low, one.high]


def _curve(found: Curve) -> dict[str, Any]:
    """A whole curve: its best F1, and the recall at each precision."""
    at = found.recall_at_precision
    intervals = {"recall_at_precision": {name: _ends(one) for name, one in at.items()}}
    values = {name: one.value for name, one in at.items()}
    return {"best_f1": found.f1, "recall_at_precision": values, "intervals": intervals, "curve": found.points}


def _cubed(found: evaluate.Population | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"precision": found.b_cubed_precision, "recall": found.b_cubed_recall, "f1": found.b_cubed_f1}


def _whole_set(found: evaluate.Population | None) -> dict[str, Any] | None:
    """All pairs that the labelled clusters and the found groups imply."""
    if found is None:
        return None
    return {
        "precision": found.precision.value,
        "recall": found.recall.value,
        "f1": found.f1,
        "intervals": {"precision": _ends(found.precision), "recall": _ends(found.recall)},
        "pair_completeness": found.pair_completeness,
    }


def _compared(profiles: Mapping[str, Profile], found: blocking.Candidates) -> int:
    """How many pairs of unlike records are compared; records with equal profiles are one."""
    first: dict[Profile, str] = {}
    node = {name: first.setdefault(profiles[name], name) for name in sorted(profiles)}
    ends = ((node[left], node[right]) for left, right in found.pairs)
    return len({(min(one, other), max(one, other)) for one, other in ends if one != other})


# ---- training ----------------------------------------------------------------------------------------


def catalogue_labels(pipeline: Pipeline) -> Labels:
    """What cataloguers have judged in the review, with today's profiles of both records."""
    with pipeline.database.read() as conn:
        judged = whole.labels(conn)
        wanted = sorted({one for pair in judged for one in pair})
        states = {one.record_id: one.address for one in catalogue.states_of_addresses(conn, wanted)}
        bodies = ledger.normalized_bodies(conn, states)
    profiles = {states[key]: profile(_decode(body), pipeline.match) for key, body in bodies.items()}
    pairs = [LabelledPair(str(left), str(right), same) for (left, right), same in judged.items()]
    return Labels(profiles, [one for one in pairs if one.left in profiles and one.right in profiles])


class Trained(NamedTuple):
    """The new file's text and what became of the figures."""

    text: str
    pairs: int
    changed: list[dict[str, Any]]  # feature, outcome, before, after
    thresholds: dict[str, float]
    fitted_thresholds: bool


def file_labels(records: Path, pairs: Path, rules: Rules) -> tuple[Labels, dict[str, Any]]:
    """The labels of a file of pairs, and the rows left out because the file of records lacks what they name."""
    profiles, read = gather(records, rules).profiles, read_pairs(pairs)
    left_out = _unknown([(one.left, one.right) for one in read], profiles, "pairs")
    return Labels(profiles, [one for one in read if one.left in profiles and one.right in profiles]), left_out


def trained(labels: Labels, rules: Rules, *, spread: float = 2.0, thresholds: bool = True) -> Trained:
    """*rules* with points fitted to *labels*; thresholds too when there are enough pairs to say something about them.

    *spread*: how far, in points, a value may ordinarily stray from the one that stands in the file.

    Raises:
        ConfigError: there are no pairs of both kinds, or a pair names a record that is not there.
    """
    if len({one.duplicate for one in labels.pairs}) < 2:
        raise ConfigError(f"{len(labels.pairs)} labelled pairs are not enough: duplicates and others are both needed")
    unknown = sorted({name for one in labels.pairs for name in (one.left, one.right)} - labels.profiles.keys())
    if unknown:
        raise ConfigError(f"{len(unknown)} records of the pairs are not in the records file, {unknown[0]} first")
    made = train.training(labels.profiles, labels.pairs, rules)
    found = train.fit(made, spread=spread)
    fitting = thresholds and len(labels.pairs) >= ENOUGH
    new = None
    if fitting:
        scores = train.out_of_fold(made, evaluate.strata(labels.pairs, {}), spread=spread)
        new = train.thresholds(made, scores, found.even)
    text = train.written(rules, found, new)
    changed = [
        {"feature": feature, "outcome": outcome, "before": before, "after": round(found.points[feature, outcome])}
        for (feature, outcome), before in zip(made.names, made.prior, strict=True)
        if round(found.points[feature, outcome]) != before
    ]
    merge, review = (new.merge, new.review) if new else (rules.merge_at, rules.review_at)
    return Trained(text, len(labels.pairs), changed, {"merge": merge, "review": review}, fitting)
