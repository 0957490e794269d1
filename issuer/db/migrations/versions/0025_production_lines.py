"""How far production has come, by organisation, as it was counted last."""

import sqlalchemy as sa
from alembic import op

revision = "0025_production_lines"
down_revision = "0024_import_row_persons"
branch_labels = None
depends_on = None

_TABLES = {
    "production_lines": ("stage", 16, ("cards", "standing_long", "standing_very_long")),
    "production_rejects": ("reason", 80, ("cards",)),
}


def upgrade() -> None:
    """They are empty until somebody counts."""
    for table, (key, length, counts) in _TABLES.items():
        op.create_table(
            table,
            sa.Column("organisation_id", sa.Uuid(), nullable=False),
            sa.Column(key, sa.String(length=length), nullable=False),
            *(sa.Column(each, sa.Integer(), nullable=False) for each in counts),
            sa.ForeignKeyConstraint(
                ["organisation_id"],
                ["organisations.id"],
                name=f"fk_{table}_organisation_id_organisations",
            ),
            sa.PrimaryKeyConstraint("organisation_id", key, name=f"pk_{table}"),
        )


def downgrade() -> None:
    """They are counted anew."""
    for table in _TABLES:
        op.drop_table(table)
