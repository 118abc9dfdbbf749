"""Kinds of keys and reasons of decisions as numbers of words. What `match --all` had prepared is prepared again."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    for name in ("reprofiled", "rekeyed", "rejudged"):
        op.execute(f"DELETE FROM {name}")  # noqa: S608
    op.create_table(
        "term",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_term")),
        sa.UniqueConstraint("word", name=op.f("uq_term_word")),
    )
    op.execute("INSERT INTO term (word) SELECT kind FROM match_key UNION SELECT reason FROM decision")
    _keys_anew()
    for name in ("decision", "rejudged"):
        op.add_column(name, sa.Column("reason_id", sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE decision SET reason_id = (SELECT id FROM term WHERE word = reason)")
    for name in ("decision", "rejudged"):
        op.execute(f"ALTER TABLE {name} DROP COLUMN reason")
    op.execute("ALTER TABLE rekeyed DROP COLUMN kind")
    op.add_column("rekeyed", sa.Column("kind_id", sa.Integer(), server_default="0", nullable=False))


def _keys_anew() -> None:
    """The keys in a table of their own again, in order: pages are then full."""
    op.drop_index("ix_match_key_node_id", "match_key")
    op.rename_table("match_key", "match_key_old")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_match_key RENAME TO pk_match_key_old")
    op.create_table(
        "match_key",
        sa.Column("hash", sa.BigInteger(), nullable=False),
        sa.Column("node_id", _id(), nullable=False),
        sa.Column("kind_id", sa.Integer(), nullable=False),
        sa.Column("likeness", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_match_key_node_id")),
        sa.PrimaryKeyConstraint("hash", "node_id", name=op.f("pk_match_key")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO match_key (hash, node_id, kind_id, likeness) SELECT hash, node_id, term.id, likeness"
        " FROM match_key_old JOIN term ON word = kind ORDER BY hash, node_id"
    )
    op.drop_table("match_key_old")
    op.create_index("ix_match_key_node_id", "match_key", ["node_id"])
