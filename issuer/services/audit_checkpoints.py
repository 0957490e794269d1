"""Use case: have the trail's head taken into the authority's transparency log, where nobody of this house can change it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import ChainHead
from issuer.domain.audit_check import AuditCheck, AuditFault
from issuer.domain.rights import AccountName, Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.audit_office import AUDIT_TRAIL, CHECKPOINTED
from issuer.services.register_ports import Register

__all__ = [
    "AuditCheckpoint",
    "AuditCheckpointing",
    "CheckpointShelf",
    "HeadNotary",
    "checked_head",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCheckpoint:
    """A head of the trail that stands in a transparency log.

    Attributes:
        head: what stands there.
        origin: the log's name.
        log_size: how many leaves the log's checkpoint has that the proof is under.
        proof: the proof as a file (C2SP tlog-proof), which needs nothing but the log's key.
    """

    head: ChainHead
    origin: str
    log_size: int
    proof: bytes = field(repr=False)


class HeadNotary(Protocol):
    """Whoever keeps the log."""

    def note(self, head: ChainHead) -> AuditCheckpoint:
        """Have a head taken into the log; the proof that comes back was checked.

        Raises:
            PkiError: it is not done, or refused: a longer trail was noted (``journal-head.back``), or another one.
        """


class CheckpointShelf(Protocol):
    """The checkpoints that this installation keeps; copies belong elsewhere."""

    def all(self) -> Sequence[AuditCheckpoint]:
        """By length of the trail, each checked.

        Raises:
            IssuerUnavailableError, PkiError: one cannot be read, or is not signed by a log that is known.
        """

    def put(self, checkpoint: AuditCheckpoint) -> None:
        """Keep one durably.

        Raises:
            IssuerUnavailableError: ``audit.checkpoint-unwritable``.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCheckpointing:
    """Checks what came since the last checkpoint, and has the head noted; ``clock`` gives aware UTC."""

    register: Register
    notary: HeadNotary
    shelf: CheckpointShelf
    clock: Callable[[], datetime]

    def checkpoint(self, *, actor: Actor) -> AuditCheckpoint:
        """A checkpoint of all that was recorded until now; the last one where nothing was since.

        Raises:
            IssuerRefusedError: ``right.missing``; ``audit.empty``: there is nothing to note; ``audit.altered`` and the
                like: what is there must not be vouched for.
            PkiError: the log refuses the head, or is not to be had.
        """
        actor.demand(Right.OPERATE_SERVICE, place=(), now=self.clock())
        return self.note(account=actor.account)

    def note(self, *, account: AccountName) -> AuditCheckpoint:
        """The same, where nobody has to be asked for a right: a program does what its settings say.

        Raises:
            IssuerRefusedError, PkiError: as ``checkpoint``.
        """
        kept = self.shelf.all()
        last = kept[-1] if kept else None
        head = checked_head(self.register, [each.head for each in kept])
        if last is not None and self._is_told_of(head, last):
            return last
        checkpoint = self.notary.note(head)
        self.shelf.put(checkpoint)
        with self.register.writing() as transaction:
            transaction.audit.append(
                AuditRecord(
                    at=self.clock(),
                    account=account,
                    action=CHECKPOINTED,
                    subject=AuditSubject.SERVICE,
                    subject_id=AUDIT_TRAIL,
                    details={
                        "sequence": head.sequence,
                        "digest": head.digest.hex(),
                        "log_size": checkpoint.log_size,
                    },
                )
            )
        return checkpoint

    def _is_told_of(self, head: ChainHead, last: AuditCheckpoint) -> bool:
        """Whether nothing came behind the last checkpoint but the record of it."""
        if head.sequence != last.head.sequence + 1:
            return head == last.head
        with self.register.reading() as transaction:
            record = transaction.audit.at(head.sequence)
        return record is not None and record.action == CHECKPOINTED


def checked_head(register: Register, anchors: Sequence[ChainHead]) -> ChainHead:
    """The trail's end, once everything behind the last of these heads has been checked.

    Raises:
        IssuerRefusedError: ``audit.empty``; ``audit.altered`` and the like: the trail must not be vouched for.
    """
    start = anchors[-1] if anchors else None
    with register.reading() as transaction:
        head = transaction.audit.head()
        if head.sequence == 0 and start is None:
            raise IssuerRefusedError("the audit trail has no record yet", code="audit.empty")
        if start is not None and head.sequence < start.sequence:
            raise IssuerRefusedError(
                f"the audit trail ends at record {head.sequence}, expected {start.sequence} or more",
                code=AuditFault.CUT.value,
                hint="run: membercard-issuer --home DIR audit verify",
            )
        check = AuditCheck(head, anchors[-1:], start=start)
        for record in transaction.audit.records(behind=0 if start is None else start.sequence):
            if record.sequence <= head.sequence:
                check.take(record)
    report = check.conclude()
    if report.findings:
        found = report.findings[0]
        raise IssuerRefusedError(
            f"the audit trail is not vouched for: {found.sentence}",
            code=found.fault.value,
            hint="run: membercard-issuer --home DIR audit verify",
        )
    return head
