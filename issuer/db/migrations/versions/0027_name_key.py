"""A name is found by its beginning, the family name first; lists of a large part of the tree read no table."""

import sqlalchemy as sa
from alembic import op

from issuer.domain.vietnamese_text import name_key

revision = "0027_name_key"
down_revision = "0026_instance_reports"
branch_labels = None
depends_on = None

_CHUNK = 10_000
_MEMBERS = sa.table(
    "members",
    sa.column("id", sa.Uuid()),
    sa.column("full_name", sa.String()),
    sa.column("name_key", sa.LargeBinary()),
)


def upgrade() -> None:
    """Names stand in the clear, so that every key is computed here, as the product computes it."""
    op.add_column(
        "members",
        sa.Column("name_key", sa.LargeBinary(length=512), nullable=False, server_default=""),
    )
    _fill(op.get_bind())
    if op.get_bind().dialect.name == "postgresql":
        # SQLite would have to make the whole table anew for it, and others refer to its rows.
        op.alter_column("members", "name_key", server_default=None)
    op.drop_index("ix_members_search_key_id", "members")
    op.create_index("ix_members_search_key_id", "members", ["search_key", "id", "organisation_id"])
    op.create_index("ix_members_name_key_id", "members", ["name_key", "id", "organisation_id"])


def downgrade() -> None:
    """Names are found by the given name alone."""
    op.drop_index("ix_members_name_key_id", "members")
    op.drop_index("ix_members_search_key_id", "members")
    op.create_index("ix_members_search_key_id", "members", ["search_key", "id"])
    op.drop_column("members", "name_key")


def _fill(connection: sa.Connection) -> None:
    behind = None
    while True:
        query = sa.select(_MEMBERS.c.id, _MEMBERS.c.full_name).order_by(_MEMBERS.c.id)
        if behind is not None:
            query = query.where(_MEMBERS.c.id > behind)
        rows = connection.execute(query.limit(_CHUNK)).all()
        if not rows:
            return
        connection.execute(
            sa.update(_MEMBERS)
            .where(_MEMBERS.c.id == sa.bindparam("member"))
            .values(name_key=sa.bindparam("folded")),
            [{"member": row.id, "folded": name_key(row.full_name).encode()} for row in rows],
        )
        behind = rows[-1].id
