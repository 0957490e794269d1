"""The algorithms that may sign anything here (Circular 15/2025/TT-BKHCN; Doc 9303-12, 4.1.6)."""

import hashlib
from collections.abc import Callable, Mapping
from enum import Enum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ObjectIdentifier

from pki.errors import PkiRefusedError

__all__ = ["HashAlgorithm", "SignatureAlgorithm"]


_HASHES: dict[str, tuple[hashes.HashAlgorithm, Callable[[bytes], "hashlib._Hash"]]] = {
    "2.16.840.1.101.3.4.2.1": (hashes.SHA256(), hashlib.sha256),
    "2.16.840.1.101.3.4.2.2": (hashes.SHA384(), hashlib.sha384),
    "2.16.840.1.101.3.4.2.3": (hashes.SHA512(), hashlib.sha512),
}
"""The two libraries' implementations by object identifier: hashlib's is the quicker one for a few bytes."""


class HashAlgorithm(Enum):
    """A hash that security objects and signatures may use; the value is its object identifier."""

    SHA256 = "2.16.840.1.101.3.4.2.1"
    SHA384 = "2.16.840.1.101.3.4.2.2"
    SHA512 = "2.16.840.1.101.3.4.2.3"

    @property
    def oid(self) -> ObjectIdentifier:
        """Its object identifier (NIST CSOR)."""
        return _OIDS[self.value]

    def __init__(self, oid: str) -> None:
        primitive, function = _HASHES[oid]
        # Attributes, because looking a member up in a table costs more than a short digest does.
        self._primitive = primitive
        self._function = function
        self.digest_bytes: int = primitive.digest_size
        """Length of a digest in bytes."""

    def to_cryptography(self) -> hashes.HashAlgorithm:
        """The same hash for the cryptography library."""
        return self._primitive

    def digest(self, *parts: bytes) -> bytes:
        """The digest of the parts one behind another."""
        return self._function(b"".join(parts)).digest()

    def digests(self, files: Mapping[int, bytes]) -> dict[int, bytes]:
        """The digest of each file, by its data group number."""
        function = self._function
        return {number: function(file).digest() for number, file in files.items()}


class SignatureAlgorithm(Enum):
    """A signature algorithm; the value is its object identifier (RFC 5758, 3.2)."""

    ECDSA_SHA256 = "1.2.840.10045.4.3.2"
    ECDSA_SHA384 = "1.2.840.10045.4.3.3"
    ECDSA_SHA512 = "1.2.840.10045.4.3.4"

    @property
    def oid(self) -> ObjectIdentifier:
        """Its object identifier."""
        return _OIDS[self.value]

    @property
    def hash_algorithm(self) -> HashAlgorithm:
        """The hash that it signs."""
        return _HASH_OF[self]

    @classmethod
    def for_curve(cls, curve: ec.EllipticCurve) -> "SignatureAlgorithm":
        """The algorithm whose hash is as long as the curve is strong (Doc 9303-12, 4.1.6.1).

        Raises:
            PkiRefusedError: the curve has fewer than 256 bits.
        """
        if curve.key_size < 256:
            raise PkiRefusedError(
                f"curve {curve.name} has {curve.key_size} bits, expected at least 256",
                code="key.too-short",
            )
        if curve.key_size < 384:
            return cls.ECDSA_SHA256
        return cls.ECDSA_SHA384 if curve.key_size < 512 else cls.ECDSA_SHA512


_HASH_OF = {
    SignatureAlgorithm.ECDSA_SHA256: HashAlgorithm.SHA256,
    SignatureAlgorithm.ECDSA_SHA384: HashAlgorithm.SHA384,
    SignatureAlgorithm.ECDSA_SHA512: HashAlgorithm.SHA512,
}

_OIDS: dict[str, ObjectIdentifier] = {
    item.value: ObjectIdentifier(item.value) for item in (*HashAlgorithm, *SignatureAlgorithm)
}
