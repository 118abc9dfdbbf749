"""A record may have several control numbers: its 001, and the number under which its system keeps it."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.dialects.postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.execute("CREATE TABLE control_number_before AS SELECT record_id, source, number FROM control_number")
    op.drop_table("control_number")
    op.create_table(
        "control_number",
        sa.Column("record_id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), nullable=False),
        sa.Column("number", _text(), nullable=False),
        sa.Column("source", _text(), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_control_number_record_id")),
        sa.PrimaryKeyConstraint("record_id", "number", name=op.f("pk_control_number")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_control_number_number", "control_number", ["number", "source"])
    op.execute(
        "INSERT INTO control_number (record_id, source, number)"
        " SELECT record_id, source, number FROM control_number_before ORDER BY record_id"
    )
    op.drop_table("control_number_before")
