"""What a serving process does unasked: status lists, the audit trail, and the few things of every day."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from issuer.audit_checkpoints import CheckpointFolder, SocketNotary
from issuer.bootstrap import RegisterHome
from issuer.bootstrap_status import status_duty_of
from issuer.db.operations import SqlIdempotencyLedger
from issuer.db.production_tables import CardContentsRow, CardRow
from issuer.domain.rights import AccountName
from issuer.services.audit_checkpoints import AuditCheckpointing
from issuer.services.audit_duty import AUDIT, AuditDuty
from issuer.services.daily_duty import DAILY, DailyDuty
from issuer.services.destroy_files import DestructionOfFiles
from issuer.services.expire_cards import CardExpiry
from issuer.services.job_ports import WorkList
from issuer.services.status_duty import STATUS
from issuer.storage.audit_head_file import FileHeadMark

__all__ = ["audit_folder_of", "audit_mark_of", "duties_of"]

_AUDIT: Final = "audit"
_KEYS_KEPT: Final = timedelta(days=7)
_SYSTEM: Final = AccountName("system")


def audit_folder_of(home: Path) -> CheckpointFolder:
    """Where a home's checkpoints and the keys of logs are kept; no backup holds them."""
    return CheckpointFolder(home / _AUDIT)


def audit_mark_of(home: Path) -> FileHeadMark:
    """The last head of the trail that was found whole, beside the checkpoints."""
    return FileHeadMark(home / _AUDIT)


def duties_of(opened: RegisterHome) -> Mapping[str, WorkList]:
    """The duties by their kinds, as far as the settings ask for them."""
    duties: dict[str, WorkList] = {DAILY: _daily_of(opened)}
    status = status_duty_of(opened)
    if status is not None:
        duties[STATUS] = status
    if opened.settings.audit.check_minutes is not None:
        duties[AUDIT] = _audit_of(
            opened, every=timedelta(minutes=opened.settings.audit.check_minutes)
        )
    return duties


def _daily_of(opened: RegisterHome) -> DailyDuty:
    expiry = CardExpiry(register=opened.register, clock=_now)
    idempotency = SqlIdempotencyLedger(opened.database)
    files = DestructionOfFiles(
        register=opened.register, portraits=opened.portraits, evidence=opened.evidence
    )
    return DailyDuty(
        (
            lambda: expiry.expire(account=_SYSTEM),
            lambda: idempotency.forget(before=_now() - _KEYS_KEPT),
            # What a hand-over has destroyed is let go of by the database, too.
            lambda: opened.database.forget_old_versions(
                of=(CardRow.__tablename__, CardContentsRow.__tablename__)
            ),
            # A picture that a member does not have any more may have waited for a card to be handed over. It goes last: a
            # folder that cannot be written keeps nothing else from being done.
            files.destroy,
        ),
        _now,
    )


def _audit_of(opened: RegisterHome, *, every: timedelta) -> AuditDuty:
    socket, folder = opened.settings.audit_signer_socket, audit_folder_of(opened.home)

    def checkpointing() -> AuditCheckpointing | None:
        # The log's key is given once, by people; until then nobody's proof could be believed.
        if socket is None or not folder.keys():
            return None
        notary = SocketNotary(path=socket, folder=folder)
        return AuditCheckpointing(register=opened.register, notary=notary, shelf=folder, clock=_now)

    return AuditDuty(
        register=opened.register,
        mark=audit_mark_of(opened.home),
        checkpointing=checkpointing,
        every=every,
        clock=_now,
    )


def _now() -> datetime:
    return datetime.now(UTC)
