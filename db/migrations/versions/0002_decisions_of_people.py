"""A person's decision binds whole groups: one row for it, one for each record that it concerns."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "human_decision",
        sa.Column("id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("undone_by", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), nullable=True),
        sa.Column("part_of", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), nullable=True),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), nullable=True),
        sa.Column("body", sa.Text(), server_default="{}", nullable=False),
        sa.CheckConstraint("kind IN ('must','cannot','split','')", name=op.f("ck_human_decision_kind")),
        sa.CheckConstraint("state IN ('pending','active','undone')", name=op.f("ck_human_decision_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_human_decision")),
    )
    with op.batch_alter_table("human_decision") as batch_op:
        batch_op.create_index(batch_op.f("ix_human_decision_part_of"), ["part_of"], unique=False)
        batch_op.create_index(batch_op.f("ix_human_decision_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_human_decision_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_human_decision_undone_by"), ["undone_by"], unique=False)

    op.create_table(
        "decision_member",
        sa.Column("decision_id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("identifier", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["human_decision.id"], name=op.f("fk_decision_member_decision_id")),
        sa.PrimaryKeyConstraint("decision_id", "source", "identifier", name=op.f("pk_decision_member")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("decision_member") as batch_op:
        batch_op.create_index("ix_decision_member_address", ["source", "identifier"], unique=False)

    op.create_table(
        "ignored_identifier",
        sa.Column("decision_id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("identifier", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("value", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["human_decision.id"], name=op.f("fk_ignored_identifier_decision_id")),
        sa.PrimaryKeyConstraint(
            "decision_id", "source", "identifier", "kind", "value", name=op.f("pk_ignored_identifier")
        ),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("ignored_identifier") as batch_op:
        batch_op.create_index("ix_ignored_identifier_address", ["source", "identifier"], unique=False)

    op.create_table(
        "imported_id",
        sa.Column("name", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("source", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("identifier", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("decision_id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["human_decision.id"], name=op.f("fk_imported_id_decision_id")),
        sa.PrimaryKeyConstraint("name", "source", "identifier", name=op.f("pk_imported_id")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("imported_id") as batch_op:
        batch_op.create_index(batch_op.f("ix_imported_id_decision_id"), ["decision_id"], unique=False)

    conn = op.get_bind()
    pins = conn.execute(sa.text("SELECT * FROM pin ORDER BY id")).mappings().all()
    op.drop_table("pin")
    op.create_table(
        "pin",
        sa.Column("id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("decision_id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("identifier", sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("warned", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["human_decision.id"], name=op.f("fk_pin_decision_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pin")),
    )
    with op.batch_alter_table("pin") as batch_op:
        batch_op.create_index("ix_pin_address", ["source", "identifier"], unique=False)
        batch_op.create_index(batch_op.f("ix_pin_decision_id"), ["decision_id"], unique=False)
    for row in conn.execute(sa.text("SELECT * FROM link ORDER BY id")).mappings().all():
        sides = [(row["left_source"], row["left_identifier"], 0), (row["right_source"], row["right_identifier"], 1)]
        if row["kind"] == "must":
            sides = [(*side[:2], 0) for side in sides]
        _decision(conn, row, row["kind"], "must" if row["kind"] == "must" else "never", sides)
    for row in pins:
        made = _decision(conn, row, "", "pin", [(row["source"], row["identifier"], 0)])
        conn.execute(
            sa.text(
                "INSERT INTO pin (decision_id, source, identifier, field, value, seen)"
                " VALUES (:made, :source, :identifier, :field, :value, :seen)"
            ),
            {**row, "made": made, "seen": row["seen"] or ""},
        )
    op.drop_table("link")


def _decision(
    conn: sa.Connection, row: sa.RowMapping, kind: str, action: str, sides: list[tuple[str, str, int]]
) -> int:
    """Carry one old link or pin over; returns the id of its decision."""
    made: int = conn.execute(
        sa.text(
            "INSERT INTO human_decision (action, kind, author, reason, at, state)"
            " VALUES (:action, :kind, :author, :reason, :at, :state) RETURNING id"
        ),
        {
            "action": action,
            "kind": kind,
            "author": row["author"],
            "reason": row["reason"],
            "at": row["at"],
            "state": "active" if row["state"] == "active" else "undone",
        },
    ).scalar_one()
    for source, identifier, side in dict.fromkeys(sides):
        conn.execute(
            sa.text("INSERT INTO decision_member VALUES (:made, :source, :identifier, :side)"),
            {"made": made, "source": source, "identifier": identifier, "side": side},
        )
    return made
