"""Whether the key that a chip made is one that nobody can guess: proven where it is made, and once more where it is kept."""

from card_layout.curves import EcPublicKey
from issuer.domain.chip import Serial
from issuer.domain.production_errors import CardRejectedError
from pki.keys.weak_keys import weakness_of

__all__ = ["require_strong_key"]


def require_strong_key(serial: Serial, public_key: EcPublicKey) -> None:
    """Before a chip's public key is taken: its private half must not be one that anybody could work out.

    Raises:
        CardRejectedError: it is (``chip.key-weak``): whoever knows that could be the card.
    """
    weakness = weakness_of(public_key.to_cryptography())
    if weakness is not None:
        raise CardRejectedError(
            f"chip {serial.hex().upper()} made a weak key: {weakness}", code="chip.key-weak"
        )
