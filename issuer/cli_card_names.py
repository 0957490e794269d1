"""How commands call a card: by its reference, its chip's serial, or the number that is printed on it."""

from typing import Annotated, Final

import typer

from issuer.domain.card import CardReference
from issuer.domain.card_number import CardNumberScheme
from issuer.services.find_cards import card_called
from issuer.services.register_ports import Register

__all__ = ["CardArgument", "CardsArgument", "find_card"]

_HELP: Final = "The card: its number, its chip's serial (20 digits) or its reference (32 digits)."
CardArgument = Annotated[str, typer.Argument(metavar="CARD", help=_HELP)]
CardsArgument = Annotated[list[str], typer.Argument(metavar="CARD...", help=_HELP)]


def find_card(register: Register, scheme: CardNumberScheme, text: str) -> CardReference:
    """The card that is called so.

    Raises:
        IssuerDataError: it is called like no card (``card-number.malformed``).
        IssuerRefusedError: there is none (``card.unknown``).
    """
    with register.reading() as transaction:
        return card_called(transaction, scheme, text).card.reference
