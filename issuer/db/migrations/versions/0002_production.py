"""Card production: chips, cards, their sealed contents, status lists, and the journal of events."""

import sqlalchemy as sa
from alembic import op

revision = "0002_production"
down_revision = "0001_register"
branch_labels = None
depends_on = None

_SQLITE_APPEND_ONLY = (
    """CREATE TRIGGER card_events_no_update BEFORE UPDATE ON card_events
       BEGIN SELECT RAISE(ABORT, 'card_events is append-only'); END""",
    """CREATE TRIGGER card_events_no_delete BEFORE DELETE ON card_events
       BEGIN SELECT RAISE(ABORT, 'card_events is append-only'); END""",
)

_POSTGRESQL_APPEND_ONLY = (
    """CREATE FUNCTION card_events_append_only() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'card_events is append-only'; END $$""",
    """CREATE TRIGGER card_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON card_events
       FOR EACH STATEMENT EXECUTE FUNCTION card_events_append_only()""",
)


def upgrade() -> None:
    """Chips can be received and become cards; every step is journaled."""
    op.create_table(
        "chips",
        sa.Column("serial", sa.LargeBinary(length=10), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("key_curve", sa.String(length=32), nullable=True),
        sa.Column("key_point", sa.LargeBinary(length=133), nullable=True),
        sa.Column("held", sa.String(length=80), nullable=True),
        sa.Column("condemned_for", sa.String(length=80), nullable=True),
        sa.Column("delivery", sa.String(length=200), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('received', 'initialising', 'initialised', 'condemned')",
            name=op.f("ck_chips_state"),
        ),
        sa.CheckConstraint(
            "(key_curve IS NULL) = (key_point IS NULL) AND (state <> 'initialised' OR key_point IS NOT NULL)",
            name=op.f("ck_chips_key"),
        ),
        sa.CheckConstraint(
            "(state = 'condemned') = (condemned_for IS NOT NULL)", name=op.f("ck_chips_condemned")
        ),
        sa.PrimaryKeyConstraint("serial", name="pk_chips"),
        sa.UniqueConstraint("key_point", name="uq_chips_key_point"),
    )
    op.create_table(
        "status_lists",
        sa.Column("list_id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("list_id", name="pk_status_lists"),
    )
    op.create_table(
        "cards",
        sa.Column("reference", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("serial", sa.LargeBinary(length=10), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("ordinal", sa.SmallInteger(), nullable=False),
        sa.Column("profile", sa.String(length=80), nullable=False),
        sa.Column("status_list", sa.LargeBinary(length=8), nullable=False),
        sa.Column("status_index", sa.BigInteger(), nullable=False),
        sa.Column("document_number_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed_secrets", sa.LargeBinary(length=256), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handed_over_to", sa.String(length=200), nullable=True),
        sa.Column("condemned_for", sa.String(length=80), nullable=True),
        sa.CheckConstraint(
            "state IN ('bound', 'signed', 'personalising', 'personalised', 'locking', 'issued',"
            " 'handed-over', 'condemned')",
            name=op.f("ck_cards_state"),
        ),
        sa.CheckConstraint(
            "(state = 'condemned') = (condemned_for IS NOT NULL)", name=op.f("ck_cards_condemned")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name="fk_cards_member_id_members"),
        sa.ForeignKeyConstraint(["serial"], ["chips.serial"], name="fk_cards_serial_chips"),
        sa.ForeignKeyConstraint(
            ["status_list"], ["status_lists.list_id"], name="fk_cards_status_list_status_lists"
        ),
        sa.PrimaryKeyConstraint("reference", name="pk_cards"),
        sa.UniqueConstraint("serial", name="uq_cards_serial"),
        sa.UniqueConstraint("document_number_digest", name="uq_cards_document_number_digest"),
        sa.UniqueConstraint(
            "status_list", "status_index", name="uq_cards_status_list_status_index"
        ),
    )
    op.create_index(
        "uq_cards_member_id_live",
        "cards",
        ["member_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'condemned'"),
        postgresql_where=sa.text("state <> 'condemned'"),
    )
    op.create_index(
        "ix_cards_state_bound_at_reference", "cards", ["state", "bound_at", "reference"]
    )
    op.create_table(
        "card_contents",
        sa.Column("reference", sa.LargeBinary(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("security_object_file", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["reference"], ["cards.reference"], name="fk_card_contents_reference_cards"
        ),
        sa.PrimaryKeyConstraint("reference", name="pk_card_contents"),
    )
    op.create_table(
        "card_events",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("serial", sa.LargeBinary(length=10), nullable=True),
        sa.Column("reference", sa.LargeBinary(length=16), nullable=True),
        sa.Column("code", sa.String(length=80), nullable=True),
        sa.Column("detail", sa.String(length=400), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name="pk_card_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_card_events_serial_sequence", "card_events", ["serial", "sequence"])
    op.create_index("ix_card_events_reference_sequence", "card_events", ["reference", "sequence"])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE_APPEND_ONLY if is_sqlite else _POSTGRESQL_APPEND_ONLY:
        op.execute(statement)


def downgrade() -> None:
    """Every chip, card and event is lost."""
    op.drop_table("card_events")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION card_events_append_only()")
    op.drop_table("card_contents")
    op.drop_table("cards")
    op.drop_table("status_lists")
    op.drop_table("chips")
