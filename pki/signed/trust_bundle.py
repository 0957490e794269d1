"""The trust bundle: everything that a terminal trusts and demands, in one signed file (SPEC.md, 7.11).

It holds the files of a trust directory by their paths. What stands in them is for whoever uses them to judge; here only
paths that a trust directory has are let through, so that nothing can be unpacked anywhere else.
"""

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Self

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.profile import ProfileKind
from pki.errors import PkiDataError
from pki.keys.algorithms import HashAlgorithm, PublicKey
from pki.signed.decoding import SecurityObjectError, decode, expect
from pki.signed.list_period import ListPeriod
from pki.signed.signed_list import PreparedSignedList, SignedList

__all__ = [
    "ID_TRUST_BUNDLE",
    "MAX_TRUST_BUNDLE_BYTES",
    "TrustBundle",
    "check_bundle_files",
    "prepare_trust_bundle",
    "read_bundle_draft",
    "write_bundle_draft",
]

ID_TRUST_BUNDLE: Final = ObjectIdentifier("1.3.6.1.4.1.32473.51.2.3")

MAX_TRUST_BUNDLE_BYTES: Final = 16 * 1024 * 1024

_VERSION: Final = 1
_MAX_FILES: Final = 1024
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
            expect("version of the trust bundle", content.version, _VERSION)
            period = ListPeriod.of_content(content.number, content.this_update, content.next_update)
            period.check_made_by(signer, signed.signing_time)
            return cls(
                der=der,
                number=period.number,
                this_update=period.this_update,
                next_update=period.next_update,
                files=_files(content.files),
                signer=signer,
                signature=signed.signature,
            )
        except PkiDataError as error:
            raise PkiDataError(
                f"a trust bundle cannot be read: {error}", code="trust-bundle.malformed"
            ) from error

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
    period = ListPeriod.of_request(
        number, this_update, next_update, code="trust-bundle.request-invalid"
    )
    start, end = period.encoded()
    content = _BundleContent(
        version=_VERSION,
        number=number,
        this_update=start,
        next_update=end,
        files=_encoded(files),
    )
    return PreparedSignedList.compose(
        content_type=ID_TRUST_BUNDLE,
        content=asn1.encode_der(content),
        certificate=signer_certificate,
        public_key=public_key,
        signing_time=period.this_update,
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


def _encoded(files: Mapping[str, bytes]) -> list[_BundleFile]:
    check_bundle_files(sorted(files))
    return [_BundleFile(path=path, content=files[path]) for path in sorted(files)]


def _files(items: list[_BundleFile]) -> Mapping[str, bytes]:
    check_bundle_files([item.path for item in items])
    return MappingProxyType({item.path: item.content for item in items})


def _bad_path(reason: str) -> PkiDataError:
    return PkiDataError(reason, code="trust-bundle.path")
