"""Where a matter belongs: the way from the root of the tree down to an organisation."""

from issuer.domain.organisation import MAX_DEPTH, OrganisationCode
from issuer.errors import IssuerDataError
from issuer.services.register_ports import OrganisationRepository

__all__ = ["Places"]


class Places:
    """The places of one transaction, each looked up once."""

    def __init__(self, organisations: OrganisationRepository) -> None:
        self._organisations = organisations
        self._known: dict[OrganisationCode, tuple[OrganisationCode, ...]] = {}

    def of(self, code: OrganisationCode) -> tuple[OrganisationCode, ...]:
        """The organisation with all above it, from the root down.

        Raises:
            IssuerDataError: ``organisation.unknown``, ``organisation.circle``.
        """
        upwards = [code]
        while upwards[-1] not in self._known:
            if len(upwards) > MAX_DEPTH:
                raise IssuerDataError(
                    f"organisation {code} has {MAX_DEPTH} or more above it, or is above itself",
                    code="organisation.circle",
                )
            parent = self._organisations.get(upwards[-1]).parent_code
            if parent is None:
                self._known[upwards[-1]] = (upwards[-1],)
            else:
                upwards.append(parent)
        place = self._known[upwards.pop()]
        while upwards:
            place = (*place, upwards.pop())
            self._known[place[-1]] = place
        return place
