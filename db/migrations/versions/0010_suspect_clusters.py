"""The worklist of suspect clusters, kept so that nobody waits for it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "suspect",
        sa.Column("cluster_id", number, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_suspect_cluster_id")),
        sa.PrimaryKeyConstraint("cluster_id", name=op.f("pk_suspect")),
    )
    op.create_table(
        "suspect_mark",
        sa.Column("seq", number, autoincrement=False, nullable=False),
        sa.Column("derivation_id", number, nullable=False),
        sa.ForeignKeyConstraint(["derivation_id"], ["derivation.id"], name=op.f("fk_suspect_mark_derivation_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_suspect_mark")),
    )
