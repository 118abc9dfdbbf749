"""Solr in VuFind's deduplication shape. Tried against a stand-in that enforces schema and update semantics, and
not against Solr itself, which no package registry carries.

A cluster's documents travel together: first everything else of the cluster goes (delete by query), then its documents
come, in one request; so members that move between clusters, 1→2, 2→1 and splits need no memory of what was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from harvester.errors import ConfigError
from harvester.model import Catalogue, ClusterDocument
from harvester.outputs import outputs
from harvester.outputs.batch import Batch, Drift, Opening, OutputState, Rejection, institutions, option, partner_of
from harvester.outputs.deliver import paged
from harvester.outputs.privacy import released
from harvester.outputs.solr_client import DocumentRefused, SolrClient, terms
from harvester.outputs.solr_documents import Recipe, documents_of
from harvester.outputs.solr_fields import NOT_STORED, Document

CLUSTER_FIELD = "dedup_id_str_mv"
# Filled by Solr itself (copyField, versions); a fork of VuFind names its own in the option `ignore`.
_COPIED = (
    "_version_ _root_ spelling spellingShingle title_fullStr title_full_unstemmed allfields_unstemmed author_facet "
    "fulltext_unstemmed topic_unstemmed topic_browse author_browse publisherStr hierarchy_browse score"
)
COPIED = frozenset(_COPIED.split())
CLUSTERS_A_REQUEST = 1000


class Parcel(NamedTuple):
    """The documents of one cluster; without a cluster it is gone."""

    cluster_id: str
    cluster: ClusterDocument | None
    documents: list[Document]
    size: int


class Limits(NamedTuple):
    """Bounds of a request, and after how many milliseconds Solr makes it visible by itself."""

    max_bytes: int
    max_documents: int
    commit_within: int


class Solr:
    """One VuFind core."""

    def __init__(
        self, client: SolrClient, recipe: Recipe, limits: tuple[int, int, int], ignored: frozenset[str]
    ) -> None:
        self._client = client
        self._recipe = recipe
        self._max_bytes, self._max_documents, self._within = limits
        self._ignored = COPIED | NOT_STORED | ignored

    def apply(self, batch: Batch) -> Sequence[Rejection]:
        """Send the documents of changed clusters and take those of gone ones out."""
        parcels = [self._parcel(document) for document in batch.documents.values()]
        parcels += [Parcel(cluster, None, [], 0) for cluster in batch.gone]
        return self._send_all(parcels)

    def snapshot(self, catalogue: Catalogue) -> Sequence[Rejection]:
        """Send every cluster, then take out documents of clusters that are none."""
        catalogue = released(catalogue)
        rejected: list[Rejection] = []
        for page in catalogue.pages():
            rejected += self._send_all([self._parcel(document) for document in page])
        self._client.commit()
        for surplus, _ in self._orphans(catalogue):
            self._delete(surplus)
        self._client.commit()
        return rejected

    def lost(self, state: OutputState) -> str:
        """Nothing: only a comparison tells what an index lacks."""
        return ""

    def verify(self, catalogue: Catalogue, repair: bool = False) -> Drift:
        """Compare every stored field of every document; *repair* resends or deletes exactly what differs."""
        catalogue = released(catalogue)
        self._client.commit()
        drift = _Drifting()
        for page in catalogue.pages():
            self._compare(page, drift, repair)
        for extra, owners in self._orphans(catalogue):
            drift.surplus += extra
            drift.there.update(owners)
            if repair:
                self._delete(extra)
        if repair:
            self._client.commit()
        return drift.result(repair)

    def _compare(self, page: Sequence[ClusterDocument], drift: _Drifting, repair: bool) -> None:
        expected = {str(one["id"]): one for document in page for one in documents_of(document, self._recipe)}
        found = self._found([document.cluster for document in page])
        wrong = [key for key, one in expected.items() if key in found and self._differ(one, found[key])]
        absent = [key for key in expected if key not in found]
        extra = [key for key in found if key not in expected]
        drift.counts.update(_owners(expected.values()))
        drift.missing += absent
        drift.different += wrong
        drift.surplus += extra
        if repair:
            self._delete(extra)
            for key in (*absent, *wrong):
                if why := self._refusal(expected[key]):
                    drift.notes.append(f"{key} is refused: {why}")

    # ---- sending -------------------------------------------------------------------------------------

    def _parcel(self, cluster: ClusterDocument, without: frozenset[str] = frozenset()) -> Parcel:
        documents = documents_of(cluster, self._recipe, without)
        return Parcel(cluster.cluster, cluster, documents, len(msgspec.json.encode(documents)))

    def _send_all(self, parcels: Sequence[Parcel]) -> list[Rejection]:
        return [one for request in self._requests(parcels) for one in self._send(request)]

    def _requests(self, parcels: Iterable[Parcel]) -> Iterator[list[Parcel]]:
        """*parcels* in requests within the limits; a cluster is never parted from itself."""
        request: list[Parcel] = []
        size = count = 0
        for parcel in parcels:
            full = size + parcel.size > self._max_bytes or count + len(parcel.documents) > self._max_documents
            if request and (full or len(request) >= CLUSTERS_A_REQUEST):
                yield request
                request, size, count = [], 0, 0
            request.append(parcel)
            size, count = size + parcel.size, count + len(parcel.documents)
        if request:
            yield request

    def _send(self, parcels: Sequence[Parcel]) -> list[Rejection]:
        """Send one request; halve it until what is refused stands alone."""
        try:
            self._post(parcels)
        except DocumentRefused as error:
            if len(parcels) > 1:
                middle = len(parcels) // 2
                return self._send(parcels[:middle]) + self._send(parcels[middle:])
            return self._without_refused(parcels[0], error.message)
        return []

    def _without_refused(self, parcel: Parcel, reason: str) -> list[Rejection]:
        """Deliver the documents of a cluster that are accepted, in a shape that is valid without the others."""
        rejected = [
            Rejection(parcel.cluster_id, str(document["id"]), why)
            for document in parcel.documents
            if (why := self._refusal(document))
        ]
        rest = parcel
        if parcel.cluster is not None and rejected:
            rest = self._parcel(parcel.cluster, frozenset(one.document for one in rejected))
        if not self._sent_in_parts(rest):
            rejected.append(Rejection(parcel.cluster_id, parcel.cluster_id, reason))
        return rejected

    def _sent_in_parts(self, parcel: Parcel) -> bool:
        try:
            self._post([parcel._replace(documents=[])], [str(one["id"]) for one in parcel.documents])
            self._add(parcel.documents)
        except DocumentRefused:
            return False
        return True

    def _refusal(self, document: Document) -> str:
        try:
            self._add([document])
        except DocumentRefused as error:
            return error.message
        return ""

    def _post(self, parcels: Sequence[Parcel], keep: Sequence[str] = ()) -> None:
        documents = [document for parcel in parcels for document in parcel.documents]
        query = "+" + terms(CLUSTER_FIELD, [parcel.cluster_id for parcel in parcels])
        kept = [*keep, *(str(document["id"]) for document in documents)]
        if kept:
            query += " -" + terms("id", kept)
        commands: dict[str, object] = {"delete": {"query": query}}
        if documents:
            commands["add"] = documents
        self._client.update(msgspec.json.encode(commands), commitWithin=str(self._within))

    def _add(self, documents: Sequence[Document]) -> None:
        size, request = 0, list[Document]()
        for document in documents:
            length = len(msgspec.json.encode(document))
            if request and (size + length > self._max_bytes or len(request) >= self._max_documents):
                self._client.update(msgspec.json.encode(request), commitWithin=str(self._within))
                size, request = 0, []
            request.append(document)
            size += length
        if request:
            self._client.update(msgspec.json.encode(request), commitWithin=str(self._within))

    def _delete(self, ids: Sequence[str]) -> None:
        for page in paged(ids, CLUSTERS_A_REQUEST):
            self._client.update(msgspec.json.encode({"delete": page}), commitWithin=str(self._within))

    # ---- comparing -----------------------------------------------------------------------------------

    def _found(self, clusters: Sequence[str]) -> dict[str, Document]:
        pages = self._client.select(terms(CLUSTER_FIELD, clusters))
        return {str(document["id"]): document for page in pages for document in page}

    def _differ(self, expected: Document, found: Document) -> bool:
        names = {*expected, *found} - self._ignored
        return any(expected.get(name) != found.get(name) for name in names)

    def _orphans(self, catalogue: Catalogue) -> Iterator[tuple[list[str], Counter[str]]]:
        """For each page of the index: ids of documents whose clusters are all gone, and members per source.

        A document without a cluster was put there by somebody else and is left alone.
        """
        fields = f"id,{CLUSTER_FIELD},source_str_mv,merged_boolean"
        for page in self._client.select(f"{CLUSTER_FIELD}:*", fields):
            clusters = {one for document in page for one in document.get(CLUSTER_FIELD, ())}
            alive = catalogue.documents(sorted(clusters))
            gone = [one for one in page if not any(cluster in alive for cluster in one.get(CLUSTER_FIELD, ()))]
            yield [str(one["id"]) for one in gone], _owners(page)


class _Drifting:
    """Drift while it is being found."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.different: list[str] = []
        self.surplus: list[str] = []
        self.notes: list[str] = []
        self.counts: Counter[str] = Counter()
        self.there: Counter[str] = Counter()

    def result(self, repaired: bool) -> Drift:
        found = [tuple(sorted(names)) for names in (self.missing, self.different, self.surplus)]
        compared = tuple((name, self.counts[name], self.there[name]) for name in sorted({*self.counts, *self.there}))
        total = sum(map(len, found)) - len(self.notes) if repaired else 0
        return Drift(found[0], found[1], found[2], compared, tuple(self.notes), total)


