"""Rows of organisations: what each is now, and every version that it has had."""

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime
from issuer.domain.member_change import EvidenceDigest
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.organisation_history import (
    OrganisationAct,
    OrganisationChange,
    OrganisationVersion,
)
from issuer.domain.rights import AccountName
from issuer.domain.vietnamese_text import fold

__all__ = [
    "OrganisationRow",
    "OrganisationVersionRow",
    "organisation_of",
    "version_of",
    "version_values",
    "words_of",
]

_CHANGES = ", ".join(f"'{each.value}'" for each in OrganisationChange)


class OrganisationRow(Base):
    """What one organisation is now: its last version once more, so that the present needs no dates.

    ``words`` are those of its name, folded, each behind a space: what searches look up.
    """

    __tablename__ = "organisations"
    __table_args__ = (
        # All that a search reads, so that it reads no table.
        sa.Index("ix_organisations_words_code", "words", "code", "closed_on", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(32), unique=True)
    name: Mapped[str] = mapped_column(sa.String(320))
    words: Mapped[str] = mapped_column(sa.String(640))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("organisations.id"), index=True
    )
    level: Mapped[str | None] = mapped_column(sa.String(64))
    committee_number: Mapped[str | None] = mapped_column(sa.String(2))
    closed_on: Mapped[date | None]


class OrganisationVersionRow(Base):
    """What one organisation was from a day until another; a row gets its last day and changes no more."""

    __tablename__ = "organisation_versions"
    __table_args__ = (
        sa.CheckConstraint(f"change IN ({_CHANGES})", name="change"),
        sa.CheckConstraint("number >= 1", name="number"),
        sa.CheckConstraint(
            "valid_from IS NULL OR valid_until IS NULL OR valid_from <= valid_until",
            name="validity",
        ),
    )

    organisation_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("organisations.id"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]
    change: Mapped[str] = mapped_column(sa.String(16))
    name: Mapped[str] = mapped_column(sa.String(320))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"))
    level: Mapped[str | None] = mapped_column(sa.String(64))
    committee_number: Mapped[str | None] = mapped_column(sa.String(2))
    successor_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"))
    recorded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    account: Mapped[str | None] = mapped_column(sa.String(200))
    reason: Mapped[str] = mapped_column(sa.String(800))
    evidence: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))


def words_of(name: str) -> str:
    """The words of a name as searches look them up."""
    return f" {fold(name)}"


def organisation_of(
    row: OrganisationRow | OrganisationVersionRow, *, code: str, parent_code: str | None
) -> Organisation:
    """The row as a value."""
    return Organisation(
        code=OrganisationCode(code),
        name=row.name,
        parent_code=None if parent_code is None else OrganisationCode(parent_code),
        committee_number=row.committee_number,
        level=row.level,
    )


def version_of(
    row: OrganisationVersionRow, *, code: str, parent_code: str | None, successor: str | None
) -> OrganisationVersion:
    """The row as a value."""
    act = None
    if row.recorded_at is not None and row.account is not None:
        act = OrganisationAct(
            at=row.recorded_at,
            account=AccountName(row.account),
            reason=row.reason,
            evidence=None if row.evidence is None else EvidenceDigest(row.evidence),
        )
    return OrganisationVersion(
        number=row.number,
        organisation=organisation_of(row, code=code, parent_code=parent_code),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        change=OrganisationChange(row.change),
        successor=None if successor is None else OrganisationCode(successor),
        act=act,
    )


def version_values(
    version: OrganisationVersion,
    *,
    organisation_id: uuid.UUID,
    parent_id: uuid.UUID | None,
    successor_id: uuid.UUID | None,
) -> dict[str, object]:
    """A version as a row."""
    organisation, act = version.organisation, version.act
    return {
        "organisation_id": organisation_id,
        "number": version.number,
        "valid_from": version.valid_from,
        "valid_until": version.valid_until,
        "change": version.change.value,
        "name": organisation.name,
        "parent_id": parent_id,
        "level": organisation.level,
        "committee_number": organisation.committee_number,
        "successor_id": successor_id,
        "recorded_at": None if act is None else act.at,
        "account": None if act is None else act.account,
        "reason": "" if act is None else act.reason,
        "evidence": None if act is None else act.evidence,
    }
