"""Three indexes: who needs the bytes of a payload, which pages a run brought, what waits of an address.

A prune asked the first two of whole tables, for each payload and each run; the third is asked with each page.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_record_version_payload", "record_version", ["payload"])
    op.create_index("ix_page_run_id", "page", ["run_id"])
    op.create_index("ix_quarantine_address", "quarantine", ["source_id", "identifier"])
