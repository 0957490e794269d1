"""Composing certificates of authorities and of those who sign under them (Doc 9303-12, 7.1.1; RFC 5280, 4.1).

Two steps, so that what will be signed can be linted and recorded before it is: ``prepare_...`` composes
everything but the signature, ``PreparedCertificate.sign`` signs exactly that, once.
Time and serial number are arguments.
"""

from datetime import UTC, datetime

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import rsa

from card_layout.curves import CurveError, EcPublicKey
from pki.certificates import extensions as ext
from pki.certificates.authority_certificate import Authority
from pki.certificates.certificate import Certificate, Extension
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.names import DistinguishedName
from pki.certificates.prepared import (
    PreparedCertificate,
    encode_algorithm,
    encode_extensions,
    encode_time,
)
from pki.certificates.profile import CertificateProfile, ProfileKind, add_months
from pki.certificates.public_keys import encode_public_key, key_identifier
from pki.certificates.structures import CertificateContent, Validity, element
from pki.errors import PkiRefusedError
from pki.keys.algorithms import PublicKey, SignatureAlgorithm
from pki.keys.signer import Signer
from pki.keys.weak_keys import weakness_of

__all__ = [
    "LOCATIONS",
    "PreparedCertificate",
    "check_key",
    "check_period",
    "check_test_mark",
    "compose",
    "issue_authority_certificate",
    "issue_link_certificate",
    "issue_signer_certificate",
    "key_identifier",
    "key_label",
    "mark_policies",
    "prepare_authority_certificate",
    "prepare_link_certificate",
    "prepare_signer_certificate",
    "start_of_validity",
]

LOCATIONS = {"VN": "VNM"}
"""Three-letter codes for MRZs of the countries that certificates are issued for (Doc 9303-3, 5)."""


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
    public_key: PublicKey,
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


def issue_link_certificate(
    *,
    authority_signer: Signer,
    authority_certificate: bytes,
    successor_certificate: bytes,
    profile: CertificateProfile,
    serial_number: int,
    not_before: datetime,
) -> bytes:
    """Prepare and sign a link certificate with the old key; see ``prepare_link_certificate``."""
    prepared = prepare_link_certificate(
        authority_certificate=authority_certificate,
        successor_certificate=successor_certificate,
        profile=profile,
        serial_number=serial_number,
        not_before=not_before,
    )
    return prepared.sign(authority_signer)


def prepare_authority_certificate(
    *,
    public_key: PublicKey,
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
    start = start_of_validity(not_before)
    if profile.kind is not ProfileKind.AUTHORITY:
        raise _invalid(
            f"profile is for {profile.kind.value}, expected {ProfileKind.AUTHORITY.value}"
        )
    check_test_mark(name, is_test=is_test)
    check_key(profile, public_key)
    identifier = key_identifier(public_key)
    return compose(
        profile=profile,
        public_key=public_key,
        algorithm=SignatureAlgorithm.for_key(public_key),
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
            *mark_policies(is_test=is_test),
            *_alternative_names(name.country),
            ext.encode_basic_constraints(),
            *_distribution_point(distribution_point),
        ],
    )


def prepare_signer_certificate(
    *,
    authority_certificate: bytes,
    public_key: PublicKey,
    profile: CertificateProfile,
    name: DistinguishedName,
    serial_number: int,
    not_before: datetime,
    distribution_point: str | None = None,
) -> PreparedCertificate:
    """The certificate of a document signer, or of a signer of lists, bundles or journals, under an authority.

    Test marks are the authority's.

    Raises:
        PkiDataError: ``trust.authority-invalid``.
        PkiRefusedError: ``certificate.request-invalid``; ``authority.key-usage-period``: the authority's key no
            longer signs certificates; ``authority.expired``: the signer would outlive its authority.
    """
    start = start_of_validity(not_before)
    if profile.kind.is_authority or profile.kind.is_under_service_authority:
        raise _invalid(f"profile is for {profile.kind.value}, expected a signer's")
    check_key(profile, public_key)
    authority = Authority.from_bytes(authority_certificate)
    check_test_mark(name, is_test=authority.is_test)
    if name.country != authority.country:
        raise PkiRefusedError(
            f"country of the signer is {name.country}, expected its authority's {authority.country}",
            code="certificate.request-invalid",
        )
    end = add_months(start, profile.validity_months)
    check_period(authority.certificate, start=start, end=end)
    return compose(
        profile=profile,
        public_key=public_key,
        algorithm=SignatureAlgorithm.for_key(authority.certificate.public_key),
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
            *mark_policies(is_test=authority.is_test),
            *_alternative_names(name.country),
            *_distribution_point(distribution_point),
            *_purpose(profile),
        ],
    )


