"""The document security object: hashes of a card's files, signed (SPEC.md, 7; ICAO Doc 9303-10, 4.6.2; RFC 5652).

Everything here is the ``ContentInfo`` that stands inside tag 77 of EF.SOD. What a file means is nobody's
business here: group numbers and digests go in, group numbers and digests come out.

A security object that was parsed re-encodes to the same bytes. Parsing proves nothing: call
``verify_signature`` and then judge the certificate that it carries (``pki.certificates.trust``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol, Self

from pki.certificates.certificate import Certificate, CertificateError, load_certificate
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import HashAlgorithm, PublicKey, SignatureAlgorithm
from pki.keys.other_algorithms import Digest, VerifyingAlgorithm
from pki.keys.signer import Signer
from pki.signed import signed_data, splicing
from pki.signed.decoding import SecurityObjectError
from pki.signed.lds_content import LdsVersion
from pki.signed.signed_frame import MAX_SIGNED_BYTES
from pki.signed.spliced_attributes import encode_signing_time

__all__ = [
    "MAX_SIGNED_BYTES",
    "LdsVersion",
    "PreparedSecurityObject",
    "SecurityObject",
    "SecurityObjectComposer",
    "SecurityObjectError",
    "StatusReference",
    "prepare_security_object",
    "sign_security_object",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReference:
    """Where the card's status stands: a list of 8 bytes, and an index from 0 to 2**32-1 in it (SPEC.md, 7.3)."""

    list_id: bytes
    index: int

    def __post_init__(self) -> None:
        if len(self.list_id) != 8:
            raise SecurityObjectError(
                f"status list has {len(self.list_id)} bytes, expected 8",
                code="security-object.malformed",
            )
        if not 0 <= self.index <= 0xFFFFFFFF:
            raise SecurityObjectError(
                f"status index is {self.index}, expected 0 to 4294967295",
                code="security-object.malformed",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityObject:
    """A parsed security object; ``file_hashes`` maps data group numbers (1-16) to digests."""

    content_info: bytes = field(repr=False)
    hash_algorithm: Digest
    signature_algorithm: VerifyingAlgorithm
    lds_version: LdsVersion
    file_hash_algorithm: Digest
    file_hashes: Mapping[int, bytes] = field(repr=False)
    signing_time: datetime | None
    status_reference: StatusReference | None
    signer_certificate: bytes = field(repr=False)
    signer_issuer: bytes = field(repr=False)
    signer_serial_number: int
    signed_content: bytes = field(repr=False)
    message_digest: bytes = field(repr=False)
    signed_attributes: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, content_info: bytes, *, allow_others: bool = False) -> Self:
        """Parse a DER ``ContentInfo`` as SPEC.md, 7 wants it; ``allow_others`` takes the algorithms of 7.6, too.

        Raises:
            SecurityObjectError: ``security-object.malformed``, ``security-object.algorithm-not-allowed`` or
                ``security-object.duplicate-group`` (SPEC.md, 9.3).
        """
        parsed = splicing.recognise(content_info)
        if parsed is None:
            parsed = signed_data.parse(content_info, allow_others=allow_others)
            _load_signer(parsed.certificate)
        reference = parsed.status_reference
        return cls(
            content_info=content_info,
            hash_algorithm=parsed.hash_algorithm,
            signature_algorithm=parsed.signature_algorithm,
            lds_version=parsed.lds_version,
            file_hash_algorithm=parsed.file_hash_algorithm,
            file_hashes=MappingProxyType(parsed.file_hashes),
            signing_time=parsed.signing_time,
            status_reference=(
                None
                if reference is None
                else StatusReference(list_id=reference.list_id, index=reference.index)
            ),
            signer_certificate=parsed.certificate,
            signer_issuer=parsed.issuer,
            signer_serial_number=parsed.serial_number,
            signed_content=parsed.content,
            message_digest=parsed.message_digest,
            signed_attributes=parsed.signed_attributes,
            signature=parsed.signature,
        )

    def to_bytes(self) -> bytes:
        """The bytes that it was parsed from; ``from_bytes`` has made sure that they are the only encoding."""
        return self.content_info

    def verify_signature(self) -> None:
        """Check message digest and signature with the certificate that the object carries (SPEC.md, 9.4).

        Raises:
            SecurityObjectError: ``security-object.signature-invalid``.
        """
        code = "security-object.signature-invalid"
        digest = self.hash_algorithm.digest(self.signed_content)
        if digest != self.message_digest:
            raise SecurityObjectError(
                "message digest of the security object does not match its content", code=code
            )
        signer = _load_signer(self.signer_certificate)
        if (signer.issuer, signer.serial_number) != (
            self.signer_issuer,
            self.signer_serial_number,
        ):
            raise SecurityObjectError(
                f"signer is named by serial number {self.signer_serial_number:x}, "
                f"the certificate carried has {signer.serial_number:x} or another issuer",
                code=code,
            )
        if not self.signature_algorithm.verifies(
            signer.public_key, signature=self.signature, message=self.signed_attributes
        ):
            raise SecurityObjectError("signature of the security object does not verify", code=code)

    def check_signing_time(self, *, now: datetime) -> datetime:
        """The signing time, once it is there and not after ``now`` (SPEC.md, 9.5).

        Raises:
            PkiDataError: ``security-object.signing-time-missing``.
            PkiRefusedError: ``security-object.signing-time-in-future``.
        """
        if self.signing_time is None:
            raise PkiDataError(
                "the security object has no signing time",
                code="security-object.signing-time-missing",
            )
        if self.signing_time > now:
            raise PkiRefusedError(
                f"signing time is {self.signing_time:%Y-%m-%dT%H:%M:%SZ}, "
                f"expected at most {now:%Y-%m-%dT%H:%M:%SZ}",
                code="security-object.signing-time-in-future",
            )
        return self.signing_time


