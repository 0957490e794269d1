"""Sites answer for chips: movements, closes of a day, destructions, and the stop list."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0019_stock"
down_revision = "0018_bundles"
branch_labels = None
depends_on = None

_MOVEMENTS = "stock_movements"


def upgrade() -> None:
    """Every chip that there is stands in the first store, as if it had been delivered there today."""
    _create_sites()
    _create_acts()
    _change_chips()
    bind = op.get_bind()
    count = bind.execute(sa.text("SELECT count(*) FROM chips")).scalar_one()
    if count:
        movements = sa.table(
            _MOVEMENTS,
            sa.column("at", sa.DateTime(timezone=True)),
            sa.column("account", sa.String),
            sa.column("kind", sa.String),
            sa.column("target", sa.String),
            sa.column("chips", sa.Integer),
        )
        op.bulk_insert(
            movements,
            [
                {
                    "at": _now(),
                    "account": "system",
                    "kind": "delivered",
                    "target": "store",
                    "chips": count,
                }
            ],
        )
    if bind.dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {_MOVEMENTS}_no_{verb.lower()} BEFORE {verb} ON {_MOVEMENTS}"
                f" BEGIN SELECT RAISE(ABORT, '{_MOVEMENTS} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {_MOVEMENTS}_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{_MOVEMENTS} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {_MOVEMENTS}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {_MOVEMENTS}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {_MOVEMENTS}_append_only()"
    )


def downgrade() -> None:
    """Where chips were, who counted and who witnessed is lost."""
    with op.batch_alter_table("chips") as table:
        table.drop_index("ix_chips_site_state")
        table.drop_constraint("fk_chips_site_stock_sites", type_="foreignkey")
        table.drop_constraint(op.f("ck_chips_stolen"), type_="check")
        for name in ("is_stolen", "destroyed_at", "sampled_at", "site"):
            table.drop_column(name)
    for name in (
        "stock_stops",
        "stock_destruction_chips",
        "stock_destructions",
        "stock_day_closes",
        _MOVEMENTS,
        "stock_sites",
    ):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {_MOVEMENTS}_append_only()")


def _now() -> datetime:
    now = datetime.now(UTC)
    # As the tables keep times: SQLite knows no zone.
    return now.replace(tzinfo=None) if op.get_bind().dialect.name == "sqlite" else now


def _sequence() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _create_sites() -> None:
    sites = op.create_table(
        "stock_sites",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('store', 'station')", name=op.f("ck_stock_sites_kind")),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name="fk_stock_sites_organisation_id_organisations",
        ),
        sa.PrimaryKeyConstraint("code", name="pk_stock_sites"),
    )
    op.bulk_insert(
        sites,
        [
            {
                "code": "store",
                "kind": "store",
                "name": "Kho phôi thẻ",
                "organisation_id": None,
                "opened_at": _now(),
            }
        ],
    )
    op.create_table(
        _MOVEMENTS,
        sa.Column("sequence", _sequence(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=True),
        sa.Column("target", sa.String(length=32), nullable=True),
        sa.Column("chips", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('delivered', 'issued', 'returned', 'stolen')",
            name=op.f("ck_stock_movements_kind"),
        ),
        sa.CheckConstraint(
            "(source IS NULL) = (kind = 'delivered') AND (target IS NULL) = (kind = 'stolen')"
            " AND (source IS NULL OR target IS NULL OR source <> target)",
            name=op.f("ck_stock_movements_way"),
        ),
        sa.CheckConstraint("chips > 0", name=op.f("ck_stock_movements_chips")),
        sa.ForeignKeyConstraint(
            ["source"], ["stock_sites.code"], name="fk_stock_movements_source_stock_sites"
        ),
        sa.ForeignKeyConstraint(
            ["target"], ["stock_sites.code"], name="fk_stock_movements_target_stock_sites"
        ),
        sa.PrimaryKeyConstraint("sequence", name="pk_stock_movements"),
        sqlite_autoincrement=True,
    )
    for end in ("source", "target"):
        op.create_index(f"ix_stock_movements_{end}_sequence", _MOVEMENTS, [end, "sequence"])


def _create_acts() -> None:
    counts = (
        "counted_finished",
        "counted_spoiled",
        "counted_samples",
        "counted_left",
        "expected_finished",
        "expected_spoiled",
        "expected_samples",
        "expected_left",
        "received",
        "good",
        "spoiled",
        "samples",
        "left_over",
    )
    op.create_table(
        "stock_day_closes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in counts),
        sa.Column("last_movement", sa.BigInteger(), nullable=False),
        sa.Column("counted_by", sa.String(length=200), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.String(length=200), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('differs', 'counted', 'closed')", name=op.f("ck_stock_day_closes_state")
        ),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_by IS NOT NULL)"
            " AND (closed_by IS NULL) = (closed_at IS NULL)"
            " AND (closed_by IS NULL OR closed_by <> counted_by)",
            name=op.f("ck_stock_day_closes_closed"),
        ),
        sa.CheckConstraint(
            "state = 'differs' OR (counted_finished = expected_finished"
            " AND counted_spoiled = expected_spoiled AND counted_samples = expected_samples"
            " AND counted_left = expected_left AND received = good + spoiled + samples + left_over)",
            name=op.f("ck_stock_day_closes_balance"),
        ),
        sa.ForeignKeyConstraint(
            ["site"], ["stock_sites.code"], name="fk_stock_day_closes_site_stock_sites"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stock_day_closes"),
    )
    op.create_index(
        "ix_stock_day_closes_site_counted_at", "stock_day_closes", ["site", "counted_at"]
    )
    op.create_table(
        "stock_destructions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("manner", sa.String(length=200), nullable=False),
        sa.Column("chips", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("first_witness", sa.String(length=200), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("second_witness", sa.String(length=200), nullable=True),
        sa.Column("second_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('witnessed', 'destroyed', 'withdrawn')",
            name=op.f("ck_stock_destructions_state"),
        ),
        sa.CheckConstraint(
            "(state = 'destroyed') = (second_witness IS NOT NULL)"
            " AND (second_witness IS NULL) = (second_at IS NULL)"
            " AND (second_witness IS NULL OR second_witness <> first_witness)",
            name=op.f("ck_stock_destructions_witnesses"),
        ),
        sa.ForeignKeyConstraint(
            ["site"], ["stock_sites.code"], name="fk_stock_destructions_site_stock_sites"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stock_destructions"),
    )
    op.create_index("ix_stock_destructions_first_at_id", "stock_destructions", ["first_at", "id"])
    op.create_table(
        "stock_destruction_chips",
        sa.Column("destruction_id", sa.Uuid(), nullable=False),
        sa.Column("serial", sa.LargeBinary(length=10), nullable=False),
        sa.ForeignKeyConstraint(
            ["destruction_id"],
            ["stock_destructions.id"],
            name="fk_stock_destruction_chips_destruction_id_stock_destructions",
        ),
        sa.ForeignKeyConstraint(
            ["serial"], ["chips.serial"], name="fk_stock_destruction_chips_serial_chips"
        ),
        sa.PrimaryKeyConstraint("destruction_id", "serial", name="pk_stock_destruction_chips"),
    )
    op.create_index("ix_stock_destruction_chips_serial", "stock_destruction_chips", ["serial"])
    op.create_table(
        "stock_stops",
        sa.Column("sequence", _sequence(), autoincrement=True, nullable=False),
        sa.Column("serial", sa.LargeBinary(length=10), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=True),
        sa.Column("reported_by", sa.String(length=200), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("concluded_by", sa.String(length=200), nullable=True),
        sa.Column("concluded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("reason IN ('stolen', 'missing')", name=op.f("ck_stock_stops_reason")),
        sa.CheckConstraint(
            "state IN ('reported', 'confirmed', 'lifted')", name=op.f("ck_stock_stops_state")
        ),
        sa.CheckConstraint(
            "(state = 'reported') = (concluded_by IS NULL)"
            " AND (concluded_by IS NULL) = (concluded_at IS NULL)"
            " AND (concluded_by IS NULL OR concluded_by <> reported_by)",
            name=op.f("ck_stock_stops_concluded"),
        ),
        sa.ForeignKeyConstraint(
            ["site"], ["stock_sites.code"], name="fk_stock_stops_site_stock_sites"
        ),
        sa.PrimaryKeyConstraint("sequence", name="pk_stock_stops"),
        sqlite_autoincrement=True,
    )
    live = sa.text("state <> 'lifted'")
    op.create_index(
        "uq_stock_stops_serial_live",
        "stock_stops",
        ["serial"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )


def _change_chips() -> None:
    with op.batch_alter_table("chips") as table:
        # The default gives a site to the chips that there are; new ones must say theirs.
        table.add_column(
            sa.Column("site", sa.String(length=32), nullable=False, server_default="store")
        )
        table.add_column(sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(
            sa.Column("is_stolen", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        table.create_foreign_key("fk_chips_site_stock_sites", "stock_sites", ["site"], ["code"])
        table.create_check_constraint(
            op.f("ck_chips_stolen"), "NOT is_stolen OR state = 'condemned'"
        )
        table.create_index("ix_chips_site_state", ["site", "state"])
    with op.batch_alter_table("chips") as table:
        table.alter_column("site", existing_type=sa.String(length=32), server_default=None)
