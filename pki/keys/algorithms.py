"""The algorithms that may sign anything here (Circular 15/2025/TT-BKHCN; Doc 9303-12, 4.1.6).

An algorithm identifier is compared as a whole encoding with those of the algorithms below, so that no
parameter of RSASSA-PSS can be overlooked: its hash, its mask and its salt are what they are here or refused.
"""

import hashlib
from collections.abc import Callable, Mapping
from enum import Enum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ObjectIdentifier

from card_layout import der, tlv
from pki.errors import PkiRefusedError

__all__ = [
    "MIN_RSA_BITS",
    "RSASSA_PSS",
    "HashAlgorithm",
    "PublicKey",
    "SignatureAlgorithm",
    "elliptic_curve_key",
]

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
"""What a signature can be verified with."""

RSASSA_PSS = "1.2.840.113549.1.1.10"
"""RFC 4055, 3.1; the same identifier for every hash."""

MIN_RSA_BITS = 3072
"""The shortest RSA key that is made here: as strong as P-256 (NIST SP 800-57-1, 5.6.1.1)."""

_MGF1 = "1.2.840.113549.1.1.8"


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
        self.ecdsa = ec.ECDSA(primitive)
        """ECDSA with this hash, as the cryptography library names it."""
        self._function = function
        self.digest_bytes: int = primitive.digest_size
        """Length of a digest in bytes."""

    def to_cryptography(self) -> hashes.HashAlgorithm:
        """The same hash for the cryptography library."""
        return self._primitive

    def digest(self, content: bytes = b"", *more: bytes) -> bytes:
        """The digest of the parts one behind another."""
        # Joining copies even a single one.
        return self._function(b"".join((content, *more)) if more else content).digest()

    def digests(self, files: Mapping[int, bytes]) -> dict[int, bytes]:
        """The digest of each file, by its data group number."""
        function = self._function
        # A copy has room for all of them; a dictionary that grows costs as much as a short digest does.
        digests = dict(files)
        for number, file in files.items():
            digests[number] = function(file).digest()
        return digests


class SignatureAlgorithm(Enum):
    """A signature algorithm; the value is its object identifier (RFC 5758, 3.2; RFC 4055, 3.1)."""

    ECDSA_SHA256 = "1.2.840.10045.4.3.2"
    ECDSA_SHA384 = "1.2.840.10045.4.3.3"
    ECDSA_SHA512 = "1.2.840.10045.4.3.4"
    RSA_PSS_SHA256 = RSASSA_PSS
    """RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes."""

    @property
    def oid(self) -> ObjectIdentifier:
        """Its object identifier."""
        return _OIDS[self.value]

    @property
    def hash_algorithm(self) -> HashAlgorithm:
        """The hash that it signs."""
        return _HASH_OF[self]

    @property
    def identifier(self) -> bytes:
        """The DER ``AlgorithmIdentifier`` as it is written."""
        return _WRITTEN[self]

    @classmethod
    def from_identifier(cls, encoded: bytes) -> "SignatureAlgorithm | None":
        """The algorithm of a DER ``AlgorithmIdentifier``, or ``None`` for any other, or other parameters."""
        return _READ.get(encoded)

    def verifies(self, public_key: PublicKey, *, signature: bytes, message: bytes) -> bool:
        """Whether the key made the signature over the message with this algorithm."""
        hash_algorithm = self.hash_algorithm
        is_rsa = self is SignatureAlgorithm.RSA_PSS_SHA256
        try:
            if is_rsa and isinstance(public_key, rsa.RSAPublicKey):
                primitive = hash_algorithm.to_cryptography()
                public_key.verify(signature, message, self.padding(), primitive)
                return True
            if not is_rsa and isinstance(public_key, ec.EllipticCurvePublicKey):
                public_key.verify(signature, message, hash_algorithm.ecdsa)
                return True
        except InvalidSignature:
            return False
        # The key is of another family than the algorithm: nothing can be its signature.
        return False

    def padding(self) -> padding.PSS:
        """The padding of RSASSA-PSS: mask and salt of the hash's own (RFC 4055, 3.1)."""
        hash_algorithm = self.hash_algorithm
        return padding.PSS(
            mgf=padding.MGF1(hash_algorithm.to_cryptography()),
            salt_length=hash_algorithm.digest_bytes,
        )

    @classmethod
    def for_key(cls, public_key: PublicKey) -> "SignatureAlgorithm":
        """The algorithm that a key of this kind signs with.

        Raises:
            PkiRefusedError: ``key.too-short``.
        """
        if isinstance(public_key, ec.EllipticCurvePublicKey):
            return cls.for_curve(public_key.curve)
        if public_key.key_size < MIN_RSA_BITS:
            raise PkiRefusedError(
                f"RSA key has {public_key.key_size} bits, expected at least {MIN_RSA_BITS}",
                code="key.too-short",
            )
        return cls.RSA_PSS_SHA256

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
    SignatureAlgorithm.RSA_PSS_SHA256: HashAlgorithm.SHA256,
}

_OIDS: dict[str, ObjectIdentifier] = {
    item.value: ObjectIdentifier(item.value) for item in (*HashAlgorithm, *SignatureAlgorithm)
}


def _pss_identifier(hash_parameters: bytes, mask_parameters: bytes) -> bytes:
    """RFC 4055, 3.1: hash [0], mask generation [1] and salt length [2]; the trailer field is the default."""
    sha256 = tlv.encode(
        der.OBJECT_IDENTIFIER, der.encode_object_identifier(HashAlgorithm.SHA256.value)
    )
    mask = tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(_MGF1)) + tlv.encode(
        der.SEQUENCE, sha256 + mask_parameters
    )
    parameters = tlv.encode(
        der.SEQUENCE,
        tlv.encode(0xA0, tlv.encode(der.SEQUENCE, sha256 + hash_parameters))
        + tlv.encode(0xA1, tlv.encode(der.SEQUENCE, mask))
        + tlv.encode(0xA2, der.encode_integer(HashAlgorithm.SHA256.digest_bytes)),
    )
    name = tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(RSASSA_PSS))
    return tlv.encode(der.SEQUENCE, name + parameters)


def _plain_identifier(oid: str) -> bytes:
    """RFC 5758, 3.2: ECDSA has no parameters, not even NULL."""
    return tlv.encode(
        der.SEQUENCE, tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(oid))
    )


_NULL = b"\x05\x00"

_WRITTEN = {
    # RFC 4055, 2.1: NULL is written as the parameters of the hashes inside RSASSA-PSS.
    item: _pss_identifier(_NULL, _NULL)
    if item is SignatureAlgorithm.RSA_PSS_SHA256
    else _plain_identifier(item.value)
    for item in SignatureAlgorithm
}

_READ = {encoded: item for item, encoded in _WRITTEN.items()} | {
    # The same: whoever reads takes hashes without parameters, too.
    _pss_identifier(hash_parameters, mask_parameters): SignatureAlgorithm.RSA_PSS_SHA256
    for hash_parameters in (b"", _NULL)
    for mask_parameters in (b"", _NULL)
}


def elliptic_curve_key(public_key: PublicKey) -> ec.EllipticCurvePublicKey:
    """The key where only ECDSA will do: CV certificates, log checkpoints, operators.

    Raises:
        PkiRefusedError: ``certificate.algorithm-not-allowed``: it is an RSA key.
    """
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return public_key
    raise PkiRefusedError(
        "the key is an RSA key, expected one on an elliptic curve",
        code="certificate.algorithm-not-allowed",
    )
