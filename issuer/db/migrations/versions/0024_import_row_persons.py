"""Rows of lists that wait are found by the person whom they state, so that a corrected one takes their place."""

import sqlalchemy as sa
from alembic import op

revision = "0024_import_row_persons"
down_revision = "0023_synchronisation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rows that wait already are found again when their own list comes in, as before."""
    op.add_column(
        "import_rows", sa.Column("person_digest", sa.LargeBinary(length=32), nullable=True)
    )
    op.create_index("ix_import_rows_person_digest", "import_rows", ["person_digest"])


def downgrade() -> None:
    """A row that waits is decided on by a person, also where a corrected one came in."""
    op.drop_index("ix_import_rows_person_digest", "import_rows")
    with op.batch_alter_table("import_rows") as table:
        table.drop_column("person_digest")
