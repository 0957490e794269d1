"""What of the journal can be looked things up in: each entry's meaning for a database, decided without one.

The journal stays the record. A ``Projection`` follows it entry by entry and is never ahead of it; it can be thrown
away and made anew. Nothing secret is in it: entries that no look-up needs, such as those of single cards, leave only
their position.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final, Protocol

from pki.card_verifiable.certificate import CvCertificate
from pki.certificates.certificate import load_certificate
from pki.certificates.names import name_text
from pki.errors import PkiDataError, RecordError
from pki.keys.algorithms import HashAlgorithm
from pki.record.journal import JournalEntry
from pki.record.journal_tail import JournalPosition, read_after
from pki.services.state import (
    CRL_SERIES,
    MASTER_LIST_SERIES,
    SERVICE_CRL_SERIES,
    STOP_LIST_SERIES,
    EntryKind,
)

__all__ = [
    "Change",
    "CheckpointMade",
    "CredentialEnrolled",
    "CredentialRevoked",
    "HolderBlocked",
    "ListIssued",
    "LogStarted",
    "NewCertificate",
    "NewCvCertificate",
    "Projection",
    "RequestTaken",
    "Revoked",
    "Step",
    "catch_up",
    "changes_of",
]

_BATCH_ENTRIES: Final = 1000
_MAX_NAME_CHARACTERS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCertificate:
    """A certificate exists; ``name`` is unique within its ``kind``."""

    digest: bytes
    kind: str
    name: str
    serial_number: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCvCertificate:
    """A CV certificate exists; ``role`` is ``CVCA``, ``DOCUMENT_VERIFIER`` or ``TERMINAL``."""

    digest: bytes
    holder: str
    holder_reference: str
    authority_reference: str
    role: str
    effective: date
    expires: date
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """A certificate is revoked; the reason is for operators and stands in no CRL."""

    kind: str
    name: str
    at: datetime
    reason: str
    is_compromise: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderBlocked:
    """A terminal lost its good standing."""

    holder: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialEnrolled:
    """An operator may sign with a WebAuthn credential."""

    credential_id: bytes
    operator: str
    origin: str
    rp_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRevoked:
    """Nobody signs with it any more."""

    credential_id: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListIssued:
    """A CRL or stop list exists; ``series`` counts its numbers."""

    series: str
    number: int
    issued_at: datetime
    digest: bytes
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStarted:
    """The transparency log has a name and a key (DER SubjectPublicKeyInfo)."""

    origin: str
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointMade:
    """A checkpoint over so many leaves was about to be signed."""

    size: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTaken:
    """An approved request was carried out, or was about to be: it is used up."""

    request_id: str
    at: datetime


Change = (
    NewCertificate
    | NewCvCertificate
    | Revoked
    | CredentialEnrolled
    | CredentialRevoked
    | HolderBlocked
    | ListIssued
    | LogStarted
    | CheckpointMade
    | RequestTaken
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry of the journal: where it stands, when it was recorded, what it means for look-ups."""

    position: JournalPosition
    time: datetime
    changes: tuple[Change, ...]


class Projection(Protocol):
    """A database that follows a journal."""

    def position(self) -> JournalPosition:
        """How far it has followed."""

    def advance(self, steps: Sequence[Step], *, since: JournalPosition) -> bool:
        """Take in what follows ``since``, as a whole; false where somebody else went on from there meanwhile."""

    def clear(self) -> None:
        """Forget everything that came from the journal, and nothing else."""


def catch_up(projection: Projection, journal: Path) -> JournalPosition:
    """Follow the journal to its end as of now; several processes may do so at once.

    Raises:
        RecordError: ``database.other-journal``, ``record.damaged``, ``record.unreadable``; the database fails.
    """
    while True:
        since = projection.position()
        steps = list(_steps(journal, since))
        if not steps:
            return since
        projection.advance(steps, since=since)


def _steps(journal: Path, since: JournalPosition) -> Iterator[Step]:
    for entry, position in read_after(journal, since, limit=_BATCH_ENTRIES):
        yield Step(position=position, time=entry.time, changes=changes_of(entry))


def changes_of(entry: JournalEntry) -> tuple[Change, ...]:
    """What an entry means for look-ups; kinds that mean nothing for them have no change.

    Raises:
        RecordError: ``record.damaged``: a value that this program does not write.
    """
    read = _READERS.get(entry.kind)
    if read is None:
        return ()
    try:
        change = read(entry)
    except (ValueError, LookupError, PkiDataError) as error:
        raise RecordError(
            f"entry {entry.sequence} of kind {entry.kind[:60]!r} cannot be understood",
            code="record.damaged",
        ) from error
    return () if change is None else (change,)


def _certificate(kind: str, name_field: str) -> Callable[[JournalEntry], Change]:
    def read(entry: JournalEntry) -> Change:
        der = bytes.fromhex(entry.text("certificate"))
        certificate = load_certificate(der)
        return NewCertificate(
            digest=HashAlgorithm.SHA256.digest(der),
            kind=kind,
            name=entry.text(name_field),
            serial_number=f"{certificate.serial_number:x}",
            subject=name_text(certificate.subject)[:_MAX_NAME_CHARACTERS],
            issuer=name_text(certificate.issuer)[:_MAX_NAME_CHARACTERS],
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            der=der,
        )

    return read


