"""Pseudonyms of cards that can be moved from one key to another without ever naming the card.

What tells a card apart is mapped to a point of P-256, and the pseudonym is the X coordinate of a multiple of it; the factor
is the key. Who has the factors of two keys can turn a pseudonym under one into that under the other, and learns nothing
about the card by it: the factor that does so is their quotient (Pohlig and Hellman's commutative cipher).

A pseudonym is 32 bytes. Both points with the same X have the same pseudonym, whatever the factor.
"""

from dataclasses import dataclass, field
from hashlib import sha256, sha512
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import NamedCurve
from verifier.errors import VerifierError

__all__ = ["PSEUDONYM_BYTES", "PseudonymError", "PseudonymKey", "rekeyed"]

PSEUDONYM_BYTES: Final = 32

_CURVE: Final = ec.SECP256R1()
_ORDER: Final = NamedCurve.SECP256R1.value.n
_POINT: Final = b"membercard card pseudonym v1\x00"
_FACTOR: Final = b"membercard pseudonym key v1\x00"
_ECDH: Final = ec.ECDH()


class PseudonymError(VerifierError):
    """Bytes that are no pseudonym, or no factor."""

    default_code = "journal.pseudonym-malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudonymKey:
    """A factor, from 1 to below the order of the curve."""

    _factor: int = field(repr=False)

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """The key that a secret of at least 32 bytes stands for."""
        # 512 bits reduced: as good as uniform.
        digest = int.from_bytes(sha512(_FACTOR + secret).digest(), "big")
        return cls(_factor=digest % (_ORDER - 1) + 1)

    def pseudonym(self, identity: bytes) -> bytes:
        """The pseudonym of what tells a card apart."""
        return _times(_point_x(identity), self._factor)

    def applied_to(self, x: bytes) -> bytes:
        """The X coordinate of the multiple of the point with this X.

        Raises:
            ValueError: there is no such point.
        """
        return _times(x, self._factor)

    @property
    def release(self) -> bytes:
        """The factor that takes this key off (32 bytes): who has it can move pseudonyms to a key of their own."""
        return pow(self._factor, -1, _ORDER).to_bytes(PSEUDONYM_BYTES, "big")

    def after(self, release: bytes) -> Self:
        """The key that moves pseudonyms from the key that was released to this one.

        Raises:
            PseudonymError: it is no factor.
        """
        number = int.from_bytes(release, "big")
        if len(release) != PSEUDONYM_BYTES or not 1 <= number < _ORDER:
            raise PseudonymError("what takes a key off is no factor")
        return type(self)(_factor=self._factor * number % _ORDER)


def rekeyed(pseudonym: bytes, key: PseudonymKey) -> bytes:
    """A pseudonym moved by a key of ``after``.

    Raises:
        PseudonymError: it is none.
    """
    if len(pseudonym) != PSEUDONYM_BYTES:
        raise PseudonymError(f"a pseudonym has {len(pseudonym)} bytes, expected {PSEUDONYM_BYTES}")
    try:
        return key.applied_to(pseudonym)
    except ValueError as error:
        raise PseudonymError("a pseudonym is no point of its curve") from error


def _point_x(identity: bytes) -> bytes:
    """The first of a row of digests that is the X coordinate of a point: about every second one is."""
    for counter in range(256):
        found = sha256(_POINT + bytes((counter,)) + identity).digest()
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, b"\x02" + found)
        except ValueError:
            continue
        return found
    raise AssertionError("256 digests are no coordinates")


def _times(x: bytes, factor: int) -> bytes:
    point = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, b"\x02" + x)
    return ec.derive_private_key(factor, _CURVE).exchange(_ECDH, point)
