"""Signature algorithms of other people's certificates: verified, and never made here (RFC 8017, 8.2; RFC 4055, 5)."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from card_layout import der, tlv
from pki.errors import PkiDataError
from pki.keys.algorithms import HashAlgorithm, PublicKey

__all__ = ["ForeignAlgorithm", "UnknownAlgorithm"]


class ForeignAlgorithm(Enum):
    """RSASSA-PKCS1-v1_5 with a hash of SHA-2; the value is its object identifier."""

    RSA_PKCS1_SHA256 = "1.2.840.113549.1.1.11"
    RSA_PKCS1_SHA384 = "1.2.840.113549.1.1.12"
    RSA_PKCS1_SHA512 = "1.2.840.113549.1.1.13"

    @classmethod
    def from_identifier(cls, encoded: bytes) -> "ForeignAlgorithm | None":
        """The algorithm of a DER ``AlgorithmIdentifier`` with its NULL, or ``None`` for any other."""
        return _READ.get(encoded)

    def verifies(self, public_key: PublicKey, *, signature: bytes, message: bytes) -> bool:
        """Whether the key made the signature over the message with this algorithm."""
        if not isinstance(public_key, rsa.RSAPublicKey):
            return False
        try:
            public_key.verify(
                signature, message, padding.PKCS1v15(), _HASHES[self].to_cryptography()
            )
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownAlgorithm:
    """Any other algorithm; ``identifier`` is the DER ``AlgorithmIdentifier``."""

    identifier: bytes = field(repr=False)

    def verifies(self, public_key: PublicKey, *, signature: bytes, message: bytes) -> bool:
        """Refuse: no signature is believed by an algorithm that is not allowed.

        Raises:
            PkiDataError: ``certificate.algorithm-not-allowed``, always.
        """
        del public_key, signature, message
        raise PkiDataError(
            "signature algorithm is not allowed: expected ECDSA, RSASSA-PSS or RSASSA-PKCS1-v1_5 with SHA-2",
            code="certificate.algorithm-not-allowed",
        )


_HASHES: Final = {
    ForeignAlgorithm.RSA_PKCS1_SHA256: HashAlgorithm.SHA256,
    ForeignAlgorithm.RSA_PKCS1_SHA384: HashAlgorithm.SHA384,
    ForeignAlgorithm.RSA_PKCS1_SHA512: HashAlgorithm.SHA512,
}

_READ: Final = {
    # RFC 4055, 5: the parameters are NULL, and are there.
    tlv.encode(
        der.SEQUENCE,
        tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(item.value)) + b"\x05\x00",
    ): item
    for item in ForeignAlgorithm
}
