"""The status list as work that nobody has to remember: published when cards changed and the time has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.publication_ports import StatusListIssuer
from issuer.services.publish_status import STATUS_LIST, PublishingTimes, StatusPublishing
from pki.errors import PkiError

__all__ = ["STATUS", "StatusDuty"]

STATUS: Final = "status"
"""The kind of job that it is."""

_ACCOUNT: Final = AccountName("system")
"""By whose word a program publishes that nobody told to; no person's account is called so."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDuty:
    """The work list (``issuer.services.job_ports.WorkList``); it holds one key, and only while a list is due.

    Any number of processes look: whoever is alone first publishes, and the others find nothing due any more.
    """

    publishing: StatusPublishing
    issuer: StatusListIssuer
    times: PublishingTimes

    def waiting(self, *, limit: int) -> Sequence[str]:
        """The list, where it is due."""
        return [STATUS_LIST][:limit] if self.publishing.is_due(self.times) else []

    def work(self, key: str) -> None:
        """Publish, unless another process does or has.

        Raises:
            IssuerError: the signer or the trust directory is not to be had; the next look tries again.
        """
        del key
        try:
            published = self.publishing.publish_when_due(
                self.issuer, times=self.times, account=_ACCOUNT
            )
        except IssuerRefusedError as error:
            if error.code != "status.publishing":
                raise
            return
        except PkiError as error:
            raise IssuerUnavailableError(str(error), code=error.code, hint=error.hint) from error
        if published is not None:
            _log.info(
                "status.published",
                number=published.publication.number,
                changes=published.publication.changes,
            )
