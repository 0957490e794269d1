"""The extensions of Doc 9303-12's certificate and CRL profiles, each as a value with its DER (7.1.1, 7.1.4)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated, Final, TypeVar

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from card_layout import tlv
from pki.certificates.certificate import CertificateError, Extension
from pki.certificates.names import location_name

__all__ = [
    "AUTHORITY_KEY_IDENTIFIER",
    "BASIC_CONSTRAINTS",
    "CERTIFICATE_POLICIES",
    "CRL_DISTRIBUTION_POINTS",
    "CRL_NUMBER",
    "DOCUMENT_TYPE_LIST",
    "EXTENDED_KEY_USAGE",
    "ISSUER_ALTERNATIVE_NAME",
    "KEY_USAGE",
    "PRIVATE_KEY_USAGE_PERIOD",
    "SUBJECT_ALTERNATIVE_NAME",
    "SUBJECT_KEY_IDENTIFIER",
    "TEST_POLICY",
    "KeyUsageBit",
    "decode_authority_key_identifier",
    "decode_basic_constraints",
    "decode_crl_number",
    "decode_document_types",
    "decode_extended_key_usage",
    "decode_key_usage",
    "decode_policies",
    "decode_private_key_usage_period",
    "decode_subject_key_identifier",
    "encode_alternative_name",
    "encode_authority_key_identifier",
    "encode_basic_constraints",
    "encode_crl_number",
    "encode_distribution_point",
    "encode_document_types",
    "encode_extended_key_usage",
    "encode_host_names",
    "encode_key_usage",
    "encode_policies",
    "encode_private_key_usage_period",
    "encode_subject_key_identifier",
    "unknown_critical",
]

SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
PRIVATE_KEY_USAGE_PERIOD: Final = "2.5.29.16"
SUBJECT_ALTERNATIVE_NAME: Final = "2.5.29.17"
ISSUER_ALTERNATIVE_NAME: Final = "2.5.29.18"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
CRL_NUMBER: Final = "2.5.29.20"
CRL_DISTRIBUTION_POINTS: Final = "2.5.29.31"
CERTIFICATE_POLICIES: Final = "2.5.29.32"
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"
DOCUMENT_TYPE_LIST: Final = "2.23.136.1.1.6.2"

TEST_POLICY: Final = "1.3.6.1.4.1.32473.51.3.1"
"""The certificate policy that marks certificates of a test authority (SPEC.md, 7.5)."""


_MAX_DOCUMENT_TYPES = 32
_MAX_PURPOSES = 16


class KeyUsageBit(IntEnum):
    """The bits of key usage that occur here (RFC 5280, 4.2.1.3)."""

    DIGITAL_SIGNATURE = 0
    KEY_AGREEMENT = 4
    CERTIFICATE_SIGN = 5
    CRL_SIGN = 6


@asn1.sequence
class _AuthorityKeyIdentifier:
    key_identifier: Annotated[bytes | None, asn1.Implicit(0)]
    issuer: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]
    serial_number: Annotated[int | None, asn1.Implicit(2)]


@asn1.sequence
class _BasicConstraints:
    is_authority: Annotated[bool, asn1.Default(False)]
    path_length: int | None


@asn1.sequence
class _PrivateKeyUsagePeriod:
    not_before: Annotated[asn1.GeneralizedTime | None, asn1.Implicit(0)]
    not_after: Annotated[asn1.GeneralizedTime | None, asn1.Implicit(1)]


@asn1.sequence
class _PolicyInformation:
    policy: ObjectIdentifier
    qualifiers: list[asn1.TLV] | None


@asn1.sequence
class _Policies:
    items: list[_PolicyInformation]


@asn1.sequence
class _Purposes:
    items: list[ObjectIdentifier]


@asn1.sequence
class _DocumentTypeList:
    version: int
    codes: asn1.SetOf[asn1.PrintableString]


def encode_subject_key_identifier(identifier: bytes) -> Extension:
    """The identifier of the certificate's own key."""
    return _extension(SUBJECT_KEY_IDENTIFIER, x509.SubjectKeyIdentifier(identifier))


def encode_authority_key_identifier(identifier: bytes) -> Extension:
    """The identifier of the key that signed."""
    value = x509.AuthorityKeyIdentifier(identifier, None, None)
    return _extension(AUTHORITY_KEY_IDENTIFIER, value)


