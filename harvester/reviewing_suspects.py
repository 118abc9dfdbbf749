"""What is odd about a cluster: a weak link, a bridge, members that disagree, sudden growth, an ISBN elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from db import catalogue, ledger, links
from db.catalogue import RecordState
from db.links import Decided
from harvester.match import compare
from harvester.match.rules import Rules
from harvester.model import Address, NormalizedRecord, Profile, Value
from harvester.normalize.parts import split_part
from harvester.resolving import read_profiles

_decode = msgspec.json.Decoder(NormalizedRecord).decode
WEAK_POINTS = 5.0  # a link so near to the threshold is weak: one unit of log-odds
MANY = 60  # nodes of a cluster that are compared pair by pair; clusters of one ISBN that are looked at
PORTION = 50  # clusters whose records are held at once
PAGES_PERCENT = 15
ELSEWHERE = 3  # clusters that are named for one ISBN: a number printed on everything stands on thousands


def N_(text: str) -> str:
    """Marks a text for translation."""
    return text


SENTENCES = {
    "years": N_("years from %(low)s to %(high)s"),
    "editions": N_("editions %(all)s"),
    "pages": N_("from %(low)s to %(high)s pages"),
    "classes": N_("Dewey numbers %(all)s"),
    "isbn_titles": N_("ISBN %(isbn)s stands on titles without a common word"),
    "no_link": N_("no link that the rules would make joins %(left)s and %(right)s (%(score)s)"),
    "weak": N_("the weakest link, %(left)s and %(right)s, is just above the threshold (%(score)s)"),
    "bridge": N_("a single link, %(left)s and %(right)s, is the bridge between %(here)s and %(there)s others"),
    "grown": N_("%(number)s of %(members)s records came with the last match"),
    "isbn_elsewhere": N_("ISBN %(isbn)s stands also on cluster %(cluster)s: %(title)s"),
    "isbn_everywhere": N_("ISBN %(isbn)s stands on %(number)s further clusters"),
}
AROUND = ("grown", "isbn_elsewhere", "isbn_everywhere")  # what other clusters and the last match have to do with it


class Reason(Value, frozen=True):
    """Why a cluster is odd: a code of SENTENCES with its values, in no language."""

    weight: float
    code: str
    values: dict[str, Any] = {}

    def sentence(self, gettext: Callable[[str], str] = str, titles: Mapping[int, str] = {}) -> str:
        """The reason in words; *titles* are those of other clusters."""
        title = titles.get(self.values.get("cluster", 0), "")
        return gettext(SENTENCES[self.code]) % {"title": title, **self.values}


class Suspicion(Value, frozen=True):
    """A cluster, what is odd about it, and the two members that show it best."""

    cluster: int
    left: str
    right: str
    score: float
    records: int
    partners: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def worth(self) -> float:
        """What a look at it is worth: the reasons, times how many records hang on it."""
        return round(sum(one.weight for one in self.reasons) * (1 + math.log2(max(2, self.records))), 3)


class _View(NamedTuple):
    """A cluster with what is needed to look at it: a first record, profile and class number of each node.

    `joined` are groups of nodes of which people said that they belong together.
    """

    cluster: int
    members: Sequence[RecordState]
    firsts: Mapping[int, RecordState]
    profiles: Mapping[int, Profile]
    classes: Mapping[int, str]
    joined: Sequence[Collection[int]]


def suspicions(conn: Connection, rules: Rules, keys: Sequence[int], around: Around) -> list[Suspicion]:
    """The clusters among *keys* about which something is odd."""
    found = []
    portions = (keys[start : start + PORTION] for start in range(0, len(keys), PORTION))
    for view in (one for portion in portions for one in _views(conn, portion)):
        reasons = list(_disagreements(view))
        left, right, score, weak = _weakest(rules, view)
        reasons += weak
        reasons += around.reasons(view.cluster, len(view.members))
        if reasons:
            partners = tuple(sorted({one.partner for one in view.members}))
            found.append(Suspicion(view.cluster, left, right, score, len(view.members), partners, tuple(reasons)))
    return found


def _joined(
    held: Mapping[int, Sequence[RecordState]], decisions: Iterable[Decided]
) -> Mapping[int, Sequence[Collection[int]]]:
    """Cluster → groups of its nodes that a person put together; of records that are not in it nothing is said."""
    home = {
        Address(one.source, one.identifier): (key, one.node_id)
        for key, several in held.items()
        for one in several
        if one.node_id is not None
    }
    found: dict[int, list[Collection[int]]] = {}
    for side in (side for one in decisions if one.kind in ("must", "split") for side in one.sides):
        here: dict[int, set[int]] = {}
        for key, node in (home[one] for one in side if one in home):
            here.setdefault(key, set()).add(node)
        for key, nodes in here.items():
            found.setdefault(key, []).append(nodes)
    return found


class Around:
    """What stands around clusters: how much the last match brought them, and where else their ISBNs stand."""

    def __init__(self, conn: Connection, grown: Mapping[int, int], shared: Iterable[tuple[str, Sequence[int]]]) -> None:
        self.grown = grown
        all_of = dict(shared)
        self.shared = {value: several[:MANY] for value, several in all_of.items()}
        self.surplus = {value: len(several) - MANY for value, several in all_of.items() if len(several) > MANY}
        self.isbns: dict[int, list[str]] = {}
        for value, several in self.shared.items():
            for key in several:
                self.isbns.setdefault(key, []).append(value)
        self.words = {key: _words(str(row["title"])) for key, row in catalogue.briefs(conn, self.isbns).items()}

    def reasons(self, key: int, members: int) -> Iterator[Reason]:
        """Why *key*, with so many members, is odd beside the others."""
        number = self.grown.get(key, 0)
        if number * 2 > members and number < members:
            yield Reason(1.0, "grown", {"number": number, "members": members})
        mine = self.words.get(key, frozenset())
        for value in self.isbns.get(key, ()):
            others = [one for one in self.shared[value] if mine.isdisjoint(self.words.get(one, ())) and one != key]
            for other in others[:ELSEWHERE]:
                yield Reason(1.0, "isbn_elsewhere", {"isbn": value, "cluster": other})
            more = len(others) - ELSEWHERE + self.surplus.get(value, 0)
            if more > 0:
                yield Reason(0.0, "isbn_everywhere", {"isbn": value, "number": more})


def _words(title: str) -> frozenset[str]:
    """The words of the title proper: volumes of different works are alike in "Jilid 2"."""
    proper, _ = split_part(title.partition(" : ")[0])
    return frozenset(word.strip(".,") for word in proper.lower().split())


def _views(conn: Connection, keys: Sequence[int]) -> Iterator[_View]:
    held = catalogue.members(conn, keys)
    firsts: dict[int, dict[int, RecordState]] = {}
    for key, members in held.items():
        for one in reversed(members):
            if one.node_id is not None:
                firsts.setdefault(key, {})[one.node_id] = one
    nodes = {node for by_node in firsts.values() for node in by_node}
    profiles = {key: found for key, (found, _) in read_profiles(conn, nodes).items()}
    bodies = ledger.normalized_bodies(conn, [one.record_id for by_node in firsts.values() for one in by_node.values()])
    said = links.concerning(conn, [(one.source, one.identifier) for several in held.values() for one in several])
    joined = _joined(held, said)
    for key in keys:
        mine = firsts.get(key, {})
        if not mine:
            continue
        classes = {node: _class(bodies.get(one.record_id)) for node, one in mine.items()}
        ordered = dict(sorted(mine.items(), key=lambda pair: pair[1].order))
        yield _View(key, held[key], ordered, profiles, classes, joined.get(key, ()))


def _class(body: bytes | None) -> str:
    """The first three digits of the Dewey number, or ""."""
    if body is None:
        return ""
    values = (one.value for one in _decode(body).classifications if one.scheme == "ddc")
    return next((value[:3] for value in values if value[:3].isdigit()), "")


def _disagreements(view: _View) -> Iterator[Reason]:
    profiles = [view.profiles[node] for node in view.firsts]
    years = sorted({one.year for one in profiles if one.year})
    if years and years[-1] - years[0] > 1:
        yield Reason(1.0, "years", {"low": years[0], "high": years[-1]})
    editions = sorted({one.edition for one in profiles if one.edition})
    if len(editions) > 1:
        yield Reason(2.0, "editions", {"all": ", ".join(map(str, editions))})
    pages = sorted({one.pages for one in profiles if one.pages})
    if pages and (pages[-1] - pages[0]) * 100 > PAGES_PERCENT * pages[-1]:
        yield Reason(1.0, "pages", {"low": pages[0], "high": pages[-1]})
    classes = sorted({one[:1] for one in view.classes.values() if one})
    if len(classes) > 1:
        yield Reason(1.0, "classes", {"all": ", ".join(sorted({one for one in view.classes.values() if one}))})
    by_isbn: dict[str, list[Profile]] = {}
    for one in profiles:
        for value in one.isbns:
            by_isbn.setdefault(value, []).append(one)
    for value, carriers in sorted(by_isbn.items()):
        words = [set(one.words) for one in carriers if one.words]
        if len(words) > 1 and not set.intersection(*words):
            yield Reason(2.0, "isbn_titles", {"isbn": value})


def _weakest(rules: Rules, view: _View) -> tuple[str, str, float, list[Reason]]:
    """(left, right, score, reasons): the lowest link of the strongest tree through the cluster.

    What people joined is one: the tree has no link there, and where all is one, nothing is doubtful.
    """
    nodes = list(view.firsts)[:MANY]
    addresses = [view.firsts[node].address for node in nodes]
    if len(nodes) < 2:
        left, right = view.members[0].address, view.members[-1].address
        return left, right, 0.0, []
    scores = {
        (one, other): compare.explain(view.profiles[nodes[one]], view.profiles[nodes[other]], rules).score
        for one in range(len(nodes))
        for other in range(one + 1, len(nodes))
    }
    joined = [[at for at, node in enumerate(nodes) if node in group] for group in view.joined]
    ends, parts = _last_union(len(nodes), scores, joined)
    if not parts:
        ends, _parts = _last_union(len(nodes), scores)
        return addresses[ends[0]], addresses[ends[1]], scores[ends], []
    low = scores[ends]
    reasons: list[Reason] = []
    pair = {"left": addresses[ends[0]], "right": addresses[ends[1]], "score": f"{low:+.1f}"}
    if low < rules.merge_at:
        reasons.append(Reason(3.0, "no_link", pair))
    elif low < rules.merge_at + WEAK_POINTS:
        reasons.append(Reason(1.0, "weak", pair))
    crossing = [(one, other) for one in parts[0] for other in parts[1]]
    strong = sum(1 for one, other in crossing if scores[min(one, other), max(one, other)] >= rules.merge_at)
    if strong == 1 and min(len(parts[0]), len(parts[1])) > 1:
        reasons.append(Reason(2.0, "bridge", {**pair, "here": len(parts[0]), "there": len(parts[1])}))
    return addresses[ends[0]], addresses[ends[1]], low, reasons


def _last_union(
    number: int, scores: Mapping[tuple[int, int], float], joined: Iterable[Sequence[int]] = ()
) -> tuple[tuple[int, int], tuple[list[int], ...]]:
    """The lowest edge of the strongest tree through 0 … number-1, and the two parts that it joins.

    No parts when the groups *joined* beforehand leave no edge.
    """
    part = {one: [one] for one in range(number)}

    def unite(several: Iterable[int]) -> None:
        whole = list(dict.fromkeys(one for end in several for one in part[end]))
        part.update(dict.fromkeys(whole, whole))

    for group in joined:
        unite(group)
    ends: tuple[int, int] = (0, 1)
    parts: tuple[list[int], ...] = ()
    for (one, other), _ in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])):
        if part[one] is not part[other]:
            ends, parts = (one, other), (part[one], part[other])
            unite((one, other))
    return ends, parts
