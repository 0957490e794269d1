"""What other instances counted of their registers, and what of it the instance above was told."""

import sqlalchemy as sa
from alembic import op

revision = "0026_instance_reports"
down_revision = "0025_production_lines"
branch_labels = None
depends_on = None

_NAME = sa.String(length=40)
_CODE = sa.String(length=32)
_KEY = ("via", "instance", "organisation")


def upgrade() -> None:
    """Nobody has told anything yet, and nothing was told upward."""
    op.add_column("instances", sa.Column("told_reports", sa.LargeBinary(length=32), nullable=True))
    op.create_table(
        "instance_reports",
        sa.Column("via", _NAME, nullable=False),
        sa.Column("instance", _NAME, nullable=False),
        sa.Column("organisation", _CODE, nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("left_out", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["via"], ["instances.name"], name=op.f("fk_instance_reports_via_instances")
        ),
        sa.PrimaryKeyConstraint(*_KEY, name=op.f("pk_instance_reports")),
    )
    op.create_table(
        "instance_report_lines",
        sa.Column("via", _NAME, nullable=False),
        sa.Column("instance", _NAME, nullable=False),
        sa.Column("organisation", _CODE, nullable=False),
        sa.Column("code", _CODE, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=320), nullable=False),
        sa.Column("above", _CODE, nullable=True),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("waiting_rows", sa.Integer(), nullable=False),
        sa.Column("incomplete", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("look_alikes", sa.Integer(), nullable=False),
        sa.Column("stale", sa.Integer(), nullable=False),
        sa.Column("open_requests", sa.Integer(), nullable=False),
        sa.Column("ageing_requests", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            list(_KEY),
            [f"instance_reports.{each}" for each in _KEY],
            name=op.f("fk_instance_report_lines_via_instance_reports"),
        ),
        sa.PrimaryKeyConstraint(*_KEY, "code", name=op.f("pk_instance_report_lines")),
    )
    op.create_index(
        "ix_instance_report_lines_above", "instance_report_lines", [*_KEY, "above", "code"]
    )
    op.create_index("ix_instance_report_lines_code", "instance_report_lines", ["code"])


def downgrade() -> None:
    """What they counted is told again with their next bundles."""
    op.drop_table("instance_report_lines")
    op.drop_table("instance_reports")
    with op.batch_alter_table("instances") as table:
        table.drop_column("told_reports")
