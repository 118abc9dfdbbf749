"""Doubtful pairs, one after the other, by keyboard: m merge, s apart for now, n never, k skip, u undo the last."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from db import catalogue, desk, links
from harvester import deciding, explaining, reviewing
from harvester.errors import UsageError
from harvester.model import Address
from harvester.reviewing import Item
from harvester.web import seeing
from harvester.web.kept import kept
from harvester.web.pages.merges import _groups as told_groups
from harvester.web.pages.merges import confirm, unchanged
from harvester.web.views import Pages, View
from harvester.web.visit import Gone, Visit

pages = Pages()
SKIPPED = 100
PORTION = 500
MOST = 5000
SCREEN = 50
LIST = 50
BULK = 50


class Case(NamedTuple):
    """A pair that waits for a verdict; `mark` stands for it in the list of those that were skipped."""

    left: str
    right: str
    clusters: tuple[int, ...]
    score: float
    reasons: tuple[str, ...]
    titles: tuple[str, ...]
    mark: str


def cases(visit: Visit, number: int) -> list[Case]:
    """The next pairs that this person may judge, those most worth a minute first; what was skipped comes no more."""
    skipped = set(visit.query("skip").split("."))
    found: list[Case] = []
    for size in (PORTION, MOST):
        items = kept(visit, f"queue of {size}", partial(_queue, visit, size), until="matches")
        found = [case for one in items if (case := _case(visit, one)) and case.mark not in skipped]
        found = _still_open(visit, found, number)
        if found:
            break
    return found


def _queue(visit: Visit, number: int) -> list[Item]:
    return reviewing.queue(visit.pipeline, number, kinds=reviewing.PAIRS)


def doubtful(visit: Visit) -> int:
    """How many pairs wait for a verdict: counted when a match has ended, less those that were judged since."""
    counted, newest = kept(visit, "waiting", lambda: reviewing.waiting(visit.pipeline), until="matches")
    with visit.pipeline.database.read() as conn:
        return max(0, counted - links.labels_since(conn, newest))


def _still_open(visit: Visit, found: list[Case], number: int) -> list[Case]:
    """The first of them that nobody has judged and nothing has brought together since the queue was made."""
    left: list[Case] = []
    with visit.pipeline.database.read() as conn:
        for start in range(0, len(found), SCREEN):
            part = found[start : start + SCREEN]
            pairs = {one.mark: (Address.parse(one.left), Address.parse(one.right)) for one in part}
            states = catalogue.states_of_addresses(conn, {one for pair in pairs.values() for one in pair})
            homes = {one.address: one.cluster_id for one in states}
            judged = links.labelled(conn, pairs.values())
            for one in part:
                ends = homes.get(one.left), homes.get(one.right)
                if pairs[one.mark] not in judged and None not in ends and ends[0] != ends[1]:
                    left.append(one._replace(clusters=(ends[0] or 0, ends[1] or 0)))
            if len(left) >= number:
                break
    return left[:number]


def _case(visit: Visit, one: Item) -> Case | None:
    partners = {seeing.partner_of_address(visit, address) for address in (one.left, one.right)}
    if not visit.may("review", partners):
        return None
    mark = hashlib.blake2b(f"{one.left}\n{one.right}".encode(), digest_size=5).hexdigest()
    return Case(one.left, one.right, one.clusters, one.score, one.reasons, one.titles, mark)


@pages.get("/review", needs="review")
def review(visit: Visit) -> View:
    """The next pair, or as a sheet the next LIST of them."""
    found = cases(visit, LIST if visit.suffix else 1)
    case = found[0] if found else None
    with visit.pipeline.database.read() as conn:
        versions = catalogue.clusters(conn, case.clusters) if case else {}
        records, heads = _records(visit, conn, case)
    steps = _steps(visit, case)
    data: dict[str, Any] = {"waiting": doubtful(visit), "case": case._asdict() if case else None, **steps}
    if case:
        told = explaining.explain(visit.pipeline, case.left, case.right)
        data |= {
            "evidence": seeing.evidence(visit, told["today"]["evidence"], (case.left, case.right)),
            "score": told["today"]["score"],
            "limits": told["thresholds"],
            "sides": seeing.side_by_side(records),
            "heads": heads,
            "versions": {key: row["version"] for key, row in versions.items()},
        }
    return View("review.html", data, SHEET, _sheet(found))


SHEET = ("left", "right", "score", "reasons")


def _sheet(found: list[Case]) -> list[list[Any]]:
    return [[one.left, one.right, one.score, "; ".join(one.reasons)] for one in found]


def _steps(visit: Visit, case: Case | None) -> dict[str, Any]:
    """The way on and the way back: `skip` passes this pair over, `back` takes back the skip that was the last act.

    `back` in the query counts the skips since the last verdict: behind them it is the verdict that can be undone.
    """
    skipped = [*filter(None, visit.query("skip").split("."))]
    last = {name: visit.query(name) for name in ("verdict", "last", "unlabel") if visit.query(name)}
    steps = visit.number("back", high=len(skipped))

    def way(skipped: list[str], steps: int) -> str:
        return f"/review?{urlencode({'skip': '.'.join(skipped), **last, 'back': steps})}"

    return {
        "skipped": ".".join(skipped),
        "undoable": visit.number("last"),
        "unlabel": visit.query("unlabel"),
        "verdict": "" if steps else visit.query("verdict"),
        "skip": way([*skipped, case.mark][-SKIPPED:], min(steps + 1, SKIPPED)) if case else "",
        "back": way(skipped[:-1], steps - 1) if steps else "",
    }


def _records(visit: Visit, conn: Connection, case: Case | None) -> tuple[list[Any], list[str]]:
    if case is None:
        return [], []
    addresses = [Address.parse(case.left), Address.parse(case.right)]
    states = {one.address: one for one in catalogue.states_of_addresses(conn, addresses)}
    return [seeing.record(visit, conn, states[one]) for one in (case.left, case.right)], [case.left, case.right]


@pages.post("/review", needs="review")
def judge(visit: Visit) -> Response:
    """One verdict: carried out, kept as a label for training, and on to the next pair."""
    verdict, left, right = visit.field("verdict"), visit.field("left"), visit.field("right")
    if verdict == "undo":
        return _undo(visit)
    if verdict not in ("merge", "apart", "never"):
        raise UsageError("no such verdict")
    pair = _checked(visit, left, right)
    reason = visit.field("reason").strip() or visit.gettext("judged in review")
    last: dict[str, Any] = {"unlabel": f"{left}\n{right}"}
    if verdict != "apart":
        result = _carried_out(visit, verdict, left, right, reason)
        last["last"] = result.decision
        visit.note(f"review: {verdict}", f"{left} {right}", told_groups(result.before), told_groups(result.after))
    else:
        visit.note("review: apart", f"{left} {right}")
    with visit.pipeline.database.write(durable=True) as conn:
        links.add_label(conn, *pair, verdict == "merge", visit.person.name, visit.pipeline.now())
    return RedirectResponse(f"/review?{urlencode({'skip': visit.field('skip'), 'verdict': verdict, **last})}", 303)


def _checked(visit: Visit, left: str, right: str) -> tuple[Address, Address]:
    """Both records, if their clusters are those that the person saw."""
    pair = Address.parse(left), Address.parse(right)
    with visit.pipeline.database.read() as conn:
        states = {one.address: one for one in catalogue.states_of_addresses(conn, pair)}
        if len(states) != 2:
            raise Gone("no such record")
        rows = catalogue.clusters(conn, [one.cluster_id for one in states.values() if one.cluster_id])
    visit.need("review", {one.partner for one in states.values()})
    for state in states.values():
        key = state.cluster_id or 0
        if visit.field(f"version-{key}") != str(rows.get(key, {}).get("version")):
            raise deciding.StaleCluster(f"cluster {key} has changed since you looked")
    return pair


def _carried_out(visit: Visit, verdict: str, left: str, right: str, reason: str) -> deciding.Result:
    if verdict == "merge":
        expected = {
            int(name[8:]): int(value)
            for name, value in visit.form.items()
            if name.startswith("version-") and name[8:].isdecimal() and str(value).isdecimal()
        }
        return deciding.merge(visit.pipeline, [left, right], visit.person.name, reason, expected_version=expected)
    return deciding.never(visit.pipeline, left, right, visit.person.name, reason)


def _undo(visit: Visit) -> Response:
    """Take back the last verdict: the decision, if it was one, and its label."""
    number = visit.field("last")
    left, _, right = visit.field("unlabel").replace("\r", "").partition("\n")
    pair = Address.parse(left), Address.parse(right)
    if number.isdecimal() and int(number):
        told = deciding.decision(visit.pipeline, int(number))
        if told["author"] != visit.person.name:
            visit.need("users")
        result = deciding.undo(visit.pipeline, int(number), visit.person.name, visit.gettext("undone in review"))
        visit.note("undo", f"decision {number}", told_groups(result.before), told_groups(result.after))
    with visit.pipeline.database.write(durable=True) as conn:
        desk.forget_label(conn, *pair, visit.person.name)
    return RedirectResponse(f"/review?{urlencode({'skip': visit.field('skip'), 'verdict': 'undo'})}", 303)


# ---- many at once ------------------------------------------------------------------------------------


@pages.get("/review/list", needs="review")
def listed(visit: Visit) -> View:
    """The next pairs as a list, for one verdict on many."""
    found = cases(visit, LIST)
    return View("review_list.html", {"cases": [case._asdict() for case in found]}, SHEET, _sheet(found))


@pages.post("/review/bulk", needs="review")
def bulk(visit: Visit) -> View | Response:
    """Merge, or keep apart for ever, the ticked pairs; first every effect is shown."""
    verdict, reason = visit.field("verdict"), visit.field("reason").strip()
    chosen = visit.fields("pair")[:BULK]
    if verdict not in ("merge", "never") or not chosen:
        raise UsageError("nothing was selected")
    pairs = [tuple(one.replace("\r", "").split("\n", 1)) for one in chosen]
    _check_pairs(visit, pairs)
    if visit.field("step") != "do":
        results = [_foreseen(visit, verdict, left, right, reason) for left, right in pairs]
        hidden = [("verdict", verdict), *(("pair", one) for one in chosen)]
        title = visit.gettext("Merge these pairs") if verdict == "merge" else visit.gettext("Keep these pairs apart")
        return confirm(visit, "/review/bulk", title, hidden, reason, _together(results))
    unchanged(visit)
    reason = reason or visit.gettext("judged in review")
    for left, right in pairs:
        result = _foreseen(visit, verdict, left, right, reason, preview=False)
        visit.note(f"review: {verdict}", f"{left} {right}", told_groups(result.before), told_groups(result.after))
        with visit.pipeline.database.write(durable=True) as conn:
            pair = Address.parse(left), Address.parse(right)
            links.add_label(conn, *pair, verdict == "merge", visit.person.name, visit.pipeline.now())
    return RedirectResponse("/review/list", 303)


def _check_pairs(visit: Visit, pairs: list[Any]) -> None:
    """Every pair must be one that this person may judge."""
    with visit.pipeline.database.read() as conn:
        for pair in pairs:
            if len(pair) != 2:
                raise UsageError("no such record")
            states = catalogue.states_of_addresses(conn, [Address.parse(one) for one in pair])
            visit.need("review", {one.partner for one in states})


def _foreseen(visit: Visit, verdict: str, left: str, right: str, reason: str, preview: bool = True) -> deciding.Result:
    who = visit.person.name
    if verdict == "merge":
        return deciding.merge(visit.pipeline, [left, right], who, reason, preview=preview)
    return deciding.never(visit.pipeline, left, right, who, reason, preview=preview)


def _together(results: list[deciding.Result]) -> deciding.Result:
    """The effects of several decisions as one list."""
    return deciding.Result(
        preview=True,
        before=tuple(dict.fromkeys(group for one in results for group in one.before)),
        after=tuple(dict.fromkeys(group for one in results for group in one.after)),
        feed=tuple(dict.fromkeys(row for one in results for row in one.feed)),
        contradictions=tuple(dict.fromkeys(text for one in results for text in one.contradictions)),
        notes=tuple(dict.fromkeys(text for one in results for text in one.notes)),
    )
