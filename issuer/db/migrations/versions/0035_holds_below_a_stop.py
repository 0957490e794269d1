"""What holds a chip besides the stop list, so that it holds again once the stop is lifted."""

import sqlalchemy as sa
from alembic import op

revision = "0035_holds_below_a_stop"
down_revision = "0034_proof_records"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A hold that was written over that of the stop list goes below it."""
    op.add_column("chips", sa.Column("held_below", sa.String(80), nullable=True))
    op.execute(
        "UPDATE chips SET held_below = CASE WHEN sampled_at IS NOT NULL THEN 'chip.sample'"
        " WHEN held = 'chip.stolen' THEN NULL ELSE held END, held = 'chip.stolen'"
        " WHERE serial IN (SELECT serial FROM stock_stops WHERE state = 'reported')"
    )


def downgrade() -> None:
    """A lifted stop leaves the chip free again."""
    with op.batch_alter_table("chips") as table:
        table.drop_column("held_below")
