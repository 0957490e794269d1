"""Operators, and the batches that they authorised: the part of the PKI's state that two people stand behind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pki.record.journal import JournalEntry
from pki.services.credential_state import CredentialState, read_uses

__all__ = ["AuthorisationState", "BatchRecord", "OperatorRecord"]

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(slots=True, kw_only=True)
class OperatorRecord:
    """One operator; ``certificate`` is ``None`` where a crash left it unknown whether one exists."""

    name: str
    serial_number: int
    certificate: bytes | None = field(default=None, repr=False)
    revoked_at: datetime | None = None
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class BatchRecord:
    """One accepted authorisation; ``signed`` counts security objects recorded against it.

    ``chips`` is of how many chips the keys may be sealed to stations; ``assertions`` has the WebAuthn credentials that
    signed it, with their counters; ``is_closed`` says that nobody knows how much of it was used, because the home was
    restored from a backup.
    """

    batch: bytes
    digest: bytes
    signer_id: str
    cards: int
    until: datetime
    operators: tuple[str, ...]
    signed: int = 0
    chips: int = 0
    assertions: Mapping[bytes, int] = field(default_factory=dict)
    is_closed: bool = False


class AuthorisationState:
    """Built from journal entries, by ``pki.services.state``."""

    def __init__(self) -> None:
        self.roots: list[bytes] = []
        self.operators: dict[str, OperatorRecord] = {}
        self.batches: dict[bytes, BatchRecord] = {}
        self.credentials = CredentialState()
        self.taken_requests: set[str] = set()

    def root_was_issued(self, entry: JournalEntry) -> None:
        """A root that operators may have certificates of: of services and operators, or one of operators alone.

        Homes of before there was one root for both began with one of operators; those certificates count until
        they end.
        """
        self.roots.append(bytes.fromhex(entry.text("certificate")))

    def operator_was_intended(self, entry: JournalEntry) -> int:
        """An operator's certificate may exist; its serial number."""
        serial_number = int(entry.text("serial"), 16)
        name = entry.text("operator")
        self.operators[name] = OperatorRecord(name=name, serial_number=serial_number)
        return serial_number

    def operator_was_enrolled(self, entry: JournalEntry) -> None:
        """An operator's certificate exists."""
        certificate = bytes.fromhex(entry.text("certificate"))
        self.operators[entry.text("operator")].certificate = certificate

    def operator_was_revoked(self, entry: JournalEntry) -> None:
        """An operator authorises nothing any more."""
        operator = self.operators[entry.text("operator")]
        operator.revoked_at = entry.time
        operator.reason = entry.text("reason")

    def request_was_taken(self, entry: JournalEntry) -> None:
        """An approved request was used up."""
        self.taken_requests.add(entry.text("request"))

    def close_batches(self) -> None:
        """What was accepted until now counts no further."""
        for batch in self.batches.values():
            batch.is_closed = True

    def batch_was_accepted(self, entry: JournalEntry) -> None:
        """Cards may be signed against an authorisation from here on."""
        batch = bytes.fromhex(entry.text("batch"))
        assertions = read_uses(entry.text("assertions")) if "assertions" in entry.fields else {}
        self.credentials.were_used(assertions)
        self.batches[batch] = BatchRecord(
            batch=batch,
            digest=bytes.fromhex(entry.text("digest")),
            signer_id=entry.text("signer"),
            cards=entry.number("cards"),
            until=datetime.strptime(entry.text("until"), _TIME_FORMAT).replace(tzinfo=UTC),
            operators=tuple(entry.text("operators").split(",")),
            # Authorisations without chips do not mention them, as journals of before there were any.
            chips=entry.number("chips") if "chips" in entry.fields else 0,
            assertions=assertions,
        )
