"""Record that finished cards went to their receiver."""

from collections.abc import Iterable

from issuer.domain.card import CardReference
from issuer.domain.rights import AccountName
from issuer.errors import IssuerDataError
from issuer.services.production_ports import CardRegister

__all__ = ["hand_over_cards"]

_MAX_RECEIVER_CHARACTERS = 200


def hand_over_cards(
    references: Iterable[CardReference], *, to: str, account: AccountName, ledger: CardRegister
) -> int:
    """Hand over each card, one transaction a card, by whose word; how many it was.

    Raises:
        IssuerDataError: the receiver has no name, or one that is too long (``hand-over.receiver``).
        TransitionError: a card is not issued; those before it are handed over.
    """
    receiver = to.strip()
    if not 1 <= len(receiver) <= _MAX_RECEIVER_CHARACTERS:
        raise IssuerDataError(
            f"the receiver has {len(receiver)} characters, expected 1 to {_MAX_RECEIVER_CHARACTERS}",
            code="hand-over.receiver",
        )
    count = 0
    for reference in references:
        ledger.hand_over(reference, to=receiver, account=account)
        count += 1
    return count
