"""The place of a matter: the organisation that it belongs to, with all above it."""

from issuer.domain.organisation import MAX_DEPTH, OrganisationCode
from issuer.domain.rights import Place
from issuer.errors import IssuerDataError
from issuer.services.register_ports import OrganisationRepository

__all__ = ["place_of"]


def place_of(organisations: OrganisationRepository, code: OrganisationCode | None) -> Place:
    """The way from the root down to an organisation; nothing for what belongs to the whole register.

    Raises:
        IssuerDataError: there is no such organisation (``organisation.unknown``), or it is above itself
            (``organisation.circle``).
    """
    path: list[OrganisationCode] = []
    while code is not None:
        if len(path) == MAX_DEPTH:
            raise IssuerDataError(
                f"organisation {path[0]} has {MAX_DEPTH} or more above it, or is above itself",
                code="organisation.circle",
            )
        path.append(code)
        code = organisations.get(code).parent_code
    return tuple(reversed(path))
