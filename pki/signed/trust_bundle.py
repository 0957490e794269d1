"""The trust bundle: everything that a terminal trusts and demands, in one signed file (SPEC.md, 7.11).

It holds the files of a trust directory by their paths. What stands in them is for whoever uses them to judge; here only
paths that a trust directory has are let through, so that nothing can be unpacked anywhere else.
"""

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, Self

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.profile import ProfileKind
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import HashAlgorithm, PublicKey
from pki.signed.decoding import SecurityObjectError, decode
from pki.signed.signed_list import PreparedSignedList, SignedList

__all__ = [
    "ID_TRUST_BUNDLE",
    "MAX_BUNDLE_LIFETIME",
    "MAX_TRUST_BUNDLE_BYTES",
    "TrustBundle",
    "check_bundle_files",
    "check_bundle_period",
    "prepare_trust_bundle",
    "read_bundle_draft",
    "write_bundle_draft",
]

ID_TRUST_BUNDLE: Final = ObjectIdentifier("1.3.6.1.4.1.32473.51.2.3")

MAX_TRUST_BUNDLE_BYTES: Final = 16 * 1024 * 1024
MAX_BUNDLE_LIFETIME: Final = timedelta(days=90)

_VERSION: Final = 1
_MAX_FILES: Final = 1024
_MAX_NUMBER: Final = (1 << 63) - 1
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_PATH: Final = re.compile(
    rf"policy\.toml|csca/{_NAME}\.cer|crl/{_NAME}\.crl|stop/{_NAME}\.stop|status/{_NAME}\.status"
    rf"|anchors/{_NAME}\.toml|cvca/{_NAME}\.cvcert|log/log\.policy|log/checkpoint"
)
"""The files of a trust directory; proofs about single cards are brought with these."""


@asn1.sequence
class _BundleFile:
    path: str
    content: bytes


@asn1.sequence
class _BundleDraft:
    version: int
    files: list[_BundleFile]


