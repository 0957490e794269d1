"""A change of the tree before it is stored and after: what was seen, what differs, and what that means."""

from dataclasses import dataclass
from datetime import date

from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.organisation_history import OrganisationChange, OrganisationVersion

__all__ = ["ChangedOrganisation", "Reach", "SeenOrganisation", "WeighedOrganisation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far an act with an organisation goes.

    Attributes:
        moved_members: how many of a merged one are recorded, or served, elsewhere.
        moved_organisations: how many stand elsewhere: all that go along with a moved one, or those directly below a
            merged one.
        stale_cards: how many cards say something else of their members than the register does then.
    """

    moved_members: int = 0
    moved_organisations: int = 0
    stale_cards: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOrganisation:
    """An organisation before it is changed.

    Attributes:
        now: its last version.
        seen: the version at which whoever changes it looked.
        meanwhile: the versions that began since, the newest first.
    """

    now: OrganisationVersion
    seen: OrganisationVersion
    meanwhile: tuple[OrganisationVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedOrganisation:
    """What an act would change, and what that would mean; nothing is stored."""

    current: OrganisationVersion
    after: Organisation
    on: date
    change: OrganisationChange
    successor: OrganisationCode | None
    reach: Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedOrganisation:
    """What an act changed, and what that meant."""

    version: OrganisationVersion
    reach: Reach
