"""Strict decoding of the pieces that CMS structures are made of; whatever is wrong is a ``SecurityObjectError``."""

from typing import TypeVar

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from card_layout import tlv
from pki.errors import PkiDataError
from pki.keys.algorithms import RSASSA_PSS, HashAlgorithm, SignatureAlgorithm
from pki.keys.other_algorithms import (
    Digest,
    OtherHashAlgorithm,
    VerifyingAlgorithm,
    other_signature_algorithm,
)
from pki.signed.structures import AlgorithmIdentifier

__all__ = [
    "SecurityObjectError",
    "algorithm_identifier",
    "decode",
    "element",
    "expect",
    "expect_oid",
    "only",
    "read_any_hash_algorithm",
    "read_any_signature_algorithm",
    "read_hash_algorithm",
    "read_signature_algorithm",
    "whole",
]


class SecurityObjectError(PkiDataError):
    """Bytes that are not a security object, or one that does not verify."""

    default_code = "security-object.malformed"


def read_signature_algorithm(element: asn1.TLV) -> SignatureAlgorithm:
    """The algorithm that an AlgorithmIdentifier names."""
    oid = _algorithm_oid("signature algorithm", element)
    algorithm = SignatureAlgorithm.from_identifier(whole(element))
    if algorithm is not None:
        return algorithm
    if oid.dotted_string not in {item.value for item in SignatureAlgorithm}:
        raise SecurityObjectError(
            f"signature algorithm {oid.dotted_string} is not allowed, expected ECDSA with SHA-256, "
            "SHA-384 or SHA-512, or RSASSA-PSS with SHA-256",
            code="security-object.algorithm-not-allowed",
        )
    if oid.dotted_string == RSASSA_PSS:
        raise SecurityObjectError(
            "RSASSA-PSS has other parameters than SHA-256 throughout and a salt of 32 bytes",
            code="security-object.algorithm-not-allowed",
        )
    raise SecurityObjectError("the ECDSA signature algorithm has parameters, expected none")


def read_hash_algorithm(name: str, element: asn1.TLV) -> HashAlgorithm:
    """The hash that an AlgorithmIdentifier names; NULL parameters are accepted (RFC 5754, 2)."""
    oid = _algorithm_oid(name, element)
    try:
        algorithm = HashAlgorithm(oid.dotted_string)
    except ValueError as error:
        raise SecurityObjectError(
            f"{name} {oid.dotted_string} is not allowed, expected SHA-256, SHA-384 or SHA-512",
            code="security-object.algorithm-not-allowed",
        ) from error
    decode(AlgorithmIdentifier, whole(element), name)
    return algorithm


def read_any_signature_algorithm(element: asn1.TLV, digest: Digest) -> VerifyingAlgorithm:
    """The same with Doc 9303's other algorithms; ``digest`` is the signer's digest algorithm."""
    other = other_signature_algorithm(whole(element), digest)
    return read_signature_algorithm(element) if other is None else other


def read_any_hash_algorithm(name: str, element: asn1.TLV) -> Digest:
    """The same with Doc 9303's other hashes."""
    if _algorithm_oid(name, element).dotted_string == OtherHashAlgorithm.SHA224.value:
        decode(AlgorithmIdentifier, whole(element), name)
        return OtherHashAlgorithm.SHA224
    return read_hash_algorithm(name, element)


def _algorithm_oid(name: str, element: asn1.TLV) -> ObjectIdentifier:
    """The object identifier of an AlgorithmIdentifier, whatever its parameters look like."""
    try:
        parts = tlv.parse(whole(element), expected_tag=0x30).children()
    except tlv.TlvError as error:
        raise SecurityObjectError(f"{name} is not an AlgorithmIdentifier") from error
    if not 1 <= len(parts) <= 2:
        raise SecurityObjectError(f"{name} has {len(parts)} elements, expected 1 or 2")
    return decode(ObjectIdentifier, parts[0].to_bytes(), name)


def algorithm_identifier(oid: ObjectIdentifier) -> asn1.TLV:
    """An AlgorithmIdentifier without parameters, ready to be placed."""
    return element(asn1.encode_der(AlgorithmIdentifier(algorithm=oid, parameters=None)))


def element(encoded: bytes) -> asn1.TLV:
    """A finished encoding, to be placed inside another one."""
    return asn1.decode_der(asn1.TLV, encoded)


def whole(element: asn1.TLV) -> bytes:
    """An element with its tag and length."""
    return asn1.encode_der(element)


def expect(name: str, got: int, expected: int) -> None:
    """Refuse any other number."""
    if got != expected:
        raise SecurityObjectError(f"{name} is {got:x}, expected {expected}")


def expect_oid(name: str, got: ObjectIdentifier, expected: ObjectIdentifier) -> None:
    """Refuse any other object identifier."""
    if got != expected:
        raise SecurityObjectError(
            f"{name} is {got.dotted_string}, expected {expected.dotted_string}"
        )


_Item = TypeVar("_Item")


def only(name: str, items: list[_Item]) -> _Item:
    """The one item of a list that must have one."""
    if len(items) != 1:
        raise SecurityObjectError(f"got {len(items)} {name}, expected exactly one")
    return items[0]


_Decoded = TypeVar("_Decoded")


def decode(kind: type[_Decoded], encoded: bytes, name: str) -> _Decoded:
    """Decode strictly: what does not encode to the same bytes again is refused."""
    try:
        value = asn1.decode_der(kind, encoded)
        again = asn1.encode_der(value)
    except (ValueError, OverflowError) as error:
        raise SecurityObjectError(f"{name} is not the DER that is expected") from error
    if again != encoded:
        raise SecurityObjectError(f"{name} is not in the one DER encoding")
    return value
