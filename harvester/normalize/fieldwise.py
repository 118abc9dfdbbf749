"""The rules of a mapping, run on a batch of records: field by field where that will do, tag by tag, rule by rule.

What a rule makes of a record is mostly what it makes of each field. Such rules are run once for each different field of
a batch, all fields of a tag one after the other: code that stays in the processor's cache takes less time, and a field
that comes in many records is read once. A rule that looks at several fields together (named inputs, functions of all
values, conditions, `fallback`) has its inputs gathered in the same way and is run on each record. Each leg of each path
has a slot, numbered rule by rule: the order of values is that of the mapping.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any, NamedTuple

from harvester.errors import RecordError
from harvester.formats.light import DELIMITER, LEADER_LENGTH
from harvester.normalize.calls import Values
from harvester.normalize.field import Field, Shaped, places_of, shape_of, texts_at
from harvester.normalize.paths import Leg
from harvester.normalize.removal import Removal
from harvester.normalize.rules import Rule

KEPT = 1024  # fields of a tag that are remembered; then it starts anew
LEADER = "LDR"
ORIGINALS = "880"
Key = str | tuple[str, ...]  # a field: the body of a MARC field as it came, or its parts in a view
Fields = Iterable[tuple[str, Key]]
Given = tuple[tuple[int, tuple[Any, ...]], ...]  # what a field gives: slot and values
Columns = dict[int, list[tuple[int, Sequence[Any]]]]  # slot → the number of a record, and what its field gives
Made = dict[str, Sequence[Any]]  # name of a target → its values


class Reading(NamedTuple):
    """What goes from the fields of a tag to a slot: what *leg* gives, after the functions that work value by value."""

    slot: int
    leg: Leg
    finish: Callable[[Values], Values] | None


class _Plan(NamedTuple):
    """What is read of the fields of one shape: where texts stand, and what must be looked for."""

    placed: list[tuple[int, list[list[int]], Callable[[Values], Values] | None]]
    sought: list[Reading]


class _Line(NamedTuple):
    """A rule, and the slots of its inputs and of its conditions; *late*: it is run on each record.

    It makes nothing of records that gave nothing to any of its *slots*, unless it makes something *always*.
    """

    rule: Rule
    late: bool
    always: bool
    slots: range
    inputs: list[range]
    conditions: list[range]


class Memory:
    """What the fields of one tag give. Kept is what comes twice in a batch: to keep all costs more than to read."""

    def __init__(self, tag: str, readings: Sequence[Reading], ignored: Removal | None) -> None:
        self.tag, self.ignored = tag, ignored
        self.control = tag < "010" or tag == LEADER
        self.plans = Shaped(lambda shape: _planned(shape, readings))
        self.kept: dict[Key, Given] = {}

    def given(self, keys: list[Key]) -> dict[Key, Given | None]:
        """What fields with these *keys* give; None where a function fails."""
        different = set(keys)
        if len(self.kept) > KEPT:
            self.kept.clear()
        found: dict[Key, Given | None] = {key: self.kept[key] for key in different & self.kept.keys()}
        new: dict[str, list[tuple[Key, list[str]]]] = {}
        for key in different - found.keys():
            parts = self._parts(key) if isinstance(key, str) else list(key)
            if parts:
                new.setdefault("" if self.control else shape_of(parts), []).append((key, parts))
            else:
                found[key] = ()
        for shape, fields in new.items():
            self._read(shape, fields, found)
        if len(different) < len(keys):
            for key, times in Counter(keys).items():
                if times > 1 and (given := found[key]) is not None:
                    self.kept[key] = given
        return found

    def _read(self, shape: str, fields: list[tuple[Key, list[str]]], found: dict[Key, Given | None]) -> None:
        """Read *fields* of one shape, reading after reading."""
        placed, sought = self.plans[shape]
        try:
            gave: list[list[tuple[int, tuple[Any, ...]]]] = [[] for _ in fields]
            for slot, places, finish in placed:
                _read_placed(slot, places, finish, fields, gave)
            if sought:
                whole = [Field(self.tag, parts, shape) for _, parts in fields]
                for slot, leg, finish in sought:
                    give = leg.give
                    for field, out in zip(whole, gave, strict=True):
                        values = give(field)
                        if values and finish is not None:
                            values = finish(values)
                        if values:
                            out.append((slot, tuple(values)))
        except RecordError:
            for one in fields:
                if len(fields) == 1:
                    found[one[0]] = None
                else:
                    self._read(shape, [one], found)
            return
        for (key, _), out in zip(fields, gave, strict=True):
            found[key] = tuple(out)

    def _parts(self, body: str) -> list[str]:
        parts = [body] if self.control else body.split(DELIMITER)
        return parts if self.ignored is None else self.ignored.left(self.tag, parts)


def _read_placed(
    slot: int,
    places: list[list[int]],
    finish: Callable[[Values], Values] | None,
    fields: list[tuple[Key, list[str]]],
    gave: list[list[tuple[int, tuple[Any, ...]]]],
) -> None:
    only = places[0][0] if len(places) == 1 else 0
    for (_, parts), out in zip(fields, gave, strict=True):
        values: Values
        if only:
            text = parts[only][1:].strip()
            values = [text] if text else []
        else:
            values = texts_at(places, parts)
        if values and finish is not None:
            values = finish(values)
        if values:
            out.append((slot, tuple(values)))


def _planned(shape: str, readings: Sequence[Reading]) -> _Plan:
    plan = _Plan([], [])
    for one in readings:
        if one.leg.codes and set(one.leg.codes).isdisjoint(shape):
            continue
        if one.leg.plain:
            plan.placed.append((one.slot, places_of(one.leg.codes, shape), one.finish))
        else:
            plan.sought.append(one)
    return plan


class Fieldwise:
    """The rules of a mapping, ready to be given the fields of some records: tag after tag, then rule after rule."""

    def __init__(self, rules: Sequence[Rule], ignored: Removal | None) -> None:
        self._lines: list[_Line] = []
        self._slots = 0
        readings: dict[str, list[Reading]] = {}
        filled: set[str] = set()
        for rule in rules:
            late = not _by_field(rule, filled)
            always = not rule.source.inputs or rule.default is not None
            finish, start = None if late else _finish(rule), self._slots
            inputs = [self._place(one.legs, finish, readings) for one in rule.source.inputs]
            slots = range(start, self._slots)
            conditions = [self._place(one.legs, None, readings) for one in rule.conditions]
            self._lines.append(_Line(rule, late, always, slots, inputs, conditions))
            filled.add(rule.target.name)
        of_leader = readings.get(LEADER, [])
        self._leader = Memory(LEADER, [one for one in of_leader if _without_lengths(one.leg)], None)
        self._anew = [one for one in of_leader if not _without_lengths(one.leg)]
        self._memories = {tag: Memory(tag, several, ignored) for tag, several in readings.items()}
        self.seen_in_view = frozenset((LEADER, ORIGINALS)) & readings.keys()

    def _place(
        self, legs: Iterable[Leg], finish: Callable[[Values], Values] | None, readings: dict[str, list[Reading]]
    ) -> range:
        """Give each of *legs* a slot."""
        start = self._slots
        for leg in legs:
            readings.setdefault(leg.key, []).append(Reading(self._slots, leg, finish))
            self._slots += 1
        return range(start, self._slots)

    def of_batch(self, batch: Sequence[tuple[str, Fields]]) -> list[Made | None]:
        """What the rules make of each record of a *batch*; None where one of them fails, be it one left out in the end.

        A record is its leader and its fields; a leader that stands among the fields of a view is "" here.
        """
        columns: Columns = defaultdict(list)
        failed: set[int] = set()
        fields: dict[str, list[tuple[int, Key]]] = {tag: [] for tag in self._memories}
        for number, (leader, several) in enumerate(batch):
            if leader:
                self._read_leader(number, leader, columns)
            for tag, key in several:
                if tag in fields:
                    fields[tag].append((number, key))
        leaders: list[tuple[int, Key]] = [(number, _known(one)) for number, (one, _) in enumerate(batch) if one]
        self._read_tag(self._leader, leaders, columns, failed)
        for tag, those in fields.items():
            if those:
                self._read_tag(self._memories[tag], those, columns, failed)
        made: list[Made] = [{} for _ in batch]
        for line in self._lines:
            if columns.keys().isdisjoint(line.slots) and not line.always:
                continue
            if line.late:
                _run(line, columns, made, failed)
            elif line.rule.once:
                _take_first(line, columns, made)
            else:
                _take_all(line, columns, made)
        return [None if number in failed else one for number, one in enumerate(made)]

    def remembered(self, tag: str) -> int:
        """How many fields of *tag* are remembered."""
        return len(self._memories[tag].kept)

    @staticmethod
    def _read_tag(memory: Memory, those: list[tuple[int, Key]], columns: Columns, failed: set[int]) -> None:
        found = memory.given([key for _, key in those])
        for number, key in those:
            given = found[key]
            if given is None:
                failed.add(number)
                continue
            for slot, values in given:
                columns[slot].append((number, values))

    def _read_leader(self, number: int, leader: str, columns: Columns) -> None:
        """What reads the lengths in the leader, which are others in every record."""
        field = Field(LEADER, [leader])
        for slot, leg, finish in self._anew:
            if (told := leg.give(field)) and (finish is None or (told := finish(told))):
                columns[slot].append((number, tuple(told)))


def _known(leader: str) -> str:
    """*leader* without its lengths."""
    return f"00000{leader[5:12]}00000{leader[17:]}" if len(leader) == LEADER_LENGTH else leader


def _take_first(line: _Line, columns: Columns, made: list[Made]) -> None:
    """What was given to a rule whose field takes one value: the first that was given."""
    name = line.rule.target.name
    for slot in line.inputs[0]:
        for number, values in columns.get(slot, ()):
            made[number].setdefault(name, values)


def _take_all(line: _Line, columns: Columns, made: list[Made]) -> None:
    """What was given to a rule is added to what its field has."""
    name = line.rule.target.name
    for slot in line.inputs[0]:
        for number, values in columns.get(slot, ()):
            _add(made[number], name, values)


def _add(one: Made, name: str, values: Sequence[Any]) -> None:
    had = one.get(name)
    if had is None:
        one[name] = values
    elif isinstance(had, list):
        had += values
    else:
        one[name] = [*had, *values]


def _run(line: _Line, columns: Columns, made: list[Made], failed: set[int]) -> None:
    """Run a rule on each record whose fields gave it something."""
    rule = line.rule
    inputs = [_column(slots, columns, len(made)) for slots in line.inputs]
    name, once, source = rule.target.name, rule.once, rule.source
    holding = [_column(slots, columns, len(made)) for slots in line.conditions]
    expected = tuple([one.expected for one in rule.conditions])
    rows = zip(made, zip(*inputs, strict=True) if inputs else [()] * len(made), strict=True)
    for number, (one, given) in enumerate(rows):
        if not (line.always or any(given)) or (once and name in one):
            continue
        if expected and tuple([bool(those[number]) for those in holding]) != expected:
            continue
        try:
            values = rule.finished(source.of(given))
        except RecordError:
            failed.add(number)
            continue
        if values:
            _add(one, name, values)


def _column(slots: range, columns: Columns, size: int) -> list[Sequence[Any]]:
    """What some slots were given by each of *size* records."""
    found: list[Sequence[Any]] = [()] * size
    for slot in slots:
        for number, values in columns.get(slot, ()):
            had = found[number]
            if isinstance(had, list):
                had += values
            else:
                found[number] = [*had, *values] if had else values
    return found


def _by_field(rule: Rule, filled: Set[str]) -> bool:
    """Whether what *rule* makes of a record is what it makes of each field; not if it may be left out, being late."""
    if rule.fallback or (rule.once and rule.target.name in filled):
        return False
    if not rule.source.inputs or rule.source.function or rule.conditions or rule.default is not None:
        return False
    return all(call.fed in ("value", "noun", "field") for call in rule.calls)


def _finish(rule: Rule) -> Callable[[Values], Values] | None:
    """What the functions of *rule* make of values; None when it has none."""
    if len(rule.calls) > 1:
        return rule.finished
    return rule.calls[0].apply if rule.calls else None


def _without_lengths(leg: Leg) -> bool:
    """Whether *leg* reads nothing of the leader that is other in every record: its length and its base address."""
    return leg.cut is not None and ((leg.cut.start >= 5 and leg.cut.stop <= 12) or leg.cut.start >= 17)
