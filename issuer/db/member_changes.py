"""The history of members in the database: one row for each field that changed; a row is never changed itself."""

import uuid
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime
from issuer.db.member_seals import MemberSeals, SealedChangeColumn
from issuer.domain.member import MemberId
from issuer.domain.member_change import ChangeKind, EvidenceDigest, FieldChange, MemberChange
from issuer.domain.member_rules import MemberColumn
from issuer.domain.rights import AccountName

__all__ = ["MemberChangeRow", "change_of", "change_values"]

_VERSION_BYTES: Final = 4


class MemberChangeRow(Base):
    """One field that changed in one act; its values and the reason are sealed, since they hold what members hold."""

    __tablename__ = "member_changes"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('correction', 'event')", name="kind"),
        sa.CheckConstraint("version >= 2", name="version"),
        sa.CheckConstraint("(kind = 'event') = (effective IS NOT NULL)", name="effective"),
    )

    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("members.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    column: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(sa.String(200))
    kind: Mapped[str] = mapped_column(sa.String(16))
    effective: Mapped[date | None]
    reason: Mapped[bytes] = mapped_column(sa.LargeBinary(1024))
    evidence: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    old: Mapped[bytes | None] = mapped_column(sa.LargeBinary(400))
    new: Mapped[bytes | None] = mapped_column(sa.LargeBinary(400))


def change_values(change: MemberChange, seals: MemberSeals) -> dict[str, object]:
    """A line of history as a row."""
    row = _row(change.member_id, change.version, change.change.column.value)
    return {
        "member_id": change.member_id,
        "version": change.version,
        "column": change.change.column.value,
        "at": change.at,
        "account": change.account,
        "kind": change.kind.value,
        "effective": change.effective,
        "reason": seals.seal(SealedChangeColumn.REASON, change.reason, row),
        "evidence": change.evidence,
        "old": seals.seal(SealedChangeColumn.OLD, change.change.old, row),
        "new": seals.seal(SealedChangeColumn.NEW, change.change.new, row),
    }


def change_of(row: MemberChangeRow, seals: MemberSeals) -> MemberChange:
    """The row as a line of history.

    Raises:
        IssuerUnavailableError: a sealed value cannot be opened (``register.seal-broken``).
    """
    name = _row(row.member_id, row.version, row.column)
    return MemberChange(
        member_id=MemberId(row.member_id),
        version=row.version,
        at=row.at,
        account=AccountName(row.account),
        kind=ChangeKind(row.kind),
        effective=row.effective,
        reason=seals.open_required(SealedChangeColumn.REASON, row.reason, name),
        evidence=None if row.evidence is None else EvidenceDigest(row.evidence),
        change=FieldChange(
            column=MemberColumn(row.column),
            old=seals.open(SealedChangeColumn.OLD, row.old, name),
            new=seals.open(SealedChangeColumn.NEW, row.new, name),
        ),
    )


def _row(member_id: uuid.UUID, version: int, column: str) -> bytes:
    """What the row's sealed values are bound to: its whole key."""
    return member_id.bytes + version.to_bytes(_VERSION_BYTES, "big") + column.encode("ascii")
