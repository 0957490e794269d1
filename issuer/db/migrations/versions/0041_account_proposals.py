"""What one administrator proposed for an account."""

import sqlalchemy as sa
from alembic import op

revision = "0041_account_proposals"
down_revision = "0040_samples_by_time"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Roles that one administrator gave alone stay as they are."""
    op.create_table(
        "account_proposals",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("act", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=True),
        sa.Column("organisation", sa.String(length=32), nullable=True),
        sa.Column("proposed_by", sa.String(length=200), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "act IN ('give-role', 'enable', 'reset-password', 'remove-second-factors')",
            name=op.f("ck_account_proposals_act"),
        ),
        sa.CheckConstraint(
            "(act = 'give-role') = (role IS NOT NULL)"
            " AND (role IS NOT NULL OR organisation IS NULL)",
            name=op.f("ck_account_proposals_role"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_proposals_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_proposals")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_account_proposals_account_id", "account_proposals", ["account_id"])


def downgrade() -> None:
    """What waits for a second administrator is lost."""
    op.drop_index("ix_account_proposals_account_id", table_name="account_proposals")
    op.drop_table("account_proposals")
