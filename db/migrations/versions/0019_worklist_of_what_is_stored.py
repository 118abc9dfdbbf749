"""Clusters whose doubts may be others though nothing of them was announced; the worklist is made anew."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "suspect_due",
        sa.Column("id", number, nullable=False),
        sa.Column("cluster_id", number, nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_suspect_due_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspect_due")),
    )
    op.execute("DELETE FROM suspect")
    op.execute("DELETE FROM suspect_mark")
