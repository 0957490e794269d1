"""Rights of data subjects: the log of disclosures, deleted records, numbers that are nobody's for good."""

import sqlalchemy as sa
from alembic import op

revision = "0010_data_subjects"
down_revision = "0009_organisation_versions"
branch_labels = None
depends_on = None

_SQLITE_APPEND_ONLY = (
    """CREATE TRIGGER disclosures_no_update BEFORE UPDATE ON disclosures
       BEGIN SELECT RAISE(ABORT, 'disclosures is append-only'); END""",
    """CREATE TRIGGER disclosures_no_delete BEFORE DELETE ON disclosures
       BEGIN SELECT RAISE(ABORT, 'disclosures is append-only'); END""",
)

_POSTGRESQL_APPEND_ONLY = (
    """CREATE FUNCTION disclosures_append_only() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'disclosures is append-only'; END $$""",
    """CREATE TRIGGER disclosures_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON disclosures
       FOR EACH STATEMENT EXECUTE FUNCTION disclosures_append_only()""",
)


def upgrade() -> None:
    """A record can be deleted, and what was given to whom is remembered."""
    op.add_column("members", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "disclosures",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("recipient", sa.String(length=200), nullable=False),
        sa.Column("ground", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("what", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "ground IN ('asked-by-the-person', 'consent', 'legal-duty', 'ordered-by-authority',"
            " 'transfer-of-the-record', 'inspection')",
            name=op.f("ck_disclosures_ground"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_disclosures_member_id_members"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_disclosures"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_disclosures_member_id_id", "disclosures", ["member_id", "id"])
    op.create_table(
        "erasures",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("ground", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint(
            "ground IN ('membership-ended', 'recorded-in-error', 'ordered-by-authority')",
            name=op.f("ck_erasures_ground"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_erasures_member_id_members"
        ),
        sa.PrimaryKeyConstraint("member_id", name="pk_erasures"),
    )
    op.create_table(
        "files_to_destroy",
        sa.Column("store", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint(
            "store IN ('portraits', 'evidence')", name=op.f("ck_files_to_destroy_store")
        ),
        sa.PrimaryKeyConstraint("store", "digest", name="pk_files_to_destroy"),
    )
    op.create_table(
        "retired_numbers",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("kind", "digest", name="pk_retired_numbers"),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE_APPEND_ONLY if is_sqlite else _POSTGRESQL_APPEND_ONLY:
        op.execute(statement)


def downgrade() -> None:
    """What was given to whom is forgotten, and deleted records cannot be told from others."""
    op.drop_table("retired_numbers")
    op.drop_table("files_to_destroy")
    op.drop_table("erasures")
    op.drop_table("disclosures")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION disclosures_append_only()")
    op.drop_column("members", "erased_at")
