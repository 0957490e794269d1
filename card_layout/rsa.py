"""RSA public keys, which only active authentication of older chips uses (SPEC.md, 5.9)."""

from dataclasses import dataclass
from typing import Final, Self

from card_layout import der, tlv
from card_layout.errors import CardDataError

__all__ = ["RsaKeyError", "RsaPublicKey"]

_RSA_ENCRYPTION: Final = "1.2.840.113549.1.1.1"
_ALGORITHM: Final = (
    tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(_RSA_ENCRYPTION)) + b"\x05\x00"
)
_MIN_BITS: Final = 1024
_MAX_BITS: Final = 4096
_MAX_EXPONENT: Final = 1 << 32


class RsaKeyError(CardDataError):
    """An RSA key that is malformed, or of a size that is not taken."""

    default_code = "rsa.malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaPublicKey:
    """An odd modulus of 1,024 to 4,096 bits, whole bytes, and an odd exponent of at most 32 bits."""

    modulus: int
    exponent: int

    def __post_init__(self) -> None:
        bits = self.modulus.bit_length()
        if not _MIN_BITS <= bits <= _MAX_BITS or bits % 8 or not self.modulus & 1:
            raise RsaKeyError(
                f"modulus has {bits} bits, expected an odd one of {_MIN_BITS} to {_MAX_BITS} in whole bytes"
            )
        if not 3 <= self.exponent < _MAX_EXPONENT or not self.exponent & 1:
            raise RsaKeyError("exponent is not an odd number from 3 to 32 bits")

    @property
    def size_bytes(self) -> int:
        """Bytes of the modulus, and so of every signature."""
        return self.modulus.bit_length() // 8

    def to_subject_public_key_info(self) -> bytes:
        """The DER SubjectPublicKeyInfo (RFC 3279, 2.3.1)."""
        numbers = _encode_number(self.modulus) + _encode_number(self.exponent)
        key = tlv.encode(der.BIT_STRING, b"\x00" + tlv.encode(der.SEQUENCE, numbers))
        return tlv.encode(der.SEQUENCE, tlv.encode(der.SEQUENCE, _ALGORITHM) + key)

    @classmethod
    def from_subject_public_key_info(cls, encoded: bytes) -> Self:
        """Read a DER SubjectPublicKeyInfo.

        Raises:
            RsaKeyError: anything but an RSA key of a size that is taken, in its one encoding.
        """
        try:
            algorithm, key = tlv.parse(encoded, expected_tag=der.SEQUENCE).children()
            numbers = tlv.parse(key.value[1:], expected_tag=der.SEQUENCE).children()
            modulus, exponent = (int.from_bytes(number.value, "big") for number in numbers)
        except (tlv.TlvError, ValueError) as error:
            raise RsaKeyError("subject public key info holds no RSA key") from error
        if algorithm.value != _ALGORITHM:
            raise RsaKeyError("key algorithm is not RSA")
        found = cls(modulus=modulus, exponent=exponent)
        if found.to_subject_public_key_info() != encoded:
            raise RsaKeyError("RSA key is not in its one encoding")
        return found


def _encode_number(number: int) -> bytes:
    return tlv.encode(der.INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
