"""Issuing certificates of authorities and document signers (Doc 9303-12, 7.1.1; RFC 5280, 4.1).

Two steps, so that what will be signed can be recorded before it is: ``prepare_...`` composes everything but
the signature, ``PreparedCertificate.sign`` signs exactly that.
Time and serial number are arguments.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ObjectIdentifier

from card_layout.curves import CurveError, EcPublicKey
from pki.certificates import extensions as ext
from pki.certificates.certificate import Extension
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import CertificateProfile, ProfileKind, add_months
from pki.certificates.structures import (
    CertificateContent,
    EcdsaIdentifier,
    EncodedExtension,
    EncodedTime,
    Signed,
    Validity,
    element,
)
from pki.certificates.trust import Authority
from pki.errors import KeystoreError, PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.signer import Signer

__all__ = [
    "LOCATIONS",
    "PreparedCertificate",
    "assemble",
    "encode_algorithm",
    "encode_extensions",
    "encode_time",
    "issue_authority_certificate",
    "issue_signer_certificate",
    "key_identifier",
    "prepare_authority_certificate",
    "prepare_signer_certificate",
]

LOCATIONS = {"VN": "VNM"}
"""Three-letter codes for MRZs of the countries that certificates are issued for (Doc 9303-3, 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCertificate:
    """A certificate that lacks nothing but the signature over ``to_be_signed``."""

    serial_number: int
    algorithm: SignatureAlgorithm
    to_be_signed: bytes = field(repr=False)

    def sign(self, signer: Signer) -> bytes:
        """The DER certificate, its signature verified before it gets out.

        Raises:
            PkiRefusedError: ``signing.key-mismatch``: the signer's algorithm is another one.
            KeystoreError: ``keystore.signature-wrong``: the key gave a signature that does not verify.
        """
        return assemble(self.to_be_signed, algorithm=self.algorithm, signer=signer)


def issue_authority_certificate(
    *,
    signer: Signer,
    profile: CertificateProfile,
    name: DistinguishedName,
    serial_number: int,
    not_before: datetime,
    is_test: bool,
    distribution_point: str | None = None,
) -> bytes:
    """Prepare and sign a self-signed CSCA certificate; see ``prepare_authority_certificate``."""
    prepared = prepare_authority_certificate(
        public_key=signer.public_key,
        profile=profile,
        name=name,
        serial_number=serial_number,
        not_before=not_before,
        is_test=is_test,
        distribution_point=distribution_point,
    )
    return prepared.sign(signer)


def issue_signer_certificate(
    *,
    authority_signer: Signer,
    authority_certificate: bytes,
    public_key: ec.EllipticCurvePublicKey,
    profile: CertificateProfile,
    name: DistinguishedName,
    serial_number: int,
    not_before: datetime,
    distribution_point: str | None = None,
) -> bytes:
    """Prepare and sign a document signer's certificate; see ``prepare_signer_certificate``."""
    prepared = prepare_signer_certificate(
        authority_certificate=authority_certificate,
        public_key=public_key,
        profile=profile,
        name=name,
        serial_number=serial_number,
        not_before=not_before,
        distribution_point=distribution_point,
    )
    return prepared.sign(authority_signer)


def prepare_authority_certificate(
    *,
    public_key: ec.EllipticCurvePublicKey,
    profile: CertificateProfile,
    name: DistinguishedName,
    serial_number: int,
    not_before: datetime,
    is_test: bool,
    distribution_point: str | None = None,
) -> PreparedCertificate:
    """A self-signed CSCA certificate.

    Raises:
        PkiRefusedError: ``certificate.request-invalid``: key, name, time or number do not fit the profile.
    """
    start = _start(not_before)
    _check_request(profile, ProfileKind.AUTHORITY, public_key, serial_number)
    _check_test_mark(name, is_test=is_test)
    identifier = key_identifier(public_key)
    return _compose(
        public_key=public_key,
        algorithm=SignatureAlgorithm.for_curve(public_key.curve),
        issuer=name.to_bytes(),
        subject=name.to_bytes(),
        serial_number=serial_number,
        not_before=start,
        not_after=add_months(start, profile.validity_months),
        extensions=[
            ext.encode_authority_key_identifier(identifier),
            ext.encode_subject_key_identifier(identifier),
            ext.encode_key_usage(frozenset({KeyUsageBit.CERTIFICATE_SIGN, KeyUsageBit.CRL_SIGN})),
            ext.encode_private_key_usage_period(
                start, add_months(start, profile.private_key_use_months)
            ),
            *_policies(is_test=is_test),
            *_alternative_names(name.country),
            ext.encode_basic_constraints(),
            *_distribution_point(distribution_point),
        ],
    )


def prepare_signer_certificate(
    *,
    authority_certificate: bytes,
    public_key: ec.EllipticCurvePublicKey,
    profile: CertificateProfile,
    name: DistinguishedName,
    serial_number: int,
    not_before: datetime,
    distribution_point: str | None = None,
) -> PreparedCertificate:
    """A document signer's certificate under an authority; test marks are the authority's.

    Raises:
        PkiDataError: ``trust.authority-invalid``.
        PkiRefusedError: ``certificate.request-invalid``; ``authority.key-usage-period``: the authority's key no
            longer signs certificates; ``authority.expired``: the signer would outlive its authority.
    """
    start = _start(not_before)
    _check_request(profile, ProfileKind.DOCUMENT_SIGNER, public_key, serial_number)
    authority = Authority.from_bytes(authority_certificate)
    _check_test_mark(name, is_test=authority.is_test)
    if name.country != authority.country:
        raise PkiRefusedError(
            f"country of the signer is {name.country}, expected its authority's {authority.country}",
            code="certificate.request-invalid",
        )
    end = add_months(start, profile.validity_months)
    _check_authority_period(authority, start=start, end=end)
    return _compose(
        public_key=public_key,
        algorithm=SignatureAlgorithm.for_curve(authority.certificate.public_key.curve),
        issuer=authority.certificate.subject,
        subject=name.to_bytes(),
        serial_number=serial_number,
        not_before=start,
        not_after=end,
        extensions=[
            ext.encode_authority_key_identifier(authority.key_identifier),
            ext.encode_subject_key_identifier(key_identifier(public_key)),
            ext.encode_key_usage(frozenset({KeyUsageBit.DIGITAL_SIGNATURE})),
            ext.encode_private_key_usage_period(
                start, add_months(start, profile.private_key_use_months)
            ),
            *_policies(is_test=authority.is_test),
            *_alternative_names(name.country),
            *_distribution_point(distribution_point),
            ext.encode_document_types(profile.document_codes),
        ],
    )


def key_identifier(public_key: ec.EllipticCurvePublicKey) -> bytes:
    """SHA-1 over the public point, as a name for it and nothing more (RFC 5280, 4.2.1.2, method 1)."""
    context = hashes.Hash(hashes.SHA1())  # noqa: S303 - the method is the standard's; no signature rests on it
    context.update(_public_key_value(public_key).point)
    return context.finalize()


def assemble(content: bytes, *, algorithm: SignatureAlgorithm, signer: Signer) -> bytes:
    """Sign a finished ``TBSCertificate`` or ``TBSCertList`` and put the three parts together.

    Raises:
        PkiRefusedError: ``signing.key-mismatch``.
        KeystoreError: ``keystore.signature-wrong``.
    """
    if signer.algorithm is not algorithm:
        raise PkiRefusedError(
            f"the key signs with {signer.algorithm.name}, expected {algorithm.name}",
            code="signing.key-mismatch",
        )
    signature = signer.sign(content)
    try:
        signer.public_key.verify(
            signature, content, ec.ECDSA(algorithm.hash_algorithm.to_cryptography())
        )
    except InvalidSignature as error:
        # A signature made with a faulty computation can give the private key away: it must not get out.
        raise KeystoreError(
            "the key gave a signature that its public key does not verify",
            code="keystore.signature-wrong",
        ) from error
    return asn1.encode_der(
        Signed(
            content=element(content),
            signature_algorithm=encode_algorithm(algorithm),
            signature=asn1.BitString(signature, 0),
        )
    )


def encode_algorithm(algorithm: SignatureAlgorithm) -> asn1.TLV:
    """The ``AlgorithmIdentifier``, ready to be placed."""
    return element(asn1.encode_der(EcdsaIdentifier(algorithm=algorithm.oid)))


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


def _compose(
    *,
    public_key: ec.EllipticCurvePublicKey,
    algorithm: SignatureAlgorithm,
    issuer: bytes,
    subject: bytes,
    serial_number: int,
    not_before: datetime,
    not_after: datetime,
    extensions: list[Extension],
) -> PreparedCertificate:
    public_key_info = _public_key_value(public_key).to_subject_public_key_info(explicit=False)
    content = asn1.encode_der(
        CertificateContent(
            version=2,
            serial_number=serial_number,
            signature_algorithm=encode_algorithm(algorithm),
            issuer=element(issuer),
            validity=Validity(not_before=encode_time(not_before), not_after=encode_time(not_after)),
            subject=element(subject),
            public_key=element(public_key_info),
            issuer_unique_id=None,
            subject_unique_id=None,
            extensions=encode_extensions(extensions),
        )
    )
    return PreparedCertificate(
        serial_number=serial_number, algorithm=algorithm, to_be_signed=content
    )


def _check_request(
    profile: CertificateProfile,
    kind: ProfileKind,
    public_key: ec.EllipticCurvePublicKey,
    serial_number: int,
) -> None:
    if profile.kind is not kind:
        raise _invalid(f"profile is for {profile.kind.value}, expected {kind.value}")
    curve = _public_key_value(public_key).curve
    if curve is not profile.curve:
        raise _invalid(f"key is on {curve.label}, expected {profile.curve.label}")
    # Doc 9303-12, 7.1.1: positive, at most 20 octets; CA/Browser practice: at least 64 random bits.
    if not 64 <= serial_number.bit_length() <= 159 or serial_number < 0:
        raise _invalid(
            f"serial number has {serial_number.bit_length()} bits, expected 64 to 159, positive"
        )


def _check_test_mark(name: DistinguishedName, *, is_test: bool) -> None:
    """SPEC.md, 7.5: certificates of a test authority carry TEST in every name, and no others do."""
    if name.is_test != is_test:
        raise _invalid(
            f"name {name.common_name!r} {'carries' if name.is_test else 'lacks'} the word TEST"
        )


def _check_authority_period(authority: Authority, *, start: datetime, end: datetime) -> None:
    period = ext.decode_private_key_usage_period(authority.certificate.extensions)
    first, last = period or (None, None)
    if (first is not None and start < first) or (last is not None and start > last):
        raise PkiRefusedError(
            f"the authority's key signs from {first} to {last}, got {start}",
            code="authority.key-usage-period",
        )
    if end > authority.not_after:
        raise PkiRefusedError(
            f"the signer would be valid until {end}, its authority until {authority.not_after}",
            code="authority.expired",
        )


def _start(not_before: datetime) -> datetime:
    if not_before.tzinfo is None:
        raise _invalid("start of validity has no time zone, expected an aware time")
    return not_before.astimezone(UTC).replace(microsecond=0)


def _policies(*, is_test: bool) -> list[Extension]:
    return [ext.encode_policies((ext.TEST_POLICY,))] if is_test else []


def _alternative_names(country: str) -> list[Extension]:
    """Doc 9303-12, 7.1.1.2: both alternative names carry the state's code in the MRZ."""
    location = LOCATIONS.get(country)
    if location is None:
        raise _invalid(f"country is {country}, expected one of {sorted(LOCATIONS)}")
    return [
        ext.encode_alternative_name(ext.SUBJECT_ALTERNATIVE_NAME, location),
        ext.encode_alternative_name(ext.ISSUER_ALTERNATIVE_NAME, location),
    ]


def _distribution_point(uri: str | None) -> list[Extension]:
    return [] if uri is None else [ext.encode_distribution_point(uri)]


def _public_key_value(public_key: ec.EllipticCurvePublicKey) -> EcPublicKey:
    try:
        return EcPublicKey.from_cryptography(public_key)
    except CurveError as error:
        raise _invalid(f"public key cannot be used: {error}") from error


def _invalid(message: str) -> PkiRefusedError:
    return PkiRefusedError(message, code="certificate.request-invalid")
