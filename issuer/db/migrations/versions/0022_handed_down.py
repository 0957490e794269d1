"""Blocks of card numbers and sets of status indices that another instance gives out, and registers restored once."""

import sqlalchemy as sa
from alembic import op

revision = "0022_handed_down"
down_revision = "0021_batches"
branch_labels = None
depends_on = None

_NAME = sa.String(length=40)


def upgrade() -> None:
    """Every block that there is was granted here and is given out here."""
    no = sa.false()
    op.add_column(
        "instances", sa.Column("has_lost", sa.Boolean(), nullable=False, server_default=no)
    )
    op.add_column("number_blocks", sa.Column("held_by", _NAME, nullable=True))
    op.add_column(
        "number_blocks", sa.Column("is_told", sa.Boolean(), nullable=False, server_default=no)
    )
    op.add_column(
        "status_lists", sa.Column("is_shared", sa.Boolean(), nullable=False, server_default=no)
    )
    for table, column in (
        ("instances", "has_lost"),
        ("number_blocks", "is_told"),
        ("status_lists", "is_shared"),
    ):
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, server_default=None)
    op.create_table(
        "status_index_sets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("list_id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("instance", _NAME, nullable=False),
        sa.Column("is_received", sa.Boolean(), nullable=False),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.Column("indices", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance"], ["instances.name"], name=op.f("fk_status_index_sets_instance_instances")
        ),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["status_lists.list_id"],
            name=op.f("fk_status_index_sets_list_id_status_lists"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_index_sets")),
        sa.UniqueConstraint(
            "list_id", "instance", name=op.f("uq_status_index_sets_list_id_instance")
        ),
    )


def downgrade() -> None:
    """What was handed down is forgotten: the marks outside the database still hold it."""
    op.drop_table("status_index_sets")
    for name, column in (
        ("status_lists", "is_shared"),
        ("number_blocks", "is_told"),
        ("number_blocks", "held_by"),
        ("instances", "has_lost"),
    ):
        with op.batch_alter_table(name) as batch:
            batch.drop_column(column)
