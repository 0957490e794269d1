"""Use cases of the auditor: read the trail, check it as a whole, take it along."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import ChainedRecord, ChainHead
from issuer.domain.audit_check import AuditCheck, AuditReport
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.audit_ports import AuditPage, AuditQuestion, AuditTrail
from issuer.services.register_ports import OrganisationRepository, Register

__all__ = [
    "AUDIT_TRAIL",
    "CHECKPOINTED",
    "MAX_PAGE",
    "AuditOffice",
    "NotedHead",
    "TrailEnd",
    "check_trail",
]

AUDIT_TRAIL = "audit-trail"
"""What records call the trail where an act was about itself."""

CHECKPOINTED = "audit.checkpointed"
"""What the trail says of a head of itself that a transparency log has taken in."""

MAX_PAGE = 500
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedHead:
    """A head of the trail that stands in a transparency log, as the trail tells of it.

    Attributes:
        sequence: of the last record that it covers.
        digest: in hexadecimal.
        log_size: how many leaves the log had then.
        at: when the trail noted it (aware UTC).
    """

    sequence: int
    digest: str
    log_size: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEnd:
    """Where the trail ends, and the last head of it that a log has; ``None`` where none has any."""

    head: ChainHead
    noted: NotedHead | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOffice:
    """The trail as an auditor works with it; ``clock`` gives aware UTC."""

    register: Register
    clock: Callable[[], datetime]

    def page(
        self,
        question: AuditQuestion,
        *,
        actor: Actor,
        limit: int = 50,
        before: int | None = None,
    ) -> AuditPage:
        """Records, newest first; those of the actor's part of the tree.

        Raises:
            IssuerRefusedError: ``right.missing``.
            IssuerDataError: ``audit.page-size``.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise IssuerDataError(
                f"got a page of {limit} records, expected 1 to {MAX_PAGE}", code="audit.page-size"
            )
        with self.register.reading() as transaction:
            allowed = _within_reach(question, actor, transaction.organisations)
            return transaction.audit.page_back(allowed, limit=limit, before=before)

    def show(self, sequence: int, *, actor: Actor) -> ChainedRecord:
        """One record.

        Raises:
            IssuerRefusedError: ``right.missing``; ``audit.unknown-record``: there is none, or it is of a part of the
                tree that the actor does not see.
        """
        with self.register.reading() as transaction:
            reach = _within_reach(AuditQuestion(), actor, transaction.organisations).organisations
            record = transaction.audit.at(sequence)
        if record is None or (reach is not None and record.organisation not in reach):
            raise IssuerRefusedError(
                f"there is no record {sequence} in the audit trail", code="audit.unknown-record"
            )
        return record

    def end(self, *, actor: Actor) -> TrailEnd:
        """Where the trail ends, and how much of it a transparency log vouches for.

        Raises:
            IssuerRefusedError: ``right.missing``.
            IssuerUnavailableError: ``audit.head-missing``, ``audit.unreadable``.
        """
        actor.demand(Right.READ_AUDIT, place=(), now=self.clock())
        with self.register.reading() as transaction:
            head = transaction.audit.head()
            noted = next(_heads_noted(transaction.audit), None)
        return TrailEnd(head=head, noted=noted)

    def verify(
        self,
        *,
        actor: Actor,
        anchors: Iterable[ChainHead] = (),
        progress: Callable[[int], None] = lambda _: None,
    ) -> AuditReport:
        """Check the whole trail against itself, and against heads that were kept elsewhere.

        Args:
            actor: who asks.
            anchors: heads of earlier.
            progress: is called with the number of records read so far, now and then.

        Raises:
            IssuerRefusedError: ``right.missing``.
            IssuerUnavailableError: ``audit.head-missing``.
        """
        actor.demand(Right.READ_AUDIT, place=(), now=self.clock())
        with self.register.reading() as transaction:
            # The head first: what comes meanwhile stands behind it.
            head = transaction.audit.head()
            return check_trail(head, transaction.audit.records(), anchors, progress)

    def export(
        self, *, actor: Actor, take: Callable[[ChainHead, Iterator[ChainedRecord]], None]
    ) -> ChainHead:
        """Hand the whole trail out as it is stored; that this was done is recorded first.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        now = self.clock()
        actor.demand(Right.READ_AUDIT, place=(), now=now)
        with self.register.writing() as transaction:
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="audit.exported",
                    subject=AuditSubject.SERVICE,
                    subject_id=AUDIT_TRAIL,
                    details={"records": transaction.audit.head().sequence},
                )
            )
        with self.register.reading() as transaction:
            head = transaction.audit.head()
            records = transaction.audit.records()
            take(head, (each for each in records if each.sequence <= head.sequence))
        return head


def check_trail(
    head: ChainHead,
    records: Iterable[ChainedRecord],
    anchors: Iterable[ChainHead],
    progress: Callable[[int], None] = lambda _: None,
) -> AuditReport:
    """Check a trail, wherever it lies."""
    check = AuditCheck(head, anchors)
    for count, record in enumerate(records, start=1):
        check.take(record)
        if count % 10_000 == 0:
            progress(count)
    return check.conclude()


def _heads_noted(trail: AuditTrail) -> Iterator[NotedHead]:
    """What the trail says of checkpoints, the newest first; nothing else but exports is about the trail itself."""
    question = AuditQuestion(subject=AuditSubject.SERVICE, subject_id=AUDIT_TRAIL)
    before: int | None = None
    while True:
        page = trail.page_back(question, limit=_LOOKED_AT, before=before)
        for each in page.records:
            record = each.record()
            if record.action == CHECKPOINTED:
                yield _noted(record)
        if page.end is None:
            return
        before = page.end


def _noted(record: AuditRecord) -> NotedHead:
    try:
        return NotedHead(
            sequence=int(str(record.details["sequence"])),
            digest=str(record.details["digest"]),
            log_size=int(str(record.details["log_size"])),
            at=record.at,
        )
    except (KeyError, ValueError) as error:
        raise IssuerUnavailableError(
            "a record of a checkpoint in the audit trail cannot be read",
            code="audit.unreadable",
            hint="run: membercard-issuer --home DIR audit verify",
        ) from error


def _within_reach(
    question: AuditQuestion, actor: Actor, organisations: OrganisationRepository
) -> AuditQuestion:
    """The question, narrowed to the part of the tree that the actor may see.

    Raises:
        IssuerRefusedError: ``right.missing``.
    """
    if not actor.may_somewhere(Right.READ_AUDIT):
        raise IssuerRefusedError(
            f"account {actor.account} has no right {Right.READ_AUDIT}", code="right.missing"
        )
    roots = actor.roots(Right.READ_AUDIT)
    if roots is None:
        return question
    reach = organisations.below(roots)
    if question.organisations is not None:
        reach &= frozenset(question.organisations)
    return replace(question, organisations=reach)
