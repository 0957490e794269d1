"""What stations say of themselves: their readers, whether they rest, what they made today."""

import sqlalchemy as sa
from alembic import op

revision = "0033_station_presence"
down_revision = "0032_cards_issued_at"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of stations nothing is known before they are heard again."""
    for column in (
        sa.Column("readers", sa.Text(), nullable=True),
        sa.Column("is_suspended", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("handed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counted_on", sa.Date(), nullable=True),
        sa.Column("cards_made", sa.Integer(), server_default="0", nullable=False),
        sa.Column("chips_rejected", sa.Integer(), server_default="0", nullable=False),
    ):
        op.add_column("stations", column)


def downgrade() -> None:
    """How stations are is asked of them on the spot again."""
    with op.batch_alter_table("stations") as table:
        for name in (
            "chips_rejected",
            "cards_made",
            "counted_on",
            "handed_in_at",
            "is_suspended",
            "readers",
        ):
            table.drop_column(name)
