"""Who signed for each card that was handed over."""

import sqlalchemy as sa
from alembic import op

revision = "0018_acknowledgements"
down_revision = "0017_batches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of cards that were handed over before, nobody signed for in the register."""
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
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE_GUARDS if is_sqlite else _POSTGRESQL_GUARDS:
        op.execute(statement)


def downgrade() -> None:
    """Who signed is lost."""
    op.drop_table("card_acknowledgements")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION card_acknowledgements_append_only()")


_SQLITE_GUARDS = tuple(
    f"CREATE TRIGGER card_acknowledgements_no_{verb.lower()} BEFORE {verb} ON card_acknowledgements"
    " BEGIN SELECT RAISE(ABORT, 'card_acknowledgements is append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
_POSTGRESQL_GUARDS = (
    """CREATE FUNCTION card_acknowledgements_append_only() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'card_acknowledgements is append-only'; END $$""",
    """CREATE TRIGGER card_acknowledgements_append_only
       BEFORE DELETE OR TRUNCATE OR UPDATE ON card_acknowledgements
       FOR EACH STATEMENT EXECUTE FUNCTION card_acknowledgements_append_only()""",
)
