"""When somebody last said of a member that everything is as it is recorded, and who."""

import sqlalchemy as sa
from alembic import op

revision = "0038_member_checks"
down_revision = "0037_station_history"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has said it of anybody yet."""
    op.add_column("members", sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("members", sa.Column("checked_by", sa.String(200), nullable=True))


def downgrade() -> None:
    """It is not known any more."""
    op.drop_column("members", "checked_by")
    op.drop_column("members", "checked_at")