@asn1.sequence
class _BundleContent:
    version: int
    number: int
    this_update: asn1.GeneralizedTime
    next_update: asn1.GeneralizedTime
    files: list[_BundleFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustBundle:
    """A parsed bundle; whether an authority certified ``signer`` is for the trust anchors to say."""

    der: bytes = field(repr=False)
    number: int
    this_update: datetime
    next_update: datetime
    files: Mapping[str, bytes] = field(repr=False)
    signer: ListSignerCertificate
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, der: bytes) -> Self:
        """Read a DER ``ContentInfo``, its signature by the certificate that it carries included.

        Raises:
            PkiDataError: ``trust-bundle.malformed``.
        """
        return cls._read(der, SignedList.from_bytes)

    @classmethod
    def read_unproven(cls, der: bytes) -> Self:
        """Read a DER ``ContentInfo`` without verifying its signature: trust nothing of it.

        Raises:
            PkiDataError: ``trust-bundle.malformed``.
        """
        return cls._read(der, SignedList.read_unproven)

    @classmethod
    def _read(cls, der: bytes, read: Callable[..., SignedList]) -> Self:
        try:
            signed = read(der, content_type=ID_TRUST_BUNDLE, maximum_bytes=MAX_TRUST_BUNDLE_BYTES)
            signer = ListSignerCertificate.from_bytes(
                signed.signer_certificate, kind=ProfileKind.TRUST_BUNDLE_SIGNER
            )
            content = decode(_BundleContent, signed.content, "content of the trust bundle")
            if content.version != _VERSION or not 1 <= content.number <= _MAX_NUMBER:
                raise SecurityObjectError("its version or its number is not one that bundles have")
            found = cls(
                der=der,
                number=content.number,
                this_update=content.this_update.as_datetime(),
                next_update=content.next_update.as_datetime(),
                files=_files(content.files),
                signer=signer,
                signature=signed.signature,
            )
            _check_times(found, signed.signing_time)
        except PkiDataError as error:
            raise PkiDataError(
                f"a trust bundle cannot be read: {error}", code="trust-bundle.malformed"
            ) from error
        return found

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole file, in hex."""
        return HashAlgorithm.SHA256.digest(self.der).hex()


def prepare_trust_bundle(
    *,
    signer_certificate: bytes,
    public_key: PublicKey,
    number: int,
    this_update: datetime,
    next_update: datetime,
    files: Mapping[str, bytes],
) -> PreparedSignedList:
    """Everything of a bundle but its signature.

    Raises:
        PkiDataError: ``signer.profile``, ``trust-bundle.path``.
        PkiRefusedError: ``trust-bundle.request-invalid``, ``signing.key-mismatch``.
    """
    ListSignerCertificate.from_bytes(signer_certificate, kind=ProfileKind.TRUST_BUNDLE_SIGNER)
    start, end = check_bundle_period(number, this_update, next_update)
    content = _BundleContent(
        version=_VERSION,
        number=number,
        this_update=asn1.GeneralizedTime(start),
        next_update=asn1.GeneralizedTime(end),
        files=_encoded(files),
    )
    return PreparedSignedList.compose(
        content_type=ID_TRUST_BUNDLE,
        content=asn1.encode_der(content),
        certificate=signer_certificate,
        public_key=public_key,
        signing_time=start,
    )


def write_bundle_draft(files: Mapping[str, bytes]) -> bytes:
    """The files that are to be signed, as the PKI takes them.

    Raises:
        PkiDataError: ``trust-bundle.path``.
    """
    return asn1.encode_der(_BundleDraft(version=_VERSION, files=_encoded(files)))


def read_bundle_draft(data: bytes) -> Mapping[str, bytes]:
    """Read what ``write_bundle_draft`` wrote.

    Raises:
        PkiDataError: ``trust-bundle.malformed``.
    """
    try:
        if len(data) > MAX_TRUST_BUNDLE_BYTES:
            raise SecurityObjectError(
                f"it has {len(data)} bytes, expected at most {MAX_TRUST_BUNDLE_BYTES}"
            )
        draft = decode(_BundleDraft, data, "a draft of a trust bundle")
        if draft.version != _VERSION:
            raise SecurityObjectError(f"its version is {draft.version:x}, expected {_VERSION}")
        return _files(draft.files)
    except PkiDataError as error:
        raise PkiDataError(
            f"a draft of a trust bundle cannot be read: {error}", code="trust-bundle.malformed"
        ) from error


def check_bundle_files(paths: list[str]) -> None:
    """Ascending paths that a trust directory has, each once.

    Raises:
        PkiDataError: ``trust-bundle.path``.
    """
    if len(paths) > _MAX_FILES:
        raise _bad_path(f"it has {len(paths)} files, expected at most {_MAX_FILES}")
    for path in paths:
        if _PATH.fullmatch(path) is None:
            raise _bad_path(f"no trust directory has a file {path[:120]!r}")
    if any(later <= earlier for earlier, later in itertools.pairwise(paths)):
        raise _bad_path("its paths do not ascend")
    if len({path.lower() for path in paths}) != len(paths):
        # Windows would unpack the one over the other.
        raise _bad_path("two of its paths differ in capital letters alone")


def check_bundle_period(
    number: int, this_update: datetime, next_update: datetime
) -> tuple[datetime, datetime]:
    """Both times in whole seconds of UTC, if number and times may stand in a bundle.

    Raises:
        PkiRefusedError: ``trust-bundle.request-invalid``.
    """
    start = this_update.astimezone(UTC).replace(microsecond=0)
    end = next_update.astimezone(UTC).replace(microsecond=0)
    if not timedelta(0) < end - start <= MAX_BUNDLE_LIFETIME or not 1 <= number <= _MAX_NUMBER:
        raise PkiRefusedError(
            f"trust bundle {number} would be current for {end - start}, expected a positive number and "
            f"at most {MAX_BUNDLE_LIFETIME}",
            code="trust-bundle.request-invalid",
        )
    return start, end


def _encoded(files: Mapping[str, bytes]) -> list[_BundleFile]:
    check_bundle_files(sorted(files))
    return [_BundleFile(path=path, content=files[path]) for path in sorted(files)]


def _files(items: list[_BundleFile]) -> Mapping[str, bytes]:
    check_bundle_files([item.path for item in items])
    return MappingProxyType({item.path: item.content for item in items})


def _check_times(found: TrustBundle, signing_time: datetime) -> None:
    if found.this_update.microsecond or found.next_update.microsecond:
        raise SecurityObjectError("a time in the trust bundle has a fraction of a second")
    if signing_time != found.this_update:
        raise SecurityObjectError(
            f"signing time is {signing_time}, expected {found.this_update}, when the bundle was made"
        )
    if not timedelta(0) < found.next_update - found.this_update <= MAX_BUNDLE_LIFETIME:
        raise SecurityObjectError(
            f"it is current for {found.next_update - found.this_update}, expected at most {MAX_BUNDLE_LIFETIME}"
        )
    signer = found.signer
    start = max(signer.not_before, signer.key_use_not_before)
    end = min(signer.not_after, signer.key_use_not_after)
    if not start <= found.this_update <= end:
        raise SecurityObjectError(
            f"it was made at {found.this_update}, its signer's key signs from {start} to {end}"
        )


def _bad_path(reason: str) -> PkiDataError:
    return PkiDataError(reason, code="trust-bundle.path")
