"""The tables of card production: chips, cards, their sealed contents, status lists, and the journal."""

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime

__all__ = [
    "IS_NOT_CONDEMNED",
    "CardContentsRow",
    "CardEventRow",
    "CardRow",
    "ChipRow",
    "SecurityObjectRow",
    "StatusListRow",
]

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only where the primary key is called INTEGER."""


class ChipRow(Base):
    """One chip of the stock; the key point is unique over all chips that ever made a key."""

    __tablename__ = "chips"
    __table_args__ = (
        sa.CheckConstraint(
            "state IN ('received', 'initialising', 'initialised', 'condemned')", name="state"
        ),
        sa.CheckConstraint(
            "(key_curve IS NULL) = (key_point IS NULL) AND (state <> 'initialised' OR key_point IS NOT NULL)",
            name="key",
        ),
        sa.CheckConstraint("(state = 'condemned') = (condemned_for IS NOT NULL)", name="condemned"),
        sa.CheckConstraint("NOT is_stolen OR state = 'condemned'", name="stolen"),
        sa.Index("ix_chips_site_state", "site", "state"),
        sa.Index(
            "ix_chips_site_sampled_at",
            "site",
            "sampled_at",
            sqlite_where=sa.text("sampled_at IS NOT NULL"),
            postgresql_where=sa.text("sampled_at IS NOT NULL"),
        ),
    )

    serial: Mapped[bytes] = mapped_column(sa.LargeBinary(10), primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    key_curve: Mapped[str | None] = mapped_column(sa.String(32))
    key_point: Mapped[bytes | None] = mapped_column(sa.LargeBinary(133), unique=True)
    held: Mapped[str | None] = mapped_column(sa.String(80))
    held_below: Mapped[str | None] = mapped_column(sa.String(80))
    condemned_for: Mapped[str | None] = mapped_column(sa.String(80))
    delivery: Mapped[str] = mapped_column(sa.String(200))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    site: Mapped[str] = mapped_column(sa.ForeignKey("stock_sites.code"))
    sampled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    destroyed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_stolen: Mapped[bool] = mapped_column(server_default=sa.false())


class StatusListRow(Base):
    """One status list from which indices are allotted."""

    __tablename__ = "status_lists"

    list_id: Mapped[bytes] = mapped_column(sa.LargeBinary(8), primary_key=True)
    size: Mapped[int] = mapped_column(sa.Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_shared: Mapped[bool]
    """Other instances have sets of it, and no card is bound to it here."""


IS_NOT_CONDEMNED = sa.text("cards.state <> 'condemned'")
"""That a card is its request's one, in the very words of the index: written otherwise, SQLite walks the table."""


