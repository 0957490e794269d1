"""Rules about the plain fields of a certificate and its public key (ICAO 9303-12, table 5, 4.1.6; RFC 3279, 2.3)."""

from collections.abc import Iterator
from typing import Final

from pki.certificates.lint.findings import (
    CERTIFICATES,
    DOCUMENT_PKI,
    Dialect,
    RuleTable,
    Severity,
    Violation,
)
from pki.certificates.lint.objects import CertificateView
from pki.certificates.lint.public_keys import EC_PUBLIC_KEY, RSA_ENCRYPTION, ParameterForm

__all__ = ["FIELD_RULES"]

_table: RuleTable[CertificateView] = RuleTable(CERTIFICATES)

_KEY: Final = "subjectPublicKeyInfo"
_DSA_KEY: Final = "1.2.840.10040.4.1"
_MIN_RSA_BITS: Final = 2048
_MIN_EC_BITS: Final = 224


@_table.rule(
    "lint.certificate.version-3",
    clause="ICAO 9303-12, table 5",
    demands="the certificate is of version 3",
)
def _version(view: CertificateView) -> Iterator[Violation]:
    if view.version != 2:
        yield Violation("version", f"is {view.version + 1}, expected 3")


@_table.rule(
    "lint.certificate.serial-number-positive",
    clause="ICAO 9303-12, table 5; RFC 5280, 4.1.2.2",
    demands="the serial number is positive",
)
def _serial_positive(view: CertificateView) -> Iterator[Violation]:
    if int.from_bytes(view.serial_number, "big", signed=True) <= 0:
        yield Violation("serialNumber", "is negative or 0, expected a positive number")


@_table.rule(
    "lint.certificate.serial-number-length",
    clause="ICAO 9303-12, table 5; RFC 5280, 4.1.2.2",
    demands="the serial number has at most 20 octets",
)
def _serial_length(view: CertificateView) -> Iterator[Violation]:
    if len(view.serial_number) > 20:
        yield Violation("serialNumber", f"has {len(view.serial_number)} bytes, expected at most 20")


@_table.rule(
    "lint.certificate.issuer-unique-id-absent",
    clause="ICAO 9303-12, table 5",
    demands="there is no issuerUniqueID",
)
def _issuer_unique_id(view: CertificateView) -> Iterator[Violation]:
    if view.has_issuer_unique_id:
        yield Violation("issuerUniqueID", "is there, expected none")


@_table.rule(
    "lint.certificate.subject-unique-id-absent",
    clause="ICAO 9303-12, table 5",
    demands="there is no subjectUniqueID",
)
def _subject_unique_id(view: CertificateView) -> Iterator[Violation]:
    if view.has_subject_unique_id:
        yield Violation("subjectUniqueID", "is there, expected none")


@_table.rule(
    "lint.key.algorithm",
    clause="ICAO 9303-12, 4.1.6",
    demands="the key is of RSA, DSA or an elliptic curve",
)
def _key_algorithm(view: CertificateView) -> Iterator[Violation]:
    algorithm = view.public_key.algorithm
    # RFC 4055, 1.2: a key that is bound to RSASSA-PSS is marked as such.
    if algorithm not in {RSA_ENCRYPTION, EC_PUBLIC_KEY, _DSA_KEY, "1.2.840.113549.1.1.10"}:
        yield Violation(_KEY, f"algorithm is {algorithm}, expected RSA, DSA or an elliptic curve")


@_table.rule(
    "lint.key.malformed",
    clause="RFC 3279, 2.3",
    demands="the key can be read",
)
def _key_malformed(view: CertificateView) -> Iterator[Violation]:
    if view.public_key.problem is not None:
        yield Violation(_KEY, view.public_key.problem)


@_table.rule(
    "lint.key.rsa-parameters-null",
    clause="RFC 3279, 2.3.1",
    demands="the parameters of an RSA key are NULL",
)
def _rsa_parameters(view: CertificateView) -> Iterator[Violation]:
    key = view.public_key.rsa_key
    if key is not None and not key.has_null:
        yield Violation(_KEY, "parameters are absent or something else, expected NULL")


@_table.rule(
    "lint.key.rsa-numbers",
    clause="RFC 8017, 3.1",
    demands="the modulus is odd and positive, the exponent odd and from 3 to the modulus",
)
def _rsa_numbers(view: CertificateView) -> Iterator[Violation]:
    key = view.public_key.rsa_key
    if key is None:
        return
    if key.modulus <= 0 or key.modulus % 2 == 0:
        yield Violation(_KEY, "modulus is even or not positive")
    if not 3 <= key.exponent < max(key.modulus, 4) or key.exponent % 2 == 0:
        yield Violation(_KEY, f"exponent has {key.exponent.bit_length()} bits, or is even")


