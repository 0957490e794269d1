"""Of each line of a proof also the digest of what it was made of, as it was stored."""

import sqlalchemy as sa
from alembic import op

revision = "0034_proof_records"
down_revision = "0033_station_presence"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lines that were proposed before are read anew where they are confirmed."""
    op.add_column("batch_requests", sa.Column("record_digest", sa.LargeBinary(32), nullable=True))


def downgrade() -> None:
    """Every line is read anew where it is confirmed."""
    with op.batch_alter_table("batch_requests") as table:
        table.drop_column("record_digest")
