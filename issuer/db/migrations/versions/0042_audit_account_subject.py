"""The last records of one account about one kind of thing are found without reading all of either."""

from alembic import op

revision = "0042_audit_account_subject"
down_revision = "0041_account_proposals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index in the order of the trail."""
    op.create_index(
        "ix_audit_records_account_subject_sequence",
        "audit_records",
        ["account", "subject", "sequence"],
    )


def downgrade() -> None:
    """All records of the account, or all about such things, are read."""
    op.drop_index("ix_audit_records_account_subject_sequence", "audit_records")
