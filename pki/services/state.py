"""What an authority has done, rebuilt from its journal: nothing else is its memory.

Every signature is recorded before it is made (``...intended``, or ``security-object.signed`` for cards), so that
after a crash the state knows what may exist: its serial numbers, CRL numbers and references stay used.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from pki.certificates.profile import ProfileKind, ProfileVariant
from pki.errors import PkiDataError, RecordError
from pki.record.journal import JournalEntry
from pki.services.authorisation_state import AuthorisationState
from pki.services.card_verifiable_state import CardVerifiableState
from pki.services.ceremony_state import CeremonyState
from pki.services.entry_kinds import FOLDED_KINDS, SIGNATURE_KINDS, EntryKind
from pki.services.journal_head_state import JournalHeadState
from pki.services.master_key_state import MASTER_KEY_ENTRIES, MasterKeyState
from pki.services.records import AuthorityRecord, KeptFile, ServiceRecord, SignerRecord
from pki.services.reference_index import ReferenceIndex
from pki.services.restore_state import RestoreState

__all__ = [
    "CRL_SERIES",
    "FOLDED_KINDS",
    "MASTER_LIST_SERIES",
    "SERVICE_CRL_SERIES",
    "SIGNATURE_KINDS",
    "STATUS_LIST_SERIES",
    "STOP_LIST_SERIES",
    "TRUST_BUNDLE_SERIES",
    "AuthorityRecord",
    "EntryKind",
    "PkiState",
    "ServiceRecord",
    "SignerRecord",
]

CRL_SERIES = "crl"
SERVICE_CRL_SERIES = "service-crl"
STOP_LIST_SERIES = "stop-list"
STATUS_LIST_SERIES = "status-list"
TRUST_BUNDLE_SERIES = "trust-bundle"
MASTER_LIST_SERIES = "master-list"
"""The series of signed lists; all but master lists have numbers of their own, which only grow."""


class PkiState:
    """The sum of all journal entries so far; ``apply`` adds one."""

    def __init__(self) -> None:
        self.authorities: dict[str, AuthorityRecord] = {}
        self.signers: dict[str, SignerRecord] = {}
        self.services: dict[str, ServiceRecord] = {}
        self.service_authority_id: str | None = None
        self.service_authority_certificate: bytes | None = None
        self.serial_numbers: set[int] = set()
        self.list_numbers: dict[str, int] = {}
        self.crl: bytes | None = None
        self.crl_due: datetime | None = None
        self.stop_list: bytes | None = None
        self.master_list: bytes | None = None
        self.master_list_time: datetime | None = None
        """The signing time of the newest master list that may exist."""

        self.status_list: KeptFile | None = None
        self.trust_bundle: KeptFile | None = None
        self.service_crl: bytes | None = None
        self.references = ReferenceIndex()
        self.log_origin: str | None = None
        self.log_key: bytes | None = None
        self.is_sealed = False
        """Whether nothing was recorded behind the last checkpoint."""

        self.card_verifiable = CardVerifiableState()
        self.authorisations = AuthorisationState()
        self.ceremonies = CeremonyState()
        self.master_keys = MasterKeyState()
        self.restores = RestoreState()
        self.journal_heads = JournalHeadState()
        self.last_time: datetime | None = None
        """When the last entry was recorded."""

        self.sequence = 0
        """Which entry that was."""

    @property
    def authority(self) -> AuthorityRecord | None:
        """The current authority: the newest that is complete, or the first while that one is not.

        A first one that was never complete and whose key was destroyed does not count: another may follow.
        """
        records = [
            record
            for record in self.authorities.values()
            if record.certificate is not None or record.destroyed_at is None
        ]
        complete = [
            record
            for record in records
            if record.certificate is not None and (record is records[0] or record.link is not None)
        ]
        return complete[-1] if complete else records[0] if records else None

    @property
    def authority_id(self) -> str | None:
        """The key of the current authority."""
        return None if self.authority is None else self.authority.key_id

    @property
    def authority_certificate(self) -> bytes | None:
        """The current authority's own certificate."""
        return None if self.authority is None else self.authority.certificate

    @property
    def authority_name(self) -> str | None:
        """What the authority is called."""
        return None if self.authority is None else self.authority.name

    @property
    def distribution_point(self) -> str | None:
        """Where the current authority's CRL is published."""
        return None if self.authority is None else self.authority.distribution_point

    @property
    def crl_number(self) -> int:
        """The highest CRL number that was given."""
        return self.list_numbers.get(CRL_SERIES, 0)

    def is_reference_used(self, reference: bytes) -> bool:
        """Whether a security object may exist for this reference."""
        return reference in self.references

    def folded_counts(self) -> dict[str, int]:
        """What the entries of ``FOLDED_KINDS`` add up to, besides the references."""
        signers = {f"signer:{key}": item.objects_signed for key, item in self.signers.items()}
        batches = self.authorisations.batches
        return signers | {f"batch:{key.hex()}": item.signed for key, item in batches.items()}

    def take_folded(self, counts: Mapping[str, int], references: bytes, *, sequence: int) -> None:
        """Take in what all entries of ``FOLDED_KINDS`` up to ``sequence`` add up to; all others were applied.

        Raises:
            RecordError: ``record.damaged``: they are of other signers and batches.
        """
        if counts.keys() != self.folded_counts().keys():
            raise RecordError("counts are of other signers and batches", code="record.damaged")
        for signer_id, signer in self.signers.items():
            signer.objects_signed = counts[f"signer:{signer_id}"]
        for batch, record in self.authorisations.batches.items():
            record.signed = counts[f"batch:{batch.hex()}"]
        self.references = ReferenceIndex.from_bytes(references)
        # Where the last entry was a card's, something was recorded behind the last checkpoint.
        self.is_sealed = self.is_sealed and self.sequence == sequence
        self.sequence = sequence

    def apply(self, entry: JournalEntry) -> None:
        """Take one entry in, in the journal's order.

        Raises:
            RecordError: ``record.damaged``: a kind or a value that this program does not write.
        """
        try:
            kind = EntryKind(entry.kind)
            apply = _APPLIED.get(kind)
            if apply is not None:
                apply(self, entry)
            self.is_sealed = kind is EntryKind.CHECKPOINT_INTENDED
            self.last_time = entry.time
            self.sequence = entry.sequence
        except (ValueError, LookupError, PkiDataError) as error:
            raise RecordError(
                f"entry {entry.sequence} of kind {entry.kind[:60]!r} cannot be understood",
                code="record.damaged",
            ) from error


