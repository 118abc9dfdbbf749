"""Profiles by other rules, stored beside those in use until they are put in force."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reprofiled",
        sa.Column("record_id", _key(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rules", sa.LargeBinary(), nullable=False),
        sa.Column("node_id", _key(), nullable=False),
        sa.Column("solid", sa.Boolean(), nullable=False),
        sa.Column("keys", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_reprofiled_node_id")),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_reprofiled_record_id")),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_reprofiled")),
    )
    op.create_index("ix_reprofiled_node_id", "reprofiled", ["node_id"])
