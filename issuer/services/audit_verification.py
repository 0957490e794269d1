"""What is done for an operation that checks the audit trail (``issuer.services.operations.Work``)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from issuer.domain.audit_chain import ChainHead
from issuer.domain.rights import Actor
from issuer.errors import IssuerRefusedError
from issuer.services.audit_office import AuditOffice
from issuer.services.operation_ports import Operation
from issuer.services.operations import Progress
from issuer.services.register_ports import Register

__all__ = ["AuditVerification"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerification:
    """Checks the whole trail.

    Attributes:
        register: who knows the account's roles of today.
        office: who checks.
        anchors: heads that were kept elsewhere.
        mark: the last head that this home found whole, or ``None``.
    """

    register: Register
    office: AuditOffice
    anchors: Callable[[], Iterable[ChainHead]]
    mark: Callable[[], ChainHead | None]

    def __call__(self, operation: Operation, progress: Progress) -> Mapping[str, int]:
        """Check it; how much was read, and how many faults were found."""
        with self.register.reading() as transaction:
            account = transaction.people.get(operation.account)
            total = transaction.audit.head().sequence
        if not account.is_active:
            raise IssuerRefusedError(f"account {account.name} was disabled", code="right.missing")
        mark = self.mark()
        marks = [] if mark is None else [mark]
        report = self.office.verify(
            actor=Actor(account=account.name, assignments=account.assignments),
            anchors=[*self.anchors(), *marks],
            progress=lambda count: progress(done=count, total=max(total, count)),
        )
        return {
            "records": report.records,
            "checkpoints": report.anchors - len(marks),
            "faults": report.faults,
        }