def _owners(documents: Iterable[Document]) -> Counter[str]:
    return Counter(
        source for one in documents if not one.get("merged_boolean") for source in one.get("source_str_mv", ())
    )


@outputs.register("solr")
def open_solr(opening: Opening) -> Solr:
    """A core at *url* (…/solr/biblio).

    Options: max_bytes, max_documents, commit_within (ms), tries, wait, timeout and patience (seconds), ignore (fields).

    Raises:
        ConfigError: no url, or a setting of the wrong type.
    """
    if not opening.url:
        raise ConfigError("needs the url of a Solr core", place=f"outputs.{opening.name}")
    try:
        limits = Limits(
            option(opening, "max_bytes", 1_000_000),
            option(opening, "max_documents", 5_000),
            option(opening, "commit_within", 60_000),
        )
        client = SolrClient(opening.url, opening.clock, _auth(opening), option(opening, "tries", 15))
        client.wait = option(opening, "wait", client.wait)
        client.timeout = option(opening, "timeout", client.timeout)
        client.patience = option(opening, "patience", client.patience)
        client.log = opening.log
        ignored = frozenset(option(opening, "ignore", list[str]()))
    except msgspec.ValidationError as error:
        raise ConfigError(str(error), place=f"outputs.{opening.name}.options") from error
    recipe = Recipe(partner_of(opening.partners), institutions(opening.partners), opening.marc)
    return Solr(client, recipe, limits, ignored)


def _auth(opening: Opening) -> tuple[str, str] | None:
    user = opening.credentials.get("username", "")
    return (user, opening.credentials.get("password", "")) if user else None
