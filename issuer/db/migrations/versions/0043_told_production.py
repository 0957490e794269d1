"""The stock by organisation, counted with the other figures, and what other instances told of their production."""

import sqlalchemy as sa
from alembic import op

revision = "0043_told_production"
down_revision = "0042_audit_account_subject"
branch_labels = None
depends_on = None

_FIGURES = ("received", "good", "spoiled", "samples", "left_over", "destroyed", "stolen")


def upgrade() -> None:
    """Nothing was counted yet, and whatever was told stated no production."""
    op.create_table(
        "production_stock",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        *(sa.Column(each, sa.Integer(), nullable=False) for each in _FIGURES),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_production_stock_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_production_stock")),
    )
    op.add_column(
        "instance_reports",
        sa.Column("states_production", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("instance_report_lines", sa.Column("production", sa.Text(), nullable=True))


def downgrade() -> None:
    """What was told of production is told again once it is counted anew."""
    with op.batch_alter_table("instance_report_lines") as table:
        table.drop_column("production")
    with op.batch_alter_table("instance_reports") as table:
        table.drop_column("states_production")
    op.drop_table("production_stock")