def encode_key_usage(usages: frozenset[KeyUsageBit]) -> Extension:
    """Critical (Doc 9303-12, 7.1.1)."""
    value = x509.KeyUsage(
        digital_signature=KeyUsageBit.DIGITAL_SIGNATURE in usages,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=KeyUsageBit.KEY_AGREEMENT in usages,
        key_cert_sign=KeyUsageBit.CERTIFICATE_SIGN in usages,
        crl_sign=KeyUsageBit.CRL_SIGN in usages,
        encipher_only=False,
        decipher_only=False,
    )
    return _extension(KEY_USAGE, value, critical=True)


def encode_private_key_usage_period(not_before: datetime, not_after: datetime) -> Extension:
    """From when until when the private key signs; aware times of whole seconds."""
    value = x509.PrivateKeyUsagePeriod(
        not_before.astimezone(UTC).replace(tzinfo=None),
        not_after.astimezone(UTC).replace(tzinfo=None),
    )
    return _extension(PRIVATE_KEY_USAGE_PERIOD, value)


def encode_alternative_name(oid: str, location: str) -> Extension:
    """Subject's or issuer's alternative name: a directory name with the three-letter state (7.1.1.2)."""
    # GeneralNames ::= SEQUENCE OF GeneralName; directoryName [4] is explicit, because Name is a CHOICE.
    value = tlv.encode(0x30, tlv.encode(0xA4, location_name(location)))
    return Extension(oid=oid, critical=False, value=value)


def encode_basic_constraints() -> Extension:
    """Critical: an authority below which stand only end entities."""
    return _extension(
        BASIC_CONSTRAINTS, x509.BasicConstraints(ca=True, path_length=0), critical=True
    )


def encode_distribution_point(uri: str) -> Extension:
    """Where the CRL is published."""
    name = x509.UniformResourceIdentifier(uri)
    value = x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])
    return _extension(CRL_DISTRIBUTION_POINTS, value)


def encode_policies(policies: tuple[str, ...]) -> Extension:
    """The policies that the certificate is issued under."""
    items = [x509.PolicyInformation(ObjectIdentifier(policy), None) for policy in policies]
    return _extension(CERTIFICATE_POLICIES, x509.CertificatePolicies(items))


def encode_document_types(codes: frozenset[str]) -> Extension:
    """The document codes that a document signer may sign, as they stand in the MRZ (7.1.1.6)."""
    value = _DocumentTypeList(
        version=0, codes=asn1.SetOf([asn1.PrintableString(code) for code in sorted(codes)])
    )
    return Extension(oid=DOCUMENT_TYPE_LIST, critical=False, value=asn1.encode_der(value))


def encode_extended_key_usage(purposes: tuple[str, ...], *, critical: bool) -> Extension:
    """What the key is for and nothing else (RFC 5280, 4.2.1.12)."""
    value = x509.ExtendedKeyUsage([ObjectIdentifier(purpose) for purpose in purposes])
    return _extension(EXTENDED_KEY_USAGE, value, critical=critical)


def encode_host_names(names: tuple[str, ...]) -> Extension:
    """The names under which a service is reached (RFC 5280, 4.2.1.6: dNSName); ASCII."""
    value = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    return _extension(SUBJECT_ALTERNATIVE_NAME, value)


def encode_crl_number(number: int) -> Extension:
    """The CRL's number, which only ever grows."""
    return _extension(CRL_NUMBER, x509.CRLNumber(number))


def decode_subject_key_identifier(extensions: Mapping[str, Extension]) -> bytes | None:
    """The identifier of the certificate's own key.

    Raises:
        CertificateError: ``certificate.malformed``, as every decoder here.
    """
    value = _value(extensions, SUBJECT_KEY_IDENTIFIER)
    return None if value is None else _decode(bytes, value, "subject key identifier")


def decode_authority_key_identifier(extensions: Mapping[str, Extension]) -> bytes | None:
    """The identifier of the key that signed; its issuer and serial number are passed over."""
    value = _value(extensions, AUTHORITY_KEY_IDENTIFIER)
    if value is None:
        return None
    return _decode(_AuthorityKeyIdentifier, value, "authority key identifier").key_identifier


