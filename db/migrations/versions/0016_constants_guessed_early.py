"""Which records heed constants that were guessed while a source's first records came in."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("source_constant", sa.Column("early", sa.Text(), nullable=False, server_default=""))
