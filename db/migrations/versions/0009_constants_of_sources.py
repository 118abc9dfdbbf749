"""What nearly every record of a source says alike, which is no evidence for matching."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "source_constant",
        sa.Column("source_id", _key(), nullable=False),
        sa.Column("run_id", _key(), nullable=False),
        sa.Column("derivation_id", _key(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_source_constant_source_id")),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_source_constant")),
    )
