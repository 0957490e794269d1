"""What leads from one trust bundle to a later one: changed files, and the later bundle's own signature (SPEC.md, 7.12).

As with status lists: whoever applies it composes the later bundle, byte for byte, and verifies that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, unique
from typing import Final, Self

from cryptography.hazmat import asn1

from pki.certificates.certificate import MAX_CERTIFICATE_BYTES, load_certificate
from pki.errors import PkiDataError, PkiError, PkiRefusedError
from pki.signed.decoding import SecurityObjectError, decode
from pki.signed.list_period import ListPeriod
from pki.signed.status_list import StatusList
from pki.signed.status_list_delta import StatusListDelta
from pki.signed.trust_bundle import (
    MAX_TRUST_BUNDLE_BYTES,
    TrustBundle,
    check_bundle_files,
    prepare_trust_bundle,
)

__all__ = ["TrustBundleDelta"]

_VERSION: Final = 1
_MAX_SIGNATURE_BYTES: Final = 1024
_STATUS: Final = ".status"


@unique
class _How(IntEnum):
    """How a file of the later bundle comes about."""

    KEPT = 0
    WHOLE = 1
    STATUS_DELTA = 2


@asn1.sequence
class _ChangedFile:
    path: str
    how: int
    data: bytes


@asn1.sequence
class _DeltaContent:
    version: int
    base_number: int
    number: int
    this_update: asn1.GeneralizedTime
    next_update: asn1.GeneralizedTime
    files: list[_ChangedFile]
    certificate: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustBundleDelta:
    """A parsed delta; nothing of it is proven before it was applied."""

    base_number: int
    number: int
    this_update: datetime
    next_update: datetime
    files: Mapping[str, tuple[_How, bytes]] = field(repr=False)
    certificate: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def between(cls, earlier: TrustBundle, later: TrustBundle) -> Self:
        """The delta from one bundle to a later one.

        Raises:
            PkiRefusedError: ``trust-bundle.not-newer``.
        """
        if later.number <= earlier.number:
            raise PkiRefusedError(
                f"the later bundle has number {later.number}, expected more than {earlier.number}",
                code="trust-bundle.not-newer",
            )
        return cls(
            base_number=earlier.number,
            number=later.number,
            this_update=later.this_update,
            next_update=later.next_update,
            files={
                path: _change(path, earlier.files.get(path), content)
                for path, content in later.files.items()
            },
            certificate=b"" if later.signer.der == earlier.signer.der else later.signer.der,
            signature=later.signature,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a delta; what it does is found out by applying it.

        Raises:
            PkiDataError: ``trust-delta.malformed``.
        """
        try:
            if len(data) > MAX_TRUST_BUNDLE_BYTES:
                raise SecurityObjectError(
                    f"it has {len(data)} bytes, expected at most {MAX_TRUST_BUNDLE_BYTES}"
                )
            content = decode(_DeltaContent, data, "a delta")
            check_bundle_files([item.path for item in content.files])
            period = ListPeriod.of_content(content.number, content.this_update, content.next_update)
            files = {item.path: (_How(item.how), item.data) for item in content.files}
        except (PkiError, ValueError) as error:
            raise _malformed(str(error)) from error
        if (
            content.version != _VERSION
            or not 1 <= content.base_number < content.number
            or len(content.signature) > _MAX_SIGNATURE_BYTES
            or len(content.certificate) > MAX_CERTIFICATE_BYTES
        ):
            raise _malformed("its version, numbers, signature or certificate are none")
        return cls(
            base_number=content.base_number,
            number=period.number,
            this_update=period.this_update,
            next_update=period.next_update,
            files=files,
            certificate=content.certificate,
            signature=content.signature,
        )

    def to_bytes(self) -> bytes:
        """The file."""
        return asn1.encode_der(
            _DeltaContent(
                version=_VERSION,
                base_number=self.base_number,
                number=self.number,
                this_update=asn1.GeneralizedTime(self.this_update),
                next_update=asn1.GeneralizedTime(self.next_update),
                files=[
                    _ChangedFile(path=path, how=int(how), data=data)
                    for path, (how, data) in sorted(self.files.items())
                ],
                certificate=self.certificate,
                signature=self.signature,
            )
        )

    def apply(self, base: TrustBundle) -> TrustBundle:
        """Compose the later bundle, and verify its signature; its ``der`` is what was signed, byte for byte.

        Raises:
            PkiRefusedError: ``trust-delta.other-base``: it does not continue this bundle.
            PkiDataError: ``trust-delta.malformed``: it was altered.
        """
        if base.number != self.base_number:
            raise PkiRefusedError(
                f"the delta continues trust bundle {self.base_number}, got {base.number}",
                code="trust-delta.other-base",
                hint="fetch the deltas in between, or the whole bundle",
            )
        try:
            if self.certificate == base.signer.der:
                raise SecurityObjectError("it carries the certificate that the base has already")
            certificate = self.certificate or base.signer.der
            prepared = prepare_trust_bundle(
                signer_certificate=certificate,
                public_key=load_certificate(certificate).public_key,
                number=self.number,
                this_update=self.this_update,
                next_update=self.next_update,
                files={
                    path: _changed(base.files.get(path), how, data)
                    for path, (how, data) in self.files.items()
                },
            )
            return TrustBundle.from_bytes(prepared.unsigned.finish(self.signature))
        except PkiError as error:
            raise _malformed(str(error)) from error


def _change(path: str, earlier: bytes | None, later: bytes) -> tuple[_How, bytes]:
    if earlier == later:
        return _How.KEPT, b""
    if earlier is not None and path.endswith(_STATUS):
        try:
            delta = StatusListDelta.between(
                StatusList.from_bytes(earlier), StatusList.from_bytes(later)
            )
        except PkiError:
            # What does not continue the list before is sent whole.
            return _How.WHOLE, later
        return _How.STATUS_DELTA, delta.to_bytes()
    return _How.WHOLE, later


def _changed(earlier: bytes | None, how: _How, data: bytes) -> bytes:
    if how is _How.WHOLE:
        return data
    if earlier is None or (how is _How.KEPT and data):
        raise SecurityObjectError("it keeps or changes a file that the base does not have")
    if how is _How.KEPT:
        return earlier
    return StatusListDelta.from_bytes(data).apply(StatusList.from_bytes(earlier)).der


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(
        f"a delta of a trust bundle cannot be applied: {reason}", code="trust-delta.malformed"
    )