def _cv_certificate(entry: JournalEntry) -> Change:
    content = bytes.fromhex(entry.text("certificate"))
    body = CvCertificate.from_bytes(content).body
    return NewCvCertificate(
        digest=HashAlgorithm.SHA256.digest(content),
        holder=body.holder_reference.holder,
        holder_reference=body.holder_reference.text,
        authority_reference=body.authority_reference.text,
        role=body.authorisation.role.name,
        effective=body.effective_date,
        expires=body.expiration_date,
        content=content,
    )


def _revoked(
    kind: str, name_field: str, *, is_compromise: bool = False
) -> Callable[[JournalEntry], Change]:
    def read(entry: JournalEntry) -> Change:
        return Revoked(
            kind=kind,
            name=entry.text(name_field),
            at=entry.time,
            reason=entry.text("reason"),
            is_compromise=is_compromise,
        )

    return read


def _list(
    series: str, content_field: str, number_of: Callable[[JournalEntry], int] | None = None
) -> Callable[[JournalEntry], Change]:
    def read(entry: JournalEntry) -> Change:
        content = bytes.fromhex(entry.text(content_field))
        return ListIssued(
            series=series,
            number=entry.number("number") if number_of is None else number_of(entry),
            issued_at=entry.time,
            digest=HashAlgorithm.SHA256.digest(content),
            content=content,
        )

    return read


def _holder_blocked(entry: JournalEntry) -> Change:
    return HolderBlocked(holder=entry.text("holder"), at=entry.time, reason=entry.text("reason"))


def _credential_enrolled(entry: JournalEntry) -> Change:
    return CredentialEnrolled(
        credential_id=bytes.fromhex(entry.text("credential")),
        operator=entry.text("operator"),
        origin=entry.text("origin"),
        rp_id=entry.text("rp_id"),
        at=entry.time,
    )


def _credential_revoked(entry: JournalEntry) -> Change:
    return CredentialRevoked(credential_id=bytes.fromhex(entry.text("credential")), at=entry.time)


def _log_started(entry: JournalEntry) -> Change:
    return LogStarted(
        origin=entry.text("origin"), public_key=bytes.fromhex(entry.text("public_key"))
    )


def _home_restored(entry: JournalEntry) -> Change | None:
    # A log that had no name yet has none in the new epoch either.
    return None if entry.fields.get("origin") is None else _log_started(entry)


_READERS: Final[Mapping[str, Callable[[JournalEntry], Change | None]]] = {
    kind.value: read
    for kind, read in {
        EntryKind.AUTHORITY_ISSUED: _certificate("authority", "key"),
        EntryKind.LINK_ISSUED: _certificate("link", "key"),
        EntryKind.SIGNER_ISSUED: _certificate("signer", "signer"),
        EntryKind.SERVICE_AUTHORITY_ISSUED: _certificate("service-root", "key"),
        EntryKind.SERVICE_ISSUED: _certificate("service", "service"),
        EntryKind.OPERATOR_ROOT_ISSUED: _certificate("operator-root", "key"),
        EntryKind.OPERATOR_ENROLLED: _certificate("operator", "operator"),
        EntryKind.CV_CERTIFICATE_ISSUED: _cv_certificate,
        EntryKind.SIGNER_REVOKED: _revoked("signer", "signer"),
        EntryKind.SIGNER_COMPROMISED: _revoked("signer", "signer", is_compromise=True),
        EntryKind.SERVICE_REVOKED: _revoked("service", "service"),
        EntryKind.OPERATOR_REVOKED: _revoked("operator", "operator"),
        EntryKind.CREDENTIAL_ENROLLED: _credential_enrolled,
        EntryKind.CREDENTIAL_REVOKED: _credential_revoked,
        EntryKind.TERMINAL_BLOCKED: _holder_blocked,
        EntryKind.CRL_ISSUED: _list(CRL_SERIES, "crl"),
        EntryKind.SERVICE_CRL_ISSUED: _list(SERVICE_CRL_SERIES, "crl"),
        EntryKind.STOP_LIST_ISSUED: _list(STOP_LIST_SERIES, "list"),
        # Master lists have no numbers (Doc 9303-12, 8): the journal's own tell their order.
        EntryKind.MASTER_LIST_ISSUED: _list(
            MASTER_LIST_SERIES, "list", lambda entry: entry.sequence
        ),
        EntryKind.LOG_STARTED: _log_started,
        EntryKind.HOME_RESTORED: _home_restored,
        EntryKind.CHECKPOINT_INTENDED: lambda entry: CheckpointMade(
            size=entry.number("size"), at=entry.time
        ),
        EntryKind.REQUEST_TAKEN: lambda entry: RequestTaken(
            request_id=entry.text("request"), at=entry.time
        ),
    }.items()
}
