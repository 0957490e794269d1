"""Security keys that sign for the PKI as well; rows of lists that wait are found by whom they resemble."""

import sqlalchemy as sa
from alembic import op

revision = "0020_operator_keys"
down_revision = "0019_stock"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rows that wait already resemble nobody until their list comes in again."""
    with op.batch_alter_table("second_factors") as table:
        table.add_column(sa.Column("operator", sa.String(length=64), nullable=True))
        table.add_column(
            sa.Column("operator_registration", sa.LargeBinary(length=16384), nullable=True)
        )
        table.add_column(
            sa.Column("operator_certificate", sa.LargeBinary(length=2048), nullable=True)
        )
        table.create_check_constraint(
            op.f("ck_second_factors_operator"),
            "(operator IS NULL) = (operator_registration IS NULL)"
            " AND (operator IS NOT NULL OR operator_certificate IS NULL)",
        )
    op.add_column(
        "import_rows", sa.Column("likeness_digest", sa.LargeBinary(length=32), nullable=True)
    )
    op.create_index("ix_import_rows_likeness_digest", "import_rows", ["likeness_digest"])


def downgrade() -> None:
    """Such keys are second factors alone."""
    op.drop_index("ix_import_rows_likeness_digest", "import_rows")
    with op.batch_alter_table("import_rows") as table:
        table.drop_column("likeness_digest")
    with op.batch_alter_table("second_factors") as table:
        table.drop_constraint(op.f("ck_second_factors_operator"), type_="check")
        for column in ("operator", "operator_registration", "operator_certificate"):
            table.drop_column(column)
