"""What the profiles of authorities and signers have in common (Doc 9303-12, 7.1.1)."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from pki.certificates import extensions as ext
from pki.certificates.certificate import (
    Certificate,
    CertificateError,
    Extension,
    Reading,
    load_certificate,
)
from pki.certificates.names import is_test_name
from pki.keys.weak_keys import weakness_of

__all__ = [
    "check_critical",
    "check_key_usage",
    "check_strength",
    "is_issued_by",
    "is_test_certificate",
    "required",
]

_KNOWN_IN_CERTIFICATES = frozenset(
    {ext.KEY_USAGE, ext.BASIC_CONSTRAINTS, ext.CERTIFICATE_POLICIES, ext.DOCUMENT_TYPE_LIST}
)
"""The critical extensions that are understood; RFC 5280, 4.2: any other must be refused."""


@lru_cache(maxsize=1024)
def is_issued_by(
    certificate_der: bytes, authority_der: bytes, reading: Reading = Reading.HOUSE
) -> bool:
    """Whether the authority's key signed the certificate; cached by the bytes of both.

    Raises:
        PkiDataError: ``certificate.algorithm-not-allowed``, for a tolerant reading.
    """
    certificate = load_certificate(certificate_der, reading)
    return certificate.verify_by(load_certificate(authority_der, reading).public_key)


def check_key_usage(extensions: Mapping[str, Extension], expected: set[int]) -> None:
    """Exactly these bits, and critical.

    Raises:
        CertificateError: ``certificate.malformed``.
    """
    usage = ext.decode_key_usage(extensions)
    if set(usage or ()) != expected or not extensions[ext.KEY_USAGE].critical:
        raise CertificateError(
            f"key usage has bits {sorted(usage or ())}, expected {sorted(map(int, expected))}, critical"
        )


def check_strength(certificate: Certificate) -> None:
    """Nothing is known against the key.

    Raises:
        CertificateError: ``key.weak``.
    """
    weakness = weakness_of(certificate.public_key)
    if weakness is not None:
        raise CertificateError(f"key is weak: {weakness}", code="key.weak")


def check_critical(
    extensions: Mapping[str, Extension], *, also: frozenset[str] = frozenset()
) -> None:
    """No critical extension that is not understood; the caller understands those of ``also``.

    Raises:
        CertificateError: ``certificate.malformed``.
    """
    unknown = ext.unknown_critical(extensions, known=_KNOWN_IN_CERTIFICATES | also)
    if unknown is not None:
        raise CertificateError(f"critical extension {unknown} is not understood")


def is_test_certificate(certificate: Certificate) -> bool:
    """SPEC.md, 7.5: the policy is the mark; a name with the word in it is taken at its word, too."""
    return (
        ext.TEST_POLICY in ext.decode_policies(certificate.extensions)
        or is_test_name(certificate.subject)
        or is_test_name(certificate.issuer)
    )


_Value = TypeVar("_Value")


def required(value: _Value | None, name: str) -> _Value:
    """The value, which must be there.

    Raises:
        CertificateError: ``certificate.malformed``.
    """
    if value is None:
        raise CertificateError(f"{name} is missing")
    return value
