"""Requests for cards, decisions, and blocks of card numbers; what they know is no matter of members any more."""

import sqlalchemy as sa
from alembic import op

from issuer.db.migrations.conversion import require_empty

revision = "0014_requests"
down_revision = "0013_operations"
branch_labels = None
depends_on = None

_APPEND_ONLY = {
    "request_events": "sequence, request_id, at, account, kind",
    "allotted_numbers": "number, block_id, request_id, member_id, at",
}
"""Tables whose rows stay, with the columns that never change: what a person wrote goes when theirs is deleted."""


def upgrade() -> None:
    """Cards are asked for, decided and numbered: nobody can tell by which request an older card was made."""
    require_empty("members")
    _create_requests()
    _create_decisions()
    _create_numbers()
    _change_cards()
    _change_members()
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for table, columns in _APPEND_ONLY.items():
        for statement in (
            _sqlite_guards(table, columns) if is_sqlite else _postgresql_guards(table, columns)
        ):
            op.execute(statement)


def downgrade() -> None:
    """Every request, decision and number given out is lost; members and cards there must be none."""
    require_empty("members")
    op.drop_index("uq_cards_request_id_live", "cards")
    op.drop_index("ix_cards_member_id", "cards")
    with op.batch_alter_table("cards") as table:
        table.drop_constraint("fk_cards_request_id_requests", type_="foreignkey")
        table.drop_column("request_id")
    not_condemned = sa.text("state <> 'condemned'")
    op.create_index(
        "uq_cards_member_id_live",
        "cards",
        ["member_id"],
        unique=True,
        sqlite_where=not_condemned,
        postgresql_where=not_condemned,
    )
    with op.batch_alter_table("members") as table:
        for column in (
            sa.Column("card_number", sa.String(length=8), nullable=False),
            sa.Column("kind", sa.String(length=16), nullable=False),
            sa.Column("ordinal", sa.SmallInteger(), nullable=False),
            sa.Column("state", sa.String(length=16), nullable=False),
            sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
            sa.Column("approved_by", sa.String(length=200), nullable=True),
        ):
            table.add_column(column)
        table.create_unique_constraint("uq_members_card_number", ["card_number"])
        table.create_check_constraint(
            op.f("ck_members_kind"), "kind IN ('first-issue', 'exchange', 're-issue')"
        )
        table.create_check_constraint(op.f("ck_members_ordinal"), "ordinal BETWEEN 1 AND 99")
        table.create_check_constraint(
            op.f("ck_members_state"),
            "(state = 'recorded' AND approved_at IS NULL AND approved_by IS NULL)"
            " OR (state = 'approved' AND approved_at IS NOT NULL AND approved_by IS NOT NULL)",
        )
    op.create_index("ix_members_state_sort_key_id", "members", ["state", "sort_key", "id"])
    for name in (
        "allotted_numbers",
        "number_blocks",
        "number_state",
        "batch_authorisations",
        "decision_requests",
        "decisions",
        "request_events",
        "requests",
    ):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        for name in _APPEND_ONLY:
            op.execute(f"DROP FUNCTION {name}_append_only()")


