"""A cluster: who gave each field, its members side by side, its history, what downstream has; split, pin, undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from db import accounts as stored
from db import catalogue, desk, links
from harvester import deciding
from harvester.deciding import Result
from harvester.errors import UsageError
from harvester.model import Address, UnionRecord
from harvester.web import pinning, seeing
from harvester.web.pages.merges import _groups as told_groups
from harvester.web.pages.merges import _line as log_line
from harvester.web.pages.merges import confirm, said, unchanged
from harvester.web.seeing import ClusterSeen
from harvester.web.views import Pages, View
from harvester.web.visit import Visit

pages = Pages()
SIDES = 12  # members side by side; the others follow as a list
HISTORY = 200


@pages.get("/clusters/{number:int}", needs="read")
def cluster(visit: Visit) -> View:
    """The page of a cluster; what may not be shown to this person is left out."""
    with visit.pipeline.database.read() as conn:
        found = seeing.cluster(visit, conn, visit.path("number"))
        log = desk.merge_log(conn, desk.LogFilter(cluster=found.number), HISTORY)
        addresses = [Address.parse(one.address) for one in found.members]
        decided = links.concerning(conn, addresses, links=False)
        pins = links.pins(conn, addresses)
        changes = desk.last_changes(conn, found.number)
        cursors = desk.cursors(conn)
        reports = stored.reports(conn, cluster_ids=[found.number])
    fields = donors(found.union) if found.union else []
    shown = [one for one in found.members if one.record][:SIDES]
    data = {
        "cluster": found,
        "fields": fields,
        "shown": [one.address for one in shown],
        "sides": seeing.side_by_side([one.record for one in shown]),
        "history": [log_line(row, {}) for row in log],
        "decisions": [deciding.told(one) for one in reversed(decided)],
        "pinned": {row["field"]: row for row in pins},
        "changes": changes,
        "cursors": cursors,
        "reports": reports,
        "may": visit.may("decide", found.partners),
        "done": visit.number("done"),
        "pinnable": pinning.pinnable(found),
        "choice": pinning.choice(visit, found, visit.query("pin")) if visit.query("pin") else None,
    }
    heads = ("field", "value", "donor", "rule", "lost")
    return View("cluster.html", data, heads, [[one[name] for name in heads] for one in fields])


def donors(union: UnionRecord) -> list[dict[str, Any]]:
    """Each value of the union record with its donor and rule; `lost` are those that were not taken, and `pinned`."""
    found = []
    for one in union.survivors:
        rule, _, other = one.rule.partition(":")
        lost = rule in ("dropped", "variant")
        found.append(
            {
                "field": one.field,
                "value": one.value,
                "donor": one.donor,
                "rule": other if rule == "dropped" else rule,
                "lost": "variant" if rule == "variant" else "lost" if lost else "",
            }
        )
    return found


# ---- deciding ----------------------------------------------------------------------------------------


@pages.post("/clusters/{number:int}/decide", needs="decide")
def decide(visit: Visit) -> View | Response:
    """Foresee, then carry out, what the form asks: split, merge, never, confirm, member out, pin, unpin, wrong."""
    action = ACTIONS.get(visit.field("action"))
    if action is None:
        raise UsageError("no such action")
    with visit.pipeline.database.read() as conn:
        found = seeing.cluster(visit, conn, visit.path("number"))
    visit.need("decide", found.partners)
    _still(visit, found)
    reason = visit.field("reason").strip()
    if visit.field("step") != "do":
        result = action.run(visit, found, reason, True)
        hidden = [(name, value) for name in visit.form if name not in LEFT_OUT for value in visit.fields(name)]
        title = visit.gettext(action.title)
        values = pinning.shown(visit, found) if visit.field("action") in ("pin", "unpin") else []
        return confirm(visit, f"/clusters/{found.number}/decide", title, hidden, reason, result, values)
    said(reason)
    unchanged(visit)
    result = action.run(visit, found, reason, False)
    visit.note(visit.field("action"), f"cluster {found.number}", told_groups(result.before), told_groups(result.after))
    return RedirectResponse(f"/clusters/{found.number}?done={result.decision or 0}", 303)


LEFT_OUT = ("csrf", "step", "reason")  # the preview asks for them again


def versions(visit: Visit, found: ClusterSeen) -> dict[int, int]:
    """The version that the person looked at: of another one nothing is stored."""
    seen = visit.field("version")
    return {found.number: int(seen) if seen.isdecimal() and len(seen) < 10 else -1}


def _how(visit: Visit, found: ClusterSeen, preview: bool) -> dict[str, Any]:
    """What every decision about a cluster is told: the version that was looked at, and whether only to foresee."""
    return {"expected_version": versions(visit, found), "preview": preview}


def _split(visit: Visit, found: ClusterSeen, reason: str, preview: bool) -> Result:
    groups: dict[str, list[str]] = {}
    for number, one in enumerate(found.members):
        groups.setdefault(visit.field(f"group-{number}") or "1", []).append(one.address)
    if visit.field("members") != str(len(found.members)) or len(groups) < 2:
        raise UsageError("there is nothing to split off: name some members, not all or none")
    chosen = [groups[name] for name in sorted(groups)]
    who, how = visit.person.name, _how(visit, found, preview)
    return deciding.split(visit.pipeline, found.number, chosen, who, reason, **how)


def _merge(visit: Visit, found: ClusterSeen, reason: str, preview: bool) -> Result:
    other = visit.field("other").strip()
    thing: int | str = int(other) if other.isdecimal() and len(other) < 19 else other
    with visit.pipeline.database.read() as conn:
        if isinstance(thing, str):
            homes = catalogue.states_of_addresses(conn, [Address.parse(thing)])
            partners = {one.partner for one in homes}
        else:
            partners = seeing.cluster(visit, conn, thing).partners
    visit.need("decide", found.partners | partners)
    who, how = visit.person.name, _how(visit, found, preview)
    return deciding.merge(visit.pipeline, [found.number, thing], who, reason, **how)


def _confirm(visit: Visit, found: ClusterSeen, reason: str, preview: bool) -> Result:
    things: list[int | str] = [one.address for one in found.members]
    return deciding.merge(visit.pipeline, things, visit.person.name, reason, **_how(visit, found, preview))


def _out(visit: Visit, found: ClusterSeen, reason: str, preview: bool) -> Result:
    address, who, how = visit.field("address"), visit.person.name, _how(visit, found, preview)
    return deciding.undo_member(visit.pipeline, found.number, address, who, reason, **how)


def _never(visit: Visit, found: ClusterSeen, reason: str, preview: bool) -> Result:
    left, right = visit.field("left"), visit.field("right")
    return deciding.never(visit.pipeline, left, right, visit.person.name, reason, preview=preview)


def _pin(visit: Visit, found: ClusterSeen, reason: str, preview: bool) -> Result:
    field, who, how = visit.field("field"), visit.person.name, _how(visit, found, preview)
    value = {"donor": visit.field("donor"), "value": pinning.typed(visit)}
    return deciding.pin(visit.pipeline, found.number, field, who, reason, **value, **how)


def _unpin(visit: Visit, found: ClusterSeen, reason: str, preview: bool) -> Result:
    field, who, how = visit.field("field"), visit.person.name, _how(visit, found, preview)
    return deciding.unpin(visit.pipeline, found.number, field, who, reason, **how)


def _wrong(visit: Visit, found: ClusterSeen, reason: str, preview: bool) -> Result:
    kind, _, value = visit.field("identifier").partition(" ")
    if visit.field("address") not in {one.address for one in found.members}:
        raise UsageError("no member of this cluster")
    return deciding.wrong_identifier(
        visit.pipeline, visit.field("address"), kind, value, visit.person.name, reason, preview=preview
    )


def _still(visit: Visit, found: ClusterSeen) -> None:
    """The cluster must be the one that was looked at."""
    if versions(visit, found)[found.number] != found.version:
        raise deciding.StaleCluster(f"cluster {found.number} is now version {found.version}")


class Action:
    """What a form may ask of a cluster."""

    def __init__(self, title: str, run: Callable[[Visit, ClusterSeen, str, bool], Result]) -> None:
        self.title = title
        self.run = run


def N_(text: str) -> str:
    """Marks a text for translation."""
    return text


ACTIONS: Mapping[str, Action] = {
    "split": Action(N_("Split the cluster into groups"), _split),
    "merge": Action(N_("Merge with another cluster"), _merge),
    "confirm": Action(N_("Confirm that these records belong together"), _confirm),
    "out": Action(N_("Take one record out"), _out),
    "never": Action(N_("Never together"), _never),
    "pin": Action(N_("Pin a value"), _pin),
    "unpin": Action(N_("Let the rules choose again"), _unpin),
    "wrong": Action(N_("Leave a wrong identifier out of matching"), _wrong),
}


@pages.post("/clusters/{number:int}/report", needs="report")
def report(visit: Visit) -> Response:
    """Somebody says that this merge is wrong: it goes to the worklist."""
    remark = visit.field("remark").strip()
    if not remark:
        raise UsageError("say why: a decision without a reason helps nobody later")
    with visit.pipeline.database.read() as conn:
        found = seeing.cluster(visit, conn, visit.path("number"))
    with visit.pipeline.database.write(durable=True) as conn:
        made = stored.report(conn, found.number, visit.person.name, remark, visit.pipeline.now())
    visit.note("report", f"cluster {found.number}", "", remark)
    return RedirectResponse(f"/clusters/{found.number}?reported={made}", 303)


@pages.post("/reports/{number:int}/settle", needs="decide")
def settle(visit: Visit) -> Response:
    """A report is dealt with."""
    with visit.pipeline.database.write(durable=True) as conn:
        stored.settle_report(conn, visit.path("number"), visit.person.name, visit.pipeline.now())
    visit.note("report settled", str(visit.path("number")))
    return RedirectResponse("/suspects", 303)
