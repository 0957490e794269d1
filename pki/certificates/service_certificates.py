"""Certificates of services and operators, for TLS, under a root of their own (RFC 5280; domain.md, Certificates).

Nothing here has to do with cards: the root carries an extended key usage, which keeps it and everything below
it from being taken for a CSCA or a document signer.
"""

import re
from datetime import datetime

from pki.certificates import extensions as ext
from pki.certificates.certificate import Certificate, CertificateError, load_certificate
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.issue import (
    check_key,
    check_period,
    check_test_mark,
    compose,
    mark_policies,
    start_of_validity,
)
from pki.certificates.names import DistinguishedName
from pki.certificates.prepared import PreparedCertificate
from pki.certificates.profile import CertificateProfile, ProfileKind, add_months
from pki.certificates.profile_checks import check_key_usage, is_test_certificate
from pki.certificates.public_keys import key_identifier
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import PublicKey, SignatureAlgorithm

__all__ = [
    "check_host_names",
    "check_service_authority",
    "check_service_certificate",
    "prepare_service_authority_certificate",
    "prepare_service_certificate",
]

_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_HOST_NAMES = 16
_MAX_HOST_CHARACTERS = 253

_PURPOSES = frozenset(ProfileKind.SERVICE.extended_key_usage)


def prepare_service_authority_certificate(
    *,
    public_key: PublicKey,
    profile: CertificateProfile,
    name: DistinguishedName,
    serial_number: int,
    not_before: datetime,
    is_test: bool,
) -> PreparedCertificate:
    """The self-signed root of services and operators.

    Raises:
        PkiRefusedError: ``certificate.request-invalid``.
    """
    if profile.kind is not ProfileKind.SERVICE_AUTHORITY:
        raise _invalid(f"profile is for {profile.kind.value}, expected a service authority's")
    check_test_mark(name, is_test=is_test)
    check_key(profile, public_key)
    start = start_of_validity(not_before)
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
            ext.encode_basic_constraints(),
            ext.encode_extended_key_usage(tuple(sorted(_PURPOSES)), critical=False),
        ],
    )


def prepare_service_certificate(
    *,
    authority_certificate: bytes,
    public_key: PublicKey,
    profile: CertificateProfile,
    name: DistinguishedName,
    serial_number: int,
    not_before: datetime,
    host_names: tuple[str, ...] = (),
    policies: tuple[str, ...] = (),
) -> PreparedCertificate:
    """A certificate for TLS: a service has host names, an operator has none; or one that a station's keys are sealed to.

    ``policies`` are certificate policies beside the mark of a test authority: an operator's roles.

    Raises:
        PkiDataError: ``service.authority-invalid``.
        PkiRefusedError: ``certificate.request-invalid``, ``authority.key-usage-period``, ``authority.expired``.
    """
    if not profile.kind.is_under_service_authority:
        raise _invalid(
            f"profile is for {profile.kind.value}, expected a service's, an operator's, a station's or an instance's"
        )
    check_host_names(profile.kind, host_names)
    check_key(profile, public_key)
    authority = check_service_authority(authority_certificate)
    check_test_mark(name, is_test=is_test_certificate(authority))
    start = start_of_validity(not_before)
    end = add_months(start, profile.validity_months)
    check_period(authority, start=start, end=end)
    identifier = ext.decode_subject_key_identifier(authority.extensions)
    return compose(
        profile=profile,
        public_key=public_key,
        algorithm=SignatureAlgorithm.for_key(authority.public_key),
        issuer=authority.subject,
        subject=name.to_bytes(),
        serial_number=serial_number,
        not_before=start,
        not_after=end,
        extensions=[
            ext.encode_authority_key_identifier(identifier or b""),
            ext.encode_subject_key_identifier(key_identifier(public_key)),
            ext.encode_key_usage(frozenset({_key_usage(profile.kind)})),
            *mark_policies(is_test=is_test_certificate(authority), also=policies),
            *([ext.encode_host_names(host_names)] if host_names else []),
            # Not critical: TLS libraries differ in what they do with a critical one.
            ext.encode_extended_key_usage(profile.kind.extended_key_usage, critical=False),
        ],
    )


def check_host_names(kind: ProfileKind, host_names: tuple[str, ...]) -> None:
    """Whether a certificate of this kind can carry these names.

    Raises:
        PkiRefusedError: ``certificate.request-invalid``.
    """
    if (kind is ProfileKind.SERVICE) != bool(host_names) or len(host_names) > _MAX_HOST_NAMES:
        raise _invalid(
            f"got {len(host_names)} host names, expected 1 to {_MAX_HOST_NAMES} for a service "
            "and none for anybody else"
        )
    for host in host_names:
        if len(host) > _MAX_HOST_CHARACTERS or not all(
            _HOST_LABEL.fullmatch(label) for label in host.split(".")
        ):
            raise _invalid(f"host name is {host[:80]!r}, expected a DNS name in small letters")


def check_service_authority(der: bytes) -> Certificate:
    """The root of services and operators, once it is known to be one.

    Raises:
        PkiDataError: ``service.authority-invalid``.
    """
    try:
        root = load_certificate(der)
        check_key_usage(root.extensions, {KeyUsageBit.CERTIFICATE_SIGN, KeyUsageBit.CRL_SIGN})
        if ext.decode_basic_constraints(root.extensions) != (True, 0):
            raise CertificateError("basic constraints are not those of an authority")
        if ext.decode_extended_key_usage(root.extensions) != _PURPOSES:
            raise CertificateError("extended key usage is not that of services and operators")
        if ext.decode_subject_key_identifier(root.extensions) is None:
            raise CertificateError("subject key identifier is missing")
    except PkiDataError as error:
        raise PkiDataError(
            f"the service authority's certificate cannot be used: {error}",
            code="service.authority-invalid",
        ) from error
    return root


def check_service_certificate(der: bytes, *, kind: ProfileKind) -> Certificate:
    """The certificate of a service, an operator or a station, once it is known to keep to its profile.

    Raises:
        PkiDataError: ``service.profile``.
    """
    try:
        certificate = load_certificate(der)
        check_key_usage(certificate.extensions, {_key_usage(kind)})
        if ext.decode_basic_constraints(certificate.extensions) is not None:
            raise CertificateError("an end entity has basic constraints")
        purposes = ext.decode_extended_key_usage(certificate.extensions)
        if purposes != frozenset(kind.extended_key_usage):
            raise CertificateError(f"extended key usage is not that of {kind.value}")
    except PkiDataError as error:
        raise PkiDataError(
            f"the certificate breaks its profile: {error}", code="service.profile"
        ) from error
    return certificate


def _key_usage(kind: ProfileKind) -> KeyUsageBit:
    """What is sealed to a station or an instance is opened by key agreement (RFC 5753, 7.1.1); the others' keys sign."""
    return KeyUsageBit.KEY_AGREEMENT if kind.is_sealed_to else KeyUsageBit.DIGITAL_SIGNATURE


def _invalid(message: str) -> PkiRefusedError:
    return PkiRefusedError(message, code="certificate.request-invalid")
