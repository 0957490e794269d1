"""Organisations as a dated tree: versions with their days, levels, and what became of those that were closed."""

import sqlalchemy as sa
from alembic import op

revision = "0009_organisation_versions"
down_revision = "0008_imports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Each organisation gets a first version, which is valid from a day that nobody recorded."""
    # Columns without constraints: SQLite would otherwise make the table anew, and members stand on it.
    op.add_column("organisations", sa.Column("level", sa.String(length=64), nullable=True))
    op.add_column("organisations", sa.Column("closed_on", sa.Date(), nullable=True))
    op.create_table(
        "organisation_versions",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("change", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=320), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("level", sa.String(length=64), nullable=True),
        sa.Column("committee_number", sa.String(length=2), nullable=True),
        sa.Column("successor_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("account", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=800), nullable=False),
        sa.Column("evidence", sa.LargeBinary(length=32), nullable=True),
        sa.CheckConstraint(
            "change IN ('recorded', 'renamed', 'moved', 'merged', 'closed')",
            name=op.f("ck_organisation_versions_change"),
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_organisation_versions_number")),
        sa.CheckConstraint(
            "valid_from IS NULL OR valid_until IS NULL OR valid_from <= valid_until",
            name=op.f("ck_organisation_versions_validity"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name="fk_organisation_versions_organisation_id_organisations",
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["organisations.id"],
            name="fk_organisation_versions_parent_id_organisations",
        ),
        sa.ForeignKeyConstraint(
            ["successor_id"],
            ["organisations.id"],
            name="fk_organisation_versions_successor_id_organisations",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "number", name="pk_organisation_versions"),
    )
    op.execute(
        "INSERT INTO organisation_versions (organisation_id, number, change, name, parent_id,"
        " committee_number, reason)"
        " SELECT id, 1, 'recorded', name, parent_id, committee_number, '' FROM organisations"
    )


def downgrade() -> None:
    """The past of the tree is lost, and what was closed is open again."""
    op.drop_table("organisation_versions")
    op.drop_column("organisations", "closed_on")
    op.drop_column("organisations", "level")