def _security_object_signed(state: PkiState, entry: JournalEntry) -> None:
    state.signers[entry.text("signer")].objects_signed += 1
    state.references.add(bytes.fromhex(entry.text("reference")), entry.sequence)
    if "batch" in entry.fields:
        state.authorisations.batches[bytes.fromhex(entry.text("batch"))].signed += 1


def _serial_reserved(state: PkiState, entry: JournalEntry) -> None:
    state.serial_numbers.add(int(entry.text("serial"), 16))


def _number_reserved(state: PkiState, entry: JournalEntry) -> None:
    _count(state, entry.text("series"), entry)


def _authority_intended(state: PkiState, entry: JournalEntry) -> None:
    _serial_reserved(state, entry)
    key_id = entry.text("key")
    state.authorities[key_id] = AuthorityRecord(
        key_id=key_id,
        name=entry.text("name"),
        distribution_point=entry.text("distribution_point"),
        # Journals of before there was a choice have named curves.
        variant=ProfileVariant(entry.fields.get("variant", ProfileVariant.PRIVATE.value)),
    )


def _authority_issued(state: PkiState, entry: JournalEntry) -> None:
    state.authorities[entry.text("key")].certificate = _der(entry)


def _link_intended(state: PkiState, entry: JournalEntry) -> None:
    _serial_reserved(state, entry)


def _link_issued(state: PkiState, entry: JournalEntry) -> None:
    state.authorities[entry.text("key")].link = _der(entry)


def _signer_intended(state: PkiState, entry: JournalEntry) -> None:
    _serial_reserved(state, entry)
    signer_id = entry.text("signer")
    state.signers[signer_id] = SignerRecord(
        signer_id=signer_id,
        serial_number=int(entry.text("serial"), 16),
        # Journals of before there were others know document signers only.
        kind=ProfileKind(entry.fields.get("profile", ProfileKind.DOCUMENT_SIGNER.value)),
    )


def _signer_issued(state: PkiState, entry: JournalEntry) -> None:
    state.signers[entry.text("signer")].certificate = _der(entry)


def _signer_revoked(state: PkiState, entry: JournalEntry) -> None:
    signer = state.signers[entry.text("signer")]
    if signer.revoked_at is None:
        signer.revoked_at = entry.time
        signer.reason = entry.text("reason")