class PreparedSecurityObject(Protocol):
    """A security object that lacks nothing but the signature over ``to_be_signed``."""

    @property
    def to_be_signed(self) -> bytes:
        """What is signed: the signed attributes (RFC 5652, 5.4)."""

    def finish(self, signature: bytes) -> bytes:
        """The DER ``ContentInfo`` with this signature in it."""


def sign_security_object(
    *,
    signer: Signer,
    certificate_der: bytes,
    file_hashes: Mapping[int, bytes],
    signing_time: datetime,
    status_reference: StatusReference,
    lds_version: LdsVersion = LdsVersion.V1,
) -> bytes:
    """Compose and sign a security object; give back its DER ``ContentInfo`` (SPEC.md, 7).

    Args:
        signer: the document signer's key; its hash is the one of ``file_hashes`` too.
        certificate_der: the document signer's certificate.
        file_hashes: group number (1-16) to digest of the whole file, tag and length included.
        signing_time: aware; whole seconds are kept.
        status_reference: where the card's status will stand.
        lds_version: the version of ``LDSSecurityObject`` (SPEC.md, 7.2).

    Raises:
        PkiRefusedError: numbers, digests, time or certificate do not fit: nothing was signed.
        KeystoreError: the key failed.
    """
    prepared = prepare_security_object(
        algorithm=signer.algorithm,
        public_key=signer.public_key,
        certificate_der=certificate_der,
        file_hashes=file_hashes,
        signing_time=signing_time,
        status_reference=status_reference,
        lds_version=lds_version,
    )
    return prepared.finish(signer.sign(prepared.to_be_signed))


def prepare_security_object(
    *,
    algorithm: SignatureAlgorithm,
    public_key: PublicKey,
    certificate_der: bytes,
    file_hashes: Mapping[int, bytes],
    signing_time: datetime,
    status_reference: StatusReference,
    lds_version: LdsVersion = LdsVersion.V1,
) -> PreparedSecurityObject:
    """Everything of a security object but its signature, so that it can be recorded before it is signed.

    Raises:
        PkiRefusedError: ``signing.request-invalid`` or ``signing.key-mismatch``.
    """
    composer = SecurityObjectComposer(
        algorithm=algorithm,
        public_key=public_key,
        certificate_der=certificate_der,
        lds_version=lds_version,
    )
    return composer.prepare(
        file_hashes=file_hashes, signing_time=signing_time, status_reference=status_reference
    )


_MAX_TEMPLATES: Final = 64
_GROUPS: Final = frozenset(range(1, 17))


