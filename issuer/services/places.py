"""The place of a matter: the organisation that it belongs to, with all above it."""

from collections.abc import Collection

from issuer.domain.organisation import MAX_DEPTH, OrganisationCode
from issuer.domain.rights import Place
from issuer.errors import IssuerDataError
from issuer.services.register_ports import OrganisationRepository

__all__ = ["Places", "place_of"]


class Places:
    """The places of one transaction, each looked up once."""

    def __init__(self, organisations: OrganisationRepository) -> None:
        self._organisations = organisations
        self._known: dict[OrganisationCode, tuple[OrganisationCode, ...]] = {}

    def look_ahead(self, codes: Collection[OrganisationCode]) -> None:
        """Look many up together: a list would ask for each line's by itself."""
        wanted = set(codes) - self._known.keys()
        if wanted:
            tree = self._organisations.around(wanted)
            # Those that were closed are in no tree of today, and are looked up one by one.
            self._known |= {code: tuple(tree.place(code)) for code in wanted if code in tree}

    def of(self, code: OrganisationCode) -> tuple[OrganisationCode, ...]:
        """The organisation with all above it, from the root down.

        Raises:
            IssuerDataError: as ``place_of``.
        """
        if code not in self._known:
            self._known[code] = tuple(place_of(self._organisations, code))
        return self._known[code]


def place_of(organisations: OrganisationRepository, code: OrganisationCode | None) -> Place:
    """The way from the root down to an organisation; nothing for what belongs to the whole register.

    Raises:
        IssuerDataError: there is no such organisation (``organisation.unknown``), or it is above itself
            (``organisation.circle``).
    """
    if code is not None and code in (tree := organisations.around([code])):
        return tree.place(code)
    # One that was closed is in no tree of today: its way up is looked up step by step.
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
