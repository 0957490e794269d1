"""Signing cards' security objects: counted, recorded, once for each card, before anything leaves.

A request carries an opaque reference of 16 bytes (the issuer's card id), so that the cards of a compromised
signer can be listed although nobody here knows what a card is. No raw digest is ever signed: the security
object is composed here from the hashes of the files.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from types import TracebackType
from typing import Protocol, Self

from pki.certificates.trust import DocumentSignerCertificate
from pki.errors import PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.keys.signer import Signer
from pki.services.authorising import check_batch, check_not_retired
from pki.services.recorder import Recorder
from pki.services.state import EntryKind, SignerRecord
from pki.signed.security_object import (
    PreparedSecurityObject,
    SecurityObjectComposer,
    StatusReference,
)

__all__ = [
    "DocumentSigner",
    "InProcessDocumentSigner",
    "PreparedBatch",
    "SigningLimits",
    "SigningRequest",
    "SigningTally",
]

REFERENCE_BYTES = 16
_MAX_REASON_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningLimits:
    """What one signer may do at most (Decree 68/2024/ND-CP; its key's time stands in its certificate)."""

    max_objects: int = 100_000
    max_time_difference: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """One card to be signed.

    ``file_hashes`` maps group numbers (1-16) to digests of whole files; ``signing_time`` is aware and close to now;
    ``re_signing_of`` is the reason why a reference that was signed before is signed again.
    """

    reference: bytes
    file_hashes: Mapping[int, bytes] = field(repr=False)
    status_reference: StatusReference
    signing_time: datetime
    re_signing_of: str | None = None


@dataclass(slots=True, kw_only=True)
class SigningTally:
    """What was checked but is not on record yet: it counts as well, where several batches are recorded at once."""

    references: set[bytes] = field(default_factory=set)
    by_signer: Counter[str] = field(default_factory=Counter)
    by_batch: Counter[bytes] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBatch:
    """Security objects that were checked: to be recorded first, then signed, then finished."""

    records: Sequence[tuple[EntryKind, dict[str, str | int | None]]] = field(repr=False)
    items: Sequence[PreparedSecurityObject] = field(repr=False)

    @property
    def messages(self) -> list[bytes]:
        """What the key signs, in order."""
        return [item.to_be_signed for item in self.items]

    def finish(self, signatures: Sequence[bytes]) -> list[bytes]:
        """The security objects."""
        return [
            item.finish(signature) for item, signature in zip(self.items, signatures, strict=True)
        ]


class DocumentSigner(Protocol):
    """The port through which an issuer has cards signed."""

    @property
    def hash_algorithm(self) -> HashAlgorithm:
        """What ``file_hashes`` are made with."""

    @property
    def certificate(self) -> bytes:
        """The signer's certificate, DER."""

    def sign(self, request: SigningRequest) -> bytes:
        """One security object: the DER ``ContentInfo``.

        Raises:
            PkiRefusedError: nothing was signed.
            RecordError, KeystoreError: whether the reference counts as used is unknown until the journal is read.
        """

    def sign_many(self, requests: Sequence[SigningRequest]) -> list[bytes]:
        """As many security objects, in the same order; all are checked before any is recorded or signed."""


class InProcessDocumentSigner:
    """A ``DocumentSigner`` whose key, journal and limits are in this process."""

    def __init__(
        self,
        *,
        record: SignerRecord,
        signer: Signer,
        recorder: Recorder,
        limits: SigningLimits | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        """Bind a key to its certificate and its record; ``on_close`` lets go of what they live in.

        Raises:
            PkiDataError: ``signer.profile``.
            PkiRefusedError: ``signer.unfinished``: there is no certificate; ``signing.key-mismatch``.
        """
        if record.certificate is None:
            raise PkiRefusedError(
                f"signer {record.signer_id} has no certificate", code="signer.unfinished"
            )
        self._record = record
        self._signer = signer
        self._recorder = recorder
        self._limits = limits if limits is not None else SigningLimits()
        self._certificate = DocumentSignerCertificate.from_bytes(record.certificate)
        self._on_close = on_close
        self._composer = SecurityObjectComposer(
            algorithm=signer.algorithm,
            public_key=signer.public_key,
            certificate_der=record.certificate,
        )
        self._lock = Lock()
        if self._certificate.certificate.public_key != signer.public_key:
            raise PkiRefusedError(
                f"the key of signer {record.signer_id} is not the one in its certificate",
                code="signing.key-mismatch",
            )

    @property
    def signer_id(self) -> str:
        """Which signer it is."""
        return self._record.signer_id

    @property
    def is_test(self) -> bool:
        """Whether a test authority stands behind it, whose cards are signed without an authorisation, too."""
        return self._certificate.is_test

    @property
    def hash_algorithm(self) -> HashAlgorithm:
        """The hash of the key's algorithm."""
        return self._signer.algorithm.hash_algorithm

    @property
    def certificate(self) -> bytes:
        """The signer's certificate, DER."""
        return self._certificate.der

    def sign(self, request: SigningRequest) -> bytes:
        """One security object; see ``sign_many``."""
        return self.sign_many([request])[0]

    def sign_many(self, requests: Sequence[SigningRequest]) -> list[bytes]:
        """Check all, record all with one write to the disk, then sign all.

        Raises:
            PkiRefusedError: ``signing.request-invalid``, ``signing.reference-used``, ``signing.limit-reached``,
                ``signing.time-differs``, ``signer.key-usage-period``, ``signer.revoked``, ``signer.retired``: nothing was
                recorded.
            RecordError: the journal failed: nothing was signed.
            KeystoreError: the key failed; what was recorded counts as signed.
        """
        with self._lock:
            prepared = self.prepare(requests, tally=SigningTally())
            self._recorder.record_many(prepared.records)
            return prepared.finish([self._signer.sign(each) for each in prepared.messages])

    def prepare(
        self, requests: Sequence[SigningRequest], *, tally: SigningTally, batch: bytes | None = None
    ) -> PreparedBatch:
        """Check requests all or none, against the record and what is in ``tally``, to which they are added.

        ``batch`` is the accepted authorisation (16 bytes) that they are counted against. Without one, only a test
        authority's cards are signed.

        Raises:
            PkiRefusedError: as ``sign_many``; ``authorisation.missing``, and those of ``check_batch``.
        """
        self._check_signer(len(requests), tally)
        self._check_batch(len(requests), tally, batch)
        self._check_references(requests, tally)
        items = [self._prepare(request) for request in requests]
        tally.references.update(request.reference for request in requests)
        tally.by_signer[self.signer_id] += len(requests)
        if batch is not None:
            tally.by_batch[batch] += len(requests)
        return PreparedBatch(
            records=[
                (EntryKind.SECURITY_OBJECT_SIGNED, self._fields(request, item, batch))
                for request, item in zip(requests, items, strict=True)
            ],
            items=items,
        )

    def close(self) -> None:
        """Let go of keystore and journal; closing twice is harmless."""
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_signer(self, count: int, tally: SigningTally) -> None:
        if self._record.revoked_at is not None:
            raise PkiRefusedError(
                f"signer {self.signer_id} was revoked at {self._record.revoked_at:%Y-%m-%d %H:%M:%S}Z",
                code="signer.revoked",
            )
        check_not_retired(self._record)
        signed = self._record.objects_signed + tally.by_signer[self.signer_id]
        if signed + count > self._limits.max_objects:
            raise PkiRefusedError(
                f"signer {self.signer_id} has signed {signed} security objects, "
                f"{count} more would exceed {self._limits.max_objects}",
                code="signing.limit-reached",
                hint="create the next signer: membercard-pki signer create",
            )
        self._check_key_use(self._recorder.now())

    def _check_batch(self, count: int, tally: SigningTally, batch: bytes | None) -> None:
        if batch is not None:
            check_batch(
                self._recorder.state.authorisations,
                batch,
                signer_id=self.signer_id,
                count=count + tally.by_batch[batch],
                now=self._recorder.now(),
            )
        elif not self._certificate.is_test:
            raise PkiRefusedError(
                f"signer {self.signer_id} signs no card without an authorisation by two operators",
                code="authorisation.missing",
                hint="membercard-pki authorisation create, and signer serve",
            )

    def _check_key_use(self, moment: datetime) -> None:
        start, end = self._certificate.key_use_not_before, self._certificate.key_use_not_after
        if not start <= moment <= end:
            raise PkiRefusedError(
                f"the key of signer {self.signer_id} signs from {start:%Y-%m-%d %H:%M:%S}Z "
                f"to {end:%Y-%m-%d %H:%M:%S}Z, got {moment:%Y-%m-%d %H:%M:%S}Z",
                code="signer.key-usage-period",
                hint="create the next signer: membercard-pki signer create",
            )

    def _check_references(self, requests: Sequence[SigningRequest], tally: SigningTally) -> None:
        seen: set[bytes] = set()
        for request in requests:
            if len(request.reference) != REFERENCE_BYTES:
                raise PkiRefusedError(
                    f"reference has {len(request.reference)} bytes, expected {REFERENCE_BYTES}",
                    code="signing.request-invalid",
                )
            reason = request.re_signing_of
            if reason is not None and not 1 <= len(reason) <= _MAX_REASON_CHARACTERS:
                raise PkiRefusedError(
                    f"reason of a re-signing has {len(reason)} characters, "
                    f"expected 1 to {_MAX_REASON_CHARACTERS}",
                    code="signing.request-invalid",
                )
            is_used = self._recorder.state.is_reference_used(request.reference)
            is_twice = request.reference in seen or request.reference in tally.references
            if is_twice or (is_used and reason is None):
                raise PkiRefusedError(
                    f"there may be a security object for reference {request.reference.hex()} already",
                    code="signing.reference-used",
                    hint="a re-signing needs a reason, which is recorded",
                )
            if not is_used and reason is not None:
                raise PkiRefusedError(
                    f"reference {request.reference.hex()} was never signed, so it cannot be signed again",
                    code="signing.request-invalid",
                )
            seen.add(request.reference)

    def _prepare(self, request: SigningRequest) -> PreparedSecurityObject:
        prepared = self._composer.prepare(
            file_hashes=request.file_hashes,
            signing_time=request.signing_time,
            status_reference=request.status_reference,
        )
        # A verifier believes the signing time; nobody may have a card signed for another day than today.
        difference = abs(request.signing_time - self._recorder.now())
        if difference > self._limits.max_time_difference:
            raise PkiRefusedError(
                f"signing time differs by {difference} from this clock, "
                f"expected at most {self._limits.max_time_difference}",
                code="signing.time-differs",
            )
        self._check_key_use(request.signing_time.replace(microsecond=0))
        return prepared

    def _fields(
        self, request: SigningRequest, prepared: PreparedSecurityObject, batch: bytes | None
    ) -> dict[str, str | int | None]:
        counted: dict[str, str | int | None] = {} if batch is None else {"batch": batch.hex()}
        return counted | {
            "signer": self.signer_id,
            "reference": request.reference.hex(),
            "digest": HashAlgorithm.SHA256.digest(prepared.to_be_signed).hex(),
            "signing_time": request.signing_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "re_signing_of": request.re_signing_of,
        }
