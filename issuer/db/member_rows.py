"""Rows of members and domain values; every row is sealed and opened here."""

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime
from issuer.db.member_seals import MemberSeals, SealedColumn
from issuer.domain.card_number import CardNumber
from issuer.domain.member import (
    Member,
    MemberCheck,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
    Standing,
)
from issuer.domain.organisation import OrganisationCode
from issuer.domain.phone_number import PhoneNumber
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.rights import AccountName
from issuer.domain.vietnamese_text import name_key, search_key, sort_key

__all__ = ["MemberRow", "member_of", "member_values", "statement_values"]

_STANDINGS = ", ".join(f"'{each.value}'" for each in Standing)


class MemberRow(Base):
    """One member; ``sort_key`` orders lists, and is bytes so that no collation of a server meddles.

    ``search_key`` (the given name first) and ``name_key`` (the family name first) are ASCII as a rule, and bytes for the
    same reason. Indexes of lists of the whole country end with the organisation: a large part of it is told from the
    rest without a look at the table.
    """

    __tablename__ = "members"
    __table_args__ = (
        sa.CheckConstraint("sex IN ('M', 'F')", name="sex"),
        sa.CheckConstraint(f"standing IN ({_STANDINGS})", name="standing"),
        sa.CheckConstraint("version >= 1", name="version"),
        sa.Index("ix_members_sort_key_id", "sort_key", "id"),
        sa.Index("ix_members_search_key_id", "search_key", "id", "organisation_id"),
        sa.Index("ix_members_name_key_id", "name_key", "id", "organisation_id"),
        sa.Index("ix_members_organisation_id_sort_key_id", "organisation_id", "sort_key", "id"),
        sa.Index("ix_members_standing_sort_key_id", "standing", "sort_key", "id"),
        sa.Index("ix_members_likeness_digest", "likeness_digest"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    earlier_card_number: Mapped[str | None] = mapped_column(sa.String(8), unique=True)
    record_number: Mapped[str] = mapped_column(sa.String(9), unique=True)
    citizen_number: Mapped[bytes] = mapped_column(sa.LargeBinary(64))
    citizen_number_digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    full_name: Mapped[str] = mapped_column(sa.String(320))
    primary_name: Mapped[str] = mapped_column(sa.String(160))
    secondary_name: Mapped[str] = mapped_column(sa.String(160))
    sort_key: Mapped[bytes] = mapped_column(sa.LargeBinary(1024))
    search_key: Mapped[bytes] = mapped_column(sa.LargeBinary(512))
    name_key: Mapped[bytes] = mapped_column(sa.LargeBinary(512))
    likeness_digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    birth_date: Mapped[date]
    sex: Mapped[str] = mapped_column(sa.String(1))
    place_of_birth: Mapped[bytes] = mapped_column(sa.LargeBinary(400))
    home_town: Mapped[bytes] = mapped_column(sa.LargeBinary(400))
    residence: Mapped[bytes | None] = mapped_column(sa.LargeBinary(400))
    phone: Mapped[bytes | None] = mapped_column(sa.LargeBinary(64))
    ethnic_group: Mapped[str] = mapped_column(sa.String(64))
    admission_date: Mapped[date]
    recognition_date: Mapped[date | None]
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    served_in_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("organisations.id"), index=True
    )
    standing: Mapped[str] = mapped_column(sa.String(16))
    standing_since: Mapped[date | None]
    portrait: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    portrait_source: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checked_by: Mapped[str | None] = mapped_column(sa.String(200))


def member_of(
    row: MemberRow, seals: MemberSeals, *, organisation_code: str, served_in: str | None
) -> Member:
    """The row as a value.

    Raises:
        IssuerUnavailableError: a sealed column cannot be opened (``register.seal-broken``).
    """
    key = row.id.bytes
    phone = seals.open(SealedColumn.PHONE, row.phone, key)
    return Member(
        member_id=MemberId(row.id),
        statement=MemberStatement(
            record_number=RecordNumber(row.record_number),
            citizen_number=CitizenNumber(
                seals.open_required(SealedColumn.CITIZEN_NUMBER, row.citizen_number, key)
            ),
            name=MemberName(
                full=row.full_name, primary=row.primary_name, secondary=row.secondary_name
            ),
            birth_date=row.birth_date,
            sex=Sex(row.sex),
            place_of_birth=seals.open_required(
                SealedColumn.PLACE_OF_BIRTH, row.place_of_birth, key
            ),
            home_town=seals.open_required(SealedColumn.HOME_TOWN, row.home_town, key),
            ethnic_group=row.ethnic_group,
            admission_date=row.admission_date,
            recognition_date=row.recognition_date,
            organisation_code=OrganisationCode(organisation_code),
            residence=seals.open(SealedColumn.RESIDENCE, row.residence, key),
            phone=None if phone is None else PhoneNumber(phone),
            standing=Standing(row.standing),
            standing_since=row.standing_since,
            served_in=None if served_in is None else OrganisationCode(served_in),
            earlier_card_number=(
                None if row.earlier_card_number is None else CardNumber(row.earlier_card_number)
            ),
        ),
        portrait=PortraitDigest(row.portrait),
        portrait_source=PortraitDigest(row.portrait_source),
        recorded_at=row.recorded_at,
        version=row.version,
        check=None
        if row.checked_at is None or row.checked_by is None
        else MemberCheck(at=row.checked_at, account=AccountName(row.checked_by)),
    )


def member_values(
    member: Member,
    seals: MemberSeals,
    *,
    organisation_id: uuid.UUID,
    served_in_id: uuid.UUID | None,
) -> dict[str, object]:
    """A new member as a row."""
    return {
        "id": member.member_id,
        "version": member.version,
        **statement_values(
            member.member_id,
            member.statement,
            seals,
            organisation_id=organisation_id,
            served_in_id=served_in_id,
        ),
        "portrait": member.portrait,
        "portrait_source": member.portrait_source,
        "recorded_at": member.recorded_at,
    }


def statement_values(
    member_id: MemberId,
    statement: MemberStatement,
    seals: MemberSeals,
    *,
    organisation_id: uuid.UUID,
    served_in_id: uuid.UUID | None,
) -> dict[str, object]:
    """What is stated of a member, by column: the sensitive ones sealed, and every key by which it is found."""
    key = member_id.bytes
    full_name = statement.name.full
    return {
        "earlier_card_number": statement.earlier_card_number,
        "record_number": statement.record_number,
        "citizen_number": seals.seal(SealedColumn.CITIZEN_NUMBER, statement.citizen_number, key),
        "citizen_number_digest": seals.citizen_number_digest(statement.citizen_number),
        "full_name": full_name,
        "primary_name": statement.name.primary,
        "secondary_name": statement.name.secondary,
        "sort_key": sort_key(full_name),
        "search_key": search_key(full_name).encode(),
        "name_key": name_key(full_name).encode(),
        "likeness_digest": seals.likeness_digest(full_name, statement.birth_date),
        "birth_date": statement.birth_date,
        "sex": statement.sex.value,
        "place_of_birth": seals.seal(SealedColumn.PLACE_OF_BIRTH, statement.place_of_birth, key),
        "home_town": seals.seal(SealedColumn.HOME_TOWN, statement.home_town, key),
        "residence": seals.seal(SealedColumn.RESIDENCE, statement.residence, key),
        "phone": seals.seal(SealedColumn.PHONE, statement.phone, key),
        "ethnic_group": statement.ethnic_group,
        "admission_date": statement.admission_date,
        "recognition_date": statement.recognition_date,
        "organisation_id": organisation_id,
        "served_in_id": served_in_id,
        "standing": statement.standing.value,
        "standing_since": statement.standing_since,
    }
