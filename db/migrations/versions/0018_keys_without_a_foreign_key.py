"""No foreign key of keys on PostgreSQL, which asked it once a key: a fifth of the server's work in a load."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("fk_match_key_node_id", "match_key", type_="foreignkey")
