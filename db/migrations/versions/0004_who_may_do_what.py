"""Accounts, their sessions and tokens, the audit; reports of wrong merges; what the merge log is filtered by."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")
Bytewise = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
PORTION = 1000


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("name", Bytewise, nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("partners", sa.Text(), server_default="[]", nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.Text(), nullable=False),
        sa.CheckConstraint("role IN ('viewer','cataloguer','partner','admin')", name=op.f("ck_account_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
    )
    for name, extra in (
        ("login_session", [sa.Column("expires_at", sa.Text(), nullable=False)]),
        ("token", [sa.Column("label", sa.Text(), nullable=False), sa.Column("revoked_at", sa.Text(), nullable=True)]),
    ):
        op.create_table(
            name,
            sa.Column("id", Id, autoincrement=True, nullable=False),
            sa.Column("digest", sa.LargeBinary(), nullable=False),
            sa.Column("account_id", Id, nullable=False),
            sa.Column("made_at", sa.Text(), nullable=False),
            *extra,
            sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f(f"fk_{name}_account_id")),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
            sa.UniqueConstraint("digest", name=op.f(f"uq_{name}_digest")),
        )
        with op.batch_alter_table(name) as batch_op:
            batch_op.create_index(batch_op.f(f"ix_{name}_account_id"), ["account_id"], unique=False)
    op.create_table(
        "login_failure",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("name", Bytewise, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failure")),
    )
    with op.batch_alter_table("login_failure") as batch_op:
        batch_op.create_index(batch_op.f("ix_login_failure_at"), ["at"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), server_default="", nullable=False),
        sa.Column("after", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "merge_report",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("cluster_id", Id, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("settled_by", sa.Text(), server_default="", nullable=False),
        sa.Column("settled_at", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('open','settled')", name=op.f("ck_merge_report_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merge_report")),
    )
    with op.batch_alter_table("merge_report") as batch_op:
        batch_op.create_index(batch_op.f("ix_merge_report_cluster_id"), ["cluster_id"], unique=False)
    with op.batch_alter_table("cluster_event") as batch_op:
        batch_op.add_column(sa.Column("source", Bytewise, server_default="", nullable=False))
        batch_op.add_column(sa.Column("rule", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("score", sa.Float(), nullable=True))
    _fill(op.get_bind())
    with op.batch_alter_table("cluster_event") as batch_op:
        batch_op.create_index(batch_op.f("ix_cluster_event_at"), ["at"], unique=False)
        batch_op.create_index("ix_cluster_event_source", ["source", "id"], unique=False)


def _fill(conn: sa.Connection) -> None:
    """Take the columns out of the bodies of the lines that are there, a portion at a time."""
    last = 0
    page = sa.text("SELECT id, body FROM cluster_event WHERE id > :last ORDER BY id LIMIT :portion")
    write = sa.text("UPDATE cluster_event SET source = :source, rule = :rule, score = :score WHERE id = :id")
    while rows := conn.execute(page, {"last": last, "portion": PORTION}).all():
        last = rows[-1].id
        bodies = [(row.id, json.loads(row.body)) for row in rows]
        conn.execute(
            write,
            [
                {
                    "id": key,
                    "source": str(body.get("record", "")).partition("/")[0],
                    "rule": str(body.get("action") or str(body.get("reason", "")).partition(":")[0])[:60],
                    "score": body.get("score"),
                }
                for key, body in bodies
            ],
        )
