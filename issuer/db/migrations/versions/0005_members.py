"""Members: sensitive columns sealed and found by keyed digests, standing, residence, and keys to search by."""

import sqlalchemy as sa
from alembic import op

from issuer.db.migrations.conversion import require_empty

revision = "0005_members"
down_revision = "0004_people"
branch_labels = None
depends_on = None

_STANDINGS = (
    "'official', 'probationary', 'exempt', 'suspended', 'transferred', 'abroad', 'deceased',"
    " 'struck-off', 'expelled'"
)


def upgrade() -> None:
    """What is sealed cannot be made of what was plain without the keystore: there must be no member yet."""
    require_empty("members")
    op.create_table(
        "register_keys",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("key_check", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_register_keys_only_row")),
        sa.PrimaryKeyConstraint("id", name="pk_register_keys"),
    )
    with op.batch_alter_table("members") as table:
        table.drop_constraint("uq_members_citizen_number", type_="unique")
        for name in ("citizen_number", "place_of_birth", "home_town"):
            table.drop_column(name)
    with op.batch_alter_table("members") as table:
        table.alter_column("recognition_date", existing_type=sa.Date(), nullable=True)
        for column in (
            sa.Column("version", sa.Integer(), nullable=False),
            sa.Column("earlier_card_number", sa.String(length=8), nullable=True),
            sa.Column("citizen_number", sa.LargeBinary(length=64), nullable=False),
            sa.Column("citizen_number_digest", sa.LargeBinary(length=32), nullable=False),
            sa.Column("search_key", sa.LargeBinary(length=512), nullable=False),
            sa.Column("likeness_digest", sa.LargeBinary(length=32), nullable=False),
            sa.Column("place_of_birth", sa.LargeBinary(length=400), nullable=False),
            sa.Column("home_town", sa.LargeBinary(length=400), nullable=False),
            sa.Column("residence", sa.LargeBinary(length=400), nullable=True),
            sa.Column("phone", sa.LargeBinary(length=64), nullable=True),
            sa.Column("served_in_id", sa.Uuid(), nullable=True),
            sa.Column("standing", sa.String(length=16), nullable=False),
            sa.Column("standing_since", sa.Date(), nullable=True),
        ):
            table.add_column(column)
        table.create_unique_constraint("uq_members_earlier_card_number", ["earlier_card_number"])
        table.create_unique_constraint(
            "uq_members_citizen_number_digest", ["citizen_number_digest"]
        )
        table.create_foreign_key(
            "fk_members_served_in_id_organisations", "organisations", ["served_in_id"], ["id"]
        )
        table.create_check_constraint(op.f("ck_members_standing"), f"standing IN ({_STANDINGS})")
        table.create_check_constraint(op.f("ck_members_version"), "version >= 1")
    op.create_index("ix_members_search_key_id", "members", ["search_key", "id"])
    op.create_index("ix_members_likeness_digest", "members", ["likeness_digest"])
    op.create_index("ix_members_served_in_id", "members", ["served_in_id"])


def downgrade() -> None:
    """Members go: what was sealed cannot be made plain without the keystore."""
    require_empty("members")
    for name in ("served_in_id", "likeness_digest", "search_key_id"):
        op.drop_index(f"ix_members_{name}", "members")
    with op.batch_alter_table("members") as table:
        table.drop_constraint(op.f("ck_members_version"), type_="check")
        table.drop_constraint(op.f("ck_members_standing"), type_="check")
        table.drop_constraint("fk_members_served_in_id_organisations", type_="foreignkey")
        table.drop_constraint("uq_members_citizen_number_digest", type_="unique")
        table.drop_constraint("uq_members_earlier_card_number", type_="unique")
        for name in (
            "version",
            "earlier_card_number",
            "citizen_number",
            "citizen_number_digest",
            "search_key",
            "likeness_digest",
            "place_of_birth",
            "home_town",
            "residence",
            "phone",
            "served_in_id",
            "standing",
            "standing_since",
        ):
            table.drop_column(name)
    with op.batch_alter_table("members") as table:
        table.alter_column("recognition_date", existing_type=sa.Date(), nullable=False)
        table.add_column(sa.Column("citizen_number", sa.String(length=12), nullable=False))
        table.add_column(sa.Column("place_of_birth", sa.String(length=320), nullable=False))
        table.add_column(sa.Column("home_town", sa.String(length=320), nullable=False))
        table.create_unique_constraint("uq_members_citizen_number", ["citizen_number"])
    op.drop_table("register_keys")
