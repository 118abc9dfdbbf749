"""The merge log's lines and union records packed; a dictionary for them and for evidence. `db pack` makes the most of it."""

import json
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from db.compress import pack

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
PORTION = 2_000


def upgrade() -> None:
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    for name in ("cluster_event", "union_record", "decision", "rejudged"):
        key = f"CONSTRAINT fk_{name}_dictionary_id REFERENCES zstd_dictionary (id)"
        op.execute(f"ALTER TABLE {name} ADD COLUMN dictionary_id {kind} {key}")
    for name in ("record", "other"):
        text = sa.Text().with_variant(sa.dialects.postgresql.TEXT(collation="C"), "postgresql")
        op.add_column("cluster_event", sa.Column(name, text, nullable=False, server_default=""))
    _pack("cluster_event", "id", "record = :record, other = :other, ", _addresses)
    _pack("union_record", "cluster_id", "", lambda body: {})


def _addresses(body: str) -> dict[str, str]:
    told = json.loads(body)
    return {"record": told.get("record") or "", "other": told.get("with") or ""}


def _pack(table: str, key: str, more: str, values: Callable[[str], dict[str, str]]) -> None:
    """Pack `body`, a portion at a time, and set more columns to what stands in it."""
    conn, last = op.get_bind(), -1
    op.add_column(table, sa.Column("packed", sa.LargeBinary(), nullable=False, server_default=sa.text("''")))
    read = f"SELECT {key} AS key, CAST(body AS TEXT) AS body FROM {table} WHERE {key} > :last"  # noqa: S608
    some = sa.text(f"{read} ORDER BY {key} LIMIT :portion")
    change = sa.text(f"UPDATE {table} SET {more}packed = :packed WHERE {key} = :key")  # noqa: S608
    while rows := conn.execute(some, {"last": last, "portion": PORTION}).all():
        last = rows[-1].key
        conn.execute(change, [{"key": row.key, "packed": pack(row.body.encode()), **values(row.body)} for row in rows])
    op.execute(f"ALTER TABLE {table} DROP COLUMN body")
    op.execute(f"ALTER TABLE {table} RENAME COLUMN packed TO body")
