"""What an authority has done, rebuilt from its journal: nothing else is its memory.

Every signature is recorded before it is made (``...intended``, or ``security-object.signed`` for cards), so that
after a crash the state knows what may exist: its serial numbers, CRL numbers and references stay used.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from pki.errors import PkiDataError, RecordError
from pki.record.journal import JournalEntry
from pki.services.authorisation_state import AuthorisationState
from pki.services.card_verifiable_state import CardVerifiableState

__all__ = ["SIGNATURE_KINDS", "EntryKind", "PkiState", "SignerRecord"]


class EntryKind(Enum):
    """The kinds of journal entries; the values stand in journals and never change."""

    KEY_INTENDED = "key.intended"
    KEY_CREATED = "key.created"
    KEY_DESTROYED = "key.destroyed"
    AUTHORITY_INTENDED = "authority-certificate.intended"
    AUTHORITY_ISSUED = "authority-certificate.issued"
    SIGNER_INTENDED = "signer-certificate.intended"
    SIGNER_ISSUED = "signer-certificate.issued"
    SIGNER_REVOKED = "signer.revoked"
    CRL_INTENDED = "crl.intended"
    CRL_ISSUED = "crl.issued"
    SECURITY_OBJECT_SIGNED = "security-object.signed"
    CV_CERTIFICATE_INTENDED = "cv-certificate.intended"
    CV_CERTIFICATE_ISSUED = "cv-certificate.issued"
    TERMINAL_BLOCKED = "terminal.blocked"
    TERMINAL_REQUEST_INTENDED = "terminal-request.intended"
    TERMINAL_REQUEST_MADE = "terminal-request.made"
    OPERATOR_ROOT_INTENDED = "operator-root.intended"
    OPERATOR_ROOT_ISSUED = "operator-root.issued"
    OPERATOR_INTENDED = "operator-certificate.intended"
    OPERATOR_ENROLLED = "operator-certificate.issued"
    OPERATOR_REVOKED = "operator.revoked"
    AUTHORISATION_ACCEPTED = "authorisation.accepted"
    LOG_STARTED = "log.started"
    CHECKPOINT_INTENDED = "checkpoint.intended"


SIGNATURE_KINDS = frozenset(
    kind.value
    for kind in (
        EntryKind.AUTHORITY_INTENDED,
        EntryKind.SIGNER_INTENDED,
        EntryKind.CRL_INTENDED,
        EntryKind.SECURITY_OBJECT_SIGNED,
        EntryKind.CV_CERTIFICATE_INTENDED,
        EntryKind.TERMINAL_REQUEST_INTENDED,
        EntryKind.OPERATOR_ROOT_INTENDED,
        EntryKind.OPERATOR_INTENDED,
        EntryKind.CHECKPOINT_INTENDED,
    )
)
"""The entries that announce a signature: each has a leaf in the transparency log."""


@dataclass(slots=True, kw_only=True)
class SignerRecord:
    """One document signer; ``certificate`` is ``None`` where a crash left it unknown whether one exists."""

    signer_id: str
    serial_number: int
    certificate: bytes | None = field(default=None, repr=False)
    revoked_at: datetime | None = None
    reason: str | None = None
    objects_signed: int = 0


class PkiState:
    """The sum of all journal entries so far; ``apply`` adds one."""

    def __init__(self) -> None:
        self.authority_id: str | None = None
        self.authority_certificate: bytes | None = None
        self.authority_name: str | None = None
        self.distribution_point: str | None = None
        self.signers: dict[str, SignerRecord] = {}
        self.serial_numbers: set[int] = set()
        self.crl_number = 0
        self.crl: bytes | None = None
        self.log_origin: str | None = None
        self.log_key: bytes | None = None
        self.is_sealed = False
        """Whether nothing was recorded behind the last checkpoint."""

        self.card_verifiable = CardVerifiableState()
        self._card_verifiable_entries = {
            EntryKind.CV_CERTIFICATE_INTENDED: self.card_verifiable.certificate_intended,
            EntryKind.CV_CERTIFICATE_ISSUED: self.card_verifiable.certificate_issued,
            EntryKind.TERMINAL_BLOCKED: self.card_verifiable.terminal_blocked,
            EntryKind.TERMINAL_REQUEST_INTENDED: self.card_verifiable.request_intended,
            EntryKind.TERMINAL_REQUEST_MADE: self.card_verifiable.request_made,
        }
        self.authorisations = AuthorisationState()
        self._references: Counter[bytes] = Counter()

    def is_reference_used(self, reference: bytes) -> bool:
        """Whether a security object may exist for this reference."""
        return reference in self._references

    def apply(self, entry: JournalEntry) -> None:
        """Take one entry in, in the journal's order.

        Raises:
            RecordError: ``record.damaged``: a kind or a value that this program does not write.
        """
        try:
            kind = EntryKind(entry.kind)
            if kind in self._card_verifiable_entries:
                self._card_verifiable_entries[kind](entry)
            else:
                self._apply(kind, entry)
            self.is_sealed = kind is EntryKind.CHECKPOINT_INTENDED
        except (ValueError, LookupError, PkiDataError) as error:
            raise RecordError(
                f"entry {entry.sequence} of kind {entry.kind[:60]!r} cannot be understood",
                code="record.damaged",
            ) from error

    def _apply(self, kind: EntryKind, entry: JournalEntry) -> None:
        if kind is EntryKind.SECURITY_OBJECT_SIGNED:
            self._apply_security_object(entry)
        elif kind is EntryKind.AUTHORITY_INTENDED:
            self.authority_id = entry.text("key")
            self.authority_name = entry.text("name")
            self.distribution_point = entry.text("distribution_point")
            self.serial_numbers.add(int(entry.text("serial"), 16))
        elif kind is EntryKind.AUTHORITY_ISSUED:
            self.authority_certificate = bytes.fromhex(entry.text("certificate"))
        elif kind is EntryKind.SIGNER_INTENDED:
            serial_number = int(entry.text("serial"), 16)
            self.serial_numbers.add(serial_number)
            signer_id = entry.text("signer")
            self.signers[signer_id] = SignerRecord(signer_id=signer_id, serial_number=serial_number)
        elif kind is EntryKind.SIGNER_ISSUED:
            certificate = bytes.fromhex(entry.text("certificate"))
            self.signers[entry.text("signer")].certificate = certificate
        elif kind is EntryKind.SIGNER_REVOKED:
            signer = self.signers[entry.text("signer")]
            signer.revoked_at = entry.time
            signer.reason = entry.text("reason")
        elif kind is EntryKind.CRL_INTENDED:
            self.crl_number = max(self.crl_number, entry.number("number"))
        elif kind is EntryKind.CRL_ISSUED:
            self.crl = bytes.fromhex(entry.text("crl"))
        elif kind is EntryKind.LOG_STARTED:
            self.log_origin = entry.text("origin")
            self.log_key = bytes.fromhex(entry.text("public_key"))
        else:
            self._apply_authorising(kind, entry)

    def _apply_security_object(self, entry: JournalEntry) -> None:
        self.signers[entry.text("signer")].objects_signed += 1
        self._references[bytes.fromhex(entry.text("reference"))] += 1
        if "batch" in entry.fields:
            self.authorisations.batches[bytes.fromhex(entry.text("batch"))].signed += 1

    def _apply_authorising(self, kind: EntryKind, entry: JournalEntry) -> None:
        if kind is EntryKind.OPERATOR_ROOT_INTENDED:
            self.serial_numbers.add(self.authorisations.root_was_intended(entry))
        elif kind is EntryKind.OPERATOR_ROOT_ISSUED:
            self.authorisations.root_was_issued(entry)
        elif kind is EntryKind.OPERATOR_INTENDED:
            self.serial_numbers.add(self.authorisations.operator_was_intended(entry))
        elif kind is EntryKind.OPERATOR_ENROLLED:
            self.authorisations.operator_was_enrolled(entry)
        elif kind is EntryKind.OPERATOR_REVOKED:
            self.authorisations.operator_was_revoked(entry)
        elif kind is EntryKind.AUTHORISATION_ACCEPTED:
            self.authorisations.batch_was_accepted(entry)
