"""Which clusters records name by control numbers. Records that name any are queued: the next match finds what they mean."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from db.compress import DictionaryError, opener

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None
PORTION = 2_000


class _Relation(msgspec.Struct):
    control_number: str = ""


class _Record(msgspec.Struct):
    """What a normalized record says of its own control number and of others."""

    control_number: str = ""
    relations: tuple[_Relation, ...] = ()


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.dialects.postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "linking_entry",
        sa.Column("record_id", _id(), nullable=False),
        sa.Column("number", _text(), nullable=False),
        sa.Column("kind", _text(), nullable=False),
        sa.Column("scope", _text(), nullable=False),
        sa.Column("value", _text(), nullable=False),
        sa.Column("cluster_id", _id(), nullable=True),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_linking_entry_record_id")),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_linking_entry_cluster_id")),
        sa.PrimaryKeyConstraint("record_id", "number", name=op.f("pk_linking_entry")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_linking_entry_cluster_id", "linking_entry", ["cluster_id"])
    op.create_index("ix_linking_entry_value", "linking_entry", ["value", "kind"])
    op.create_table(
        "control_number",
        sa.Column("record_id", _id(), nullable=False),
        sa.Column("source", _text(), nullable=False),
        sa.Column("number", _text(), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_control_number_record_id")),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_control_number")),
    )
    op.create_index("ix_control_number_number", "control_number", ["number", "source"])
    _fill()


def _fill() -> None:
    conn = op.get_bind()
    keep = sa.text("INSERT INTO control_number (record_id, source, number) VALUES (:record_id, :source, :number)")
    again = sa.text("UPDATE match_queue SET version = version + 1 WHERE record_id = :record_id")
    queue = sa.text("INSERT INTO match_queue (record_id, version) VALUES (:record_id, 1) ON CONFLICT DO NOTHING")
    for rows in _portions():
        numbers = [
            {"record_id": row.id, "source": row.code, "number": one.control_number}
            for row, one in rows
            if one.control_number not in ("", row.identifier) and len(one.control_number) <= 200
        ]
        asking = [{"record_id": row.id} for row, one in rows if any(found.control_number for found in one.relations)]
        if numbers:
            conn.execute(keep, numbers)
        if asking:
            conn.execute(again, asking)
            conn.execute(queue, asking)


def _portions() -> Iterator[list[tuple[Any, _Record]]]:
    """The active records; one that cannot be read names nothing, and does not stop the upgrade."""
    conn, last = op.get_bind(), 0
    made = sa.text("SELECT id, body FROM zstd_dictionary WHERE kind = 'normalized' AND length(body) > 0")
    opened = opener({row.id: bytes(row.body) for row in conn.execute(made)})
    decode = msgspec.json.Decoder(_Record).decode
    some = sa.text(
        "SELECT record.id, record.identifier, source.code, normalized.body, normalized.dictionary_id FROM record"
        " JOIN source ON source.id = record.source_id JOIN normalized ON normalized.record_id = record.id"
        " WHERE record.state = 'active' AND record.id > :last ORDER BY record.id LIMIT :portion"
    )
    while rows := conn.execute(some, {"last": last, "portion": PORTION}).all():
        last = rows[-1].id
        found = []
        for row in rows:
            with suppress(KeyError, DictionaryError, msgspec.DecodeError):
                found.append((row, decode(opened(bytes(row.body), row.dictionary_id))))
        yield found
