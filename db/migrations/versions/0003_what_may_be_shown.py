"""The feed can be held and never steps back in time; who is shown in a cluster; a full-text index."""

import sqlalchemy as sa
from alembic import op

from harvester.text import old_spelling, romanize

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")
Bytewise = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("feed_counter") as batch_op:
        batch_op.add_column(sa.Column("at", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("held", sa.Text(), server_default="", nullable=False))
    with op.batch_alter_table("change") as batch_op:
        batch_op.create_index(batch_op.f("ix_change_at"), ["at"], unique=False)
    op.create_table(
        "cluster_partner",
        sa.Column("cluster_id", Id, nullable=False),
        sa.Column("partner", Bytewise, nullable=False),
        sa.Column("here", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_cluster_partner_cluster_id")),
        sa.PrimaryKeyConstraint("cluster_id", "partner", name=op.f("pk_cluster_partner")),
    )
    with op.batch_alter_table("cluster_partner") as batch_op:
        batch_op.create_index("ix_cluster_partner_partner", ["partner"], unique=False)
    op.create_table(
        "hidden_member",
        sa.Column("record_id", Id, nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_hidden_member_record_id")),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_hidden_member")),
    )
    conn = op.get_bind()
    sqlite = conn.dialect.name == "sqlite"
    for statement in _SQLITE if sqlite else _POSTGRES:
        conn.exec_driver_sql(statement)
    conn.execute(sa.text("UPDATE feed_counter SET at = coalesce((SELECT max(at) FROM change), '')"))
    conn.execute(
        sa.text(
            "INSERT INTO cluster_partner (cluster_id, partner, here)"
            " SELECT DISTINCT membership.cluster_id, source.partner, true FROM membership"
            " JOIN record ON record.id = membership.record_id JOIN source ON source.id = record.source_id"
        )
    )
    _fill(conn, sqlite)


_SQLITE = ("CREATE VIRTUAL TABLE cluster_text USING fts5 (title, words, tokenize = 'ascii', prefix = '3')",)
_POSTGRES = (
    "CREATE TABLE cluster_text (cluster_id bigint PRIMARY KEY, title tsvector NOT NULL, words tsvector NOT NULL)",
    "CREATE INDEX ix_cluster_text_title ON cluster_text USING gin (title)",
    "CREATE INDEX ix_cluster_text_words ON cluster_text USING gin (words)",
)


def _fill(conn: sa.Connection, sqlite: bool) -> None:
    """Index titles and authors; the other words come when a cluster is merged again."""
    insert = "INSERT INTO cluster_text (rowid, title, words) VALUES (:id, :title, :words)"
    if not sqlite:
        insert = (
            "INSERT INTO cluster_text VALUES (:id, array_to_tsvector(array_remove(string_to_array(:title, ' '), '')),"
            " array_to_tsvector(array_remove(string_to_array(:words, ' '), '')))"
        )
    for row in conn.execute(sa.text("SELECT cluster_id, title, author FROM cluster_brief ORDER BY cluster_id")).all():
        title, author = (" ".join(dict.fromkeys(old_spelling(romanize(one)).split())) for one in row[1:])
        conn.execute(sa.text(insert), {"id": row[0], "title": title, "words": f"{title} {author}"})
