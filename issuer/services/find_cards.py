"""Use case: find the card that somebody calls by its number, its chip's serial or its reference."""

import re
from dataclasses import dataclass
from typing import Final

from issuer.domain.card import CardReference
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.chip import Serial
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.card_validity_ports import CardRecord
from issuer.services.places import place_of
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["CardFinding", "card_called"]

_REFERENCE: Final = re.compile(r"[0-9A-Fa-f]{32}")
_SERIAL: Final = re.compile(r"[0-9A-Fa-f]{20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFinding:
    """Everything that finding a card needs from the world."""

    register: Register
    scheme: CardNumberScheme

    def find(self, text: str, *, actor: Actor) -> CardReference:
        """The card that is called so, as far as the actor may read cards: others are not there.

        Raises:
            IssuerDataError: it is called like no card (``card-number.malformed``).
            IssuerRefusedError: ``right.missing``: the actor reads no cards; ``card.unknown``.
        """
        if not actor.may_somewhere(Right.READ_CARDS):
            raise IssuerRefusedError(
                f"account {actor.account} has no right {Right.READ_CARDS} anywhere",
                code="right.missing",
            )
        with self.register.reading() as transaction:
            record = card_called(transaction, self.scheme, text)
            place = place_of(transaction.organisations, record.organisation)
        if not actor.may(Right.READ_CARDS, place=place):
            # Numbers are given one after the other: whether one is in use elsewhere is nobody's business here.
            raise IssuerRefusedError("no card is called so", code="card.unknown")
        return record.card.reference


def card_called(
    transaction: RegisterTransaction, scheme: CardNumberScheme, text: str
) -> CardRecord:
    """The card of a number, a chip's serial (20 digits) or a reference (32 digits).

    Raises:
        IssuerDataError: it is called like no card (``card-number.malformed``).
        IssuerRefusedError: there is none (``card.unknown``).
    """
    if _REFERENCE.fullmatch(text):
        return transaction.cards.get(CardReference(bytes.fromhex(text)))
    if _SERIAL.fullmatch(text):
        return transaction.cards.on_chip(Serial(bytes.fromhex(text)))
    return transaction.cards.with_number(scheme.parse(text))
