"""Batches: which requests each holds, what happened to it, and who made and passed each card."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0021_batches"
down_revision = "0020_operator_keys"
branch_labels = None
depends_on = None

_CARD_COLUMNS: Mapping[str, sa.types.TypeEngine[Any]] = {
    "batch_id": sa.Uuid(),
    "produced_by": sa.String(length=200),
    "passed_by": sa.String(length=200),
    "passed_at": sa.DateTime(timezone=True),
    "box": sa.Integer(),
    "received_at": sa.DateTime(timezone=True),
}


def upgrade() -> None:
    """Cards that were made before belong to no batch."""
    _create_batches()
    _create_events()
    _create_acknowledgements()
    _guard()
    with op.batch_alter_table("cards") as table:
        for name, kind in _CARD_COLUMNS.items():
            table.add_column(sa.Column(name, kind, nullable=True))
        table.create_foreign_key("fk_cards_batch_id_batches", "batches", ["batch_id"], ["id"])
        table.create_check_constraint(
            op.f("ck_cards_passed"),
            "(passed_by IS NULL) = (passed_at IS NULL)"
            " AND (passed_by IS NULL OR (produced_by IS NOT NULL AND passed_by <> produced_by))",
        )
    op.create_index("ix_cards_batch_id_state", "cards", ["batch_id", "state"])


def downgrade() -> None:
    """Which cards were made together, and by whom, is lost."""
    op.drop_index("ix_cards_batch_id_state", "cards")
    with op.batch_alter_table("cards") as table:
        table.drop_constraint(op.f("ck_cards_passed"), type_="check")
        table.drop_constraint("fk_cards_batch_id_batches", type_="foreignkey")
        for name in _CARD_COLUMNS:
            table.drop_column(name)
    for name in reversed(_TABLES):
        op.drop_table(name)
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP FUNCTION {name}_append_only()")
    op.drop_table("batch_requests")
    op.drop_table("batches")


def _create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("receiver_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("follow_up_of", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proof", sa.LargeBinary(length=32), nullable=True),
        sa.Column("cards", sa.Integer(), nullable=True),
        sa.Column("proposed_by", sa.String(length=200), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.String(length=200), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("carrier", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'freezing', 'frozen', 'signed', 'producing', 'controlled', 'packed',"
            " 'dispatched', 'received', 'handed-over', 'cancelled')",
            name=op.f("ck_batches_state"),
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_batches_version")),
        sa.CheckConstraint(
            "(proof IS NULL) = (proposed_by IS NULL) AND (proof IS NULL) = (proposed_at IS NULL)"
            " AND (proof IS NULL) = (cards IS NULL)"
            " AND (proof IS NOT NULL OR state IN ('open', 'cancelled'))",
            name=op.f("ck_batches_proposed"),
        ),
        sa.CheckConstraint(
            "(confirmed_by IS NULL) = (confirmed_at IS NULL)"
            " AND (confirmed_by IS NOT NULL) = (state NOT IN ('open', 'freezing', 'cancelled'))"
            " AND (confirmed_by IS NULL OR confirmed_by <> proposed_by)",
            name=op.f("ck_batches_confirmed"),
        ),
        sa.ForeignKeyConstraint(
            ["receiver_id"], ["organisations.id"], name="fk_batches_receiver_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.id"], name="fk_batches_decision_id_decisions"
        ),
        sa.ForeignKeyConstraint(
            ["follow_up_of"], ["batches.id"], name="fk_batches_follow_up_of_batches"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_index("ix_batches_created_at_id", "batches", ["created_at", "id"])
    op.create_index("ix_batches_decision_id", "batches", ["decision_id"])
    op.create_index("ix_batches_receiver_id_state", "batches", ["receiver_id", "state"])
    op.create_table(
        "batch_requests",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("line_digest", sa.LargeBinary(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name="fk_batch_requests_batch_id_batches"
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_batch_requests_request_id_requests"
        ),
        sa.PrimaryKeyConstraint("batch_id", "request_id", name="pk_batch_requests"),
    )
    live = sa.text("is_live")
    op.create_index(
        "uq_batch_requests_request_id_live",
        "batch_requests",
        ["request_id"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_index(
        "ix_batch_requests_batch_id_position", "batch_requests", ["batch_id", "position"]
    )


def _create_acknowledgements() -> None:
    op.create_table(
        "card_acknowledgements",
        sa.Column("reference", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("minutes", sa.LargeBinary(length=32), nullable=True),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('member', 'representative')", name=op.f("ck_card_acknowledgements_kind")
        ),
        sa.CheckConstraint(
            "minutes IS NULL OR length(minutes) = 32", name=op.f("ck_card_acknowledgements_minutes")
        ),
        sa.ForeignKeyConstraint(
            ["reference"], ["cards.reference"], name="fk_card_acknowledgements_reference_cards"
        ),
        sa.PrimaryKeyConstraint("reference", name="pk_card_acknowledgements"),
    )


def _create_events() -> None:
    op.create_table(
        "batch_events",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("count", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name="fk_batch_events_batch_id_batches"
        ),
        sa.PrimaryKeyConstraint("sequence", name="pk_batch_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_batch_events_batch_id_sequence", "batch_events", ["batch_id", "sequence"])


_TABLES = ("batch_events", "card_acknowledgements")
"""Tables whose rows stay as they are."""


def _guard() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for table in _TABLES:
        for statement in _sqlite_guards(table) if is_sqlite else _postgresql_guards(table):
            op.execute(statement)


def _sqlite_guards(table: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    )


def _postgresql_guards(table: str) -> tuple[str, ...]:
    function = (
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    trigger = (
        f"CREATE TRIGGER {table}_append_only BEFORE DELETE OR TRUNCATE OR UPDATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
    )
    return function, trigger
