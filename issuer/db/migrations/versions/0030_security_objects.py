"""EF.SOD stands in a table of its own: with the sealed contents in one row, signing wrote both anew."""

import sqlalchemy as sa
from alembic import op

revision = "0030_security_objects"
down_revision = "0029_signed_under"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was signed moves over."""
    op.create_table(
        "security_objects",
        sa.Column("reference", sa.LargeBinary(length=16), nullable=False),
        sa.Column("file", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reference"],
            ["card_contents.reference"],
            name="fk_security_objects_reference_card_contents",
        ),
        sa.PrimaryKeyConstraint("reference", name="pk_security_objects"),
    )
    op.execute(
        "INSERT INTO security_objects (reference, file)"
        " SELECT reference, security_object_file FROM card_contents"
        " WHERE security_object_file IS NOT NULL"
    )
    op.drop_column("card_contents", "security_object_file")


def downgrade() -> None:
    """It goes back into the rows of the contents."""
    op.add_column(
        "card_contents", sa.Column("security_object_file", sa.LargeBinary(), nullable=True)
    )
    op.execute(
        "UPDATE card_contents SET security_object_file ="
        " (SELECT file FROM security_objects WHERE reference = card_contents.reference)"
    )
    op.drop_table("security_objects")
