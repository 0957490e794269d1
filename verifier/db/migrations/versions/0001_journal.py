"""The journal of inspections: records that nobody changes, and the head of their chain."""

import sqlalchemy as sa
from alembic import op

revision = "0001_journal"
down_revision = None
branch_labels = None
depends_on = None

_GUARDS = (
    """CREATE TRIGGER journal_records_no_update BEFORE UPDATE ON journal_records
       BEGIN SELECT RAISE(ABORT, 'journal_records is append-only'); END""",
    # Only what the head has let go of may be deleted.
    """CREATE TRIGGER journal_records_no_delete BEFORE DELETE ON journal_records
       WHEN OLD.sequence > (SELECT dropped FROM journal_head WHERE id = 1)
       BEGIN SELECT RAISE(ABORT, 'journal_records is append-only'); END""",
    # REPLACE deletes without asking the trigger above, unless recursive triggers are on.
    """CREATE TRIGGER journal_records_in_order BEFORE INSERT ON journal_records
       WHEN NEW.sequence <> (SELECT sequence FROM journal_head WHERE id = 1) + 1
       BEGIN SELECT RAISE(ABORT, 'journal_records is append-only'); END""",
    """CREATE TRIGGER journal_head_no_delete BEFORE DELETE ON journal_head
       BEGIN SELECT RAISE(ABORT, 'journal_head is one row'); END""",
    """CREATE TRIGGER journal_head_forward BEFORE UPDATE ON journal_head
       WHEN NEW.sequence < OLD.sequence OR NEW.dropped < OLD.dropped OR NEW.dropped > NEW.sequence
         OR NEW.terminal <> OLD.terminal
       BEGIN SELECT RAISE(ABORT, 'journal_head only moves forward'); END""",
)


def upgrade() -> None:
    """Inspections can be recorded."""
    op.create_table(
        "journal_records",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_journal_records_sequence")),
        sa.PrimaryKeyConstraint("sequence", name="pk_journal_records"),
    )
    op.create_index("ix_journal_records_at", "journal_records", ["at"])
    op.create_table(
        "journal_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("terminal", sa.String(length=80), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.Column("dropped_digest", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_journal_head_id")),
        sa.PrimaryKeyConstraint("id", name="pk_journal_head"),
    )
    for statement in _GUARDS:
        op.execute(statement)


def downgrade() -> None:
    """The journal is lost."""
    op.drop_table("journal_head")
    op.drop_table("journal_records")
