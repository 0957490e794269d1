"""Operations with their progress, and the answers to requests that carry a key."""

import sqlalchemy as sa
from alembic import op

revision = "0013_operations"
down_revision = "0011_member_standings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Long work tells how far it is; a request under a key is carried out once."""
    op.create_table(
        "operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=True),
        sa.Column("sentence", sa.String(length=400), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed')", name=op.f("ck_operations_state")
        ),
        sa.CheckConstraint(
            "(state = 'failed') = (code IS NOT NULL)", name=op.f("ck_operations_code")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_operations"),
    )
    op.create_index(
        "ix_operations_account_created_at_id", "operations", ["account", "created_at", "id"]
    )
    op.create_index("ix_operations_state_created_at", "operations", ["state", "created_at"])
    op.create_table(
        "kept_requests",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("location", sa.String(length=400), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "(status IS NULL) = (body IS NULL)", name=op.f("ck_kept_requests_answer")
        ),
        sa.PrimaryKeyConstraint("account", "key", name="pk_kept_requests"),
    )
    op.create_index("ix_kept_requests_received_at", "kept_requests", ["received_at"])


def downgrade() -> None:
    """What was under way is forgotten."""
    op.drop_table("kept_requests")
    op.drop_table("operations")
