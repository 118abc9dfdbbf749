"""Records normalized again beside what is served: the next derivation, and what it replaced."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.add_column("derivation", sa.Column("body", sa.Text(), server_default="{}", nullable=False))

    op.create_table(
        "renormalized",
        sa.Column("derivation_id", _key(), nullable=False),
        sa.Column("record_id", _key(), nullable=False),
        sa.Column("source_id", _key(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("swapped", sa.Boolean(), nullable=False),
        sa.Column("mapping_hash", sa.LargeBinary(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("warnings", sa.Text(), server_default="[]", nullable=False),
        sa.Column("damage", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["derivation_id"], ["derivation.id"], name=op.f("fk_renormalized_derivation_id")),
        sa.PrimaryKeyConstraint("derivation_id", "record_id", name=op.f("pk_renormalized")),
    )
