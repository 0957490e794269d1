"""The first card that a site issued after its last close is found without a look at all cards."""

from alembic import op

revision = "0032_cards_issued_at"
down_revision = "0031_organisation_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index in the order of issue."""
    op.create_index("ix_cards_issued_at", "cards", ["issued_at"])


def downgrade() -> None:
    """All cards are looked at again."""
    op.drop_index("ix_cards_issued_at", "cards")
