"""What the chip proves in PACE with chip-authentication mapping (ICAO 9303-11, 4.4.3.3.3 and 4.4.3.5; SPEC.md, 5.8).

The chip's ephemeral key of the mapping is its static key times a number that it sends under the new session keys.
Whoever knows that number and the ephemeral private key, which PACE made the chip use, knows the static one.
"""

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from card_layout.curves import CurveError, EcPublicKey, NamedCurve
from card_layout.errors import CardDataError
from card_layout.iso7816.secure_messaging import unpad
from card_layout.protocols.generic_mapping import EphemeralKey

__all__ = ["ChipAuthenticationMapping", "decrypt_chip_authentication_data"]

_BLOCK: Final = 16
_COUNTER: Final = b"\xff" * _BLOCK
"""-1: no send sequence counter is ever that, so the vector is never used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticationMapping:
    """The chip's ephemeral public key of the mapping, and the number that it sent, both of one PACE."""

    curve: NamedCurve
    mapping_public_key: bytes
    data: bytes = field(repr=False)

    def proves(self, public_key: EcPublicKey) -> bool:
        """Whether the chip holds the private key of this static public key."""
        if public_key.curve is not self.curve:
            return False
        try:
            multiplier = EphemeralKey(curve=self.curve, scalar=int.from_bytes(self.data, "big"))
            return multiplier.multiply(public_key.point) == self.mapping_public_key
        except CurveError:
            # Zero, a number beyond the order, or a product that is no point, proves nothing.
            return False


def decrypt_chip_authentication_data(
    encryption_key: bytes, encrypted: bytes, curve: NamedCurve
) -> bytes:
    """The number in ``[8A]``, as long as a coordinate of the curve.

    Raises:
        CardDataError: no padded number of that length.
    """
    if not encrypted or len(encrypted) % _BLOCK:
        raise CardDataError(
            f"the encrypted chip authentication data have {len(encrypted)} bytes, expected whole blocks"
        )
    cipher = AES(encryption_key)
    vector = Cipher(cipher, ECB()).encryptor().update(_COUNTER)  # noqa: S305 - one block: 4.4.3.5.1 fixes E(KSenc, -1)
    decryptor = Cipher(cipher, CBC(vector)).decryptor()
    data = unpad(decryptor.update(encrypted) + decryptor.finalize())
    if len(data) != curve.field_bytes:
        raise CardDataError(
            f"the chip authentication data have {len(data)} bytes, expected {curve.field_bytes}"
        )
    return data
