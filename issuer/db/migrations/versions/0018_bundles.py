"""Bundles: other instances, what was sent to and taken from them, what is shared, and what is disagreed about."""

import sqlalchemy as sa
from alembic import op

revision = "0018_bundles"
down_revision = "0017_report_lines"
branch_labels = None
depends_on = None

_NAME = sa.String(length=40)
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = "state = 'open'"


def upgrade() -> None:
    """Nothing that is there changes; every request is held here."""
    op.add_column("requests", sa.Column("held_by", _NAME, nullable=True))
    _create_instances()
    _create_bundles()
    _create_links()
    _create_conflicts()
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _sqlite_guards() if is_sqlite else _postgresql_guards():
        op.execute(statement)


def downgrade() -> None:
    """What was exchanged with other instances is forgotten."""
    for table in ("bundle_conflicts", "linked_requests", "linked_members", "bundles", "instances"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION bundles_append_only()")
    with op.batch_alter_table("requests") as requests:
        requests.drop_column("held_by")


def _create_instances() -> None:
    op.create_table(
        "instances",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("signer_certificate", sa.LargeBinary(), nullable=False),
        sa.Column("receiver_certificate", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("proposed_by", sa.String(length=200), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.String(length=200), nullable=True),
        sa.Column("suspended_by", sa.String(length=200), nullable=True),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged", sa.BigInteger(), nullable=False),
        sa.Column("lost_since", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("side IN ('above', 'below')", name=op.f("ck_instances_side")),
        sa.CheckConstraint(
            "state IN ('proposed', 'enrolled', 'suspended')", name=op.f("ck_instances_state")
        ),
        sa.CheckConstraint(
            "(state <> 'enrolled' OR confirmed_by IS NOT NULL)"
            " AND (confirmed_by IS NULL OR confirmed_by <> proposed_by)",
            name=op.f("ck_instances_confirmed"),
        ),
        sa.CheckConstraint(
            "sent >= 0 AND received >= 0 AND acknowledged >= 0",
            name=op.f("ck_instances_counters"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_instances_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_instances")),
    )


def _create_bundles() -> None:
    op.create_table(
        "bundles",
        sa.Column("instance", _NAME, nullable=False),
        sa.Column("direction", sa.String(length=4), nullable=False),
        sa.Column("sequence", _SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("counts", sa.String(length=1000), nullable=False),
        sa.CheckConstraint("direction IN ('in', 'out')", name=op.f("ck_bundles_direction")),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_bundles_sequence")),
        sa.ForeignKeyConstraint(
            ["instance"], ["instances.name"], name=op.f("fk_bundles_instance_instances")
        ),
        sa.PrimaryKeyConstraint("instance", "direction", "sequence", name=op.f("pk_bundles")),
    )
    op.create_index("ix_bundles_at", "bundles", ["at"])


def _create_links() -> None:
    op.create_table(
        "linked_members",
        sa.Column("instance", _NAME, nullable=False),
        sa.Column("remote_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance"], ["instances.name"], name=op.f("fk_linked_members_instance_instances")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_linked_members_member_id_members")
        ),
        sa.PrimaryKeyConstraint("instance", "remote_id", name=op.f("pk_linked_members")),
    )
    op.create_index("ix_linked_members_member_id", "linked_members", ["member_id"])
    op.create_table(
        "linked_requests",
        sa.Column("instance", _NAME, nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("reported_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance"], ["instances.name"], name=op.f("fk_linked_requests_instance_instances")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name=op.f("fk_linked_requests_request_id_requests")
        ),
        sa.PrimaryKeyConstraint("instance", "request_id", name=op.f("pk_linked_requests")),
    )
    op.create_index("ix_linked_requests_request_id", "linked_requests", ["request_id"])


def _create_conflicts() -> None:
    op.create_table(
        "bundle_conflicts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instance", _NAME, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("sentence", sa.String(length=1000), nullable=False),
        sa.Column("columns", sa.String(length=400), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("settled_by", sa.String(length=200), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.CheckConstraint(
            "kind IN ('member', 'request', 'decision')", name=op.f("ck_bundle_conflicts_kind")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'taken', 'refused')", name=op.f("ck_bundle_conflicts_state")
        ),
        sa.CheckConstraint(
            "(state = 'open') = (settled_by IS NULL)", name=op.f("ck_bundle_conflicts_settled")
        ),
        sa.ForeignKeyConstraint(
            ["instance"], ["instances.name"], name=op.f("fk_bundle_conflicts_instance_instances")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_bundle_conflicts_member_id_members")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_bundle_conflicts_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundle_conflicts")),
    )
    op.create_index(
        "uq_bundle_conflicts_instance_kind_subject_id_open",
        "bundle_conflicts",
        ["instance", "kind", "subject_id"],
        unique=True,
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_index("ix_bundle_conflicts_member_id", "bundle_conflicts", ["member_id"])
    op.create_index(
        "ix_bundle_conflicts_state_found_at_id", "bundle_conflicts", ["state", "found_at", "id"]
    )


def _sqlite_guards() -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER bundles_no_{act.lower()} BEFORE {act} ON bundles "
        "BEGIN SELECT RAISE(ABORT, 'bundles is append-only'); END"
        for act in ("UPDATE", "DELETE")
    )


def _postgresql_guards() -> tuple[str, ...]:
    function = (
        "CREATE FUNCTION bundles_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'bundles is append-only'; END $$"
    )
    trigger = (
        "CREATE TRIGGER bundles_append_only BEFORE DELETE OR TRUNCATE OR UPDATE ON bundles"
        " FOR EACH STATEMENT EXECUTE FUNCTION bundles_append_only()"
    )
    return function, trigger
