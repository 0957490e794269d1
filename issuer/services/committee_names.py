"""The names of committees as cards hold them, each looked up once."""

from collections.abc import Callable
from dataclasses import dataclass

from issuer.domain.organisation import OrganisationCode
from issuer.services.organisation_ports import OrganisationRepository

__all__ = ["CommitteeNames", "NamesOnCard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesOnCard:
    """Where the member is recorded, and who issues the card."""

    organisation_name: str
    issuing_committee: str


class CommitteeNames:
    """What was looked up stays as it was found: one run of work sees one tree."""

    def __init__(self) -> None:
        self._known: dict[OrganisationCode, NamesOnCard] = {}

    def of(self, code: OrganisationCode, organisations: OrganisationRepository) -> NamesOnCard:
        """The names for a member recorded there.

        Raises:
            IssuerDataError: there is no such organisation (``organisation.unknown``).
        """
        if code not in self._known:
            self._known[code] = NamesOnCard(
                organisation_name=organisations.get(code).name,
                issuing_committee=organisations.issuing_committee(code).name,
            )
        return self._known[code]

    def within(
        self, organisations: OrganisationRepository
    ) -> Callable[[OrganisationCode], NamesOnCard]:
        """``of`` for the organisations of one transaction."""

        def names(code: OrganisationCode) -> NamesOnCard:
            return self.of(code, organisations)

        return names
