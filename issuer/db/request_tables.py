"""The tables of requests, decisions and card numbers."""

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime

__all__ = [
    "AllottedNumberRow",
    "BatchAuthorisationRow",
    "DecisionRequestRow",
    "DecisionRow",
    "NumberBlockRow",
    "NumberStateRow",
    "RequestEventRow",
    "RequestRow",
]

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only where the primary key is called INTEGER."""

_LIVE = "state NOT IN ('fulfilled', 'withdrawn')"
_NUMBERED = "state = 'decided'"


class RequestRow(Base):
    """One request; a member has at most one that is live."""

    __tablename__ = "requests"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('new-issue', 'exchange', 're-issue')", name="kind"),
        sa.CheckConstraint(
            "(kind = 're-issue') = (reason IS NOT NULL)"
            " AND (reason IS NULL OR reason IN ('lost', 'damaged', 'data-changed'))",
            name="reason",
        ),
        sa.CheckConstraint("ordinal BETWEEN 1 AND 99", name="ordinal"),
        sa.CheckConstraint("version > 0", name="version"),
        sa.CheckConstraint(
            "state IN ('draft', 'proposed', 'endorsed', 'compiled', 'tabled', 'decided', 'fulfilled',"
            " 'returned', 'withdrawn')",
            name="state",
        ),
        sa.CheckConstraint(
            "(card_number IS NOT NULL) = (state IN ('decided', 'fulfilled'))", name="card_number"
        ),
        sa.Index(
            "uq_requests_member_id_live",
            "member_id",
            unique=True,
            sqlite_where=sa.text(_LIVE),
            postgresql_where=sa.text(_LIVE),
        ),
        sa.Index(
            "uq_requests_card_number_decided",
            "card_number",
            unique=True,
            sqlite_where=sa.text(_NUMBERED),
            postgresql_where=sa.text(_NUMBERED),
        ),
        sa.Index("ix_requests_member_id", "member_id"),
        sa.Index("ix_requests_card_number", "card_number"),
        sa.Index("ix_requests_created_at_id", "created_at", "id"),
        sa.Index("ix_requests_state_created_at_id", "state", "created_at", "id"),
        sa.Index(
            "ix_requests_organisation_id_state_created_at_id",
            "organisation_id",
            "state",
            "created_at",
            "id",
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("members.id"))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    kind: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(sa.String(16))
    ordinal: Mapped[int] = mapped_column(sa.SmallInteger)
    state: Mapped[str] = mapped_column(sa.String(16))
    version: Mapped[int] = mapped_column(sa.Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    card_number: Mapped[str | None] = mapped_column(sa.String(8))
    held_by: Mapped[str | None] = mapped_column(sa.String(40))


class RequestEventRow(Base):
    """One step of a time line; the database refuses to change or delete it."""

    __tablename__ = "request_events"
    __table_args__ = (
        sa.Index("ix_request_events_request_id_sequence", "request_id", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: Mapped[int] = mapped_column(_SEQUENCE, primary_key=True, autoincrement=True)
    request_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("requests.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(sa.String(200))
    kind: Mapped[str] = mapped_column(sa.String(16))
    remark: Mapped[str] = mapped_column(sa.String(400))


class DecisionRow(Base):
    """One decision; whoever prepared it cannot confirm it."""

    __tablename__ = "decisions"
    __table_args__ = (
        sa.CheckConstraint("state IN ('prepared', 'confirmed', 'dropped')", name="state"),
        sa.CheckConstraint(
            "(confirmed_by IS NOT NULL) = (state = 'confirmed')"
            " AND (confirmed_by IS NULL) = (confirmed_at IS NULL)"
            " AND (confirmed_by IS NULL OR confirmed_by <> prepared_by)",
            name="confirmed",
        ),
        sa.CheckConstraint("(dropped_by IS NOT NULL) = (state = 'dropped')", name="dropped"),
        sa.CheckConstraint(
            "(document IS NULL) = (document_signature IS NULL)"
            " AND (document IS NOT NULL OR state <> 'confirmed')",
            name="document",
        ),
        sa.Index(
            "uq_decisions_committee_id_decided_on_number",
            "committee_id",
            "decided_on",
            "number",
            unique=True,
            sqlite_where=sa.text("state <> 'dropped'"),
            postgresql_where=sa.text("state <> 'dropped'"),
        ),
        sa.Index("ix_decisions_prepared_at_id", "prepared_at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(sa.String(64))
    decided_on: Mapped[date]
    committee_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    state: Mapped[str] = mapped_column(sa.String(16))
    document: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    document_signature: Mapped[str | None] = mapped_column(sa.String(16))
    requests: Mapped[int] = mapped_column(sa.Integer)
    version: Mapped[int] = mapped_column(sa.Integer)
    prepared_by: Mapped[str] = mapped_column(sa.String(200))
    prepared_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_by: Mapped[str | None] = mapped_column(sa.String(200))
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dropped_by: Mapped[str | None] = mapped_column(sa.String(200))


class DecisionRequestRow(Base):
    """A request that stands in a decision; it may have stood in others that were dropped."""

    __tablename__ = "decision_requests"
    __table_args__ = (sa.Index("ix_decision_requests_request_id", "request_id"),)

    decision_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("decisions.id"), primary_key=True)
    request_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("requests.id"), primary_key=True)


class BatchAuthorisationRow(Base):
    """A batch authorisation made for a decision, with the signatures so far."""

    __tablename__ = "batch_authorisations"
    __table_args__ = (
        sa.Index("ix_batch_authorisations_decision_id_created_at", "decision_id", "created_at"),
    )

    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    decision_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("decisions.id"))
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)
    created_by: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # How many signatures under it are kept here: the signer counts at least as many.
    signed: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    is_void: Mapped[bool] = mapped_column(server_default=sa.false())


class NumberStateRow(Base):
    """The one row that counts allotments; whoever allots locks it."""

    __tablename__ = "number_state"
    __table_args__ = (sa.CheckConstraint("id = 1", name="id"),)

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    register_id: Mapped[bytes] = mapped_column(sa.LargeBinary(16))
    allotments: Mapped[int] = mapped_column(sa.BigInteger)


class NumberBlockRow(Base):
    """One block; ``next`` only grows, beyond ``last`` where nothing is left."""

    __tablename__ = "number_blocks"
    __table_args__ = (
        sa.CheckConstraint("first <= last AND next BETWEEN first AND last + 1", name="range"),
        sa.Index("ix_number_blocks_committee_id_granted_at", "committee_id", "granted_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    committee_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    first: Mapped[int] = mapped_column(sa.Integer, unique=True)
    last: Mapped[int] = mapped_column(sa.Integer, unique=True)
    next: Mapped[int] = mapped_column(sa.Integer)
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    granted_by: Mapped[str] = mapped_column(sa.String(200))
    held_by: Mapped[str | None] = mapped_column(sa.String(40))
    is_told: Mapped[bool]


class AllottedNumberRow(Base):
    """One number that was given out; the database refuses to change or delete it."""

    __tablename__ = "allotted_numbers"

    number: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    block_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("number_blocks.id"))
    request_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("requests.id"), unique=True)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("members.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
