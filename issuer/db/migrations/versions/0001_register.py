"""The register: organisations and members."""

import sqlalchemy as sa
from alembic import op

revision = "0001_register"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Organisations and members can be recorded, and members approved."""
    op.create_table(
        "organisations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=320), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("committee_number", sa.String(length=2), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["organisations.id"], name="fk_organisations_parent_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_organisations"),
        sa.UniqueConstraint("code", name="uq_organisations_code"),
    )
    op.create_index("ix_organisations_parent_id", "organisations", ["parent_id"])
    op.create_table(
        "members",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("card_number", sa.String(length=8), nullable=False),
        sa.Column("record_number", sa.String(length=9), nullable=False),
        sa.Column("citizen_number", sa.String(length=12), nullable=False),
        sa.Column("full_name", sa.String(length=320), nullable=False),
        sa.Column("primary_name", sa.String(length=160), nullable=False),
        sa.Column("secondary_name", sa.String(length=160), nullable=False),
        sa.Column("sort_key", sa.LargeBinary(length=1024), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("sex", sa.String(length=1), nullable=False),
        sa.Column("place_of_birth", sa.String(length=320), nullable=False),
        sa.Column("home_town", sa.String(length=320), nullable=False),
        sa.Column("ethnic_group", sa.String(length=64), nullable=False),
        sa.Column("admission_date", sa.Date(), nullable=False),
        sa.Column("recognition_date", sa.Date(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ordinal", sa.SmallInteger(), nullable=False),
        sa.Column("portrait", sa.LargeBinary(length=32), nullable=False),
        sa.Column("portrait_source", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.String(length=200), nullable=True),
        sa.CheckConstraint("sex IN ('M', 'F')", name=op.f("ck_members_sex")),
        sa.CheckConstraint(
            "kind IN ('first-issue', 'exchange', 're-issue')", name=op.f("ck_members_kind")
        ),
        sa.CheckConstraint("ordinal BETWEEN 1 AND 99", name=op.f("ck_members_ordinal")),
        sa.CheckConstraint(
            "(state = 'recorded' AND approved_at IS NULL AND approved_by IS NULL)"
            " OR (state = 'approved' AND approved_at IS NOT NULL AND approved_by IS NOT NULL)",
            name=op.f("ck_members_state"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name="fk_members_organisation_id_organisations",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
        sa.UniqueConstraint("card_number", name="uq_members_card_number"),
        sa.UniqueConstraint("record_number", name="uq_members_record_number"),
        sa.UniqueConstraint("citizen_number", name="uq_members_citizen_number"),
    )
    op.create_index("ix_members_sort_key_id", "members", ["sort_key", "id"])
    op.create_index("ix_members_state_sort_key_id", "members", ["state", "sort_key", "id"])
    op.create_index(
        "ix_members_organisation_id_sort_key_id", "members", ["organisation_id", "sort_key", "id"]
    )


def downgrade() -> None:
    """The whole register is lost."""
    op.drop_table("members")
    op.drop_table("organisations")
