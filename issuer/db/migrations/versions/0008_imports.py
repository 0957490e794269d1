"""Imports: how far each has come, what became of its rows, and what waits for a person."""

import sqlalchemy as sa
from alembic import op

revision = "0008_imports"
down_revision = "0006_member_changes"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """An import can be gone on with, and a questionable row can wait."""
    op.create_table(
        "imports",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("list_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("last_row", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("already_present", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("questionable", sa.Integer(), nullable=False),
        sa.Column("has_checked_faces", sa.Boolean(), nullable=False),
        sa.CheckConstraint("last_row >= 0 AND row_count >= 0", name=op.f("ck_imports_rows")),
        sa.PrimaryKeyConstraint("number", name="pk_imports"),
    )
    op.create_index(
        "ix_imports_unfinished",
        "imports",
        ["list_digest"],
        unique=True,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "import_chunks",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("results", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["number"], ["imports.number"], name="fk_import_chunks_number_imports"
        ),
        sa.PrimaryKeyConstraint("number", "first_row", name="pk_import_chunks"),
    )
    op.create_table(
        "import_rows",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16)),
        sa.Column("organisation_code", sa.String(32)),
        sa.Column("content", sa.LargeBinary()),
        sa.Column("content_digest", sa.LargeBinary(32)),
        sa.Column("decided_by", sa.String(200)),
        sa.Column("decided_at", _TIME),
        sa.Column("reason", sa.String(500)),
        sa.Column("member_id", sa.Uuid()),
        sa.CheckConstraint(
            "state IS NULL OR state IN ('waiting', 'accepted', 'refused', 'replaced')",
            name=op.f("ck_import_rows_state"),
        ),
        sa.CheckConstraint(
            "(state IS NOT NULL AND state = 'waiting') = (content IS NOT NULL)",
            name=op.f("ck_import_rows_content"),
        ),
        sa.ForeignKeyConstraint(
            ["number"], ["imports.number"], name="fk_import_rows_number_imports"
        ),
        sa.PrimaryKeyConstraint("number", "row", name="pk_import_rows"),
    )
    op.create_index("ix_import_rows_state_number_row", "import_rows", ["state", "number", "row"])
    op.create_index("ix_import_rows_content_digest", "import_rows", ["content_digest"])


def downgrade() -> None:
    """Away with the tables, and with every row that waits."""
    op.drop_table("import_rows")
    op.drop_table("import_chunks")
    op.drop_table("imports")
