"""Algorithms of signatures as they stand: their kind, hash and parameters, and the signatures verified by them."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pki.certificates.lint.element import NULL, SEQUENCE, Element, MalformedError, expect
from pki.certificates.lint.public_keys import PublicKey

__all__ = [
    "DIGESTS",
    "SHA_1",
    "Algorithm",
    "PssParameters",
    "SignatureKind",
    "read_algorithm",
]

SHA_1: Final = "1.3.14.3.2.26"
DIGESTS: Final[dict[str, hashes.HashAlgorithm]] = {
    "2.16.840.1.101.3.4.2.4": hashes.SHA224(),
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
"""The only hashes that are permitted (ICAO 9303-12, 4.1.6.4)."""

_SHA_224, _SHA_256, _SHA_384, _SHA_512 = DIGESTS
_RSA: Final = "1.2.840.113549.1.1"
_RSASSA_PSS: Final = f"{_RSA}.10"
_MGF_1: Final = f"{_RSA}.8"


class SignatureKind(Enum):
    """The schemes of ICAO 9303-12, 4.1.6."""

    RSA_PKCS1 = "RSASSA-PKCS1-v1_5"
    RSA_PSS = "RSASSA-PSS"
    DSA = "DSA"
    ECDSA = "ECDSA"


_KNOWN: Final = {
    f"{_RSA}.4": (SignatureKind.RSA_PKCS1, "1.2.840.113549.2.5"),
    f"{_RSA}.5": (SignatureKind.RSA_PKCS1, SHA_1),
    f"{_RSA}.14": (SignatureKind.RSA_PKCS1, _SHA_224),
    f"{_RSA}.11": (SignatureKind.RSA_PKCS1, _SHA_256),
    f"{_RSA}.12": (SignatureKind.RSA_PKCS1, _SHA_384),
    f"{_RSA}.13": (SignatureKind.RSA_PKCS1, _SHA_512),
    "1.2.840.10040.4.3": (SignatureKind.DSA, SHA_1),
    "2.16.840.1.101.3.4.3.1": (SignatureKind.DSA, _SHA_224),
    "2.16.840.1.101.3.4.3.2": (SignatureKind.DSA, _SHA_256),
    "1.2.840.10045.4.1": (SignatureKind.ECDSA, SHA_1),
    "1.2.840.10045.4.3.1": (SignatureKind.ECDSA, _SHA_224),
    "1.2.840.10045.4.3.2": (SignatureKind.ECDSA, _SHA_256),
    "1.2.840.10045.4.3.3": (SignatureKind.ECDSA, _SHA_384),
    "1.2.840.10045.4.3.4": (SignatureKind.ECDSA, _SHA_512),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PssParameters:
    """RSASSA-PSS-params (RFC 4055, 3.1), defaults filled in; ``mask_hash`` None for another mask than MGF1."""

    hash_oid: str
    mask_hash: str | None
    salt_bytes: int
    trailer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """An AlgorithmIdentifier; ``kind`` None where the algorithm is unknown, or its parameters malformed."""

    encoded: bytes = field(repr=False)
    oid: str
    has_parameters: bool
    has_null: bool
    kind: SignatureKind | None
    hash_oid: str | None
    pss: PssParameters | None

    def verify(self, key: PublicKey, signature: bytes, content: bytes) -> bool | None:
        """Whether the key made the signature; None where that cannot be calculated."""
        public_key = key.to_cryptography()
        digest = _digest(self.hash_oid)
        if public_key is None or digest is None:
            return None
        try:
            if isinstance(public_key, rsa.RSAPublicKey):
                chosen = self._padding()
                if chosen is None:
                    return None
                public_key.verify(signature, content, chosen, digest)
            elif self.kind is SignatureKind.ECDSA:
                public_key.verify(signature, content, ec.ECDSA(digest))
            else:
                return None
        except InvalidSignature:
            return False
        except (ValueError, UnsupportedAlgorithm):
            return None
        return True

    def _padding(self) -> padding.PKCS1v15 | padding.PSS | None:
        if self.kind is SignatureKind.RSA_PKCS1:
            return padding.PKCS1v15()
        if self.pss is None:
            return None
        mask_digest = _digest(self.pss.mask_hash)
        if mask_digest is None or not 0 <= self.pss.salt_bytes <= 512:
            return None
        return padding.PSS(mgf=padding.MGF1(mask_digest), salt_length=self.pss.salt_bytes)


def read_algorithm(element: Element) -> Algorithm:
    """An AlgorithmIdentifier.

    Raises:
        MalformedError: it is none.
    """
    expect(element, SEQUENCE)
    parts = element.children()
    if len(parts) not in {1, 2}:
        raise MalformedError(f"an algorithm has {len(parts)} elements, expected 1 or 2")
    oid = parts[0].object_identifier()
    parameters = parts[1] if len(parts) == 2 else None
    kind, hash_oid = _KNOWN.get(oid, (None, None))
    pss = None
    if oid == _RSASSA_PSS and parameters is not None:
        try:
            pss = _pss_parameters(parameters)
            kind, hash_oid = SignatureKind.RSA_PSS, pss.hash_oid
        except MalformedError:
            # The rule about known algorithms tells: without parameters nothing can be verified.
            pss = None
    return Algorithm(
        encoded=element.encoded,
        oid=oid,
        has_parameters=parameters is not None,
        has_null=parameters is not None and parameters.encoded == bytes((NULL, 0)),
        kind=kind,
        hash_oid=hash_oid,
        pss=pss,
    )


def _pss_parameters(element: Element) -> PssParameters:
    expect(element, SEQUENCE)
    found = {part.tag: part.inner() for part in element.children()}
    if not set(found) <= {0xA0, 0xA1, 0xA2, 0xA3}:
        raise MalformedError("RSASSA-PSS parameters hold something unknown")
    mask_hash: str | None = SHA_1
    if 0xA1 in found:
        mask = found[0xA1].children()
        is_mgf_1 = len(mask) == 2 and mask[0].object_identifier() == _MGF_1
        mask_hash = _first_oid(mask[1]) if is_mgf_1 else None
    return PssParameters(
        hash_oid=_first_oid(found[0xA0]) if 0xA0 in found else SHA_1,
        mask_hash=mask_hash,
        salt_bytes=found[0xA2].integer() if 0xA2 in found else 20,
        trailer=found[0xA3].integer() if 0xA3 in found else 1,
    )


def _first_oid(element: Element) -> str:
    expect(element, SEQUENCE)
    parts = element.children()
    if not parts:
        raise MalformedError("an algorithm is empty")
    return parts[0].object_identifier()


def _digest(oid: str | None) -> hashes.HashAlgorithm | None:
    if oid == SHA_1:
        return hashes.SHA1()  # noqa: S303 - what is old is read and called old; nothing is trusted
    return None if oid is None else DIGESTS.get(oid)
