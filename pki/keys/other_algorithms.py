"""Doc 9303's further signature algorithms, which nothing here signs with and only a policy that says so takes.

Other states' documents are signed in more ways than ours (Doc 9303-12, 4.1.6; TR-03111, 5.2.1; RFC 4055; RFC 5753): a
terminal that is to read those verifies them with what stands here. SHA-1, MD5 and DSA are in no list at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from card_layout import der, tlv
from pki.keys.algorithms import RSASSA_PSS, HashAlgorithm, PublicKey

__all__ = [
    "RSA_ENCRYPTION",
    "Digest",
    "OtherHashAlgorithm",
    "OtherSignatureAlgorithm",
    "VerifyingAlgorithm",
    "other_signature_algorithm",
]

RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
"""As a signature algorithm of CMS: RSASSA-PKCS1-v1_5 with the signer's digest algorithm (RFC 3370, 3.2)."""

_MGF1 = "1.2.840.113549.1.1.8"
_NULL = b"\x05\x00"


class Digest(Protocol):
    """A hash, whoever's it is."""

    @property
    def name(self) -> str:
        """Its name, for people."""

    @property
    def digest_bytes(self) -> int:
        """Length of a digest in bytes."""

    def digest(self, *parts: bytes) -> bytes:
        """The digest of the parts one behind another."""

    def digests(self, files: Mapping[int, bytes]) -> dict[int, bytes]:
        """The digest of each file, by its data group number."""

    def to_cryptography(self) -> hashes.HashAlgorithm:
        """The same hash for the cryptography library."""


class VerifyingAlgorithm(Protocol):
    """A signature algorithm that signatures are verified with."""

    @property
    def hash_algorithm(self) -> Digest:
        """The hash that is signed."""

    def verifies(self, public_key: PublicKey, *, signature: bytes, message: bytes) -> bool:
        """Whether the key made the signature over the message with this algorithm."""


@unique
class OtherHashAlgorithm(Enum):
    """A hash that other states' security objects use; the value is its object identifier."""

    SHA224 = "2.16.840.1.101.3.4.2.4"

    @property
    def digest_bytes(self) -> int:
        """Length of a digest in bytes."""
        return hashes.SHA224.digest_size

    def digest(self, *parts: bytes) -> bytes:
        """The digest of the parts one behind another."""
        calculation = hashes.Hash(hashes.SHA224())
        calculation.update(b"".join(parts))
        return calculation.finalize()

    def digests(self, files: Mapping[int, bytes]) -> dict[int, bytes]:
        """The digest of each file, by its data group number."""
        return {number: self.digest(file) for number, file in files.items()}

    def to_cryptography(self) -> hashes.HashAlgorithm:
        """The same hash for the cryptography library."""
        return hashes.SHA224()


@unique
class _Scheme(Enum):
    ECDSA = "ecdsa"
    PLAIN_ECDSA = "plain-ecdsa"
    """r and s as numbers of the order's length, one behind the other (TR-03111, 5.2.1)."""
    PKCS1 = "rsassa-pkcs1-v1_5"
    PSS = "rsassa-pss"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSignatureAlgorithm:
    """One way of signing that is not ours."""

    scheme: _Scheme
    hash_algorithm: Digest

    def verifies(self, public_key: PublicKey, *, signature: bytes, message: bytes) -> bool:
        """Whether the key made the signature over the message with this algorithm."""
        is_rsa = self.scheme in (_Scheme.PKCS1, _Scheme.PSS)
        hash_algorithm = self.hash_algorithm.to_cryptography()
        try:
            if isinstance(public_key, rsa.RSAPublicKey) and is_rsa:
                public_key.verify(signature, message, self._padding(), hash_algorithm)
                return True
            if isinstance(public_key, ec.EllipticCurvePublicKey) and not is_rsa:
                encoded = self._encoded(signature, public_key.curve.key_size)
                public_key.verify(encoded, message, ec.ECDSA(hash_algorithm))
                return True
        except (InvalidSignature, ValueError):
            return False
        # The key is of another family than the algorithm: nothing can be its signature.
        return False

    def _padding(self) -> padding.PKCS1v15 | padding.PSS:
        if self.scheme is _Scheme.PKCS1:
            return padding.PKCS1v15()
        hash_algorithm = self.hash_algorithm.to_cryptography()
        return padding.PSS(mgf=padding.MGF1(hash_algorithm), salt_length=hash_algorithm.digest_size)

    def _encoded(self, signature: bytes, key_bits: int) -> bytes:
        """The signature as X9.62 encodes it.

        Raises:
            ValueError: plain halves of another length than the order's.
        """
        if self.scheme is _Scheme.ECDSA:
            return signature
        size = (key_bits + 7) // 8
        if len(signature) != 2 * size:
            raise ValueError(f"plain signature has {len(signature)} bytes, expected {2 * size}")
        return encode_dss_signature(
            int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        )