def decode_key_usage(extensions: Mapping[str, Extension]) -> frozenset[int] | None:
    """The numbers of the bits that are set (RFC 5280, 4.2.1.3); see ``KeyUsageBit``."""
    value = _value(extensions, KEY_USAGE)
    if value is None:
        return None
    bits = _decode(asn1.BitString, value, "key usage")
    octets = bits.as_bytes()
    if len(octets) > 2:
        raise CertificateError(f"key usage has {len(octets)} bytes, expected at most 2")
    return frozenset(
        index for index in range(8 * len(octets)) if octets[index // 8] & 0x80 >> index % 8
    )


def decode_private_key_usage_period(
    extensions: Mapping[str, Extension],
) -> tuple[datetime | None, datetime | None] | None:
    """From when until when the private key may sign; either end can be missing."""
    value = _value(extensions, PRIVATE_KEY_USAGE_PERIOD)
    if value is None:
        return None
    period = _decode(_PrivateKeyUsagePeriod, value, "private key usage period")
    return (
        None if period.not_before is None else period.not_before.as_datetime(),
        None if period.not_after is None else period.not_after.as_datetime(),
    )


def decode_basic_constraints(extensions: Mapping[str, Extension]) -> tuple[bool, int | None] | None:
    """Whether it is an authority, and how many authorities may stand below it."""
    value = _value(extensions, BASIC_CONSTRAINTS)
    if value is None:
        return None
    constraints = _decode(_BasicConstraints, value, "basic constraints")
    return constraints.is_authority, constraints.path_length


def decode_policies(extensions: Mapping[str, Extension]) -> frozenset[str]:
    """The policies named; none where there is no such extension."""
    value = _value(extensions, CERTIFICATE_POLICIES)
    if value is None:
        return frozenset()
    # The policies are a SEQUENCE OF without a type of its own: the holder makes it a field.
    items = _decode(_Policies, tlv.encode(0x30, value), "certificate policies").items
    return frozenset(item.policy.dotted_string for item in items)


def decode_document_types(extensions: Mapping[str, Extension]) -> frozenset[str] | None:
    """The document codes that may be signed."""
    value = _value(extensions, DOCUMENT_TYPE_LIST)
    if value is None:
        return None
    listed = _decode(_DocumentTypeList, value, "document type list")
    codes = [code.as_str() for code in listed.codes.as_list()]
    if listed.version != 0 or not 1 <= len(codes) <= _MAX_DOCUMENT_TYPES:
        raise CertificateError(
            f"document type list has version {listed.version:x} and {len(codes)} codes, "
            f"expected version 0 and 1 to {_MAX_DOCUMENT_TYPES} codes"
        )
    return frozenset(codes)


def decode_extended_key_usage(extensions: Mapping[str, Extension]) -> frozenset[str] | None:
    """What the key is for."""
    value = _value(extensions, EXTENDED_KEY_USAGE)
    if value is None:
        return None
    # A SEQUENCE OF without a type of its own: the holder makes it a field.
    purposes = _decode(_Purposes, tlv.encode(0x30, value), "extended key usage").items
    if not 1 <= len(purposes) <= _MAX_PURPOSES:
        raise CertificateError(
            f"extended key usage names {len(purposes)} purposes, expected 1 to {_MAX_PURPOSES}"
        )
    return frozenset(purpose.dotted_string for purpose in purposes)


def decode_crl_number(extensions: Mapping[str, Extension]) -> int | None:
    """The CRL's number."""
    value = _value(extensions, CRL_NUMBER)
    if value is None:
        return None
    number = _decode(int, value, "CRL number")
    if number < 0 or number.bit_length() > 159:
        raise CertificateError("CRL number is negative, or longer than 20 octets")
    return number


def unknown_critical(extensions: Mapping[str, Extension], *, known: frozenset[str]) -> str | None:
    """The first critical extension that is not among the known ones (RFC 5280, 4.2: it must be refused)."""
    for oid, extension in extensions.items():
        if extension.critical and oid not in known:
            return oid
    return None


def _extension(oid: str, value: x509.ExtensionType, *, critical: bool = False) -> Extension:
    return Extension(oid=oid, critical=critical, value=value.public_bytes())


def _value(extensions: Mapping[str, Extension], oid: str) -> bytes | None:
    extension = extensions.get(oid)
    return None if extension is None else extension.value


_Decoded = TypeVar("_Decoded")


def _decode(kind: type[_Decoded], encoded: bytes, name: str) -> _Decoded:
    try:
        return asn1.decode_der(kind, encoded)
    except (ValueError, OverflowError) as error:
        raise CertificateError(f"{name} is not the DER that is expected") from error
