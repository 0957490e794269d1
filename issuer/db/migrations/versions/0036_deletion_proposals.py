"""Deletions that one person proposed; who proposed each that was done, and the paper it rested on."""

import sqlalchemy as sa
from alembic import op

revision = "0036_deletion_proposals"
down_revision = "0035_holds_below_a_stop"
branch_labels = None
depends_on = None

_ACCOUNT = sa.String(length=200)
_GROUNDS = "ground IN ('membership-ended', 'recorded-in-error', 'ordered-by-authority')"


def upgrade() -> None:
    """What was deleted before was deleted by one person, and stays so."""
    op.create_table(
        "deletion_proposals",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("ground", sa.String(length=32), nullable=False),
        sa.Column("reference", _ACCOUNT, nullable=False),
        sa.Column("evidence", sa.LargeBinary(length=32), nullable=True),
        sa.Column("proposed_by", _ACCOUNT, nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(_GROUNDS, name=op.f("ck_deletion_proposals_ground")),
        sa.CheckConstraint(
            "ground <> 'ordered-by-authority' OR evidence IS NOT NULL",
            name=op.f("ck_deletion_proposals_order"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_deletion_proposals_member_id_members")
        ),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_deletion_proposals")),
    )
    with op.batch_alter_table("erasures") as table:
        table.add_column(sa.Column("proposed_by", _ACCOUNT, nullable=True))
        table.add_column(sa.Column("evidence", sa.LargeBinary(length=32), nullable=True))
        table.create_check_constraint(
            op.f("ck_erasures_two_people"), "proposed_by IS NULL OR proposed_by <> account"
        )


def downgrade() -> None:
    """Who proposed deletions is lost."""
    with op.batch_alter_table("erasures") as table:
        table.drop_constraint(op.f("ck_erasures_two_people"), type_="check")
        for name in ("evidence", "proposed_by"):
            table.drop_column(name)
    op.drop_table("deletion_proposals")
