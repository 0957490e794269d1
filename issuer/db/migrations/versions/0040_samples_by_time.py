"""Samples of a site are found by their time: a day on which it took some is closed, too."""

import sqlalchemy as sa
from alembic import op

revision = "0040_samples_by_time"
down_revision = "0039_audit_subject_sequence"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only samples are in it, so it is small."""
    op.create_index(
        "ix_chips_site_sampled_at",
        "chips",
        ["site", "sampled_at"],
        sqlite_where=sa.text("sampled_at IS NOT NULL"),
        postgresql_where=sa.text("sampled_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Samples are looked for among all chips again."""
    op.drop_index("ix_chips_site_sampled_at", table_name="chips")
