"""Answers to programs outside (the HTTP API): clusters, records, holdings, search, changes. Reads only, released only.

Every answer comes from one snapshot of the database. Defaults are left out of the JSON: an absent key is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection

from db import asked, catalogue, changes, search
from db.feed_reader import numbers
from harvester.answers import (
    ChangesAnswer,
    ClusterAnswer,
    HeldCluster,
    Hit,
    HoldingLine,
    HoldingsAnswer,
    MemberLine,
    PartnerLine,
    RecordAnswer,
    ResyncAnswer,
    SearchAnswer,
    SnapshotEnd,
    SnapshotHead,
)
from harvester.errors import UsageError
from harvester.identifiers import isbns, issns, standard_number
from harvester.model import Catalogue, ClusterDocument, Holding, Identifier, Member, Partner
from harvester.outputs.batch import institution, partner_of
from harvester.pipeline import Pipeline
from harvester.publishing import snapshot

NOT_LIVE = "what the libraries last told us, as of the date given; not whether a copy is on the shelf now"
MOST_CLUSTERS = 50  # with one identifier: more is a bogus number
MEANT: dict[str, Callable[[str], tuple[Identifier, ...]]] = {"isbn": isbns, "issn": issns}


class Gone(UsageError):
    """The cluster ended, and no other took its records."""


class Unknown(UsageError):
    """There is no such cluster or record, or none that may be seen."""


class Moved(UsageError):
    """The cluster was merged into another; `target` is its id."""

    target = ""


def document(pipeline: Pipeline, cluster: str) -> tuple[ClusterDocument, Sequence[Partner]]:
    """The released document of a living cluster, and the partners.

    Raises:
        Moved, Gone, Unknown: there is none under this id.
    """
    with snapshot(pipeline) as (conn, released):
        return _document(conn, released, cluster), released.partners()


def _document(conn: Connection, released: Catalogue, cluster: str) -> ClusterDocument:
    found = released.documents([cluster]).get(cluster)
    if found is not None:
        return found
    for number in numbers([cluster]):
        target = str(catalogue.resolve(conn, number))
        if target != cluster and target in released.documents([target]):
            moved = Moved(f"cluster {cluster} was merged into {target}")
            moved.target = target
            raise moved
    touch = released.touch(cluster)
    if touch is not None and touch.deleted:
        raise Gone(f"cluster {cluster} holds nothing any more")
    if touch is not None:
        raise Unknown(f"cluster {cluster} is not shown until it is merged again: a policy has changed")
    raise Unknown(f"no cluster {cluster[:40]}")


def cluster_answer(found: ClusterDocument, owners: dict[str, Partner]) -> ClusterAnswer:
    """The document as the API shows it."""
    union = found.union
    members = tuple(_line(one, owners) for one in found.members)
    return ClusterAnswer(found.cluster, found.created, found.changed, union.record, union.survivors, members)


def _line(one: Member, owners: dict[str, Partner]) -> MemberLine:
    source, identifier = one.address
    return MemberLine(str(one.address), source, identifier, _code(owners, source), one.datestamp)


def _code(owners: dict[str, Partner], source: str) -> str:
    return owners[source].code if source in owners else source


def record(pipeline: Pipeline, source: str, identifier: str) -> RecordAnswer:
    """One partner's record.

    Raises:
        Unknown: there is none that may be seen.
    """
    with snapshot(pipeline) as (conn, released):
        home = asked.home_of(conn, source, identifier)
        found = released.documents([str(home)]) if home is not None else {}
        known = partner_of(released.partners())
    for cluster, one in found.items():
        for member in one.members:
            if member.address == (source, identifier):
                code = _code(known, source)
                return RecordAnswer(str(member.address), code, cluster, member.record, member.datestamp)
    raise Unknown("no such record")


def holdings(pipeline: Pipeline, kind: str, value: str) -> HoldingsAnswer:
    """Who holds what carries this ISBN or ISSN, or (kind `cluster`) this cluster.

    Raises:
        UsageError: no number of that kind.
        Moved, Gone, Unknown: of a cluster.
    """
    with snapshot(pipeline) as (conn, released):
        if kind == "cluster":
            found = [_document(conn, released, value)]
        else:
            meant = [one.value for one in MEANT[kind](value) if one.status == "valid"]
            if len(meant) != 1:
                raise UsageError(f"that is no {kind.upper()}: {value[:40]!r}")
            value = meant[0]
            ids = catalogue.by_identifier(conn, kind, value)[:MOST_CLUSTERS]
            found = list(released.documents([str(one) for one in ids]).values())
        times = asked.last_complete(conn)
        known = partner_of(released.partners())
    held = tuple(_held(one, known, times) for one in found)
    return HoldingsAnswer(f"{kind}:{value}", NOT_LIVE, held, False)


def _held(found: ClusterDocument, owners: dict[str, Partner], times: dict[str, str]) -> HeldCluster:
    union = found.union.record
    lines = tuple(
        _holding(one, holding, owners.get(one.address.source), times.get(one.address.source, "")[:10])
        for one in found.members
        for holding in one.record.holdings
    )
    return HeldCluster(found.cluster, union.title.whole, lines, union.dates.year_from)


def _holding(one: Member, holding: Holding, owner: Partner | None, as_of: str) -> HoldingLine:
    return HoldingLine(
        partner=owner.code if owner else one.address.source,
        name=institution(owner) if owner else one.address.source,
        address=str(one.address),
        as_of=as_of,
        isil=owner.isil if owner else "",
        branch=holding.branch,
        collection=holding.collection,
        call_number=holding.call_number,
        copies=holding.copies,
        lending=holding.lending or (owner.lending if owner else ""),
        serial_statement=holding.serial_statement,
        url=holding.url,
        access_note=holding.access_note,
    )


def find(pipeline: Pipeline, query: search.Query, limit: int, offset: int) -> SearchAnswer:
    """The clusters that match *query*, of which the words may be an ISBN or ISSN as it is printed."""
    query = query._replace(terms=standard_number(query.terms) or query.terms)
    with snapshot(pipeline) as (conn, _):
        total, ids = search.find(conn, query, limit, offset)
        lines = catalogue.briefs(conn, ids)
    names = ("title", "author", "year", "material", "language", "members", "partners")
    hits = [Hit(str(one), **{name: lines[one][name] for name in names}) for one in ids if one in lines]
    return SearchAnswer(total, offset, tuple(hits))


def feed(
    pipeline: Pipeline, epoch: str, since: int, limit: int, documents: bool = False
) -> ChangesAnswer | ResyncAnswer:
    """A page of the feed after *since*."""
    with snapshot(pipeline) as (conn, released):
        must = changes.resync(conn, epoch, since)
        if must is not None:
            return ResyncAnswer("resync", must.reason, must.epoch, must.released, must.kept_since, "/api/snapshot")
        rows = tuple(released.changes(since, limit))
        found: Sequence[ClusterDocument] = ()
        if documents:
            found = list(released.documents(list(dict.fromkeys(row.cluster for row in rows))).values())
        known = partner_of(released.partners())
    shown = tuple(cluster_answer(one, known) for one in found)
    last = rows[-1].seq if rows else since
    return ChangesAnswer(released.epoch, released.released, released.kept_since, last, rows, shown)


def everything(pipeline: Pipeline) -> Iterator[SnapshotHead | ClusterAnswer | SnapshotEnd]:
    """The whole released catalogue, from one snapshot of the database: its position, every cluster, how many."""
    number = 0
    with snapshot(pipeline) as (_, released):
        known = partner_of(released.partners())
        yield SnapshotHead(released.epoch, released.released)
        for page in released.pages():
            for one in page:
                number += 1
                yield cluster_answer(one, known)
    yield SnapshotEnd(True, number)


def partners(pipeline: Pipeline) -> list[PartnerLine]:
    """The libraries whose records may be seen."""
    names = ("isil", "npp", "type", "region", "group", "opac_url", "lending", "licence")
    with snapshot(pipeline) as (_, released):
        return [
            PartnerLine(one.code, institution(one), one.name_en, **{name: getattr(one, name) for name in names})
            for one in released.partners()
            if one.policy.visibility == "public"
        ]
