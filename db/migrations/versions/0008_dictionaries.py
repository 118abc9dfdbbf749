"""Profiles and evidence packed, with dictionaries whose state at the training is known."""

import sqlalchemy as sa
from alembic import op

from db.compress import pack

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
PORTION = 5_000


def upgrade() -> None:
    op.add_column("zstd_dictionary", sa.Column("records", sa.Integer(), server_default="0", nullable=False))
    op.add_column("zstd_dictionary", sa.Column("ratio", sa.Float(), server_default="0", nullable=False))
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    for name in ("node", "renormalized"):
        key = f"CONSTRAINT fk_{name}_dictionary_id REFERENCES zstd_dictionary (id)"
        op.execute(f"ALTER TABLE {name} ADD COLUMN dictionary_id {kind} {key}")
    _pack_profiles()
    _pack_evidence()


def _pack_profiles() -> None:
    conn, last = op.get_bind(), 0
    some = sa.text("SELECT id, profile FROM node WHERE id > :last ORDER BY id LIMIT :portion")
    change = sa.text("UPDATE node SET profile = :body WHERE id = :id")
    while rows := conn.execute(some, {"last": last, "portion": PORTION}).all():
        last = rows[-1].id
        conn.execute(change, [{"id": row.id, "body": pack(bytes(row.profile))} for row in rows])


def _pack_evidence() -> None:
    conn, last = op.get_bind(), (-1, -1)
    op.add_column("decision", sa.Column("packed", sa.LargeBinary(), nullable=True))
    some = sa.text(
        "SELECT left_node, right_node, evidence FROM decision WHERE evidence IS NOT NULL AND (left_node > :left "
        "OR (left_node = :left AND right_node > :right)) ORDER BY left_node, right_node LIMIT :portion"
    )
    change = sa.text("UPDATE decision SET packed = :body WHERE left_node = :left AND right_node = :right")
    while rows := conn.execute(some, {"left": last[0], "right": last[1], "portion": PORTION}).all():
        last = (rows[-1].left_node, rows[-1].right_node)
        conn.execute(
            change,
            [{"left": row.left_node, "right": row.right_node, "body": pack(row.evidence.encode())} for row in rows],
        )
    op.execute("ALTER TABLE decision DROP COLUMN evidence")
    op.execute("ALTER TABLE decision RENAME COLUMN packed TO evidence")
