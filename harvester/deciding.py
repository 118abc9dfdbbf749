"""People's decisions: what belongs together, what does not, which value is shown; and how each is taken back.

Every function takes the author and the reason, foresees with `preview`, and returns a Result: clusters before and
after, the rows of the feed, what contradicts. A decision is about records (addresses), never about cluster ids: it
holds whatever is harvested, edited or matched by other rules later. The newest decision about the same two records
counts; the older one stays, is named as overruled, and counts again when the newer is undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec
from sqlalchemy import Connection

from db import catalogue, constants, ledger, links, work
from db.catalogue import RecordState
from db.links import Decided, Draft
from harvester.deciding_acts import CONFIRMED, FeedRow, Group, Plan, Result, StaleCluster, carry_out
from harvester.deciding_overruled import overruled
from harvester.deciding_undo import undo_decisions, undo_of_events
from harvester.drawing import member
from harvester.errors import UsageError
from harvester.heeding import Pinned, without
from harvester.identifiers import canonical
from harvester.merge import survivorship
from harvester.model import Address, Member, NormalizedRecord, Pin, Profile
from harvester.pipeline import Pipeline
from harvester.preparing import profiled
from harvester.registry import suggestion

__all__ = ["FeedRow", "Group", "Result", "StaleCluster"]

Versions = Mapping[int, int]
_decode_record = msgspec.json.Decoder(NormalizedRecord).decode
UNPINNABLE = ("holdings", "suppressed", "local", "control_number", "control_agency", "updated")


# ---- together and apart --------------------------------------------------------------------------------


def merge(
    pipeline: Pipeline,
    things: Sequence[int | str],
    author: str,
    reason: str,
    *,
    expected_version: Versions | None = None,
    preview: bool = False,
) -> Result:
    """Put whole clusters together; each thing is a cluster id or the address of one of its records.

    Things of one cluster: it is confirmed to be right, and leaves the worklist until it gets another member.
    """
    _signed(author)
    with pipeline.database.read() as conn:
        clusters = {_cluster_of(conn, thing) for thing in things}
        side: dict[Address, None] = {}
        for one in sorted(clusters):
            side |= dict.fromkeys(_members(conn, one))
    if len(side) < 2:
        raise UsageError("there is nothing to merge: name two clusters, or a record of each")
    action = "merge" if len(clusters) > 1 else "confirm"
    draft = Draft(action, "must", author, reason, (tuple(sorted(side)),))
    plan = Plan((draft,), notes=(CONFIRMED,) if action == "confirm" else ())
    return carry_out(pipeline, plan, expected_version=expected_version, preview=preview)


def split(
    pipeline: Pipeline,
    cluster: int,
    groups: Sequence[Sequence[str]],
    author: str,
    reason: str,
    *,
    expected_version: Versions | None = None,
    preview: bool = False,
) -> Result:
    """Part a cluster into *groups* of addresses; members not named are one more group.

    Each group stays together and no two of them come together again, whatever is edited or arrives later.
    """
    _signed(author)
    with pipeline.database.read() as conn:
        living = catalogue.resolve(conn, cluster)
        members = _members(conn, living)
    sides = [tuple(sorted({Address.parse(one) for one in group})) for group in groups if group]
    named = [one for side in sides for one in side]
    for one in named:
        if one not in members:
            raise UsageError(f"no member of cluster {living}", place=str(one), hint="`induk cluster show` lists them")
    if len(set(named)) != len(named):
        raise UsageError("a record stands in two of the groups")
    rest = tuple(one for one in members if one not in set(named))
    sides += [rest] if rest else []
    if len(sides) < 2:
        raise UsageError("there is nothing to split off: name some members, not all or none")
    draft = Draft("split", "split", author, reason, tuple(sides))
    return carry_out(pipeline, Plan((draft,)), expected_version=expected_version, preview=preview)


def must(pipeline: Pipeline, left: str, right: str, author: str, reason: str, *, preview: bool = False) -> Result:
    """Say that two records describe the same manifestation; `merge` says it of whole clusters."""
    pair = _pair(pipeline, left, right, author)
    return carry_out(pipeline, Plan((Draft("must", "must", author, reason, (pair,)),)), preview=preview)


def never(pipeline: Pipeline, left: str, right: str, author: str, reason: str, *, preview: bool = False) -> Result:
    """Say that two records describe different manifestations; `split` says it of whole groups."""
    one, other = _pair(pipeline, left, right, author)
    return carry_out(pipeline, Plan((Draft("never", "cannot", author, reason, ((one,), (other,))),)), preview=preview)


def _pair(pipeline: Pipeline, left: str, right: str, author: str) -> tuple[Address, Address]:
    _signed(author)
    with pipeline.database.read() as conn:
        found = [_record(conn, one) for one in (left, right)]
    if found[0] == found[1]:
        raise UsageError("that is one record, not two", place=left)
    return found[0], found[1]


# ---- undoing -------------------------------------------------------------------------------------------


def undo(
    pipeline: Pipeline,
    decision: int,
    author: str,
    reason: str,
    *,
    expected_version: Versions | None = None,
    preview: bool = False,
) -> Result:
    """Take a decision back (an undo too: what it had undone counts again); later edits of the records stay.

    Raises:
        UsageError: there is none, or it was undone already: by whom and when.
    """
    _signed(author)
    with pipeline.database.read() as conn:
        plan = undo_decisions(conn, [decision], "undo", author, reason)
    return carry_out(pipeline, plan, expected_version=expected_version, preview=preview)


def undo_member(
    pipeline: Pipeline,
    cluster: int,
    address: str,
    author: str,
    reason: str,
    *,
    expected_version: Versions | None = None,
    preview: bool = False,
) -> Result:
    """Take one record out of a cluster and keep it out; of the others nothing is said."""
    _signed(author)
    with pipeline.database.read() as conn:
        living = catalogue.resolve(conn, cluster)
        members = _members(conn, living)
    out = Address.parse(address)
    if out not in members:
        raise UsageError(f"no member of cluster {living}", place=address, hint="`induk cluster show` lists them")
    rest = tuple(one for one in members if one != out)
    if not rest:
        raise UsageError("the record stands alone already", place=address)
    draft = Draft("undo_member", "cannot", author, reason, ((out,), rest))
    return carry_out(pipeline, Plan((draft,)), expected_version=expected_version, preview=preview)


def undo_events(
    pipeline: Pipeline, events: Sequence[int], author: str, reason: str, *, preview: bool = False
) -> Result:
    """Take back a selection of the merge log: joins by rule are kept apart, decisions of people are undone."""
    _signed(author)
    with pipeline.database.read() as conn:
        plan = undo_of_events(conn, catalogue.events_by_id(conn, events), "undo_events", author, reason)
    return carry_out(pipeline, plan, preview=preview)


def undo_run(pipeline: Pipeline, run: int, author: str, reason: str, *, preview: bool = False) -> Result:
    """Take back what a run of match joined, or what a person's decision of that run number did.

    Raises:
        UsageError: a harvest cannot be undone: it only wrote down what the partner sent.
    """
    _signed(author)
    kind = kind_of_run(pipeline, run)
    with pipeline.database.read() as conn:
        if kind == "decide":
            plan = undo_decisions(conn, links.of_run(conn, run), "undo", author, reason)
        else:
            rows = [row for row in catalogue.events_of_run(conn, run) if row["actor"] == "match"]
            plan = undo_of_events(conn, rows, "undo_run", author, reason)
    return carry_out(pipeline, plan, preview=preview)


def kind_of_run(pipeline: Pipeline, run: int) -> str:
    """`match` or `decide`; raises as `undo_run` does where there is no such run, or it grouped nothing."""
    with pipeline.database.read() as conn:
        held = work.get_run(conn, run)
    if held is None:
        raise UsageError(f"no run {run}", hint="`induk run list` lists them")
    if held["kind"] not in ("match", "decide"):
        raise UsageError(
            f"run {run} is a {held['kind']}: it wrote down what the partner sent and grouped nothing",
            hint="undo the match run that followed it",
        )
    return str(held["kind"])


# ---- pins ----------------------------------------------------------------------------------------------


def pin(
    pipeline: Pipeline,
    cluster: int,
    field: str,
    author: str,
    reason: str,
    *,
    donor: str = "",
    value: Any = None,
    expected_version: Versions | None = None,
    preview: bool = False,
) -> Result:
    """Show the value of *donor* (an address), or a typed *value* (plain JSON), for a field of a cluster.

    The pin hangs on the donor's record, a typed one on the cluster's first member, and goes where that record goes.
    A warning is written when the record's own value changes afterwards.
    """
    _signed(author)
    with pipeline.database.read() as conn:
        members = _full_members(pipeline, conn, catalogue.resolve(conn, cluster))
    made = _pin(members, field, author, donor, value)
    body = {"field": field, "seen": made.seen, **({"donor": donor} if donor else {"value": made.pin.value})}
    draft = Draft("pin", "", author, reason, ((made.where,),), body)

    def write(conn: Connection, ids: list[int]) -> None:
        typed = None if donor else msgspec.json.encode(made.pin.value).decode()
        links.add_pin(conn, ids[0], made.where, field, typed, made.seen)

    plan = Plan((draft,), write=write, pins=(made,))
    return carry_out(pipeline, plan, expected_version=expected_version, preview=preview)


def _pin(members: Sequence[Member], field: str, author: str, donor: str, value: Any) -> Pinned:
    if bool(donor) == (value is not None):
        raise UsageError("name a donor or type a value, one of the two")
    plain = typed(field, value) if value is not None else _pinnable(field)
    giver = next((one for one in members if str(one.address) == donor), None) if donor else members[0]
    if giver is None:
        raise UsageError("no member of this cluster", place=donor)
    own = getattr(giver.shown(), field)
    seen = survivorship.fingerprint(own)
    if not donor:
        return Pinned(Pin(field, value=plain, author=author), 0, 0, giver.address, seen, "")
    if own == getattr(NormalizedRecord(), field):
        raise UsageError(f"that record has no {field} to show", place=donor)
    return Pinned(Pin(field, donor=donor, author=author, seen=seen), 0, 0, giver.address, seen, "")


def _pinnable(field: str) -> Any:
    types = {info.name: info.type for info in msgspec.structs.fields(NormalizedRecord) if info.name not in UNPINNABLE}
    if field not in types:
        raise UsageError(f"no field {field!r} to pin", hint=suggestion(field, sorted(types)))
    return types[field]


def typed(field: str, value: Any) -> Any:
    """*value* as plain JSON of the field's type.

    Raises:
        UsageError: there is no such field, or that is no value for it.
    """
    kind = _pinnable(field)
    if isinstance(value, str) and kind == tuple[str, ...]:
        value = [value]
    try:
        made = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        hint = "a value is JSON of the field's shape" + _shape(kind)
        raise UsageError(f"that is no value for {field}: {error}", hint=hint) from None
    if unknown := _unknown(value, made):
        raise UsageError(
            f"a value of {field} holds no {unknown}", hint="a value is JSON of the field's shape" + _shape(kind)
        )
    return msgspec.to_builtins(made)


def _shape(kind: Any) -> str:
    """The names inside a value, as in `: proper, remainder`; "" for texts and numbers."""
    inner = next(iter(get_args(kind)), kind)
    return ": " + ", ".join(inner.__struct_fields__) if hasattr(inner, "__struct_fields__") else ""


def _unknown(value: Any, made: Any) -> str:
    """The first name in typed JSON that what was made of it does not have, "" without one."""
    if isinstance(made, tuple):
        return next((name for one, other in zip(value, made, strict=True) if (name := _unknown(one, other))), "")
    if not isinstance(made, msgspec.Struct):
        return ""
    for name, one in value.items():
        if name not in made.__struct_fields__:
            return str(name)
        if inner := _unknown(one, getattr(made, name)):
            return inner
    return ""


def unpin(
    pipeline: Pipeline,
    cluster: int,
    field: str,
    author: str,
    reason: str,
    *,
    expected_version: Versions | None = None,
    preview: bool = False,
) -> Result:
    """Let the rules choose the value of a field again."""
    _signed(author)
    with pipeline.database.read() as conn:
        members = _members(conn, catalogue.resolve(conn, cluster))
        rows = [row for row in links.pins(conn, members) if row["field"] == field]
        if not rows:
            raise UsageError(f"nothing is pinned for {field} in cluster {cluster}")
        ids = sorted({row["decision_id"] for row in rows})
        plan = undo_decisions(conn, ids, "unpin", author, reason)
    return carry_out(pipeline, plan, expected_version=expected_version, preview=preview)


# ---- identifiers that are wrong ------------------------------------------------------------------------


def wrong_identifier(
    pipeline: Pipeline, address: str, kind: str, value: str, author: str, reason: str, *, preview: bool = False
) -> Result:
    """Leave an identifier of a record out of matching; it is still shown, for it is what the partner says."""
    _signed(author)
    with pipeline.database.read() as conn:
        where = _record(conn, address)
        state = catalogue.states_of_addresses(conn, [where])[0]
        body = ledger.normalized_bodies(conn, [state.record_id]).get(state.record_id)
        already = links.ignored(conn, where)
        common = constants.of_records(conn, [state.record_id])[state.record_id]
    record = _decode_record(body) if body else NormalizedRecord()
    found = _carried(record, kind, value, address)
    if found in {(one, canonical(one, text)) for one, text in already}:
        raise UsageError(f"{found[0]} {found[1]} is left out of matching already", place=address)
    made = profiled(without(record, already | {found}), pipeline.match, common)
    profile = msgspec.msgpack.decode(made.profile, type=Profile)

    def write(conn: Connection, ids: list[int]) -> None:
        links.ignore(conn, ids[0], where, *found)

    draft = Draft("wrong", "", author, reason, ((where,),), {"kind": found[0], "value": found[1]})
    plan = Plan((draft,), write=write, profiles={state.record_id: (profile, made.solid)})
    return carry_out(pipeline, plan, preview=preview)


def _carried(record: NormalizedRecord, kind: str, value: str, address: str) -> tuple[str, str]:
    """The identifier that the person means, as the record has it."""
    same = {value.replace("-", "").strip(), canonical(kind, value).replace("-", "")}
    for one in record.identifiers:
        if one.kind == kind and one.value.replace("-", "") in same:
            return one.kind, one.value
    has = ", ".join(f"{one.kind} {one.value}" for one in record.identifiers) or "none"
    raise UsageError(f"the record has no {kind} {value}", place=address, hint=f"it has: {has}")


# ---- looking -------------------------------------------------------------------------------------------


def decisions(pipeline: Pipeline, *, after: int = 0, limit: int = 100, undone: bool = False) -> list[dict[str, Any]]:
    """Decisions with an id above *after*, oldest first; those that were undone only when asked for."""
    states = ("pending", "active", "undone") if undone else links.IN_FORCE
    with pipeline.database.read() as conn:
        return [told(one) for one in links.listed(conn, after=after, limit=limit, states=states)]


def decision(pipeline: Pipeline, number: int) -> dict[str, Any]:
    """One decision with everything that came with it."""
    with pipeline.database.read() as conn:
        held = links.get(conn, [number]).get(number)
        if held is None:
            raise UsageError(f"no decision {number}", hint="`induk link list` lists them")
        return {**told(held), "parts": links.parts(conn, number), "undid": links.ended_by(conn, number)}


def told(one: Decided) -> dict[str, Any]:
    """A decision as plain data; a wrong identifier in the form that records have."""
    body = one.body
    if one.action == "wrong":
        body = {**body, "value": canonical(body["kind"], body["value"])}
    return {**one._asdict(), "body": body, "sides": [[str(address) for address in side] for side in one.sides]}


def contradictions(pipeline: Pipeline) -> list[str]:
    """Every decision in force that a newer one overrules."""
    found: list[Decided] = []
    with pipeline.database.read() as conn:
        while batch := links.listed(conn, after=found[-1].id if found else 0, limit=1000, kinds=links.BINDING):
            found += batch
    return overruled(found)


# ---- whom it concerns ----------------------------------------------------------------------------------


def _signed(author: str) -> None:
    if not author.strip():
        raise UsageError("a decision needs its author", hint="say --author")


def _record(conn: Connection, address: str) -> Address:
    wanted = Address.parse(address)
    if ledger.find(conn, *wanted) is None:
        raise UsageError("no such record", place=address, hint="an address is source/identifier")
    return wanted


def _cluster_of(conn: Connection, thing: int | str) -> int:
    if isinstance(thing, int) or thing.isdigit():
        return catalogue.resolve(conn, int(thing))
    where = _record(conn, thing)
    home = catalogue.states_of_addresses(conn, [where])[0].cluster_id
    if home is None:
        raise UsageError("the record stands in no cluster: it is deleted, or not yet matched", place=thing)
    return home


def _states(conn: Connection, cluster: int) -> list[RecordState]:
    found = catalogue.members(conn, [cluster]).get(cluster, [])
    if not found:
        raise UsageError(f"no cluster {cluster}, or it holds nothing any more")
    return found


def _members(conn: Connection, cluster: int) -> list[Address]:
    return [Address(one.source, one.identifier) for one in _states(conn, cluster)]


def _full_members(pipeline: Pipeline, conn: Connection, cluster: int) -> list[Member]:
    states = _states(conn, cluster)
    bodies = ledger.normalized_bodies(conn, [one.record_id for one in states])
    return [
        member(pipeline.partners, one, _decode_record(bodies[one.record_id]))
        for one in states
        if one.record_id in bodies
    ]
