"""How many cards were signed under an authorisation, spoiled blanks among rejects; condemned cards lose their secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0029_signed_under"
down_revision = "0028_station_proposals"
branch_labels = None
depends_on = None

_EMPTY_SECRETS = "UPDATE cards SET sealed_secrets = :empty WHERE state = 'condemned'"
_EMPTY_CONTENTS = """UPDATE card_contents SET sealed = :empty WHERE reference IN
 (SELECT reference FROM cards WHERE state = 'condemned')"""


def upgrade() -> None:
    """An authorisation from before counts as unused: the signer itself says when nothing is left of it."""
    op.add_column(
        "batch_authorisations",
        sa.Column("signed", sa.Integer(), server_default="0", nullable=False),
    )
    op.add_column(
        "batch_authorisations",
        sa.Column("is_void", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column(
        "production_rejects", sa.Column("blanks", sa.Integer(), server_default="0", nullable=False)
    )
    # Whoever condemns a card from now on destroys its secrets with it.
    for statement in (_EMPTY_SECRETS, _EMPTY_CONTENTS):
        op.get_bind().execute(sa.text(statement), {"empty": b""})


def downgrade() -> None:
    """What was destroyed stays so."""
    with op.batch_alter_table("production_rejects") as table:
        table.drop_column("blanks")
    with op.batch_alter_table("batch_authorisations") as table:
        table.drop_column("is_void")
        table.drop_column("signed")
