"""Rows of members and domain values; every row is sealed and opened here."""

import uuid
from collections.abc import Iterable, Sequence
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

__all__ = ["MemberRow", "member_columns", "member_of", "statement_columns"]

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


def member_columns(members: Sequence[Member], seals: MemberSeals) -> dict[str, list[object]]:
    """New members as columns, but for their organisations."""
    ids = [member.member_id for member in members]
    return {
        "id": list(ids),
        "version": [member.version for member in members],
        **statement_columns(ids, [member.statement for member in members], seals),
        "portrait": [member.portrait for member in members],
        "portrait_source": [member.portrait_source for member in members],
        "recorded_at": [member.recorded_at for member in members],
    }


def statement_columns(
    member_ids: Sequence[MemberId], statements: Sequence[MemberStatement], seals: MemberSeals
) -> dict[str, list[object]]:
    """What is stated of members, by column: the sensitive ones sealed, and every key by which a member is found.

    The organisations are left out, which stand in the table by keys that only the database knows.
    """
    rows = [member_id.bytes for member_id in member_ids]
    names = [each.name.full for each in statements]

    def sealed(column: SealedColumn, texts: Iterable[str | None]) -> list[object]:
        return list(seals.seal_column(column, texts, rows))

    return {
        "earlier_card_number": [each.earlier_card_number for each in statements],
        "record_number": [each.record_number for each in statements],
        "citizen_number": sealed(
            SealedColumn.CITIZEN_NUMBER, (each.citizen_number for each in statements)
        ),
        "citizen_number_digest": [
            seals.citizen_number_digest(each.citizen_number) for each in statements
        ],
        "full_name": list(names),
        "primary_name": [each.name.primary for each in statements],
        "secondary_name": [each.name.secondary for each in statements],
        "sort_key": list(map(sort_key, names)),
        "search_key": [search_key(name).encode() for name in names],
        "name_key": [name_key(name).encode() for name in names],
        "likeness_digest": [
            seals.likeness_digest(each.name.full, each.birth_date) for each in statements
        ],
        "birth_date": [each.birth_date for each in statements],
        "sex": [each.sex.value for each in statements],
        "place_of_birth": sealed(
            SealedColumn.PLACE_OF_BIRTH, (each.place_of_birth for each in statements)
        ),
        "home_town": sealed(SealedColumn.HOME_TOWN, (each.home_town for each in statements)),
        "residence": sealed(SealedColumn.RESIDENCE, (each.residence for each in statements)),
        "phone": sealed(SealedColumn.PHONE, (each.phone for each in statements)),
        "ethnic_group": [each.ethnic_group for each in statements],
        "admission_date": [each.admission_date for each in statements],
        "recognition_date": [each.recognition_date for each in statements],
        "standing": [each.standing.value for each in statements],
        "standing_since": [each.standing_since for each in statements],
    }
