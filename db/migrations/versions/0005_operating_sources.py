"""What operating a source leaves behind: rejected payloads, purged addresses, changed identifiers, old places."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def _bytewise() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "rejected_payload",
        sa.Column("source_id", _key(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(), nullable=False),
        sa.Column("run_id", _key(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_rejected_payload_source_id")),
        sa.PrimaryKeyConstraint("source_id", "payload_hash", name=op.f("pk_rejected_payload")),
    )
    op.create_index(op.f("ix_rejected_payload_run_id"), "rejected_payload", ["run_id"])

    op.create_table(
        "purged",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("source_id", _key(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_purged_source_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_purged")),
    )
    op.create_index(op.f("ix_purged_source_id"), "purged", ["source_id"])

    op.create_table(
        "rekey",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("source_id", _key(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_rekey_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rekey")),
    )
    op.create_index(op.f("ix_rekey_source_id"), "rekey", ["source_id"])

    op.create_table(
        "rekey_pair",
        sa.Column("rekey_id", _key(), nullable=False),
        sa.Column("record_id", _key(), nullable=False),
        sa.Column("old_identifier", _bytewise(), nullable=False),
        sa.Column("new_identifier", _bytewise(), nullable=False),
        sa.Column("twin_id", _key(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["rekey_id"], ["rekey.id"], name=op.f("fk_rekey_pair_rekey_id")),
        sa.PrimaryKeyConstraint("rekey_id", "record_id", name=op.f("pk_rekey_pair")),
    )

    op.create_table(
        "former_membership",
        sa.Column("record_id", _key(), nullable=False),
        sa.Column("cluster_id", _key(), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_former_membership_record_id")),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_former_membership_cluster_id")),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_former_membership")),
    )
    op.create_index(op.f("ix_former_membership_cluster_id"), "former_membership", ["cluster_id"])
