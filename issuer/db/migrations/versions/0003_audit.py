"""The audit trail: records that nobody changes, and the head of their chain."""

import hashlib
import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003_audit"
down_revision = "0002_production"
branch_labels = None
depends_on = None

_SQLITE_GUARDS = (
    """CREATE TRIGGER audit_records_no_update BEFORE UPDATE ON audit_records
       BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END""",
    """CREATE TRIGGER audit_records_no_delete BEFORE DELETE ON audit_records
       BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END""",
    # REPLACE deletes without asking the trigger above, unless recursive triggers are on.
    """CREATE TRIGGER audit_records_in_order BEFORE INSERT ON audit_records
       WHEN NEW.sequence <= (SELECT coalesce(max(sequence), 0) FROM audit_records)
       BEGIN SELECT RAISE(ABORT, 'audit_records is append-only'); END""",
    """CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
       BEGIN SELECT RAISE(ABORT, 'audit_head is one row'); END""",
    """CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
       WHEN NEW.sequence <= OLD.sequence OR NEW.trail_id <> OLD.trail_id
       BEGIN SELECT RAISE(ABORT, 'audit_head only moves forward'); END""",
)

_POSTGRESQL_GUARDS = (
    """CREATE FUNCTION audit_records_append_only() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'audit_records is append-only'; END $$""",
    """CREATE TRIGGER audit_records_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_records
       FOR EACH STATEMENT EXECUTE FUNCTION audit_records_append_only()""",
    """CREATE FUNCTION audit_head_one_row() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'audit_head is one row'; END $$""",
    """CREATE TRIGGER audit_head_one_row BEFORE DELETE OR TRUNCATE ON audit_head
       FOR EACH STATEMENT EXECUTE FUNCTION audit_head_one_row()""",
    """CREATE FUNCTION audit_head_forward() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN
         IF NEW.sequence <= OLD.sequence OR NEW.trail_id <> OLD.trail_id THEN
           RAISE EXCEPTION 'audit_head only moves forward';
         END IF;
         RETURN NEW;
       END $$""",
    """CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
       FOR EACH ROW EXECUTE FUNCTION audit_head_forward()""",
)


def upgrade() -> None:
    """Acts can be recorded; the trail gets its identity."""
    op.create_table(
        "audit_records",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.String(length=128), nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_audit_records_sequence")),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_records"),
    )
    op.create_index(
        "ix_audit_records_subject_subject_id_sequence",
        "audit_records",
        ["subject", "subject_id", "sequence"],
    )
    op.create_index("ix_audit_records_account_sequence", "audit_records", ["account", "sequence"])
    op.create_index(
        "ix_audit_records_organisation_sequence", "audit_records", ["organisation", "sequence"]
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("trail_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_id")),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    trail_id = secrets.token_bytes(16)
    # As issuer.domain.audit_chain.first_head does it today: a migration stays what it was.
    digest = hashlib.sha256(b"membercard audit trail v1\x00" + trail_id).digest()
    op.bulk_insert(head, [{"id": 1, "trail_id": trail_id, "sequence": 0, "digest": digest}])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE_GUARDS if is_sqlite else _POSTGRESQL_GUARDS:
        op.execute(statement)


def downgrade() -> None:
    """The trail is lost."""
    op.drop_table("audit_head")
    op.drop_table("audit_records")
    if op.get_bind().dialect.name == "postgresql":
        for name in ("audit_records_append_only", "audit_head_one_row", "audit_head_forward"):
            op.execute(f"DROP FUNCTION {name}()")
