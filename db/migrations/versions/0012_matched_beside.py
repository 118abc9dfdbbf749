"""Keys and decisions by other rules, too, are stored beside those in use. What was prepared is prepared again."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.drop_table("reprofiled")
    op.create_table(
        "reprofiled",
        sa.Column("record_id", _key(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rules", sa.LargeBinary(), nullable=False),
        sa.Column("node_id", _key(), nullable=False),
        sa.Column("solid", sa.Boolean(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("rekeyed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_reprofiled_node_id")),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_reprofiled_record_id")),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_reprofiled")),
    )
    op.create_index("ix_reprofiled_node_id", "reprofiled", ["node_id"])
    op.create_table(
        "rekeyed",
        sa.Column("hash", sa.BigInteger(), nullable=False),
        sa.Column("node_id", _key(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("likeness", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", "node_id", name=op.f("pk_rekeyed")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_rekeyed_node_id", "rekeyed", ["node_id"])
    op.create_table(
        "rejudged",
        sa.Column("left_node", _key(), nullable=False),
        sa.Column("right_node", _key(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("left_node", "right_node", name=op.f("pk_rejudged")),
        sqlite_with_rowid=False,
    )
