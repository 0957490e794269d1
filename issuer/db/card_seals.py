"""The secrets of a card as its row holds them, and the digest by which its document number is never repeated."""

from typing import Final

from issuer.db.sealing import Sealer
from issuer.domain.card import CardReference
from issuer.domain.card_secrets import CardSecrets
from issuer.errors import IssuerRefusedError

__all__ = ["document_number_digest", "open_secrets", "seal_secrets"]

_SECRETS: Final = "card secrets"
_DOCUMENT_NUMBER: Final = "document number"


def seal_secrets(sealer: Sealer, secrets: CardSecrets, reference: bytes) -> bytes:
    """The secrets as the card's row holds them."""
    return sealer.seal(secrets.to_bytes(), purpose=_SECRETS, row=reference)


def open_secrets(sealer: Sealer, sealed: bytes, reference: bytes) -> CardSecrets:
    """The secrets of a card's row.

    Raises:
        IssuerRefusedError: they were destroyed: the card was handed over, condemned, or has ended (``card.secrets-destroyed``).
        IssuerUnavailableError: ``production.seal-broken``.
    """
    if not sealed:
        raise IssuerRefusedError(
            "the card was handed over, condemned or has ended, and its secrets were destroyed",
            code="card.secrets-destroyed",
        )
    return CardSecrets.from_bytes(
        sealer.open(sealed, purpose=_SECRETS, row=CardReference(reference))
    )


def document_number_digest(sealer: Sealer, secrets: CardSecrets) -> bytes:
    """By which a document number is kept unique, for ever."""
    return sealer.digest(secrets.document_number, purpose=_DOCUMENT_NUMBER)
