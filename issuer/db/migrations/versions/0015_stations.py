"""Stations, what they have in hand, the days that they closed; events say where and by whom."""

import sqlalchemy as sa
from alembic import op

revision = "0015_stations"
down_revision = "0014_requests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A chip is in one station's hands at a time."""
    op.create_table(
        "stations",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("signing_certificate", sa.LargeBinary(), nullable=True),
        sa.Column("sealing_certificate", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(length=32), nullable=False),
        sa.Column("last_order", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(signing_certificate IS NULL) = (sealing_certificate IS NULL)",
            name=op.f("ck_stations_certificates"),
        ),
        sa.PrimaryKeyConstraint("name", name="pk_stations"),
    )
    op.create_table(
        "station_claims",
        sa.Column("serial", sa.LargeBinary(length=10), nullable=False),
        sa.Column("station", sa.String(length=40), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["serial"], ["chips.serial"], name="fk_station_claims_serial_chips"
        ),
        sa.ForeignKeyConstraint(
            ["station"], ["stations.name"], name="fk_station_claims_station_stations"
        ),
        sa.PrimaryKeyConstraint("serial", name="pk_station_claims"),
    )
    op.create_index(
        "ix_station_claims_station_released_at", "station_claims", ["station", "released_at"]
    )
    op.create_table(
        "station_days",
        sa.Column("station", sa.String(length=40), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.String(length=64), nullable=False),
        sa.Column("issued", sa.Integer(), nullable=False),
        sa.Column("condemned", sa.Integer(), nullable=False),
        sa.Column("destroyed", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["station"], ["stations.name"], name="fk_station_days_station_stations"
        ),
        sa.PrimaryKeyConstraint("station", "sequence", name="pk_station_days"),
    )
    op.add_column("card_events", sa.Column("station", sa.String(length=40), nullable=True))
    op.add_column("card_events", sa.Column("account", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Where and by whom cards were made is forgotten."""
    op.drop_column("card_events", "account")
    op.drop_column("card_events", "station")
    op.drop_table("station_days")
    op.drop_index("ix_station_claims_station_released_at", "station_claims")
    op.drop_table("station_claims")
    op.drop_table("stations")
