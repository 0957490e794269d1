"""A breach of personal data: whom it touches, and until when it has to be told (Law 91/2025/QH15: within 72 hours)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from issuer.domain.member import Member, MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName

__all__ = [
    "NOTICE_TIME",
    "AccountBreach",
    "BreachScope",
    "BundleBreach",
    "OrganisationBreach",
    "TouchedPerson",
    "notice_due",
]

NOTICE_TIME: Final = timedelta(hours=72)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationBreach:
    """All that an organisation and those below it could see."""

    organisation: OrganisationCode


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBreach:
    """All that an account was shown, or changed, since a time (aware)."""

    account: AccountName
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleBreach:
    """All that was written to a bundle."""

    bundle: str


BreachScope = OrganisationBreach | AccountBreach | BundleBreach


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedPerson:
    """Somebody whom a breach touches.

    Attributes:
        member_id: whose record.
        member: the record; ``None`` where it was deleted since.
        first: when the account first saw it, where that is what the breach is about.
        last: when it last did.
    """

    member_id: MemberId
    member: Member | None
    first: datetime | None = None
    last: datetime | None = None


def notice_due(discovered: datetime) -> datetime:
    """Until when the notice has to be given."""
    return discovered + NOTICE_TIME
