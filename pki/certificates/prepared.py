"""What lacks nothing but its signature, and can be given one once (the issuance cycle's middle).

A certificate or list is composed first, so that it can be linted and recorded before it exists. ``draft`` signs
it with a throw-away key, for linters; ``sign`` signs exactly the same content with the real key, one time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Protocol

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pki.certificates.certificate import Extension
from pki.certificates.structures import EncodedExtension, EncodedTime, Signed, element
from pki.errors import KeystoreError, PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.signer import Signer

__all__ = [
    "Prepared",
    "PreparedCertificate",
    "PreparedCertificateList",
    "Redemption",
    "encode_algorithm",
    "encode_extensions",
    "encode_time",
    "sign_once",
]


class Prepared(Protocol):
    """Something that is to be signed once."""

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """What it will be signed with."""

    @property
    def to_be_signed(self) -> bytes:
        """Exactly what the signature will be over."""

    def draft(self, signer: Signer) -> bytes:
        """The whole thing under the signature of a throw-away key."""

    def sign(self, signer: Signer) -> bytes:
        """The whole thing under the real signature, one time.

        Raises:
            PkiRefusedError: ``signing.redeemed``, ``signing.key-mismatch``.
            KeystoreError: the key failed, or ``keystore.signature-wrong``.
        """

    def frame(self, finished: bytes) -> bytes:
        """A draft or the finished thing with an empty signature: what both have in common."""


class Redemption:
    """A permit that is used up by its first use, whatever becomes of that."""

    def __init__(self) -> None:
        self._lock = Lock()

    def redeem(self) -> None:
        """Use the permit.

        Raises:
            PkiRefusedError: ``signing.redeemed``.
        """
        if not self._lock.acquire(blocking=False):
            raise PkiRefusedError(
                "this was signed already, or its signing was tried", code="signing.redeemed"
            )


def sign_once(prepared: Prepared, signer: Signer, *, redemption: Redemption | None = None) -> bytes:
    """The signature over what was prepared, known to verify; with a redemption, one time.

    Raises:
        PkiRefusedError: ``signing.redeemed``; ``signing.key-mismatch``: the signer's algorithm is another one.
        KeystoreError: ``keystore.signature-wrong``.
    """
    if signer.algorithm is not prepared.algorithm:
        raise PkiRefusedError(
            f"the key signs with {signer.algorithm.name}, expected {prepared.algorithm.name}",
            code="signing.key-mismatch",
        )
    if redemption is not None:
        redemption.redeem()
    content = prepared.to_be_signed
    signature = signer.sign(content)
    if not prepared.algorithm.verifies(signer.public_key, signature=signature, message=content):
        # A signature made with a faulty computation can give the private key away: it must not get out.
        raise KeystoreError(
            "the key gave a signature that its public key does not verify",
            code="keystore.signature-wrong",
        )
    return signature


@dataclass(frozen=True, slots=True, kw_only=True)
class _PreparedSigned:
    """``TBSCertificate`` or ``TBSCertList``, and the algorithm for its signature."""

    algorithm: SignatureAlgorithm
    to_be_signed: bytes = field(repr=False)
    redemption: Redemption = field(
        init=False, repr=False, compare=False, default_factory=Redemption
    )

    def draft(self, signer: Signer) -> bytes:
        """See ``Prepared``."""
        return self._assemble(sign_once(self, signer))

    def sign(self, signer: Signer) -> bytes:
        """The DER, its signature verified before it gets out; see ``Prepared``."""
        return self._assemble(sign_once(self, signer, redemption=self.redemption))

    def frame(self, finished: bytes) -> bytes:
        """See ``Prepared``."""
        found = asn1.decode_der(Signed, finished)
        return asn1.encode_der(
            Signed(
                content=found.content,
                signature_algorithm=found.signature_algorithm,
                signature=asn1.BitString(b"", 0),
            )
        )

    def _assemble(self, signature: bytes) -> bytes:
        return asn1.encode_der(
            Signed(
                content=element(self.to_be_signed),
                signature_algorithm=encode_algorithm(self.algorithm),
                signature=asn1.BitString(signature, 0),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCertificate(_PreparedSigned):
    """A certificate that lacks nothing but the signature over ``to_be_signed``."""

    serial_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCertificateList(_PreparedSigned):
    """A CRL that lacks nothing but the signature over ``to_be_signed``."""

    number: int


def encode_algorithm(algorithm: SignatureAlgorithm) -> asn1.TLV:
    """The ``AlgorithmIdentifier``, ready to be placed."""
    return element(algorithm.identifier)


def encode_extensions(items: Iterable[Extension]) -> list[EncodedExtension]:
    """The extensions as structures."""
    return [
        EncodedExtension(oid=ObjectIdentifier(item.oid), critical=item.critical, value=item.value)
        for item in items
    ]


def encode_time(moment: datetime) -> EncodedTime:
    """UTCTime through the year 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5); whole seconds."""
    whole = moment.astimezone(UTC).replace(microsecond=0)
    return asn1.UTCTime(whole) if whole.year < 2050 else asn1.GeneralizedTime(whole)
