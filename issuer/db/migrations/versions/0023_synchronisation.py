"""Member databases with which the register is kept in step, and in which of their bundles a member stood last."""

import sqlalchemy as sa
from alembic import op

revision = "0023_synchronisation"
down_revision = "0022_handed_down"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every instance that there is stands above or below."""
    _sides("'above', 'below', 'source'")
    op.add_column(
        "linked_members",
        sa.Column("seen_in", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    with op.batch_alter_table("linked_members") as batch:
        batch.alter_column("seen_in", server_default=None)


def downgrade() -> None:
    """Fails where there is a source: take its rows out first."""
    with op.batch_alter_table("linked_members") as batch:
        batch.drop_column("seen_in")
    _sides("'above', 'below'")


def _sides(sides: str) -> None:
    with op.batch_alter_table("instances") as batch:
        batch.drop_constraint(op.f("ck_instances_side"), type_="check")
        batch.create_check_constraint(op.f("ck_instances_side"), f"side IN ({sides})")
