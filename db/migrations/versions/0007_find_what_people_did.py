"""Find the lines of the merge log that people wrote among millions that the rules wrote."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("cluster_event") as batch_op:
        batch_op.create_index("ix_cluster_event_actor", ["actor", "id"], unique=False)
