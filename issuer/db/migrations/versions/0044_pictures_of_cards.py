"""Which portrait lies on a card that is being made: its file stays until the card is in its member's hands."""

import sqlalchemy as sa
from alembic import op

revision = "0044_pictures_of_cards"
down_revision = "0043_told_production"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was prepared before holds its picture itself."""
    op.add_column("card_contents", sa.Column("portrait", sa.LargeBinary(32), nullable=True))
    op.create_index(
        "ix_card_contents_portrait",
        "card_contents",
        ["portrait"],
        sqlite_where=sa.text("portrait IS NOT NULL"),
        postgresql_where=sa.text("portrait IS NOT NULL"),
    )


def downgrade() -> None:
    """An earlier version cannot read contents that name their picture: such cards are to be handed over before."""
    named = sa.text("SELECT COUNT(*) FROM card_contents WHERE portrait IS NOT NULL")
    if op.get_bind().execute(named).scalar():
        raise RuntimeError("cards are being made whose pictures an earlier version would not find")
    op.drop_index("ix_card_contents_portrait", "card_contents")
    with op.batch_alter_table("card_contents") as table:
        table.drop_column("portrait")
