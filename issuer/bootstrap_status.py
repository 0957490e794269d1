"""Puts the publishing of status lists together: the folders, the signer process, and the duty of a serving process."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from issuer.bootstrap import RegisterHome
from issuer.db.status_ledger import SqlStatusLedger
from issuer.services.publish_status import PublishingTimes, StatusPublishing
from issuer.services.status_duty import StatusDuty
from issuer.status_files import SocketStatusIssuer, StatusFolders

__all__ = ["publishing_of", "status_duty_of"]

_KEPT: Final = "status"
"""The folder of a home where the published list is kept."""


def publishing_of(opened: RegisterHome, *, trust: Path | None = None) -> StatusPublishing:
    """The use case over a home; ``trust`` takes the place of the trust directory of the settings."""
    return StatusPublishing(
        ledger=SqlStatusLedger(opened.database),
        shelf=StatusFolders(
            kept=opened.home / _KEPT, trust=trust or opened.settings.status.trust_directory
        ),
        clock=_now,
    )


def status_duty_of(opened: RegisterHome) -> StatusDuty | None:
    """The duty to publish; ``None`` where the settings ask for none, or name no signer process."""
    settings = opened.settings.status
    if settings.publish_minutes is None or settings.signer_socket is None:
        return None
    return StatusDuty(
        publishing=publishing_of(opened),
        issuer=SocketStatusIssuer(path=settings.signer_socket),
        times=PublishingTimes(
            every=timedelta(minutes=settings.publish_minutes), days=settings.days
        ),
    )


def _now() -> datetime:
    return datetime.now(UTC)
