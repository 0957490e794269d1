"""Members: what the register states about a person."""

import enum
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NewType

from issuer.domain.card_number import CardNumber
from issuer.domain.organisation import OrganisationCode
from issuer.domain.phone_number import PhoneNumber
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.rights import AccountName

__all__ = [
    "Member",
    "MemberCheck",
    "MemberId",
    "MemberName",
    "MemberStatement",
    "PortraitDigest",
    "Sex",
    "Standing",
]

MemberId = NewType("MemberId", uuid.UUID)
"""Drawn at random when a member is first recorded; says nothing about the person."""

PortraitDigest = NewType("PortraitDigest", bytes)
"""SHA-256 of a picture's bytes: its key in the portrait store."""


class Sex(enum.Enum):
    """As the machine-readable zone writes it (ICAO 9303-5, 4.2.2)."""

    MALE = "M"
    FEMALE = "F"


class Standing(enum.StrEnum):
    """What a member is in their organisation, one at a time; who is ``TRANSFERRED`` is on the way to another one."""

    OFFICIAL = "official"
    PROBATIONARY = "probationary"
    EXEMPT = "exempt"
    SUSPENDED = "suspended"
    TRANSFERRED = "transferred"
    ABROAD = "abroad"
    DECEASED = "deceased"
    STRUCK_OFF = "struck-off"
    EXPELLED = "expelled"

    @property
    def is_final(self) -> bool:
        """Whether the person is no member any more: nothing follows but the correction of a mistake."""
        return self in _FINAL_STANDINGS


_FINAL_STANDINGS = frozenset({Standing.DECEASED, Standing.STRUCK_OFF, Standing.EXPELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberName:
    """A name in NFC text, every word as the member writes it.

    Attributes:
        full: the whole name in its own order.
        primary: the primary identifier; the whole name where the parts are not known.
        secondary: the secondary identifier; empty where the parts are not known.
    """

    full: str = field(repr=False)
    primary: str = field(repr=False)
    secondary: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStatement:
    """Everything that a committee states about a member, checked field by field.

    Texts are NFC and keep the byte bounds of SPEC.md 3.10.

    Attributes:
        recognition_date: ``None`` while the member is on probation.
        residence: where the member lives; ``None`` where nobody has stated it yet.
        phone: likewise.
        standing: official, on probation, suspended, ...
        standing_since: from when on; ``None`` where nobody has stated it yet.
        served_in: the organisation that serves a temporary resident, where it is not the one of the record.
        earlier_card_number: of the card that the member held when they were recorded.
    """

    record_number: RecordNumber = field(repr=False)
    citizen_number: CitizenNumber = field(repr=False)
    name: MemberName = field(repr=False)
    birth_date: date = field(repr=False)
    sex: Sex = field(repr=False)
    place_of_birth: str = field(repr=False)
    home_town: str = field(repr=False)
    ethnic_group: str = field(repr=False)
    admission_date: date = field(repr=False)
    recognition_date: date | None = field(repr=False)
    organisation_code: OrganisationCode
    residence: str | None = field(default=None, repr=False)
    phone: PhoneNumber | None = field(default=None, repr=False)
    standing: Standing = Standing.OFFICIAL
    standing_since: date | None = None
    served_in: OrganisationCode | None = None
    earlier_card_number: CardNumber | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCheck:
    """Somebody said that everything is as it is recorded: when (aware UTC), and who."""

    at: datetime
    account: AccountName


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of the register.

    Attributes:
        member_id: the register's own key.
        statement: what the card will show.
        portrait: the normalised picture, by its digest: what the card will hold.
        portrait_source: the digest of the picture as it was handed in, to know it again.
        recorded_at: when the member came into the register (aware UTC).
        version: how often the member was changed, and one more: whoever changes names the version they saw.
        check: when somebody last said that everything is so; ``None`` where nobody did.
    """

    member_id: MemberId
    statement: MemberStatement
    portrait: PortraitDigest
    portrait_source: PortraitDigest
    recorded_at: datetime
    version: int = 1
    check: MemberCheck | None = None
