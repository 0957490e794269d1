"""Stations that one person proposed, and who made each one that is known."""

import sqlalchemy as sa
from alembic import op

revision = "0028_station_proposals"
down_revision = "0027_name_key"
branch_labels = None
depends_on = None

_ACCOUNT = sa.String(length=200)


def upgrade() -> None:
    """Of stations that are known already nobody can say any more who enrolled them."""
    op.create_table(
        "station_proposals",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("signing_certificate", sa.LargeBinary(), nullable=False),
        sa.Column("sealing_certificate", sa.LargeBinary(), nullable=False),
        sa.Column("proposed_by", _ACCOUNT, nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_station_proposals")),
    )
    with op.batch_alter_table("stations") as table:
        for name in ("proposed_by", "confirmed_by"):
            table.add_column(sa.Column(name, _ACCOUNT, nullable=True))
        table.create_check_constraint(
            op.f("ck_stations_enrolled"),
            "(proposed_by IS NULL) = (confirmed_by IS NULL)"
            " AND (proposed_by IS NULL OR proposed_by <> confirmed_by)",
        )


def downgrade() -> None:
    """Who enrolled stations is lost."""
    with op.batch_alter_table("stations") as table:
        table.drop_constraint(op.f("ck_stations_enrolled"), type_="check")
        for name in ("confirmed_by", "proposed_by"):
            table.drop_column(name)
    op.drop_table("station_proposals")
