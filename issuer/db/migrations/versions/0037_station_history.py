"""What of stations' journals was rejected, and what the chain was at their last events."""

import sqlalchemy as sa
from alembic import op

revision = "0037_station_history"
down_revision = "0036_deletion_proposals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of what was handed in before nothing is kept; it is in the journals of the chips."""
    op.create_table(
        "station_rejections",
        sa.Column("station", sa.String(40), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("serial", sa.LargeBinary(), nullable=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("code", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("station", "sequence", name=op.f("pk_station_rejections")),
        sa.ForeignKeyConstraint(
            ["station"], ["stations.name"], name=op.f("fk_station_rejections_station_stations")
        ),
    )
    op.create_index("ix_station_rejections_serial", "station_rejections", ["serial"])
    op.create_table(
        "station_chains",
        sa.Column("station", sa.String(40), nullable=False),
        sa.Column("last", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chains", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("station", "last", name=op.f("pk_station_chains")),
        sa.ForeignKeyConstraint(
            ["station"], ["stations.name"], name=op.f("fk_station_chains_station_stations")
        ),
    )


def downgrade() -> None:
    """An older report is refused again."""
    op.drop_table("station_chains")
    op.drop_table("station_rejections")
