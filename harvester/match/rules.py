"""Rules: mappings/rules/match.yaml, checked and compiled once. Only this module of match reads a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from harvester import yaml_file
from harvester.errors import ConfigError
from harvester.i18n import LANGUAGES
from harvester.match.comparing import mask, shown
from harvester.match.comparisons import Comparison, comparisons
from harvester.match.plans import Feature, Interaction, Table, Veto, When
from harvester.match.vocabulary import Vocabulary
from harvester.model import Evidence
from harvester.registry import suggestion
from harvester.yaml_file import YamlFile

SHIPPED = Path(__file__).resolve().parents[2] / "mappings" / "rules" / "match.yaml"
STAGES = 4
# The recipes of keys.py; every one has its own limit of unlike titles.
KEY_KINDS = (
    "isbn", "issn", "number", "title", "title_year", "title_more", "title_year_pages", "author_title",
    "author_title_more", "author_year_pages", "word_year_pages", "skeleton", "full_title",
)  # fmt: skip
IMPRESSION = ("merge", "review", "distinct")
_SECTIONS = (
    "version", "thresholds", "impression", "max_component", "suspend_at", "support", "points", "interactions",
    "vetoes", "materials", "training", "vocabulary", "words",
)  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """Everything that a decision depends on besides the two records."""

    text: str
    hash: str
    merge_at: float
    review_at: float
    impression: Literal["merge", "review", "distinct"]
    max_component: int
    suspend_at: dict[str, int]
    support_needed: int
    support_generic: int
    tables: dict[str, Table]
    kept: frozenset[str]  # comparisons whose points training leaves alone
    vocabulary: Vocabulary
    words: dict[str, dict[str, str]]  # a veto's reason → language → the same reason

    def table(self, left: str, right: str) -> Table:
        """The table of two materials: their own when they agree, that of books otherwise."""
        return (self.tables.get(left) if left == right else None) or self.tables["book"]


def load(path: Path | None = None) -> Rules:
    """The rules in the file at *path*; the shipped ones when None.

    Raises:
        ConfigError: every mistake of the file at once, each with file:line and a suggestion.
    """
    where = path or SHIPPED
    file = yaml_file.read(where)
    return parse(where.read_text(encoding="utf-8-sig"), file)


def parse(text: str, file: YamlFile | None = None, *, name: str = "match.yaml") -> Rules:
    """The rules in *text*; raises like `load`."""
    reader = _Reader(file or yaml_file.parse(text, name=name))
    rules = reader.rules(text)
    if reader.problems:
        raise ConfigError("; ".join(reader.problems), problems=tuple(reader.problems))
    assert rules is not None
    return rules


class _Reader:
    """Reads the sections of one file and collects what is wrong with them."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.problems: list[str] = []
        self.known = dict(comparisons)

    def wrong(self, message: str, *path: str | int, hint: str = "") -> None:
        self.problems.append(f"{self.file.place(*path)}: {message}" + (f" ({hint})" if hint else ""))

    def rules(self, text: str) -> Rules | None:
        root = self.mapping(self.file.value, ())
        for key in root:
            if key not in _SECTIONS:
                self.wrong(f"unknown section {key!r}", key, hint=suggestion(key, list(_SECTIONS)))
        merge, review = self.thresholds()
        support = self.mapping(root.get("support", {}), ("support",))
        impression = root.get("impression", "merge")
        if impression not in IMPRESSION:
            self.wrong(f"impression {impression!r}", "impression", hint="known: " + ", ".join(IMPRESSION))
        tables = self.tables()
        rules = Rules(
            text=text,
            hash=hashlib.sha256(text.encode()).hexdigest(),
            merge_at=merge,
            review_at=review,
            impression=cast(Literal["merge", "review", "distinct"], impression),
            max_component=self.count(root.get("max_component", 400), ("max_component",)),
            suspend_at=self.suspend_at(),
            support_needed=self.count(support.get("needed", 0), ("support", "needed")),
            support_generic=self.count(support.get("needed_generic", 0), ("support", "needed_generic")),
            tables=tables,
            kept=self.kept(),
            vocabulary=self.vocabulary(),
            words=self.words(),
        )
        return None if self.problems else rules

    def mapping(self, value: Any, path: tuple[str | int, ...]) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self.wrong("must be a mapping of names to values", *path)
        return {}

    def section(self, *path: str) -> dict[str, Any]:
        value: Any = self.file.value
        for name in path:
            value = value.get(name, {}) if isinstance(value, dict) else {}
        return self.mapping(value, path)

    def number(self, value: Any, path: tuple[str | int, ...]) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(f"{value!r} is no number", *path)
            return 0.0
        return float(value)

    def count(self, value: Any, path: tuple[str | int, ...]) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.wrong(f"{value!r} is no count", *path)
            return 0
        return value

    def thresholds(self) -> tuple[float, float]:
        values = self.section("thresholds")
        for name in ("merge", "review"):
            if name not in values:
                self.wrong(f"threshold {name!r} is missing", "thresholds")
        merge = self.number(values.get("merge", 0), ("thresholds", "merge"))
        review = self.number(values.get("review", 0), ("thresholds", "review"))
        if review > merge:
            self.wrong("review stands above merge", "thresholds", "review")
        return merge, review

    def kept(self) -> frozenset[str]:
        section = self.section("training")
        for key in section:
            if key != "keep":
                self.wrong(f"unknown key {key!r}", "training", key, hint="known: keep")
        names = section.get("keep", [])
        if not isinstance(names, list):
            self.wrong("must be a list", "training", "keep")
            return frozenset()
        for index, name in enumerate(names):
            if name not in self.known:
                hint = suggestion(str(name), list(self.known))
                self.wrong(f"unknown comparison {name!r}", "training", "keep", index, hint=hint)
        return frozenset(map(str, names))

    def suspend_at(self) -> dict[str, int]:
        values = self.section("suspend_at")
        for kind in values:
            if kind not in KEY_KINDS:
                self.wrong(f"unknown kind of key {kind!r}", "suspend_at", kind, hint=suggestion(kind, list(KEY_KINDS)))
        return {kind: self.count(values.get(kind, 50), ("suspend_at", kind)) for kind in KEY_KINDS}

    def outcomes(self, path: tuple[str, ...], values: Any) -> dict[str, dict[str, Any]]:
        """feature → outcome → value, where every feature and outcome is known."""
        checked: dict[str, dict[str, Any]] = {}
        for feature, by_outcome in self.mapping(values, path).items():
            if feature not in self.known:
                hint = suggestion(feature, list(self.known))
                self.wrong(f"unknown comparison {feature!r}", *path, feature, hint=hint)
                continue
            known = self.known[feature].outcomes
            for outcome in self.mapping(by_outcome, (*path, feature)):
                if outcome not in known:
                    hint = suggestion(outcome, list(known))
                    self.wrong(f"{feature} has no outcome {outcome!r}", *path, feature, outcome, hint=hint)
            checked[feature] = dict(self.mapping(by_outcome, (*path, feature)))
        return checked

    def points(self, path: tuple[str, ...], values: Any) -> dict[str, dict[str, float]]:
        return {
            feature: {outcome: self.number(value, (*path, feature, outcome)) for outcome, value in row.items()}
            for feature, row in self.outcomes(path, values).items()
        }

    def interactions(self) -> tuple[Interaction, ...]:
        rows = self.file.value.get("interactions", []) if isinstance(self.file.value, dict) else []
        if not isinstance(rows, list):
            self.wrong("must be a list", "interactions")
            return ()
        return tuple(self.interaction(index, row) for index, row in enumerate(rows))

    def interaction(self, index: int, row: Any) -> Interaction:
        path = ("interactions", index)
        row = self.mapping(row, path)
        for key in row:
            if key not in ("name", "when", "points", "fixed"):
                self.wrong(f"unknown key {key!r}", *path, key, hint="known: name, when, points, fixed")
        when = self.when((*path, "when"), row.get("when", {}))
        points = self.number(row.get("points", 0), (*path, "points"))
        name = str(row.get("name", f"interaction {index + 1}"))
        return Interaction(name, when, points, row.get("fixed", False) is True)

    def when(self, path: tuple[str | int, ...], values: Any) -> When:
        """feature → the outcomes that count, where every feature and outcome is known."""
        when: list[tuple[str, frozenset[str]]] = []
        for feature, wanted in self.mapping(values, path).items():
            outcomes = [str(outcome) for outcome in wanted] if isinstance(wanted, list) else [str(wanted)]
            known = self.known[feature].outcomes if feature in self.known else ()
            if not known:
                hint = suggestion(feature, [*self.known])
                self.wrong(f"unknown comparison {feature!r}", *path, feature, hint=hint)
            for outcome in outcomes:
                if known and outcome not in known:
                    hint = suggestion(outcome, list(known))
                    self.wrong(f"{feature} has no outcome {outcome!r}", *path, feature, hint=hint)
            when.append((feature, frozenset(outcomes)))
        return tuple(when)

    def vetoes(self, path: tuple[str, ...], values: Any) -> dict[str, dict[str, Veto]]:
        """feature → outcome → veto; `none` takes an inherited one away."""
        return {
            feature: {outcome: self.veto((*path, feature, outcome), value) for outcome, value in row.items()}
            for feature, row in self.outcomes(path, values).items()
        }

    def veto(self, path: tuple[str, ...], value: Any) -> Veto:
        if isinstance(value, str):
            return Veto("" if value == "none" else value)
        row = self.mapping(value, path)
        for key in row:
            if key not in ("why", "unless"):
                self.wrong(f"unknown key {key!r}", *path, key, hint="known: why, unless")
        listed = row.get("unless", [])
        rows = listed if isinstance(listed, list) else [listed]
        unless = tuple(self.when((*path, "unless"), one) for one in rows if one)
        if unless and path[-2] in self.known and self.known[path[-2]].stage == 0:
            self.wrong("a veto by a code or identifier has no exception", *path, "unless")
        return Veto(str(row.get("why", path[-2])), unless)

    def tables(self) -> dict[str, Table]:
        points = self.points(("points",), self.section("points"))
        vetoes = self.vetoes(("vetoes",), self.section("vetoes"))
        support = self.outcomes(("support", "counts"), self.section("support", "counts"))
        interactions = self.interactions()
        tables = {"book": self.table(points, vetoes, support, interactions)}
        for material, changes in self.section("materials").items():
            path = ("materials", material)
            changes = self.mapping(changes, path)
            for key in changes:
                if key not in ("points", "vetoes"):
                    self.wrong(f"unknown key {key!r}", *path, key, hint="known: points, vetoes")
            own_points = _overlaid(points, self.points((*path, "points"), changes.get("points", {})))
            own_vetoes = _overlaid(vetoes, self.vetoes((*path, "vetoes"), changes.get("vetoes", {})))
            tables[material] = self.table(own_points, own_vetoes, support, interactions)
        return tables

    def table(
        self,
        points: dict[str, dict[str, float]],
        vetoes: dict[str, dict[str, Veto]],
        support: dict[str, dict[str, Any]],
        interactions: tuple[Interaction, ...],
    ) -> Table:
        features = [
            _feature(name, known, points.get(name, {}), vetoes.get(name, {}), support.get(name, {}))
            for name, known in sorted(self.known.items())
        ]
        stages = tuple(
            tuple(feature for feature in features if feature.comparison.stage == stage) for stage in range(STAGES)
        )
        best = [sum(max(feature.points.values()) for feature in stage) for stage in stages]
        remainders = tuple(sum(best[stage + 1 :]) for stage in range(STAGES))
        bonuses = tuple(
            tuple(self.so_far(one, stage) for one in interactions if one.points > 0) for stage in range(STAGES)
        )
        in_order = [feature for stage in stages for feature in stage]
        told = []
        for one in in_order:
            silent = Evidence(one.name, "", "", "missing", one.points["missing"])
            told.append((one.name, *shown(one.comparison.shows), one.points, silent))
        either = mask(tuple({name for one in in_order for name in one.comparison.either}))
        return Table(stages, remainders, interactions, bonuses, tuple(told), either, {}, {}, {}, {}, {})

    def so_far(self, interaction: Interaction, stage: int) -> Interaction:
        """*interaction* with only those of its conditions that are known after *stage*."""
        known = tuple(pair for pair in interaction.when if pair[0] in self.known and self.known[pair[0]].stage <= stage)
        return interaction._replace(when=known)

    def words(self) -> dict[str, dict[str, str]]:
        found = {}
        for why, said in self.section("words").items():
            known = self.mapping(said, ("words", why))
            for language in known.keys() - set(LANGUAGES):
                hint = suggestion(language, list(LANGUAGES))
                self.wrong(f"unknown language {language!r}", "words", why, language, hint=hint)
            found[why] = {language: str(text) for language, text in known.items()}
        return found

    def vocabulary(self) -> Vocabulary:
        values = self.section("vocabulary")
        lists: dict[str, frozenset[str]] = {}
        forms: dict[str, dict[str, str]] = {
            name: {} for name in ("publisher_aliases", "abbreviations", "companions", "edition_forms")
        }
        for name, value in values.items():
            if name in forms:
                for whole, others in self.mapping(value, ("vocabulary", name)).items():
                    forms[name].update({str(form): whole for form in others})
            elif name not in Vocabulary.LISTS:
                hint = suggestion(name, list(Vocabulary.LISTS))
                self.wrong(f"unknown word list {name!r}", "vocabulary", name, hint=hint)
            elif not isinstance(value, str):
                self.wrong("must be words parted by blanks", "vocabulary", name)
            else:
                lists[name] = frozenset(value.split())
        return Vocabulary(lists, **forms)


def _feature(
    name: str, known: Comparison, points: dict[str, float], vetoes: dict[str, Veto], support: dict[str, Any]
) -> Feature:
    weighed = {outcome: points.get(outcome, 0.0) for outcome in known.outcomes}
    forbidding = {outcome: veto for outcome, veto in vetoes.items() if veto.why}
    counted = {outcome: int(count) for outcome, count in support.items()}
    return Feature(name, known, weighed, forbidding, counted, mask(known.both), mask(known.either))


def _overlaid(base: dict[str, dict[str, Any]], changes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {**base.get(name, {}), **changes.get(name, {})} for name in base.keys() | changes.keys()}
