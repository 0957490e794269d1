"""The history of members: who changed what, when, why, and on which document."""

import sqlalchemy as sa
from alembic import op

revision = "0006_member_changes"
down_revision = "0005_members"
branch_labels = None
depends_on = None

_SQLITE_UNCHANGED = """CREATE TRIGGER member_changes_no_update BEFORE UPDATE ON member_changes
    BEGIN SELECT RAISE(ABORT, 'a line of history is never changed'); END"""

_POSTGRESQL_UNCHANGED = (
    """CREATE FUNCTION member_changes_unchanged() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'a line of history is never changed'; END $$""",
    """CREATE TRIGGER member_changes_unchanged BEFORE UPDATE ON member_changes
       FOR EACH STATEMENT EXECUTE FUNCTION member_changes_unchanged()""",
)


def upgrade() -> None:
    """Members can be changed; deleting lines stays possible, since a person may have theirs deleted by law."""
    op.create_table(
        "member_changes",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("column", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("effective", sa.Date(), nullable=True),
        sa.Column("reason", sa.LargeBinary(length=1024), nullable=False),
        sa.Column("evidence", sa.LargeBinary(length=32), nullable=True),
        sa.Column("old", sa.LargeBinary(length=400), nullable=True),
        sa.Column("new", sa.LargeBinary(length=400), nullable=True),
        sa.CheckConstraint("kind IN ('correction', 'event')", name=op.f("ck_member_changes_kind")),
        sa.CheckConstraint("version >= 2", name=op.f("ck_member_changes_version")),
        sa.CheckConstraint(
            "(kind = 'event') = (effective IS NOT NULL)", name=op.f("ck_member_changes_effective")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_member_changes_member_id_members"
        ),
        sa.PrimaryKeyConstraint("member_id", "version", "column", name="pk_member_changes"),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in (_SQLITE_UNCHANGED,) if is_sqlite else _POSTGRESQL_UNCHANGED:
        op.execute(statement)


def downgrade() -> None:
    """The history of every member is lost."""
    op.drop_table("member_changes")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION member_changes_unchanged()")