@_table.rule(
    "lint.key.length",
    clause="ICAO 9303-12, 4.1.6",
    demands="the key withstands attacks: RSA of 2048 bits, elliptic curves of 224 bits, or more",
    severity=Severity.WARNING,
)
def _length(view: CertificateView) -> Iterator[Violation]:
    rsa_key, ec_key = view.public_key.rsa_key, view.public_key.ec_key
    if rsa_key is not None and rsa_key.modulus.bit_length() < _MIN_RSA_BITS:
        yield Violation(_KEY, f"has {rsa_key.modulus.bit_length()} bits, expected {_MIN_RSA_BITS}")
    if ec_key is not None and ec_key.parameters is not None:
        bits = ec_key.parameters.p.bit_length()
        if ec_key.parameters.is_prime_field and bits < _MIN_EC_BITS:
            yield Violation(_KEY, f"curve has {bits} bits, expected {_MIN_EC_BITS}")


@_table.rule(
    "lint.key.parameters-explicit",
    clause="ICAO 9303-12, 4.1.6.3",
    demands="the parameters of an elliptic curve are written out",
    profiles=DOCUMENT_PKI,
    dialects=frozenset({Dialect.ICAO}),
)
def _parameters_explicit(view: CertificateView) -> Iterator[Violation]:
    return _form(view, ParameterForm.EXPLICIT)


@_table.rule(
    "lint.key.parameters-named",
    clause="RFC 5480, 2.1.1; the house's private dialect",
    demands="the elliptic curve is named",
    profiles=DOCUMENT_PKI,
    dialects=frozenset({Dialect.PRIVATE}),
)
def _parameters_named(view: CertificateView) -> Iterator[Violation]:
    return _form(view, ParameterForm.NAMED)


def _form(view: CertificateView, expected: ParameterForm) -> Iterator[Violation]:
    key = view.public_key.ec_key
    if key is not None and key.form is not expected:
        yield Violation(_KEY, f"parameters are {key.form.value}, expected {expected.value}")


@_table.rule(
    "lint.key.curve-known",
    clause="ICAO 9303-12, 4.1.6.3; TR-03111, 4.1.3 (CVE-2020-0601)",
    demands="the curve is, in every value, one of the standard curves from 224 to 521 bits",
)
def _curve_known(view: CertificateView) -> Iterator[Violation]:
    key = view.public_key.ec_key
    has_parameters = key is not None and key.form in {ParameterForm.EXPLICIT, ParameterForm.NAMED}
    if key is not None and has_parameters and key.curve is None:
        yield Violation(
            _KEY, f"parameters are {key.form.value} and equal those of no standard curve"
        )


@_table.rule(
    "lint.key.cofactor-present",
    clause="ICAO 9303-12, 4.1.6.3",
    demands="explicit parameters include the cofactor",
)
def _cofactor(view: CertificateView) -> Iterator[Violation]:
    key = view.public_key.ec_key
    if key is not None and key.parameters is not None and key.parameters.h is None:
        yield Violation(_KEY, "explicit parameters have no cofactor")


@_table.rule(
    "lint.key.field-elements",
    clause="RFC 3279, 2.3.5; X9.62, 4.3.3",
    demands="coefficients of explicit parameters are as long as the field's prime",
)
def _field_elements(view: CertificateView) -> Iterator[Violation]:
    key = view.public_key.ec_key
    if key is None or key.parameters is None or key.curve is None:
        return
    lengths = {len(key.parameters.a), len(key.parameters.b)}
    if lengths != {key.curve.field_bytes}:
        yield Violation(
            _KEY, f"coefficients have {sorted(lengths)} bytes, expected {key.curve.field_bytes}"
        )


@_table.rule(
    "lint.key.points-uncompressed",
    clause="ICAO 9303-12, 4.1.6.3",
    demands="points are uncompressed",
)
def _points_uncompressed(view: CertificateView) -> Iterator[Violation]:
    key = view.public_key.ec_key
    if key is None:
        return
    if not key.is_uncompressed:
        yield Violation(_KEY, f"public point begins with {key.point[:1].hex()}, expected 04")
    if key.parameters is not None and key.parameters.generator[:1] != b"\x04":
        yield Violation(_KEY, "generator is not uncompressed")


@_table.rule(
    "lint.key.point-on-curve",
    clause="TR-03111, 4.1.2; SEC 1, 3.2.2",
    demands="the public point lies on its curve",
)
def _point_on_curve(view: CertificateView) -> Iterator[Violation]:
    key = view.public_key.ec_key
    has_point = key is not None and key.curve is not None and key.is_uncompressed
    if key is not None and has_point and key.coordinates is None:
        yield Violation(_KEY, "public point does not lie on the curve")


FIELD_RULES = _table.rules
