"""Every table, nothing else. docs/database.md explains them; the views in db/views.py are the public contract.

Times are ISO 8601 text in UTC (`2026-11-21T18:00:00Z`): the same bytes and the same order on SQLite and PostgreSQL.
Hashes are 16 raw bytes (blake2b). JSON is text written by msgspec. Keys that identify things outside (`identifier`,
`code`) collate by bytes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects import postgresql, sqlite

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# INTEGER PRIMARY KEY is the rowid on SQLite; BIGINT would not be.
Id = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
Bytewise = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


# ---- who and where -----------------------------------------------------------------------------------

partner = Table(
    "partner",
    metadata,
    Column("code", Bytewise, primary_key=True),
    Column("status", Text, nullable=False),  # pending | active | paused | retired
    Column("policy_hash", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),  # the partner as JSON, without secrets
    Column("added_at", Text, nullable=False),
    CheckConstraint("status IN ('pending','active','paused','retired')", name="status"),
)

source = Table(
    "source",
    metadata,
    _id(),
    Column("code", Bytewise, nullable=False, unique=True),
    Column("partner", Bytewise, ForeignKey("partner.code"), nullable=False),
    Column("quirks", Text, nullable=False, server_default="{}"),  # learned from the server: JSON
    Column("last_full_count", Integer),
    Column("added_at", Text, nullable=False),
)

source_profile = Table(
    "source_profile",
    metadata,
    _id(),
    Column("source_id", Id, ForeignKey("source.id"), nullable=False, index=True),
    Column("measured_at", Text, nullable=False),
    Column("body", Text, nullable=False),
)

source_constant = Table(  # what nearly every record of a source says alike, which is no evidence for matching
    "source_constant",
    metadata,
    Column("source_id", Id, ForeignKey("source.id"), primary_key=True),
    Column("run_id", Id, nullable=False),  # the complete run after which the records were counted
    Column("derivation_id", Id, nullable=False),
    Column("records", Integer, nullable=False),
    Column("body", Text, nullable=False),  # field → the commonest value, its count, whether it is a constant
    Column("applied", Boolean, nullable=False),  # whether every profile of the source is made so
    Column("early", Text, nullable=False, server_default=""),  # of a guess during the first load: which records heed it
)

drift = Table(
    "drift",
    metadata,
    _id(),
    Column("source_id", Id, ForeignKey("source.id"), nullable=False, index=True),
    Column("at", Text, nullable=False),
    Column("here", Integer, nullable=False),
    Column("there", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("surplus", Integer, nullable=False),
    Column("body", Text, nullable=False, server_default="{}"),
)

rejected_payload = Table(  # what a reverted run brought: not taken from this source again until it is released
    "rejected_payload",
    metadata,
    Column("source_id", Id, ForeignKey("source.id"), primary_key=True),
    Column("payload_hash", LargeBinary, primary_key=True),
    Column("run_id", Id, nullable=False, index=True),
)

purged = Table(  # addresses (hashed) that had to be forgotten: nothing of them is taken again
    "purged",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("source_id", Id, ForeignKey("source.id"), nullable=False, index=True),
    Column("at", Text, nullable=False),
)

rekey = Table(  # a source whose identifiers changed; undone, the old ones are back
    "rekey",
    metadata,
    _id(),
    Column("source_id", Id, ForeignKey("source.id"), nullable=False, index=True),
    Column("author", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("state", Text, nullable=False),  # active | undone
    Column("body", Text, nullable=False, server_default="{}"),
)

rekey_pair = Table(
    "rekey_pair",
    metadata,
    Column("rekey_id", Id, ForeignKey("rekey.id"), primary_key=True),
    Column("record_id", Id, primary_key=True),
    Column("old_identifier", Bytewise, nullable=False),
    Column("new_identifier", Bytewise, nullable=False),
    Column("twin_id", Id),  # the record that had already come under the new identifier
    Column("version", Integer, nullable=False),  # of the record before
)

# ---- work --------------------------------------------------------------------------------------------

run = Table(
    "run",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),  # harvest | import | match | normalize | publish | audit | edit
    Column("source_id", Id, ForeignKey("source.id"), index=True),
    Column("started_at", Text, nullable=False),
    Column("ended_at", Text),
    Column("verdict", Text, nullable=False),  # running | complete | partial | halted | failed
    Column("proof", Text, nullable=False, server_default=""),  # proven | claimed
    Column("reason", Text, nullable=False, server_default=""),
    Column("received", Integer, nullable=False, server_default="0"),
    Column("created", Integer, nullable=False, server_default="0"),
    Column("updated", Integer, nullable=False, server_default="0"),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("deleted", Integer, nullable=False, server_default="0"),
    Column("quarantined", Integer, nullable=False, server_default="0"),
    Column("excluded", Integer, nullable=False, server_default="0"),
    Column("pages", Integer, nullable=False, server_default="0"),
    Column("broken_pages", Integer, nullable=False, server_default="0"),
    Column("night", Text, nullable=False, server_default=""),
    Column("body", Text, nullable=False, server_default="{}"),
    CheckConstraint("verdict IN ('running','complete','partial','halted','failed')", name="verdict"),
)

harvest_window = Table(
    "harvest_window",
    metadata,
    _id(),
    Column("source_id", Id, ForeignKey("source.id"), nullable=False, index=True),
    Column("since", Text),
    Column("until", Text),
    Column("slice", Text, nullable=False, server_default=""),
    Column("full", Boolean, nullable=False),
    Column("state", Text, nullable=False),  # open | done | failed
    Column("token", Text, nullable=False, server_default=""),
    Column("pages", Integer, nullable=False, server_default="0"),
    Column("broken_pages", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("ended", Boolean, nullable=False, server_default=false()),  # the list ended by itself; only closing is left
    Column("list_size", Integer),
    Column("server_time", Text, nullable=False, server_default=""),
    Column("opened_at", Text, nullable=False),
    Column("closed_at", Text),
    Column("run_id", Id, ForeignKey("run.id")),
    CheckConstraint("state IN ('open','done','failed')", name="state"),
)

page = Table(
    "page",
    metadata,
    _id(),
    Column("window_id", Id, ForeignKey("harvest_window.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("records_hash", LargeBinary, nullable=False),
    Column("records", Integer, nullable=False),
    Column("run_id", Id, ForeignKey("run.id"), nullable=False, index=True),
    Column("at", Text, nullable=False),
    UniqueConstraint("window_id", "attempt", "number"),
)

window_other = Table(  # identifiers a window brought that are no record here: quarantined, or deleted before we came
    "window_other",
    metadata,
    Column("window_id", Id, ForeignKey("harvest_window.id"), primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
)

schedule_state = Table(
    "schedule_state",
    metadata,
    Column("name", Bytewise, primary_key=True),
    Column("night", Text, nullable=False, server_default=""),
    Column("started_at", Text),
    Column("ended_at", Text),
    Column("body", Text, nullable=False, server_default="{}"),
)

# ---- ledger: what was received -----------------------------------------------------------------------

zstd_dictionary = Table(
    "zstd_dictionary",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),  # raw | normalized | profile | event | union | evidence
    Column("body", LargeBinary, nullable=False),  # empty: what was there had nothing in common
    Column("made_at", Text, nullable=False),
    Column("records", Integer, nullable=False, server_default="0"),  # or lines: how many there were when it was made
    Column("ratio", Float, nullable=False, server_default="0"),  # bytes stored for each byte
)

payload = Table(
    "payload",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("dictionary_id", Id, ForeignKey("zstd_dictionary.id")),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=True,
)

node = Table(
    "node",
    metadata,
    _id(),
    Column("profile_hash", LargeBinary, nullable=False, unique=True),
    Column("solid", Boolean, nullable=False),  # equal profiles may merge by themselves
    Column("profile", LargeBinary, nullable=False),  # msgpack, packed
    Column("dictionary_id", Id, ForeignKey("zstd_dictionary.id")),
)

record = Table(
    "record",
    metadata,
    _id(),
    Column("source_id", Id, ForeignKey("source.id"), nullable=False),
    Column("identifier", Bytewise, nullable=False),
    Column("state", Text, nullable=False),  # active | deleted
    Column("version", Integer, nullable=False),
    Column("format", Text, nullable=False),
    Column("datestamp", Text, nullable=False),
    Column("raw_hash", LargeBinary, nullable=False),  # the bytes received last
    Column("stored_hash", LargeBinary, nullable=False),  # the bytes of the current version: a payload
    Column("payload_hash", LargeBinary, nullable=False),  # the content without volatile fields
    Column("node_id", Id, ForeignKey("node.id"), index=True),
    Column("seen_window", Id, index=True),
    Column("changed_run", Id),
    UniqueConstraint("source_id", "identifier"),
    CheckConstraint("state IN ('active','deleted')", name="state"),
)

record_version = Table(
    "record_version",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("payload_hash", LargeBinary, nullable=False),
    Column("datestamp", Text, nullable=False),
    Column("run_id", Id, ForeignKey("run.id"), nullable=False, index=True),
    Column("at", Text, nullable=False),
    Index("ix_record_version_payload", "payload"),  # who still needs the bytes: asked for each payload by a prune
    sqlite_with_rowid=False,
)

normalized = Table(
    "normalized",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    Column("derivation_id", Id, ForeignKey("derivation.id"), nullable=False),
    Column("mapping_hash", LargeBinary, nullable=False),
    Column("dictionary_id", Id, ForeignKey("zstd_dictionary.id")),
    Column("body", LargeBinary, nullable=False),
)

warning = Table(
    "warning",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("code", Text, nullable=False, index=True),
    Column("field", Text, nullable=False),
    Column("value", Text, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    _id(),
    Column("source_id", Id, ForeignKey("source.id"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("identifier", Bytewise, nullable=False),
    Column("stage", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("format", Text, nullable=False, server_default=""),
    Column("payload", LargeBinary, nullable=False),
    Column("first_run", Id, nullable=False),
    Column("last_run", Id, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("state", Text, nullable=False),  # open | resolved | ignored
    UniqueConstraint("source_id", "digest"),
    Index("ix_quarantine_address", "source_id", "identifier"),
    CheckConstraint("state IN ('open','resolved','ignored')", name="state"),
)

deletion_proposal = Table(
    "deletion_proposal",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    Column("source_id", Id, ForeignKey("source.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),  # explicit | absent
    Column("state", Text, nullable=False),  # proposed | applied | rejected
    Column("datestamp", Text, nullable=False),
    Column("run_id", Id, nullable=False),
    Column("at", Text, nullable=False),
)

# ---- rules -------------------------------------------------------------------------------------------

ruleset = Table(
    "ruleset",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("kind", Text, nullable=False),  # mapping | match | survivorship
    Column("name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("code_version", Text, nullable=False),
    Column("at", Text, nullable=False),
)

derivation = Table(
    "derivation",
    metadata,
    _id(),
    Column("state", Text, nullable=False),  # current | next | old | dropped
    Column("match_hash", LargeBinary, nullable=False),
    Column("survivorship_hash", LargeBinary, nullable=False),
    Column("made_at", Text, nullable=False),
    Column("body", Text, nullable=False, server_default="{}"),  # of one that normalized again: how far it is
)

renormalized = Table(  # what `induk normalize` made of stored bytes; swapped in, it holds what stood there before
    "renormalized",
    metadata,
    Column("derivation_id", Id, ForeignKey("derivation.id"), primary_key=True),
    Column("record_id", Id, primary_key=True, autoincrement=False),
    Column("source_id", Id, nullable=False),
    Column("version", Integer, nullable=False),  # of the record: a newer one stays as it is
    Column("swapped", Boolean, nullable=False),
    Column("mapping_hash", LargeBinary, nullable=False),
    Column("payload_hash", LargeBinary, nullable=False),
    Column("dictionary_id", Id, ForeignKey("zstd_dictionary.id")),
    Column("body", LargeBinary, nullable=False),
    Column("warnings", Text, nullable=False, server_default="[]"),
    Column("damage", Text, nullable=False, server_default=""),  # JSON: why it cannot be normalized any more
)

# ---- match -------------------------------------------------------------------------------------------

term = Table(  # words that very many rows say: those hold the number
    "term",
    metadata,
    _id(),
    Column("word", Text, nullable=False, unique=True),
)

match_key = Table(
    "match_key",
    metadata,
    Column("hash", BigInteger, primary_key=True),
    Column("node_id", Id, primary_key=True),
    Column("kind_id", Integer, nullable=False),  # a term
    Column("likeness", BigInteger, nullable=False),
    # PostgreSQL would ask once a key: a fifth of its work in a load. Who writes keys names their node in `record` or
    # `reprofiled` too, which do ask; a key without a node would propose nothing, and go with the next prune
    ForeignKeyConstraint(["node_id"], ["node.id"]).ddl_if(dialect="sqlite"),
    Index("ix_match_key_node_id", "node_id"),
    sqlite_with_rowid=False,
)

key_stat = Table(  # only the suspended keys stand here
    "key_stat",
    metadata,
    Column("hash", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("unlike", Integer, nullable=False),
    Column("at", Text, nullable=False),
)

reprofiled = Table(  # what other rules make of the records, until those are put in force: db/reprofiling.py
    "reprofiled",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    Column("version", Integer, nullable=False),  # of the record: a newer one is profiled again
    Column("rules", LargeBinary, nullable=False),
    Column("node_id", Id, ForeignKey("node.id"), nullable=False, index=True),
    Column("solid", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),  # an identifier was left out because a person called it wrong
    Column("rekeyed", Boolean, nullable=False),  # the node is to have the keys in `rekeyed`, whatever it has now
)

rekeyed = Table(  # keys of nodes that have others now
    "rekeyed",
    metadata,
    Column("hash", BigInteger, primary_key=True),
    Column("node_id", Id, primary_key=True),
    Column("kind_id", Integer, nullable=False),
    Column("likeness", BigInteger, nullable=False),
    Index("ix_rekeyed_node_id", "node_id"),
    sqlite_with_rowid=False,
)

rejudged = Table(  # what those rules decide on the pairs that they propose
    "rejudged",
    metadata,
    Column("left_node", Id, primary_key=True),
    Column("right_node", Id, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("reason_id", Integer, nullable=False),
    Column("evidence", LargeBinary),
    Column("dictionary_id", Id, ForeignKey("zstd_dictionary.id")),
    sqlite_with_rowid=False,
)

match_queue = Table(  # the dirty records
    "match_queue",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    Column("version", Integer, nullable=False),  # of the mark: cleared only if still this
)

decision = Table(
    "decision",
    metadata,
    Column("left_node", Id, ForeignKey("node.id"), primary_key=True),
    Column("right_node", Id, ForeignKey("node.id"), primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("reason_id", Integer, nullable=False),
    Column("evidence", LargeBinary),  # JSON, packed
    Column("dictionary_id", Id, ForeignKey("zstd_dictionary.id")),
    Column("derivation_id", Id, nullable=False),
    Column("run_id", Id, nullable=False),
    Index("ix_decision_right_node", "right_node"),
    Index("ix_decision_verdict", "verdict"),
    sqlite_with_rowid=False,
)

human_decision = Table(  # what a person decided; the newest wins over the older ones about the same two records
    "human_decision",
    metadata,
    _id(),
    Column("action", Text, nullable=False),  # merge | split | never | must | undo | pin | unpin | wrong | import | …
    Column("kind", Text, nullable=False),  # must | cannot | split: what it says of its members; empty: no link
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),  # pending: stored, not yet matched | active | undone
    Column("undone_by", Id, index=True),
    Column("part_of", Id, index=True),
    Column("run_id", Id, index=True),
    Column("body", Text, nullable=False, server_default="{}"),
    CheckConstraint("kind IN ('must','cannot','split','')", name="kind"),
    CheckConstraint("state IN ('pending','active','undone')", name="state"),
)

decision_member = Table(  # whom it concerns, by address: it outlives re-harvests, deletions and rule changes
    "decision_member",
    metadata,
    Column("decision_id", Id, ForeignKey("human_decision.id"), primary_key=True),
    Column("source", Bytewise, primary_key=True),
    Column("identifier", Bytewise, primary_key=True),
    Column("side", Integer, nullable=False),
    Index("ix_decision_member_address", "source", "identifier"),
    sqlite_with_rowid=False,
)

pin = Table(
    "pin",
    metadata,
    _id(),
    Column("decision_id", Id, ForeignKey("human_decision.id"), nullable=False, index=True),
    Column("source", Bytewise, nullable=False),  # the address of a member: pins follow records, not cluster ids
    Column("identifier", Bytewise, nullable=False),
    Column("field", Text, nullable=False),
    Column("value", Text),  # JSON, or null: the member's own value
    Column("seen", Text, nullable=False),  # the member's value when it was pinned: a later difference is warned of
    Column("warned", Text, nullable=False, server_default=""),
    Index("ix_pin_address", "source", "identifier"),
)

ignored_identifier = Table(  # a cataloguer said: wrong on this record, not to be used for matching
    "ignored_identifier",
    metadata,
    Column("decision_id", Id, ForeignKey("human_decision.id"), primary_key=True),
    Column("source", Bytewise, primary_key=True),
    Column("identifier", Bytewise, primary_key=True),
    Column("kind", Bytewise, primary_key=True),
    Column("value", Bytewise, primary_key=True),
    Index("ix_ignored_identifier_address", "source", "identifier"),
    sqlite_with_rowid=False,
)

imported_id = Table(  # ids of a union catalogue that was here before: they lead to where their records are now
    "imported_id",
    metadata,
    Column("name", Bytewise, primary_key=True),
    Column("source", Bytewise, primary_key=True),
    Column("identifier", Bytewise, primary_key=True),
    Column("decision_id", Id, ForeignKey("human_decision.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

label = Table(
    "label",
    metadata,
    _id(),
    Column("left_source", Bytewise, nullable=False),
    Column("left_identifier", Bytewise, nullable=False),
    Column("right_source", Bytewise, nullable=False),
    Column("right_identifier", Bytewise, nullable=False),
    Column("duplicate", Boolean, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", Text, nullable=False),
)

# ---- catalogue: what it became -----------------------------------------------------------------------

cluster = Table(
    "cluster",
    metadata,
    _id(),
    Column("state", Text, nullable=False),  # active | gone
    Column("size", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("doc_hash", LargeBinary, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("changed_at", Text, nullable=False),
)

membership = Table(
    "membership",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    Column("cluster_id", Id, ForeignKey("cluster.id"), nullable=False, index=True),
    Column("node_id", Id, ForeignKey("node.id"), nullable=False, index=True),
)

former_membership = Table(  # where a deleted record stood: it comes back to the same id
    "former_membership",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    Column("cluster_id", Id, ForeignKey("cluster.id"), nullable=False, index=True),
)

cluster_event = Table(
    "cluster_event",
    metadata,
    _id(),
    Column("cluster_id", Id, ForeignKey("cluster.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),  # born | joined | left | merged | split | gone | returned | linked | undone
    Column("actor", Text, nullable=False),
    Column("run_id", Id, nullable=False, index=True),
    Column("at", Text, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),  # JSON, packed; from it, to be looked for:
    Column("dictionary_id", Id, ForeignKey("zstd_dictionary.id")),
    Column("source", Bytewise, nullable=False, server_default=""),  # of the record
    Column("record", Bytewise, nullable=False, server_default=""),  # its address, and that of the other of its pair
    Column("other", Bytewise, nullable=False, server_default=""),
    Column("rule", Text, nullable=False, server_default=""),  # the feature that spoke most, or a person's action
    Column("score", Float),
    Index("ix_cluster_event_source", "source", "id"),
    Index("ix_cluster_event_actor", "actor", "id"),
)

cluster_redirect = Table(
    "cluster_redirect",
    metadata,
    Column("old_id", Id, primary_key=True, autoincrement=False),
    Column("new_id", Id, nullable=False, index=True),
    Column("at", Text, nullable=False),
)

union_record = Table(
    "union_record",
    metadata,
    Column("cluster_id", Id, ForeignKey("cluster.id"), primary_key=True),
    Column("body", LargeBinary, nullable=False),  # JSON, packed
    Column("dictionary_id", Id, ForeignKey("zstd_dictionary.id")),
)

cluster_brief = Table(
    "cluster_brief",
    metadata,
    Column("cluster_id", Id, ForeignKey("cluster.id"), primary_key=True),
    Column("title", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("year", Integer),
    Column("material", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("members", Integer, nullable=False),
    Column("partners", Integer, nullable=False),
)

suspect = Table(  # what is odd about clusters, as far as the feed had come: worked out anew when it is lost
    "suspect",
    metadata,
    Column("cluster_id", Id, ForeignKey("cluster.id"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

suspect_mark = Table(
    "suspect_mark",
    metadata,
    Column("seq", Id, primary_key=True, autoincrement=False),
    Column("derivation_id", Id, ForeignKey("derivation.id"), nullable=False),
)

# clusters of which no feed tells that a match has looked at them: another person's word, a hidden year
suspect_due = Table(
    "suspect_due",
    metadata,
    _id(),
    Column("cluster_id", Id, ForeignKey("cluster.id"), nullable=False),
)

identifier = Table(
    "identifier",
    metadata,
    Column("kind", Bytewise, primary_key=True),
    Column("value", Bytewise, primary_key=True),
    Column("cluster_id", Id, ForeignKey("cluster.id"), primary_key=True),
    Index("ix_identifier_cluster_id", "cluster_id"),
)

holding = Table(
    "holding",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("cluster_id", Id, ForeignKey("cluster.id"), nullable=False, index=True),
    Column("partner", Bytewise, nullable=False),
    Column("branch", Text, nullable=False),
    Column("call_number", Text, nullable=False),
    Column("copies", Integer),
    Column("body", Text, nullable=False),
)

cluster_partner = Table(  # whose visible records a cluster holds, or once held
    "cluster_partner",
    metadata,
    Column("cluster_id", Id, ForeignKey("cluster.id"), primary_key=True),
    Column("partner", Bytewise, primary_key=True),
    Column("here", Boolean, nullable=False),
    Index("ix_cluster_partner_partner", "partner"),
)

hidden_member = Table(  # members that may not be seen: withheld, suppressed, or below the partner's quality floor
    "hidden_member",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
)

linking_entry = Table(  # control numbers by which a record names others ($w of 76X-78X), and the cluster that answers
    "linking_entry",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    Column("number", Bytewise, primary_key=True),
    Column("kind", Bytewise, nullable=False),  # source | partner: a control number of theirs | oclc | lccn | local
    Column("scope", Bytewise, nullable=False),  # the code of the source or partner
    Column("value", Bytewise, nullable=False),
    Column("cluster_id", Id, ForeignKey("cluster.id"), index=True),  # none, or several: null
    Index("ix_linking_entry_value", "value", "kind"),
    sqlite_with_rowid=False,
)

control_number = Table(  # of records whose identifier is another
    "control_number",
    metadata,
    Column("record_id", Id, ForeignKey("record.id"), primary_key=True),
    # before `source`: SQLite 3.40 finds NULLs in a table without rowid whose key is not what comes first
    Column("number", Bytewise, primary_key=True),
    Column("source", Bytewise, nullable=False),
    Index("ix_control_number_number", "number", "source"),
    sqlite_with_rowid=False,
)

# cluster_text, the full-text index, is no table like the others: db/search.py makes and reads it on each database.

# ---- feed --------------------------------------------------------------------------------------------

change = Table(
    "change",
    metadata,
    Column("seq", Id, primary_key=True, autoincrement=False),
    Column("batch", Id, nullable=False),
    Column("kind", Text, nullable=False),  # upsert | delete | redirect
    Column("cluster_id", Id, nullable=False, index=True),
    Column("target_id", Id),
    Column("run_id", Id, nullable=False),
    Column("at", Text, nullable=False, index=True),  # never earlier than that of the change before
    CheckConstraint("kind IN ('upsert','delete','redirect')", name="kind"),
)

feed_counter = Table(
    "feed_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Id, nullable=False),
    Column("released", Id, nullable=False),
    Column("min_seq", Id, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("at", Text, nullable=False, server_default=""),  # of the newest change
    Column("held", Text, nullable=False, server_default=""),  # why `released` stays where it is; empty: it does not
    CheckConstraint("id = 1", name="single"),
)

output_cursor = Table(
    "output_cursor",
    metadata,
    Column("name", Bytewise, primary_key=True),
    Column("epoch", Text, nullable=False),
    Column("seq", Id, nullable=False),
    Column("body", Text, nullable=False, server_default="{}"),
    Column("at", Text, nullable=False),
)

# ---- people ------------------------------------------------------------------------------------------

account = Table(
    "account",
    metadata,
    _id(),
    Column("name", Bytewise, nullable=False, unique=True),
    Column("password", Text, nullable=False),  # argon2id; empty: only by a reverse proxy or token
    Column("role", Text, nullable=False),
    Column("partners", Text, nullable=False, server_default="[]"),  # JSON list of codes: whose records
    Column("active", Boolean, nullable=False),
    Column("added_at", Text, nullable=False),
    CheckConstraint("role IN ('viewer','cataloguer','partner','admin')", name="role"),
)

login_session = Table(
    "login_session",
    metadata,
    _id(),
    Column("digest", LargeBinary, nullable=False, unique=True),  # of the cookie: the cookie itself is nowhere
    Column("account_id", Id, ForeignKey("account.id"), nullable=False, index=True),
    Column("made_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
)

token = Table(
    "token",
    metadata,
    _id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("account_id", Id, ForeignKey("account.id"), nullable=False, index=True),
    Column("made_at", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("revoked_at", Text),
)

login_failure = Table(
    "login_failure",
    metadata,
    _id(),
    Column("name", Bytewise, nullable=False),
    Column("address", Text, nullable=False),
    Column("at", Text, nullable=False, index=True),
)

audit = Table(  # who did what, before and after; append-only
    "audit",
    metadata,
    _id(),
    Column("at", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("before", Text, nullable=False, server_default=""),
    Column("after", Text, nullable=False, server_default=""),
)

merge_report = Table(  # somebody says that a merge is wrong; a cataloguer settles it
    "merge_report",
    metadata,
    _id(),
    Column("cluster_id", Id, nullable=False, index=True),
    Column("account", Text, nullable=False),
    Column("remark", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("state", Text, nullable=False),  # open | settled
    Column("settled_by", Text, nullable=False, server_default=""),
    Column("settled_at", Text),
    CheckConstraint("state IN ('open','settled')", name="state"),
)
