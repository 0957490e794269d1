"""An organisation is found by parts of its name, however they are written."""

import sqlalchemy as sa
from alembic import op

from issuer.domain.vietnamese_text import fold

revision = "0031_organisation_keys"
down_revision = "0030_security_objects"
branch_labels = None
depends_on = None

_CHUNK = 10_000
_ORGANISATIONS = sa.table(
    "organisations",
    sa.column("id", sa.Uuid()),
    sa.column("name", sa.String()),
    sa.column("words", sa.String()),
)


def upgrade() -> None:
    """Names stand in the clear, so that their words are folded here, as the product folds them."""
    op.add_column(
        "organisations",
        sa.Column("words", sa.String(length=640), nullable=False, server_default=""),
    )
    _fill(op.get_bind())
    if op.get_bind().dialect.name == "postgresql":
        # SQLite would have to make the whole table anew for it, and others refer to its rows.
        op.alter_column("organisations", "words", server_default=None)
    op.create_index(
        "ix_organisations_words_code", "organisations", ["words", "code", "closed_on", "id"]
    )


def downgrade() -> None:
    """Organisations are found in the tree alone."""
    op.drop_index("ix_organisations_words_code", "organisations")
    op.drop_column("organisations", "words")


def _fill(connection: sa.Connection) -> None:
    behind = None
    while True:
        query = sa.select(_ORGANISATIONS.c.id, _ORGANISATIONS.c.name).order_by(_ORGANISATIONS.c.id)
        if behind is not None:
            query = query.where(_ORGANISATIONS.c.id > behind)
        rows = connection.execute(query.limit(_CHUNK)).all()
        if not rows:
            return
        connection.execute(
            sa.update(_ORGANISATIONS)
            .where(_ORGANISATIONS.c.id == sa.bindparam("organisation"))
            .values(words=sa.bindparam("folded")),
            [{"organisation": row.id, "folded": f" {fold(row.name)}"} for row in rows],
        )
        behind = rows[-1].id