class SecurityObjectComposer:
    """Prepares the security objects of one document signer: what they share is looked up once."""

    def __init__(
        self,
        *,
        algorithm: SignatureAlgorithm,
        public_key: PublicKey,
        certificate_der: bytes,
        lds_version: LdsVersion = LdsVersion.V1,
    ) -> None:
        """Bind a key to its certificate.

        Raises:
            PkiRefusedError: ``signing.key-mismatch``: it is not its certificate.
            CertificateError: it is none.
        """
        self._certificate = load_certificate(certificate_der)
        if self._certificate.public_key != public_key:
            raise PkiRefusedError(
                "the certificate is for another key than the signer's", code="signing.key-mismatch"
            )
        self._algorithm = algorithm
        self._hash_algorithm = algorithm.hash_algorithm
        self._lds_version = lds_version
        self._is_spliced = algorithm in splicing.ALGORITHMS
        self._templates: dict[tuple[int, ...], splicing.SignerTemplate] = {}

    def prepare(
        self,
        *,
        file_hashes: Mapping[int, bytes],
        signing_time: datetime,
        status_reference: StatusReference,
    ) -> PreparedSecurityObject:
        """Everything of a security object but its signature.

        Raises:
            PkiRefusedError: ``signing.request-invalid``.
        """
        template = self._templates.get(tuple(file_hashes))
        digests = list(file_hashes.values())
        # There is a template only for data groups that were checked, in the order in which they were signed.
        if template is None or list(map(len, digests)) != template.digest_sizes:
            _check_file_hashes(file_hashes, self._hash_algorithm)
        if signing_time.tzinfo is None:
            raise PkiRefusedError(
                "signing time has no time zone, expected an aware time",
                code="signing.request-invalid",
            )
        encoded_time = encode_signing_time(signing_time)
        if encoded_time is None or not self._is_spliced:
            return self._prepare_readably(file_hashes, signing_time, status_reference)
        if template is None:
            groups = tuple(sorted(file_hashes))
            digests = [file_hashes[number] for number in groups]
            template = self._templates.get(groups) or self._template(groups)
        return template.splice(
            digests,
            signing_time=encoded_time,
            list_id=status_reference.list_id,
            index=status_reference.index,
        )

    def _template(self, groups: tuple[int, ...]) -> splicing.SignerTemplate:
        """What all cards with these data groups share; a signer's cards have one or two sets of them."""
        if len(self._templates) >= _MAX_TEMPLATES:
            self._templates.clear()
        template = self._templates[groups] = splicing.template_of(
            self._algorithm, self._certificate.der, groups, self._lds_version
        )
        return template

    def _prepare_readably(
        self,
        file_hashes: Mapping[int, bytes],
        signing_time: datetime,
        status_reference: StatusReference,
    ) -> PreparedSecurityObject:
        """The same by the readable encoder, which knows every time and algorithm that there is."""
        return signed_data.prepare(
            algorithm=self._algorithm,
            certificate=self._certificate.der,
            issuer=self._certificate.issuer,
            serial_number=self._certificate.serial_number,
            file_hashes=file_hashes,
            signing_time=signing_time,
            list_id=status_reference.list_id,
            index=status_reference.index,
            lds_version=self._lds_version,
        )


def _check_file_hashes(file_hashes: Mapping[int, bytes], hash_algorithm: HashAlgorithm) -> None:
    digest_bytes = hash_algorithm.digest_bytes
    code = "signing.request-invalid"
    if (
        2 <= len(file_hashes) <= 16
        and file_hashes.keys() <= _GROUPS
        and {digest_bytes}.issuperset(map(len, file_hashes.values()))
    ):
        return
    if not 2 <= len(file_hashes) <= 16:
        raise PkiRefusedError(f"got {len(file_hashes)} file hashes, expected 2 to 16", code=code)
    for number, digest in file_hashes.items():
        if not 1 <= number <= 16:
            raise PkiRefusedError(f"data group number is {number}, expected 1 to 16", code=code)
        if len(digest) != digest_bytes:
            raise PkiRefusedError(
                f"hash of data group {number} has {len(digest)} bytes, "
                f"expected {digest_bytes} for {hash_algorithm.name}",
                code=code,
            )


def _load_signer(certificate_der: bytes) -> Certificate:
    try:
        return load_certificate(certificate_der)
    except CertificateError as error:
        is_algorithm = error.code == "certificate.algorithm-not-allowed"
        raise SecurityObjectError(
            f"the signer's certificate cannot be used: {error}",
            code="security-object.algorithm-not-allowed"
            if is_algorithm
            else "security-object.malformed",
        ) from error
