"""What finished cards count as, what status lists say of them, and every change of it."""

import sqlalchemy as sa
from alembic import op

revision = "0016_card_validity"
down_revision = "0015_stations"
branch_labels = None
depends_on = None

_FIXED = "sequence, reference, at, account, event, reason, before, after"
"""The columns of a change that never change: what a person wrote goes when their data is deleted."""


def upgrade() -> None:
    """Cards in their members' hands are in force; condemned ones that may work are revoked."""
    with op.batch_alter_table("cards") as table:
        for name in ("counts_as", "published_as"):
            table.add_column(sa.Column(name, sa.SmallInteger(), server_default="1", nullable=False))
        table.add_column(sa.Column("ended_for", sa.String(length=24), nullable=True))
        table.add_column(sa.Column("report", sa.String(length=24), nullable=True))
        table.add_column(sa.Column("reported_by", sa.String(length=200), nullable=True))
        for name in ("is_suspended", "is_member_barred", "is_collected", "is_stale"):
            table.add_column(
                sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)
            )
        table.add_column(sa.Column("valid_until", sa.Date(), nullable=True))
        table.create_check_constraint(
            op.f("ck_cards_validity"),
            "counts_as BETWEEN 0 AND 6 AND published_as BETWEEN 0 AND 6",
        )
        table.create_check_constraint(
            op.f("ck_cards_report"), "(report IS NULL) = (reported_by IS NULL)"
        )
    op.execute("UPDATE cards SET counts_as = 0 WHERE state = 'handed-over'")
    op.execute(
        "UPDATE cards SET counts_as = 6, ended_for = 'condemned'"
        " WHERE state = 'condemned' AND issued_at IS NOT NULL"
    )
    unpublished = sa.text("counts_as <> published_as")
    op.create_index(
        "ix_cards_unpublished",
        "cards",
        ["status_list", "status_index"],
        sqlite_where=unpublished,
        postgresql_where=unpublished,
    )
    op.create_index("ix_requests_card_number", "requests", ["card_number"])
    op.create_table(
        "card_changes",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("reference", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("event", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=True),
        sa.Column("before", sa.SmallInteger(), nullable=False),
        sa.Column("after", sa.SmallInteger(), nullable=False),
        sa.Column("remark", sa.String(length=400), nullable=False),
        sa.CheckConstraint(
            "before BETWEEN 0 AND 6 AND after BETWEEN 0 AND 6",
            name=op.f("ck_card_changes_states"),
        ),
        sa.ForeignKeyConstraint(
            ["reference"], ["cards.reference"], name="fk_card_changes_reference_cards"
        ),
        sa.PrimaryKeyConstraint("sequence", name="pk_card_changes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_card_changes_reference_sequence", "card_changes", ["reference", "sequence"])
    op.create_table(
        "status_publications",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("this_update", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_update", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_status_publications"),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _sqlite_guards() if is_sqlite else _postgresql_guards():
        op.execute(statement)


def downgrade() -> None:
    """What cards count as is lost, and with it what the next status list would say."""
    op.drop_table("status_publications")
    op.drop_table("card_changes")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION card_changes_append_only()")
    op.drop_index("ix_requests_card_number", "requests")
    op.drop_index("ix_cards_unpublished", "cards")
    with op.batch_alter_table("cards") as table:
        for name in ("validity", "report"):
            table.drop_constraint(op.f(f"ck_cards_{name}"), type_="check")
        for name in (
            "counts_as",
            "published_as",
            "ended_for",
            "report",
            "reported_by",
            "is_suspended",
            "is_member_barred",
            "is_collected",
            "is_stale",
            "valid_until",
        ):
            table.drop_column(name)


def _sqlite_guards() -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER card_changes_no_{verb.lower()} BEFORE {verb}{of} ON card_changes"
        " BEGIN SELECT RAISE(ABORT, 'card_changes is append-only'); END"
        for verb, of in (("UPDATE", f" OF {_FIXED}"), ("DELETE", ""))
    )


def _postgresql_guards() -> tuple[str, ...]:
    function = (
        "CREATE FUNCTION card_changes_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'card_changes is append-only'; END $$"
    )
    trigger = (
        f"CREATE TRIGGER card_changes_append_only BEFORE DELETE OR TRUNCATE OR UPDATE OF {_FIXED}"
        " ON card_changes FOR EACH STATEMENT EXECUTE FUNCTION card_changes_append_only()"
    )
    return function, trigger
