"""The audit trail as work that nobody has to remember: what came is checked, marked, and vouched for by the log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from issuer.domain.audit_chain import ChainHead
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.audit_checkpoints import AuditCheckpointing, checked_head
from issuer.services.register_ports import Register
from pki.errors import PkiError

__all__ = ["AUDIT", "AuditDuty", "HeadMark"]

AUDIT: Final = "audit"
"""The kind of job that it is."""

_ACCOUNT: Final = AccountName("system")
_log = structlog.get_logger(__name__)


class HeadMark(Protocol):
    """The last head that was found whole, kept outside the database: whoever edits that alone is found out."""

    def read(self) -> ChainHead | None:
        """The mark; ``None`` where there is none.

        Raises:
            IssuerDataError: ``audit.mark-malformed``.
            IssuerUnavailableError: ``audit.mark-unavailable``.
        """

    def written_at(self) -> datetime | None:
        """When it was written (aware UTC).

        Raises:
            IssuerUnavailableError: ``audit.mark-unavailable``.
        """

    def write(self, head: ChainHead) -> None:
        """Keep a later head durably.

        Raises:
            IssuerUnavailableError: ``audit.mark-unavailable``.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDuty:
    """The work list (``issuer.services.job_ports.WorkList``); it holds one key, and only while a look is due.

    Attributes:
        register: whose trail it is.
        mark: the last head that was found whole.
        checkpointing: has the head noted by the authority's log; gives ``None`` as long as no log is known.
        every: how long a mark is good.
        clock: aware UTC.
    """

    register: Register
    mark: HeadMark
    checkpointing: Callable[[], AuditCheckpointing | None]
    every: timedelta
    clock: Callable[[], datetime]

    def waiting(self, *, limit: int) -> Sequence[str]:
        """The trail, where it is due."""
        at = self.mark.written_at()
        # A mark of the future is of a clock that was wrong.
        is_due = at is None or not timedelta() <= self.clock() - at < self.every
        return [AUDIT][:limit] if is_due else []

    def work(self, key: str) -> None:
        """Check what came since the mark, move the mark, and have the head noted.

        Raises:
            IssuerRefusedError: the trail was altered (``audit.cut`` and the like): the mark stays, and is due again.
            IssuerUnavailableError: the log or the folder is not to be had; the next look tries again.
        """
        del key
        known = self.mark.read()
        try:
            head = checked_head(self.register, [] if known is None else [known])
        except IssuerRefusedError as error:
            if error.code == "audit.empty":
                return
            _log.error("audit.altered", code=error.code)
            raise
        self.mark.write(head)
        checkpointing = self.checkpointing()
        if checkpointing is None:
            return
        try:
            noted = checkpointing.note(account=_ACCOUNT)
        except PkiError as error:
            raise IssuerUnavailableError(str(error), code=error.code, hint=error.hint) from error
        _log.info("audit.checkpointed", sequence=noted.head.sequence, log_size=noted.log_size)