class CardRow(Base):
    """One card; a request has at most one that is not condemned, a chip has one for ever."""

    __tablename__ = "cards"
    __table_args__ = (
        sa.CheckConstraint(
            "state IN ('bound', 'signed', 'personalising', 'personalised', 'locking', 'issued',"
            " 'handed-over', 'condemned')",
            name="state",
        ),
        sa.CheckConstraint("(state = 'condemned') = (condemned_for IS NOT NULL)", name="condemned"),
        sa.CheckConstraint(
            "(passed_by IS NULL) = (passed_at IS NULL)"
            " AND (passed_by IS NULL OR (produced_by IS NOT NULL AND passed_by <> produced_by))",
            name="passed",
        ),
        sa.UniqueConstraint("status_list", "status_index"),
        sa.Index(
            "uq_cards_request_id_live",
            "request_id",
            unique=True,
            sqlite_where=sa.text("state <> 'condemned'"),
            postgresql_where=sa.text("state <> 'condemned'"),
        ),
        sa.CheckConstraint(
            "counts_as BETWEEN 0 AND 6 AND published_as BETWEEN 0 AND 6", name="validity"
        ),
        sa.CheckConstraint("(report IS NULL) = (reported_by IS NULL)", name="report"),
        sa.Index("ix_cards_member_id", "member_id"),
        sa.Index(
            "ix_cards_unpublished",
            "status_list",
            "status_index",
            sqlite_where=sa.text("counts_as <> published_as"),
            postgresql_where=sa.text("counts_as <> published_as"),
        ),
        sa.Index("ix_cards_state_bound_at_reference", "state", "bound_at", "reference"),
        sa.Index("ix_cards_batch_id_state", "batch_id", "state"),
        sa.Index("ix_cards_issued_at", "issued_at"),
    )

    reference: Mapped[bytes] = mapped_column(sa.LargeBinary(16), primary_key=True)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("members.id"))
    request_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("requests.id"))
    serial: Mapped[bytes] = mapped_column(sa.ForeignKey("chips.serial"), unique=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    ordinal: Mapped[int] = mapped_column(sa.SmallInteger)
    profile: Mapped[str] = mapped_column(sa.String(80))
    status_list: Mapped[bytes] = mapped_column(sa.ForeignKey("status_lists.list_id"))
    status_index: Mapped[int] = mapped_column(sa.BigInteger)
    document_number_digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    sealed_secrets: Mapped[bytes] = mapped_column(sa.LargeBinary(256))
    bound_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    handed_over_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    handed_over_to: Mapped[str | None] = mapped_column(sa.String(200))
    condemned_for: Mapped[str | None] = mapped_column(sa.String(80))
    batch_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("batches.id"))
    produced_by: Mapped[str | None] = mapped_column(sa.String(200))
    passed_by: Mapped[str | None] = mapped_column(sa.String(200))
    passed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    box: Mapped[int | None] = mapped_column(sa.Integer)
    received_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # What it counts as, by the numbers of pki.signed.card_states; what status lists say of it so far; and why.
    counts_as: Mapped[int] = mapped_column(sa.SmallInteger, server_default="1")
    published_as: Mapped[int] = mapped_column(sa.SmallInteger, server_default="1")
    ended_for: Mapped[str | None] = mapped_column(sa.String(24))
    report: Mapped[str | None] = mapped_column(sa.String(24))
    reported_by: Mapped[str | None] = mapped_column(sa.String(200))
    is_suspended: Mapped[bool] = mapped_column(server_default=sa.false())
    is_member_barred: Mapped[bool] = mapped_column(server_default=sa.false())
    is_collected: Mapped[bool] = mapped_column(server_default=sa.false())
    is_stale: Mapped[bool] = mapped_column(server_default=sa.false())
    valid_until: Mapped[date | None]


class CardContentsRow(Base):
    """What is written to a card, sealed, from before it is signed; its picture lies in the store of portraits.

    Where ``portrait`` names none the contents hold their picture themselves, or were destroyed.
    """

    __tablename__ = "card_contents"
    __table_args__ = (
        # Cards in production alone: once they are handed over nothing is named any more.
        sa.Index(
            "ix_card_contents_portrait",
            "portrait",
            sqlite_where=sa.text("portrait IS NOT NULL"),
            postgresql_where=sa.text("portrait IS NOT NULL"),
        ),
    )

    reference: Mapped[bytes] = mapped_column(sa.ForeignKey("cards.reference"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(sa.LargeBinary)
    portrait: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    prepared_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SecurityObjectRow(Base):
    """EF.SOD of a card, once and for ever; beside its contents, which would be written anew with it."""

    __tablename__ = "security_objects"

    reference: Mapped[bytes] = mapped_column(
        sa.ForeignKey("card_contents.reference"), primary_key=True
    )
    file: Mapped[bytes] = mapped_column(sa.LargeBinary)


class CardEventRow(Base):
    """One event of the journal; the database refuses to change or delete it."""

    __tablename__ = "card_events"
    __table_args__ = (
        sa.Index("ix_card_events_serial_sequence", "serial", "sequence"),
        sa.Index("ix_card_events_reference_sequence", "reference", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: Mapped[int] = mapped_column(_SEQUENCE, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(sa.String(40))
    serial: Mapped[bytes | None] = mapped_column(sa.LargeBinary(10))
    reference: Mapped[bytes | None] = mapped_column(sa.LargeBinary(16))
    code: Mapped[str | None] = mapped_column(sa.String(80))
    detail: Mapped[str | None] = mapped_column(sa.String(400))
    station: Mapped[str | None] = mapped_column(sa.String(40))
    account: Mapped[str | None] = mapped_column(sa.String(64))
