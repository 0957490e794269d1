"""What was counted for reports, one row an organisation."""

import sqlalchemy as sa
from alembic import op

revision = "0017_report_lines"
down_revision = "0016_card_validity"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table that is filled whenever somebody has the register counted."""
    op.create_table(
        "report_lines",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("waiting_rows", sa.Integer(), nullable=False),
        sa.Column("incomplete", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("look_alikes", sa.Integer(), nullable=False),
        sa.Column("stale", sa.Integer(), nullable=False),
        sa.Column("open_requests", sa.Integer(), nullable=False),
        sa.Column("ageing_requests", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name="fk_report_lines_organisation_id_organisations",
        ),
        sa.PrimaryKeyConstraint("organisation_id", name="pk_report_lines"),
    )


def downgrade() -> None:
    """It can be counted again."""
    op.drop_table("report_lines")
