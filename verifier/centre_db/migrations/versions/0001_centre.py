"""Terminals, their uploaded journals, and alarms."""

import sqlalchemy as sa
from alembic import op

revision = "0001_centre"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The central service can begin."""
    op.create_table(
        "terminals",
        sa.Column("holder", sa.String(length=11), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.Column("blocked_at", sa.BigInteger(), nullable=True),
        sa.Column("blocked_because", sa.String(length=200), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("said_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.String(length=40), nullable=True),
        sa.Column("bundle_number", sa.BigInteger(), nullable=True),
        sa.Column("journal_sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("holder", name="pk_terminals"),
    )
    op.create_table(
        "journals",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("holder", sa.String(length=11), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["holder"], ["terminals.holder"], name="fk_journals_holder_terminals"
        ),
        sa.PrimaryKeyConstraint("name", name="pk_journals"),
    )
    op.create_table(
        "inspections",
        sa.Column("journal", sa.String(length=80), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("holder", sa.String(length=11), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("assurance", sa.String(length=16), nullable=True),
        sa.Column("about", sa.BigInteger(), nullable=True),
        sa.Column("answer", sa.String(length=16), nullable=True),
        sa.Column("period", sa.String(length=7), nullable=True),
        sa.Column("card", sa.LargeBinary(length=32), nullable=True),
        sa.Column("chip", sa.LargeBinary(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["journal"], ["journals.name"], name="fk_inspections_journal_journals"
        ),
        sa.PrimaryKeyConstraint("journal", "sequence", name="pk_inspections"),
    )
    op.create_index("ix_inspections_at", "inspections", ["at"])
    op.create_index("ix_inspections_card_at", "inspections", ["card", "at"])
    op.create_index("ix_inspections_chip", "inspections", ["chip"])
    op.create_index("ix_inspections_holder_at", "inspections", ["holder", "at"])
    op.create_table(
        "inspection_codes",
        sa.Column("journal", sa.String(length=80), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal", "sequence"],
            ["inspections.journal", "inspections.sequence"],
            name="fk_inspection_codes_journal_sequence_inspections",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("journal", "sequence", "code", name="pk_inspection_codes"),
    )
    op.create_index("ix_inspection_codes_code", "inspection_codes", ["code"])
    op.create_table(
        "journal_gaps",
        sa.Column("journal", sa.String(length=80), nullable=False),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("noticed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal"], ["journals.name"], name="fk_journal_gaps_journal_journals"
        ),
        sa.PrimaryKeyConstraint("journal", "first", name="pk_journal_gaps"),
    )
    op.create_table(
        "alarms",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(length=11), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("noticed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_alarms"),
        sa.UniqueConstraint("code", "subject", name="uq_alarms_code_subject"),
    )
    op.create_index("ix_alarms_at", "alarms", ["at"])


def downgrade() -> None:
    """Everything is lost."""
    for table in (
        "alarms",
        "journal_gaps",
        "inspection_codes",
        "inspections",
        "journals",
        "terminals",
    ):
        op.drop_table(table)
