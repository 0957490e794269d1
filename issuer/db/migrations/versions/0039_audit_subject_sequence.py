"""The last records about one kind of thing are found without sorting all that there are."""

from alembic import op

revision = "0039_audit_subject_sequence"
down_revision = "0038_member_checks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index in the order of the trail."""
    op.create_index("ix_audit_records_subject_sequence", "audit_records", ["subject", "sequence"])


def downgrade() -> None:
    """They are sorted each time."""
    op.drop_index("ix_audit_records_subject_sequence", "audit_records")