def _create_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("ordinal", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("card_number", sa.String(length=8), nullable=True),
        sa.CheckConstraint(
            "kind IN ('new-issue', 'exchange', 're-issue')", name=op.f("ck_requests_kind")
        ),
        sa.CheckConstraint(
            "(kind = 're-issue') = (reason IS NOT NULL)"
            " AND (reason IS NULL OR reason IN ('lost', 'damaged', 'data-changed'))",
            name=op.f("ck_requests_reason"),
        ),
        sa.CheckConstraint("ordinal BETWEEN 1 AND 99", name=op.f("ck_requests_ordinal")),
        sa.CheckConstraint("version > 0", name=op.f("ck_requests_version")),
        sa.CheckConstraint(
            "state IN ('draft', 'proposed', 'endorsed', 'compiled', 'tabled', 'decided', 'fulfilled',"
            " 'returned', 'withdrawn')",
            name=op.f("ck_requests_state"),
        ),
        sa.CheckConstraint(
            "(card_number IS NOT NULL) = (state IN ('decided', 'fulfilled'))",
            name=op.f("ck_requests_card_number"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_requests_member_id_members"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name="fk_requests_organisation_id_organisations",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
    )
    live = sa.text("state NOT IN ('fulfilled', 'withdrawn')")
    op.create_index(
        "uq_requests_member_id_live",
        "requests",
        ["member_id"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    numbered = sa.text("state = 'decided'")
    op.create_index(
        "uq_requests_card_number_decided",
        "requests",
        ["card_number"],
        unique=True,
        sqlite_where=numbered,
        postgresql_where=numbered,
    )
    op.create_index("ix_requests_member_id", "requests", ["member_id"])
    op.create_index("ix_requests_created_at_id", "requests", ["created_at", "id"])
    op.create_index("ix_requests_state_created_at_id", "requests", ["state", "created_at", "id"])
    op.create_index(
        "ix_requests_organisation_id_state_created_at_id",
        "requests",
        ["organisation_id", "state", "created_at", "id"],
    )
    op.create_table(
        "request_events",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("remark", sa.String(length=400), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_request_events_request_id_requests"
        ),
        sa.PrimaryKeyConstraint("sequence", name="pk_request_events"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_request_events_request_id_sequence", "request_events", ["request_id", "sequence"]
    )


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("committee_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("document", sa.LargeBinary(length=32), nullable=True),
        sa.Column("document_signature", sa.String(length=16), nullable=True),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("prepared_by", sa.String(length=200), nullable=False),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.String(length=200), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dropped_by", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "state IN ('prepared', 'confirmed', 'dropped')", name=op.f("ck_decisions_state")
        ),
        sa.CheckConstraint(
            "(confirmed_by IS NOT NULL) = (state = 'confirmed')"
            " AND (confirmed_by IS NULL) = (confirmed_at IS NULL)"
            " AND (confirmed_by IS NULL OR confirmed_by <> prepared_by)",
            name=op.f("ck_decisions_confirmed"),
        ),
        sa.CheckConstraint(
            "(dropped_by IS NOT NULL) = (state = 'dropped')", name=op.f("ck_decisions_dropped")
        ),
        sa.CheckConstraint(
            "(document IS NULL) = (document_signature IS NULL)"
            " AND (document IS NOT NULL OR state <> 'confirmed')",
            name=op.f("ck_decisions_document"),
        ),
        sa.ForeignKeyConstraint(
            ["committee_id"], ["organisations.id"], name="fk_decisions_committee_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    standing = sa.text("state <> 'dropped'")
    op.create_index(
        "uq_decisions_committee_id_decided_on_number",
        "decisions",
        ["committee_id", "decided_on", "number"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )
    op.create_index("ix_decisions_prepared_at_id", "decisions", ["prepared_at", "id"])
    op.create_table(
        "decision_requests",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.id"], name="fk_decision_requests_decision_id_decisions"
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_decision_requests_request_id_requests"
        ),
        sa.PrimaryKeyConstraint("decision_id", "request_id", name="pk_decision_requests"),
    )
    op.create_index("ix_decision_requests_request_id", "decision_requests", ["request_id"])
    op.create_table(
        "batch_authorisations",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.id"], name="fk_batch_authorisations_decision_id_decisions"
        ),
        sa.PrimaryKeyConstraint("digest", name="pk_batch_authorisations"),
    )
    op.create_index(
        "ix_batch_authorisations_decision_id_created_at",
        "batch_authorisations",
        ["decision_id", "created_at"],
    )


def _create_numbers() -> None:
    op.create_table(
        "number_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("register_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("allotments", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_number_state_id")),
        sa.PrimaryKeyConstraint("id", name="pk_number_state"),
    )
    op.create_table(
        "number_blocks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("committee_id", sa.Uuid(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("next", sa.Integer(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "first <= last AND next BETWEEN first AND last + 1",
            name=op.f("ck_number_blocks_range"),
        ),
        sa.ForeignKeyConstraint(
            ["committee_id"],
            ["organisations.id"],
            name="fk_number_blocks_committee_id_organisations",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_number_blocks"),
        sa.UniqueConstraint("first", name="uq_number_blocks_first"),
        sa.UniqueConstraint("last", name="uq_number_blocks_last"),
    )
    op.create_index(
        "ix_number_blocks_committee_id_granted_at", "number_blocks", ["committee_id", "granted_at"]
    )
    op.create_table(
        "allotted_numbers",
        sa.Column("number", sa.String(length=8), nullable=False),
        sa.Column("block_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["block_id"], ["number_blocks.id"], name="fk_allotted_numbers_block_id_number_blocks"
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_allotted_numbers_request_id_requests"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_allotted_numbers_member_id_members"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_allotted_numbers"),
        sa.UniqueConstraint("request_id", name="uq_allotted_numbers_request_id"),
    )


def _change_cards() -> None:
    """A card is made by a request, and a member may hold one card while the next is made."""
    op.drop_index("uq_cards_member_id_live", "cards")
    with op.batch_alter_table("cards") as table:
        table.add_column(sa.Column("request_id", sa.Uuid(), nullable=False))
        table.create_foreign_key("fk_cards_request_id_requests", "requests", ["request_id"], ["id"])
    op.create_index("ix_cards_member_id", "cards", ["member_id"])
    not_condemned = sa.text("state <> 'condemned'")
    op.create_index(
        "uq_cards_request_id_live",
        "cards",
        ["request_id"],
        unique=True,
        sqlite_where=not_condemned,
        postgresql_where=not_condemned,
    )


def _change_members() -> None:
    op.drop_index("ix_members_state_sort_key_id", "members")
    with op.batch_alter_table("members") as table:
        for name in ("kind", "ordinal", "state"):
            table.drop_constraint(op.f(f"ck_members_{name}"), type_="check")
        table.drop_constraint("uq_members_card_number", type_="unique")
        for name in ("card_number", "kind", "ordinal", "state", "approved_at", "approved_by"):
            table.drop_column(name)


def _sqlite_guards(table: str, columns: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb}{of} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb, of in (("UPDATE", f" OF {columns}"), ("DELETE", ""))
    )


def _postgresql_guards(table: str, columns: str) -> tuple[str, ...]:
    function = (
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    trigger = (
        f"CREATE TRIGGER {table}_append_only BEFORE DELETE OR TRUNCATE OR UPDATE OF {columns} ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
    )
    return function, trigger