def _signer_compromised(state: PkiState, entry: JournalEntry) -> None:
    _signer_revoked(state, entry)
    signer = state.signers[entry.text("signer")]
    if signer.compromised_at is None:
        signer.compromised_at = entry.time
    if "since" in entry.fields:
        signer.compromised_since = datetime.fromisoformat(entry.text("since"))


def _key_destroyed(state: PkiState, entry: JournalEntry) -> None:
    key_id = entry.text("key")
    # A key that no certificate names is residue of a crash, and nobody's.
    record = state.signers.get(key_id) or state.authorities.get(key_id)
    if record is not None:
        record.destroyed_at = entry.time


def _crl_staged(state: PkiState, entry: JournalEntry) -> None:
    due = datetime.fromisoformat(entry.text("due"))
    state.crl_due = due if state.crl_due is None else min(due, state.crl_due)


def _crl_intended(state: PkiState, entry: JournalEntry) -> None:
    _count(state, CRL_SERIES, entry)


def _crl_issued(state: PkiState, entry: JournalEntry) -> None:
    state.crl = bytes.fromhex(entry.text("crl"))
    state.crl_due = None


def _stop_list_issued(state: PkiState, entry: JournalEntry) -> None:
    state.stop_list = bytes.fromhex(entry.text("list"))


def _master_list_intended(state: PkiState, entry: JournalEntry) -> None:
    state.master_list_time = datetime.fromisoformat(entry.text("signing_time"))


def _master_list_issued(state: PkiState, entry: JournalEntry) -> None:
    state.master_list = bytes.fromhex(entry.text("list"))


def _kept_file(entry: JournalEntry) -> KeptFile:
    return KeptFile(number=entry.number("number"), sha256=entry.text("sha256"))


def _status_list_issued(state: PkiState, entry: JournalEntry) -> None:
    state.status_list = _kept_file(entry)


def _trust_bundle_issued(state: PkiState, entry: JournalEntry) -> None:
    state.trust_bundle = _kept_file(entry)


def _service_authority_intended(state: PkiState, entry: JournalEntry) -> None:
    _serial_reserved(state, entry)
    state.service_authority_id = entry.text("key")


def _service_authority_issued(state: PkiState, entry: JournalEntry) -> None:
    state.service_authority_certificate = _der(entry)
    state.authorisations.root_was_issued(entry)


def _service_intended(state: PkiState, entry: JournalEntry) -> None:
    _serial_reserved(state, entry)
    service_id = entry.text("service")
    state.services[service_id] = ServiceRecord(
        service_id=service_id,
        serial_number=int(entry.text("serial"), 16),
        kind=ProfileKind(entry.text("profile")),
    )


def _service_issued(state: PkiState, entry: JournalEntry) -> None:
    state.services[entry.text("service")].certificate = _der(entry)


def _service_revoked(state: PkiState, entry: JournalEntry) -> None:
    service = state.services[entry.text("service")]
    service.revoked_at = entry.time
    service.reason = entry.text("reason")


def _service_crl_issued(state: PkiState, entry: JournalEntry) -> None:
    state.service_crl = bytes.fromhex(entry.text("crl"))


def _operator_intended(state: PkiState, entry: JournalEntry) -> None:
    state.serial_numbers.add(state.authorisations.operator_was_intended(entry))


def _log_started(state: PkiState, entry: JournalEntry) -> None:
    state.log_origin = entry.text("origin")
    state.log_key = bytes.fromhex(entry.text("public_key"))


def _home_restored(state: PkiState, entry: JournalEntry) -> None:
    # A log that has no name yet gets one of the new epoch when it is started.
    state.restores.apply(entry, origin=state.log_origin)
    if state.log_origin is not None:
        state.log_origin = entry.text("origin")
    for signer in state.signers.values():
        if signer.kind is ProfileKind.DOCUMENT_SIGNER and signer.retired_at is None:
            signer.retired_at = entry.time
    state.authorisations.close_batches()


def _count(state: PkiState, series: str, entry: JournalEntry) -> None:
    state.list_numbers[series] = max(state.list_numbers.get(series, 0), entry.number("number"))


def _der(entry: JournalEntry) -> bytes:
    return bytes.fromhex(entry.text("certificate"))


