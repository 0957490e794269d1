"""Card numbers: eight digits on the card (SPEC.md 3.10), built by a scheme that can be exchanged."""

import re
from typing import NewType, Protocol

from issuer.errors import IssuerDataError

__all__ = [
    "CARD_NUMBER_SCHEMES",
    "CardNumber",
    "CardNumberScheme",
    "CommitteeBlockScheme",
    "find_card_number_scheme",
]

CardNumber = NewType("CardNumber", str)
"""Eight digits, without the point that print puts in."""


class CardNumberScheme(Protocol):
    """How card numbers are written and what their digits mean."""

    @property
    def name(self) -> str:
        """What settings call it."""

    def parse(self, text: str) -> CardNumber:
        """A number as people and files write it.

        Raises:
            IssuerDataError: ``card-number.malformed``.
        """

    def display(self, number: CardNumber) -> str:
        """The number as it is printed; ``parse`` takes it back."""

    def committee_number(self, number: CardNumber) -> str:
        """The two digits of the committee whose block the number comes from."""


class CommitteeBlockScheme:
    """``NN.NNNNNN``: two digits of a committee directly under the Centre, then 000001 to 999999 of its block."""

    name = "NN.NNNNNN"
    _written = re.compile(r"([0-9]{2})\.([0-9]{6})", re.ASCII)

    def parse(self, text: str) -> CardNumber:
        """Two digits, a point, six digits that are not all zero.

        Raises:
            IssuerDataError: ``card-number.malformed``.
        """
        match = self._written.fullmatch(text)
        if match is None:
            raise IssuerDataError(
                f"card number of {len(text)} characters is not written NN.NNNNNN",
                code="card-number.malformed",
            )
        if match[2] == "000000":
            raise IssuerDataError(
                "card number ends in 000000, expected 000001 to 999999",
                code="card-number.malformed",
            )
        return CardNumber(match[1] + match[2])

    def display(self, number: CardNumber) -> str:
        """The point comes after the committee's digits."""
        return f"{number[:2]}.{number[2:]}"

    def committee_number(self, number: CardNumber) -> str:
        """The first two digits."""
        return number[:2]


CARD_NUMBER_SCHEMES: tuple[CardNumberScheme, ...] = (CommitteeBlockScheme(),)
"""All schemes that settings can name."""


def find_card_number_scheme(name: str) -> CardNumberScheme:
    """The scheme with this name.

    Raises:
        IssuerDataError: there is none (``settings.card-number-scheme``).
    """
    for scheme in CARD_NUMBER_SCHEMES:
        if scheme.name == name:
            return scheme
    known = ", ".join(scheme.name for scheme in CARD_NUMBER_SCHEMES)
    raise IssuerDataError(
        f"no card number scheme is called {name!r}, expected one of {known}",
        code="settings.card-number-scheme",
    )