def other_signature_algorithm(
    identifier: bytes, digest: Digest | None = None
) -> OtherSignatureAlgorithm | None:
    """The algorithm of a DER ``AlgorithmIdentifier``; ``None`` for what is not in the list.

    ``digest`` is the signer's digest algorithm, by which an identifier of the key alone is completed.
    """
    if identifier == _identifier(RSA_ENCRYPTION, _NULL) and digest is not None:
        return OtherSignatureAlgorithm(scheme=_Scheme.PKCS1, hash_algorithm=digest)
    return _OTHERS.get(identifier)


def _identifier(oid: str, parameters: bytes = b"") -> bytes:
    name = tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(oid))
    return tlv.encode(der.SEQUENCE, name + parameters)


def _pss_identifiers(hash_oid: str, salt_bytes: int) -> tuple[bytes, ...]:
    """RFC 4055, 3.1; hashes are written with NULL as parameters or with none."""
    found = []
    for null in (_NULL, b""):
        hashed = _identifier(hash_oid, null)
        parameters = (
            tlv.encode(0xA0, hashed)
            + tlv.encode(0xA1, _identifier(_MGF1, hashed))
            + tlv.encode(0xA2, der.encode_integer(salt_bytes))
        )
        found.append(_identifier(RSASSA_PSS, tlv.encode(der.SEQUENCE, parameters)))
    return tuple(found)


def _others() -> dict[bytes, OtherSignatureAlgorithm]:
    others: dict[bytes, OtherSignatureAlgorithm] = {}
    all_hashes: tuple[HashAlgorithm | OtherHashAlgorithm, ...] = (
        OtherHashAlgorithm.SHA224,
        HashAlgorithm.SHA256,
        HashAlgorithm.SHA384,
        HashAlgorithm.SHA512,
    )
    pkcs1_arcs = (14, 11, 12, 13)
    for number, (hash_algorithm, arc) in enumerate(zip(all_hashes, pkcs1_arcs, strict=True), 1):
        ecdsa = OtherSignatureAlgorithm(scheme=_Scheme.ECDSA, hash_algorithm=hash_algorithm)
        plain = OtherSignatureAlgorithm(scheme=_Scheme.PLAIN_ECDSA, hash_algorithm=hash_algorithm)
        pkcs1 = OtherSignatureAlgorithm(scheme=_Scheme.PKCS1, hash_algorithm=hash_algorithm)
        pss = OtherSignatureAlgorithm(scheme=_Scheme.PSS, hash_algorithm=hash_algorithm)
        others[_identifier(f"1.2.840.10045.4.3.{number}")] = ecdsa
        others[_identifier(f"0.4.0.127.0.7.1.1.4.1.{number + 1}")] = plain
        others[_identifier(f"1.2.840.113549.1.1.{arc}", _NULL)] = pkcs1
        for identifier in _pss_identifiers(hash_algorithm.value, hash_algorithm.digest_bytes):
            others[identifier] = pss
    return others


_OTHERS = _others()
