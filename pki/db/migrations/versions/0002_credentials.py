"""Operators' WebAuthn credentials, for their page."""

import sqlalchemy as sa
from alembic import op

revision = "0002_credentials"
down_revision = "0001_service"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The page can ask an operator's own authenticators."""
    op.create_table(
        "operator_credentials",
        sa.Column("credential_id", sa.LargeBinary(length=1023), nullable=False),
        sa.Column("operator", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.String(length=300), nullable=False),
        sa.Column("rp_id", sa.String(length=253), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_operator_credentials")),
    )
    op.create_index("ix_operator_credentials_operator", "operator_credentials", ["operator"])


def downgrade() -> None:
    """They are in the journal."""
    op.drop_table("operator_credentials")