def prepare_link_certificate(
    *,
    authority_certificate: bytes,
    successor_certificate: bytes,
    profile: CertificateProfile,
    serial_number: int,
    not_before: datetime,
) -> PreparedCertificate:
    """A link certificate: the authority's last signature, over the key that follows it (Doc 9303-12, 7.1.1).

    It says of the new key what the new key's own certificate says, and ends with the authority that signed it.

    Raises:
        PkiDataError: ``trust.authority-invalid``.
        PkiRefusedError: ``certificate.request-invalid``: name, country or test mark change;
            ``authority.key-usage-period``, ``authority.expired``.
    """
    start = start_of_validity(not_before)
    authority = Authority.read_unproven(authority_certificate)
    successor = Authority.from_bytes(successor_certificate)
    subject = successor.certificate
    if (authority.certificate.subject, authority.is_test) != (subject.subject, successor.is_test):
        raise _invalid(
            f"authority {successor.name} follows {authority.name}, expected name and test mark to stay"
        )
    end = min(authority.not_after, successor.not_after)
    check_period(authority.certificate, start=start, end=end)
    period = ext.decode_private_key_usage_period(subject.extensions)
    first, last = period or (None, None)
    return compose(
        profile=profile,
        public_key=subject.public_key,
        algorithm=SignatureAlgorithm.for_key(authority.certificate.public_key),
        issuer=authority.certificate.subject,
        subject=subject.subject,
        serial_number=serial_number,
        not_before=start,
        not_after=end,
        extensions=[
            ext.encode_authority_key_identifier(authority.key_identifier),
            ext.encode_subject_key_identifier(successor.key_identifier),
            ext.encode_key_usage(frozenset({KeyUsageBit.CERTIFICATE_SIGN, KeyUsageBit.CRL_SIGN})),
            ext.encode_private_key_usage_period(first or start, last or end),
            *mark_policies(is_test=successor.is_test),
            *_alternative_names(successor.country),
            ext.encode_basic_constraints(),
            *_copied(subject.extensions.get(ext.CRL_DISTRIBUTION_POINTS)),
        ],
    )


def _purpose(profile: CertificateProfile) -> list[Extension]:
    """Doc 9303-12, 7.1.1: a document type list for document signers, a critical extended key usage for others."""
    if profile.kind is ProfileKind.DOCUMENT_SIGNER:
        return [ext.encode_document_types(profile.document_codes)]
    return [ext.encode_extended_key_usage(profile.kind.extended_key_usage, critical=True)]


def _copied(extension: Extension | None) -> list[Extension]:
    return [] if extension is None else [extension]


def compose(
    *,
    profile: CertificateProfile,
    public_key: PublicKey,
    algorithm: SignatureAlgorithm,
    issuer: bytes,
    subject: bytes,
    serial_number: int,
    not_before: datetime,
    not_after: datetime,
    extensions: list[Extension],
) -> PreparedCertificate:
    """Put a certificate of version 3 together; key and serial number must fit.

    Raises:
        PkiRefusedError: ``certificate.request-invalid``.
    """
    # Doc 9303-12, 7.1.1: positive, at most 20 octets; CA/Browser practice: at least 64 random bits.
    if not 64 <= serial_number.bit_length() <= 159 or serial_number < 0:
        raise _invalid(
            f"serial number has {serial_number.bit_length()} bits, expected 64 to 159, positive"
        )
    check_key(profile, public_key)
    public_key_info = encode_public_key(public_key, explicit=profile.has_explicit_parameters)
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


def check_key(profile: CertificateProfile, public_key: PublicKey) -> None:
    """Whether the key is of the kind that the profile asks for, and nothing is known against it.

    Raises:
        PkiRefusedError: ``certificate.request-invalid``; ``key.weak``.
    """
    found = key_label(public_key)
    if found != profile.key_label:
        raise _invalid(f"key is {found}, expected {profile.key_label}")
    weakness = weakness_of(public_key)
    if weakness is not None:
        raise PkiRefusedError(f"key is weak: {weakness}", code="key.weak")


def key_label(public_key: PublicKey) -> str:
    """The kind of a key as profiles name it: ``secp256r1``, ``rsa3072``.

    Raises:
        PkiRefusedError: ``certificate.request-invalid``.
    """
    if isinstance(public_key, rsa.RSAPublicKey):
        return f"rsa{public_key.key_size}"
    try:
        return EcPublicKey.from_cryptography(public_key).curve.label
    except CurveError as error:
        raise _invalid(f"public key cannot be used: {error}") from error


def check_test_mark(name: DistinguishedName, *, is_test: bool) -> None:
    """SPEC.md, 7.5: certificates of a test authority carry TEST in every name, and no others do."""
    if name.is_test != is_test:
        raise _invalid(
            f"name {name.common_name!r} {'carries' if name.is_test else 'lacks'} the word TEST"
        )


def check_period(authority: Certificate, *, start: datetime, end: datetime) -> None:
    """The authority's key may sign at the start, and its certificate lasts until the end.

    Raises:
        PkiRefusedError: ``authority.key-usage-period``, ``authority.expired``.
    """
    period = ext.decode_private_key_usage_period(authority.extensions)
    first, last = period or (None, None)
    if (first is not None and start < first) or (last is not None and start > last):
        raise PkiRefusedError(
            f"the authority's key signs from {first} to {last}, got {start}",
            code="authority.key-usage-period",
        )
    if end > authority.not_after:
        raise PkiRefusedError(
            f"the certificate would be valid until {end}, its authority until {authority.not_after}",
            code="authority.expired",
        )


def start_of_validity(not_before: datetime) -> datetime:
    """An aware time of whole seconds.

    Raises:
        PkiRefusedError: ``certificate.request-invalid``.
    """
    if not_before.tzinfo is None:
        raise _invalid("start of validity has no time zone, expected an aware time")
    return not_before.astimezone(UTC).replace(microsecond=0)


def mark_policies(*, is_test: bool, also: tuple[str, ...] = ()) -> list[Extension]:
    """The mark of a test authority (SPEC.md, 7.5) and other policies, or nothing where there are none."""
    policies = ((ext.TEST_POLICY,) if is_test else ()) + also
    return [ext.encode_policies(policies)] if policies else []


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


def _invalid(message: str) -> PkiRefusedError:
    return PkiRefusedError(message, code="certificate.request-invalid")
