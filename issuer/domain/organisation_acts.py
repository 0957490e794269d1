"""What people do with an organisation, as values: each is weighed first, and carried out as it was weighed."""

from dataclasses import dataclass
from datetime import date

from issuer.domain.organisation import OrganisationCode

__all__ = ["Closure", "Merger", "Move", "OrganisationDeed", "Renaming"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renaming:
    """Another name or level from a day on; what is ``None`` stays, an empty level is none any more."""

    on: date
    name: str | None = None
    level: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """It stands, with all below it, under another organisation from a day on."""

    on: date
    under: OrganisationCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Merger:
    """It is no more from a day on; its members and the organisations below it go into another one."""

    on: date
    into: OrganisationCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """It is no more from a day on: nobody is recorded in it, and nothing is open below it."""

    on: date


OrganisationDeed = Renaming | Move | Merger | Closure
"""One of them."""