_APPLIED: Mapping[EntryKind, Callable[[PkiState, JournalEntry], None]] = {
    EntryKind.SECURITY_OBJECT_SIGNED: _security_object_signed,
    EntryKind.SERIAL_RESERVED: _serial_reserved,
    EntryKind.NUMBER_RESERVED: _number_reserved,
    EntryKind.AUTHORITY_INTENDED: _authority_intended,
    EntryKind.AUTHORITY_ISSUED: _authority_issued,
    EntryKind.LINK_INTENDED: _link_intended,
    EntryKind.LINK_ISSUED: _link_issued,
    EntryKind.SIGNER_INTENDED: _signer_intended,
    EntryKind.SIGNER_ISSUED: _signer_issued,
    EntryKind.SIGNER_REVOKED: _signer_revoked,
    EntryKind.SIGNER_COMPROMISED: _signer_compromised,
    EntryKind.KEY_DESTROYED: _key_destroyed,
    EntryKind.CRL_STAGED: _crl_staged,
    EntryKind.CRL_INTENDED: _crl_intended,
    EntryKind.CRL_ISSUED: _crl_issued,
    EntryKind.STOP_LIST_ISSUED: _stop_list_issued,
    EntryKind.MASTER_LIST_INTENDED: _master_list_intended,
    EntryKind.MASTER_LIST_ISSUED: _master_list_issued,
    EntryKind.STATUS_LIST_ISSUED: _status_list_issued,
    EntryKind.TRUST_BUNDLE_ISSUED: _trust_bundle_issued,
    EntryKind.SERVICE_AUTHORITY_INTENDED: _service_authority_intended,
    EntryKind.SERVICE_AUTHORITY_ISSUED: _service_authority_issued,
    EntryKind.SERVICE_INTENDED: _service_intended,
    EntryKind.SERVICE_ISSUED: _service_issued,
    EntryKind.SERVICE_REVOKED: _service_revoked,
    EntryKind.SERVICE_CRL_ISSUED: _service_crl_issued,
    EntryKind.CV_CERTIFICATE_INTENDED: lambda state, entry: (
        state.card_verifiable.certificate_intended(entry)
    ),
    EntryKind.CV_CERTIFICATE_ISSUED: lambda state, entry: state.card_verifiable.certificate_issued(
        entry
    ),
    EntryKind.TERMINAL_BLOCKED: lambda state, entry: state.card_verifiable.terminal_blocked(entry),
    EntryKind.TERMINAL_REQUEST_INTENDED: lambda state, entry: (
        state.card_verifiable.request_intended(entry)
    ),
    EntryKind.TERMINAL_REQUEST_MADE: lambda state, entry: state.card_verifiable.request_made(entry),
    EntryKind.OPERATOR_ROOT_INTENDED: _serial_reserved,
    EntryKind.OPERATOR_ROOT_ISSUED: lambda state, entry: state.authorisations.root_was_issued(
        entry
    ),
    EntryKind.OPERATOR_INTENDED: _operator_intended,
    EntryKind.OPERATOR_ENROLLED: lambda state, entry: state.authorisations.operator_was_enrolled(
        entry
    ),
    EntryKind.OPERATOR_REVOKED: lambda state, entry: state.authorisations.operator_was_revoked(
        entry
    ),
    EntryKind.CREDENTIAL_CHALLENGED: lambda state, entry: (
        state.authorisations.credentials.challenge_was_made(entry)
    ),
    EntryKind.CREDENTIAL_ENROLLED: lambda state, entry: (
        state.authorisations.credentials.credential_was_enrolled(entry)
    ),
    EntryKind.CREDENTIAL_REVOKED: lambda state, entry: (
        state.authorisations.credentials.credential_was_revoked(entry)
    ),
    EntryKind.AUTHORISATION_ACCEPTED: lambda state, entry: state.authorisations.batch_was_accepted(
        entry
    ),
    EntryKind.LOG_STARTED: _log_started,
    EntryKind.JOURNAL_HEAD_NOTED: lambda state, entry: state.journal_heads.apply(entry),
    EntryKind.REQUEST_TAKEN: lambda state, entry: state.authorisations.request_was_taken(entry),
    EntryKind.CEREMONY_BEGUN: lambda state, entry: state.ceremonies.begin(entry),
    EntryKind.QUORUM_CHOSEN: lambda state, entry: state.ceremonies.choose(entry),
    EntryKind.HOME_RESTORED: _home_restored,
    EntryKind.QUORUM_SET: lambda state, entry: state.ceremonies.set(entry),
    **{
        EntryKind(kind): lambda state, entry: state.master_keys.apply(entry)
        for kind in MASTER_KEY_ENTRIES
    },
}
