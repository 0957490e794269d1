"""How codes of organisations are built: a scheme that settings name, so that another country's can take its place."""

import re
from typing import Final, Protocol

from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.errors import IssuerDataError

__all__ = [
    "ORGANISATION_CODE_SCHEMES",
    "PRINTABLE_CODES",
    "CommuneCodeScheme",
    "OrganisationCodeScheme",
    "PrintableCodeScheme",
    "find_organisation_code_scheme",
]


class OrganisationCodeScheme(Protocol):
    """What the code of a new organisation looks like; whatever it allows fits the card (SPEC.md 3.10)."""

    @property
    def name(self) -> str:
        """What settings call it."""

    def parse(self, text: str) -> OrganisationCode:
        """A code as people and files write it.

        Raises:
            IssuerDataError: ``organisation.code-malformed``.
        """


class PrintableCodeScheme:
    """Whatever the card can hold: 1 to 32 of ``A-Z a-z 0-9 . / -``, a letter or digit first."""

    name = "printable"

    def parse(self, text: str) -> OrganisationCode:
        """See ``parse_organisation_code``."""
        return parse_organisation_code(text)


class CommuneCodeScheme:
    """The State's codes of places: 2 digits for a province, 5 for a commune; organisations within are counted.

    ``79`` is a province, ``26734`` a commune, ``26734.12`` the twelfth organisation there, ``26734.12.3`` the third
    within that one.
    """

    name = "commune"
    _written = re.compile(r"[0-9]{2}|[0-9]{5}(?:\.[1-9][0-9]{0,3}){0,5}", re.ASCII)

    def parse(self, text: str) -> OrganisationCode:
        """Two digits, or five with up to five numbers behind points.

        Raises:
            IssuerDataError: ``organisation.code-malformed``.
        """
        if not self._written.fullmatch(text):
            raise IssuerDataError(
                f"organisation code of {len(text)} characters, expected NN, NNNNN or NNNNN.1.2",
                code="organisation.code-malformed",
            )
        return OrganisationCode(text)


PRINTABLE_CODES: Final = PrintableCodeScheme()
"""The scheme where settings name none."""

ORGANISATION_CODE_SCHEMES: tuple[OrganisationCodeScheme, ...] = (
    PRINTABLE_CODES,
    CommuneCodeScheme(),
)
"""All schemes that settings can name."""


def find_organisation_code_scheme(name: str) -> OrganisationCodeScheme:
    """The scheme with this name.

    Raises:
        IssuerDataError: there is none (``settings.organisation-code-scheme``).
    """
    for scheme in ORGANISATION_CODE_SCHEMES:
        if scheme.name == name:
            return scheme
    known = ", ".join(scheme.name for scheme in ORGANISATION_CODE_SCHEMES)
    raise IssuerDataError(
        f"no scheme of organisation codes is called {name!r}, expected one of {known}",
        code="settings.organisation-code-scheme",
    )
