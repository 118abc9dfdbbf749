"""The VuFind documents of a cluster: one member per source, and a merged one as soon as there are two.

unique document: the only member, without flags. Member: merged_child_boolean. Merged document: id is the cluster id,
merged_boolean, record_format "merged", local_ids_str_mv; it carries no fullrecord. (VuFind DeduplicationListener;
RecordManager SolrUpdater.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from harvester.formats import marcxml_write
from harvester.model import ClusterDocument, Holding, Member, NormalizedRecord, Partner, Survivor, UnionRecord
from harvester.outputs.batch import Marc, MarcWriter, institution
from harvester.outputs.solr_fields import Document, levels, shape, version
from harvester.outputs.solr_local_id import member_id
from harvester.outputs.solr_record import bibliographic


class Recipe(NamedTuple):
    """What documents are made with: partners by source code, 852 $a by source code, the MARC writer."""

    partners: Mapping[str, Partner]
    institutions: Mapping[str, str]
    marc: MarcWriter

    def prefix(self, source: str) -> str:
        """What every identifier of *source* begins with (its option local_prefix)."""
        partner = self.partners.get(source)
        found = [one for one in partner.sources if one.code == source] if partner else []
        return str(found[0].options.get("local_prefix", "")) if found else ""


def documents_of(cluster: ClusterDocument, recipe: Recipe, without: Collection[str] = ()) -> list[Document]:
    """The documents of *cluster*, members first. *without* are ids that the index refused: the rest stays findable."""
    groups: dict[str, list[Member]] = {}
    for member in sorted(cluster.members, key=lambda member: member.address):
        groups.setdefault(member.address.source, []).append(member)
    made = [_member(cluster, group, recipe) for group in groups.values()]
    kept = [document for document in made if document["id"] not in without]
    if len(kept) > 1 and cluster.cluster not in without:
        for document in kept:
            document["merged_child_boolean"] = True
        kept.append(_merged(cluster, kept, recipe))
    return [{**document, "version_str": version(document)} for document in kept]


def _member(cluster: ClusterDocument, group: Sequence[Member], recipe: Recipe) -> Document:
    """One document for all records of one source: the fullest record, with every local id and every copy."""
    record = gathered(group)
    source = group[0].address.source
    prefix = recipe.prefix(source)
    ids = [member_id(member.address, prefix) for member in group]
    union = UnionRecord(record, _given(record, group), tuple(str(member.address) for member in group))
    marc = recipe.marc(union, ids[0], Marc(recipe.institutions, cluster.changed, cluster.linked))
    fields = bibliographic(record) | _holdings(record.holdings) | _place(cluster, [source], record, recipe)
    fields |= {
        "id": ids[0],
        "record_format": "marc",
        "fullrecord": marcxml_write.write(marc),
        "url": [*(link.url for link in record.links), *(holding.url for holding in record.holdings)],
        "local_id_str_mv": ids,
        "ctrlnum": [f"({source}){member.address.identifier}" for member in group],
    }
    return _finished(fields)


def _merged(cluster: ClusterDocument, members: Sequence[Document], recipe: Recipe) -> Document:
    record = cluster.union.record
    sources = sorted({member.address.source for member in cluster.members})
    fields = bibliographic(record, cluster.union.survivors) | _place(cluster, sources, record, recipe)
    for name in ("building", "collection", "callnumber-raw", "callnumber-search", "ctrlnum"):
        fields[name] = [value for document in members for value in document.get(name, ())]
    copies = sum(int(document.get("copies_str", 0)) for document in members)
    fields |= {
        "id": cluster.cluster,
        "record_format": "merged",
        "merged_boolean": True,
        "local_ids_str_mv": [document["id"] for document in members],
        "copies_str": str(copies),
    }
    return _finished(fields)


def _finished(fields: dict[str, Any]) -> Document:
    document = shape(fields)
    said = [text for name, value in document.items() if name not in _UNSAID for text in _texts(value)]
    return document | shape({"allfields": " ".join(dict.fromkeys(said))})


_NOT_SAID = (
    "id record_format fullrecord first_indexed last_indexed dedup_id_str_mv local_ids_str_mv building holdings_str_mv "
    "work_keys_str_mv copies_str"
)
_UNSAID = frozenset(_NOT_SAID.split())


def _texts(value: Any) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def gathered(group: Sequence[Member]) -> NormalizedRecord:
    """One record for several of one source: the one with most fields, lists of all, every holding."""
    if len(group) == 1:
        return group[0].record
    best = max(group, key=lambda member: _filled(member.record))  # the first address among equals
    values: dict[str, Any] = {}
    for name in best.record.__struct_fields__:
        own = getattr(best.record, name)
        if isinstance(own, tuple):
            others = [one for member in group if member is not best for one in getattr(member.record, name)]
            values[name] = own if name == "contributors" else tuple(dict.fromkeys((*own, *others)))
    values["holdings"] = tuple(holding for member in group for holding in member.record.holdings)
    return msgspec.structs.replace(best.record, **values)


def _filled(record: NormalizedRecord) -> int:
    empty = NormalizedRecord()
    return sum(getattr(record, name) != getattr(empty, name) for name in record.__struct_fields__)


def _given(record: NormalizedRecord, group: Sequence[Member]) -> tuple[Survivor, ...]:
    """Which row gave each holding, and which was the first to name each related record."""
    rows = [Survivor("holdings", str(member.address), "only") for member in group for _ in member.record.holdings]
    donors = [next(one for one in group if relation in one.record.relations) for relation in record.relations]
    return (*rows, *(Survivor("relations", str(one.address), "only") for one in donors))


def _holdings(holdings: Sequence[Holding]) -> dict[str, Any]:
    numbers = [holding.call_number for holding in holdings]
    return {
        "callnumber-raw": numbers,
        "callnumber-search": numbers,
        "callnumber-sort": next((number for number in numbers if number), ""),
        "collection": [holding.collection for holding in holdings],
        "copies_str": str(sum(copies(holding) for holding in holdings)),
        "holdings_str_mv": [_line(holding) for holding in holdings],
    }


def copies(holding: Holding) -> int:
    """How many copies *holding* stands for: as stated, else its items, else one."""
    return holding.copies if holding.copies is not None else max(1, len(holding.items))


def _line(holding: Holding) -> str:
    return msgspec.json.encode(msgspec.structs.replace(holding, items=holding.items[:100])).decode()


def _place(
    cluster: ClusterDocument, sources: Sequence[str], record: NormalizedRecord, recipe: Recipe
) -> dict[str, Any]:
    """Whose it is: institution, the building facet, the cluster, and when it was first and last indexed."""
    names = [institution(recipe.partners[code]) if code in recipe.partners else code for code in sources]
    building = [level for name in names for level in levels(name)]
    if len(names) == 1:
        building += [level for holding in record.holdings for level in levels(names[0], holding.branch)]
    return {
        "institution": names,
        "building": list(dict.fromkeys(building)),
        "source_str_mv": list(sources),
        "dedup_id_str_mv": [cluster.cluster],
        "first_indexed": cluster.created,
        "last_indexed": cluster.changed,
    }
