"""The rules of a mapping, run on a batch of records: field by field where that will do, tag by tag, rule by rule.

What a rule makes of a record is mostly what it makes of each field. Such rules are run once for each different field of
a batch, all fields of a tag one after the other: code that stays in the processor's cache takes less time, and a field
that comes in many records is read once. A rule that looks at several fields together (named inputs, functions of all
values, conditions, `fallback`) has its inputs gathered in the same way and is run on each record. Each leg of each path
has a slot, numbered rule by rule: the order of values is that of the mapping.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any, NamedTuple

from harvester.errors import RecordError
from harvester.formats.light import DELIMITER, LEADER_LENGTH
from harvester.normalize.calls import Call, Values
from harvester.normalize.field import Field, Shaped, places_of, shape_of, texts_at
from harvester.normalize.paths import NOTHING, Leg
from harvester.normalize.removal import Removal
from harvester.normalize.rules import Rule

KEPT = 1024  # fields of a tag that are remembered; then it starts anew
LEADER = "LDR"
ORIGINALS = "880"
Key = str | tuple[str, ...]  # a field: the body of a MARC field as it came, or its parts in a view
Fields = Iterable[tuple[str, Key]]
Given = Sequence[tuple[int, tuple[Any, ...]]]  # what a field gives: slot and values
Columns = dict[int, list[tuple[int, Sequence[Any]]]]  # slot → the number of a record, and what its field gives
Made = dict[str, Sequence[Any]]  # name of a target → its values
Steps = list[tuple[Callable[[Any], Any], bool]]
Read = list[tuple[int, tuple[Any, ...]]]  # what a field gave, while it is read


class Reading(NamedTuple):
    """What goes from the fields of a tag to a slot: what *leg* gives, after the functions that work value by value.

    `steps` are these functions, when each makes one value of one value, and whether it may make text or a truth, of
    which an empty one is nothing; `finish` does the same to several values.
    """

    slot: int
    leg: Leg
    steps: Steps | None
    finish: Callable[[Values], Values] | None


class _Plan(NamedTuple):
    """What is read of the fields of one shape: where texts stand, and what must be looked for."""

    cut: list[tuple[Reading, slice]]
    placed: list[tuple[Reading, list[list[int]]]]
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
        different, kept = set(keys), self.kept
        if len(kept) > KEPT:
            kept.clear()
        found: dict[Key, Given | None] = {}
        new: dict[str, list[tuple[Key, list[str]]]] = {}
        for key in different:
            if key in kept:
                found[key] = kept[key]
                continue
            parts = self._parts(key)
            if parts:
                new.setdefault("" if self.control else shape_of(parts), []).append((key, parts))
            else:
                found[key] = ()
        for shape, fields in new.items():
            self._read(shape, fields, found)
        if len(different) < len(keys):
            for key in keys:
                if key in different:
                    different.remove(key)
                elif (given := found[key]) is not None:
                    kept[key] = given
        return found

    def _read(self, shape: str, fields: list[tuple[Key, list[str]]], found: dict[Key, Given | None]) -> None:
        """Read *fields* of one shape, reading after reading."""
        plan = self.plans[shape]
        try:
            gave: list[Read] = [[] for _ in fields]
            for reading, cut in plan.cut:
                _read_cut(reading, cut, fields, gave)
            for reading, places in plan.placed:
                _read_placed(reading, places, fields, gave)
            if plan.sought:
                whole = [Field(self.tag, parts, shape) for _, parts in fields]
                for slot, leg, _, finish in plan.sought:
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
            found[key] = out

    def _parts(self, key: Key) -> list[str]:
        if isinstance(key, str) and not self.control:
            parts = key.split(DELIMITER)
        else:
            parts = [key] if isinstance(key, str) else list(key)
        return parts if self.ignored is None else self.ignored.left(self.tag, parts)


def _read_cut(reading: Reading, cut: slice, fields: list[tuple[Key, list[str]]], gave: list[Read]) -> None:
    """Read characters of control fields."""
    texts = [parts[0][cut] for _, parts in fields]
    _read_texts(reading, [text if text.strip(NOTHING) else "" for text in texts], gave)


def _read_placed(
    reading: Reading, places: list[list[int]], fields: list[tuple[Key, list[str]]], gave: list[Read]
) -> None:
    """Read subfields that stand at the same *places* of all *fields*."""
    if len(places) == 1 and reading.steps is not None:
        only = places[0][0]
        _read_texts(reading, [parts[only][1:].strip() for _, parts in fields], gave)
        return
    slot, finish = reading.slot, reading.finish
    for (_, parts), out in zip(fields, gave, strict=True):
        values: Values = texts_at(places, parts)
        if values and finish is not None:
            values = finish(values)
        if values:
            out.append((slot, tuple(values)))


def _read_texts(reading: Reading, texts: list[str], gave: list[Read]) -> None:
    """Take one text of each field through the steps of *reading*."""
    slot, steps = reading.slot, reading.steps or ()
    for text, out in zip(texts, gave, strict=True):
        value: Any = text
        if text:
            for function, plain in steps:
                value = function(value)
                if not value and (plain or value is None):
                    break
            else:
                out.append((slot, (value,)))


def _planned(shape: str, readings: Sequence[Reading]) -> _Plan:
    plan = _Plan([], [], [])
    for one in readings:
        if one.leg.codes and set(one.leg.codes).isdisjoint(shape):
            continue
        if one.leg.plain and one.leg.cut is None:
            plan.placed.append((one, places_of(one.leg.codes, shape)))
        elif one.leg.plain and one.leg.cut is not None and one.steps is not None:
            plan.cut.append((one, one.leg.cut))
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
            calls, start = () if late else rule.calls, self._slots
            inputs = [self._place(one.legs, calls, readings) for one in rule.source.inputs]
            slots = range(start, self._slots)
            conditions = [self._place(one.legs, (), readings) for one in rule.conditions]
            self._lines.append(_Line(rule, late, always, slots, inputs, conditions))
            filled.add(rule.target.name)
        of_leader = readings.get(LEADER, [])
        self._leader = Memory(LEADER, [one for one in of_leader if _without_lengths(one.leg)], None)
        self._anew = [one for one in of_leader if not _without_lengths(one.leg)]
        self._memories = {tag: Memory(tag, several, ignored) for tag, several in readings.items()}
        self.seen_in_view = frozenset((LEADER, ORIGINALS)) & readings.keys()

    def _place(self, legs: Iterable[Leg], calls: Sequence[Call], readings: dict[str, list[Reading]]) -> range:
        """Give each of *legs* a slot; what it gives goes through *calls*."""
        start = self._slots
        steps = [(one.one, one.gives in (str, bool)) for one in calls if one.one is not None]
        alone = len(steps) == len(calls)
        finish = None if not calls else _stepwise(steps) if alone else _called(calls)
        for leg in legs:
            reading = Reading(self._slots, leg, steps if alone else None, finish)
            readings.setdefault(leg.key, []).append(reading)
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
        for slot, leg, _, finish in self._anew:
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
            one = made[number]
            if name in one:
                _add(one, name, values)
            else:
                one[name] = values


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


def _stepwise(steps: Steps) -> Callable[[Values], Values]:
    """What *steps* make of values, one value after the other."""

    def finish(values: Values) -> Values:
        found = []
        for value in values:
            for function, plain in steps:
                value = function(value)
                if not value and (plain or value is None):
                    break
            else:
                found.append(value)
        return found

    return finish


def _called(calls: Sequence[Call]) -> Callable[[Values], Values]:
    """What *calls* make of values."""
    if len(calls) == 1:
        return calls[0].apply

    def finish(values: Values) -> Values:
        for call in calls:
            values = call.apply(values)
        return values

    return finish


def _without_lengths(leg: Leg) -> bool:
    """Whether *leg* reads nothing of the leader that is other in every record: its length and its base address."""
    start, stop = (leg.cut.start or 0, leg.cut.stop or LEADER_LENGTH) if leg.cut else (0, LEADER_LENGTH)
    return (start >= 5 and stop <= 12) or start >= 17
