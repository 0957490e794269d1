"""Tables of bundles: other instances, bundles made and taken, who and what is shared, and what is disagreed about."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime

__all__ = [
    "BundleConflictRow",
    "BundleRow",
    "InstanceRow",
    "LinkedMemberRow",
    "LinkedRequestRow",
    "StatusIndexSetRow",
]

_NAME = sa.String(40)
_OPEN = "state = 'open'"


class InstanceRow(Base):
    """One other instance; whoever proposed it cannot have confirmed it."""

    __tablename__ = "instances"
    __table_args__ = (
        sa.CheckConstraint("side IN ('above', 'below', 'source')", name="side"),
        sa.CheckConstraint("state IN ('proposed', 'enrolled', 'suspended')", name="state"),
        sa.CheckConstraint(
            "(state <> 'enrolled' OR confirmed_by IS NOT NULL)"
            " AND (confirmed_by IS NULL OR confirmed_by <> proposed_by)",
            name="confirmed",
        ),
        sa.CheckConstraint("sent >= 0 AND received >= 0 AND acknowledged >= 0", name="counters"),
    )

    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
    side: Mapped[str] = mapped_column(sa.String(8))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    signer_certificate: Mapped[bytes] = mapped_column(sa.LargeBinary)
    receiver_certificate: Mapped[bytes] = mapped_column(sa.LargeBinary)
    state: Mapped[str] = mapped_column(sa.String(16))
    proposed_by: Mapped[str] = mapped_column(sa.String(200))
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_by: Mapped[str | None] = mapped_column(sa.String(200))
    suspended_by: Mapped[str | None] = mapped_column(sa.String(200))
    sent: Mapped[int] = mapped_column(sa.BigInteger)
    received: Mapped[int] = mapped_column(sa.BigInteger)
    acknowledged: Mapped[int] = mapped_column(sa.BigInteger)
    lost_since: Mapped[int | None] = mapped_column(sa.BigInteger)
    has_lost: Mapped[bool]
    told_reports: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    version: Mapped[int] = mapped_column(sa.Integer)


class BundleRow(Base):
    """One bundle that was made or taken; the database refuses to change or delete it."""

    __tablename__ = "bundles"
    __table_args__ = (
        sa.CheckConstraint("direction IN ('in', 'out')", name="direction"),
        sa.CheckConstraint("sequence > 0", name="sequence"),
        sa.Index("ix_bundles_at", "at"),
    )

    instance: Mapped[str] = mapped_column(sa.ForeignKey("instances.name"), primary_key=True)
    direction: Mapped[str] = mapped_column(sa.String(4), primary_key=True)
    sequence: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
    )
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(sa.String(200))
    counts: Mapped[str] = mapped_column(sa.String(1000))


class LinkedMemberRow(Base):
    """A member whom another instance knows by its own key, and what it stated last, sealed."""

    __tablename__ = "linked_members"
    __table_args__ = (sa.Index("ix_linked_members_member_id", "member_id"),)

    instance: Mapped[str] = mapped_column(sa.ForeignKey("instances.name"), primary_key=True)
    remote_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("members.id"))
    version: Mapped[int] = mapped_column(sa.BigInteger)
    sealed: Mapped[bytes] = mapped_column(sa.LargeBinary)
    seen_in: Mapped[int] = mapped_column(sa.BigInteger)


class LinkedRequestRow(Base):
    """A request that another instance shares with us, and up to which version it knows it."""

    __tablename__ = "linked_requests"
    __table_args__ = (sa.Index("ix_linked_requests_request_id", "request_id"),)

    instance: Mapped[str] = mapped_column(sa.ForeignKey("instances.name"), primary_key=True)
    request_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("requests.id"), primary_key=True)
    reported_version: Mapped[int] = mapped_column(sa.Integer)


class StatusIndexSetRow(Base):
    """A set of positions of one status list: given to an instance, or received from one; one a list and instance."""

    __tablename__ = "status_index_sets"
    __table_args__ = (sa.UniqueConstraint("list_id", "instance"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    list_id: Mapped[bytes] = mapped_column(sa.ForeignKey("status_lists.list_id"))
    instance: Mapped[str] = mapped_column(sa.ForeignKey("instances.name"))
    is_received: Mapped[bool]
    is_told: Mapped[bool]
    indices: Mapped[bytes] = mapped_column(sa.LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(sa.String(200))


class BundleConflictRow(Base):
    """Something that another instance states and that was not taken; one open row a thing."""

    __tablename__ = "bundle_conflicts"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('member', 'request', 'decision')", name="kind"),
        sa.CheckConstraint("state IN ('open', 'taken', 'refused')", name="state"),
        sa.CheckConstraint("(state = 'open') = (settled_by IS NULL)", name="settled"),
        sa.Index(
            "uq_bundle_conflicts_instance_kind_subject_id_open",
            "instance",
            "kind",
            "subject_id",
            unique=True,
            sqlite_where=sa.text(_OPEN),
            postgresql_where=sa.text(_OPEN),
        ),
        sa.Index("ix_bundle_conflicts_member_id", "member_id"),
        sa.Index("ix_bundle_conflicts_state_found_at_id", "state", "found_at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    instance: Mapped[str] = mapped_column(sa.ForeignKey("instances.name"))
    sequence: Mapped[int] = mapped_column(sa.BigInteger)
    kind: Mapped[str] = mapped_column(sa.String(16))
    subject_id: Mapped[str] = mapped_column(sa.String(64))
    member_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("members.id"))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    code: Mapped[str] = mapped_column(sa.String(80))
    sentence: Mapped[str] = mapped_column(sa.String(1000))
    columns: Mapped[str] = mapped_column(sa.String(400))
    sealed: Mapped[bytes] = mapped_column(sa.LargeBinary)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(sa.String(16))
    settled_by: Mapped[str | None] = mapped_column(sa.String(200))
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(sa.String(400))
