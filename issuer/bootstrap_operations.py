"""Puts long work together: the ledger of operations, what is done for each kind, and who runs it."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from issuer.bootstrap import RegisterHome, open_member_import
from issuer.bootstrap_bundles import open_bundle_import
from issuer.bootstrap_duties import audit_folder_of, audit_mark_of, duties_of
from issuer.bootstrap_jobs import Jobs, jobs_of
from issuer.bootstrap_reports import reports_of
from issuer.bootstrap_requests import requests_of
from issuer.bootstrap_signing import SignerProcess
from issuer.db.operations import SqlOperationLedger
from issuer.imports.correction import write_correction
from issuer.imports.member_layout import member_layout
from issuer.imports.open_table import open_laid_out
from issuer.imports.table import Table
from issuer.services.audit_office import AuditOffice
from issuer.services.audit_verification import AuditVerification
from issuer.services.batch_desk import BatchDesk
from issuer.services.batch_operations import SignWork
from issuer.services.bundle_operations import TakeBundleWork
from issuer.services.decision_operations import ConfirmWork, DropWork, TableWork
from issuer.services.import_members import MemberListSource
from issuer.services.import_outcome import RowOutcome
from issuer.services.import_uploads import ImportWork
from issuer.services.operation_ports import OperationKind
from issuer.services.operations import OPERATIONS, OperationDesk, OperationWork, Work
from issuer.services.reports import ReportCounting
from issuer.services.request_operations import DraftWork, StepWork
from issuer.stations.exchange_keys import KeystoreCalls
from issuer.uploads.folder_uploads import FolderUploads
from issuer.uploads.sealed_corrections import SealedCorrections
from pki.signed.sealed_envelope import MAX_SEALED_BYTES

__all__ = [
    "corrections_of",
    "jobs_of_operations",
    "operation_desk",
    "running",
    "uploads_of",
]

_UPLOADS: Final = "uploads"
_CORRECTIONS: Final = "corrections"


def jobs_of_operations(opened: RegisterHome, *, keystore: KeystoreCalls | None = None) -> Jobs:
    """What a home's programs do behind answers, and unasked; ``keystore`` is one that is held open already."""
    requests = requests_of(opened)
    works: Mapping[OperationKind, Work] = {
        OperationKind.IMPORT_MEMBERS: ImportWork(
            register=opened.register,
            uploads=uploads_of(opened),
            open_list=lambda path, mapping: open_laid_out(path, member_layout(mapping)),
            open_import=lambda directory: open_member_import(opened, directory),
            write_correction=_write_correction,
            corrections=corrections_of(opened),
        ),
        OperationKind.DRAFT_REQUESTS: DraftWork(
            register=opened.register, drafting=requests.drafting
        ),
        OperationKind.MOVE_REQUESTS: StepWork(
            register=opened.register, reading=requests.reading, steps=requests.steps
        ),
        OperationKind.TABLE_REQUESTS: TableWork(
            register=opened.register,
            reading=requests.reading,
            preparing=requests.preparing,
            clock=_now,
        ),
        OperationKind.CONFIRM_DECISION: ConfirmWork(
            register=opened.register, confirming=requests.confirming
        ),
        OperationKind.DROP_DECISION: DropWork(
            register=opened.register, preparing=requests.preparing
        ),
        OperationKind.VERIFY_AUDIT: AuditVerification(
            register=opened.register,
            office=AuditOffice(register=opened.register, clock=_now),
            anchors=lambda: [each.head for each in audit_folder_of(opened.home).all()],
            mark=audit_mark_of(opened.home).read,
        ),
        OperationKind.TAKE_BUNDLE: TakeBundleWork(
            register=opened.register,
            uploads=uploads_of(opened),
            importing=lambda: open_bundle_import(opened, keystore=keystore),
            max_bytes=MAX_SEALED_BYTES,
        ),
        OperationKind.COUNT_REPORTS: ReportCounting(reports=reports_of(opened)),
        OperationKind.SIGN_BATCH: SignWork(
            desk=BatchDesk(register=opened.register, clock=_now),
            signer=SignerProcess(opened=opened),
        ),
    }
    work_list = OperationWork(ledger=SqlOperationLedger(opened.database), works=works, clock=_now)
    return jobs_of(opened.database, {OPERATIONS: work_list, **duties_of(opened)})


def uploads_of(opened: RegisterHome) -> FolderUploads:
    """Where files that came in wait."""
    return FolderUploads(opened.home / _UPLOADS)


def corrections_of(opened: RegisterHome) -> SealedCorrections:
    """Where correction files lie until they are too old; no backup holds them."""
    return SealedCorrections(
        opened.home / _CORRECTIONS,
        opened.register_sealer,
        clock=_now,
    )


def _write_correction(path: Path, source: MemberListSource, outcomes: Iterator[RowOutcome]) -> None:
    if not isinstance(source, Table):
        raise TypeError(f"got a list of type {type(source).__name__}, expected a table")
    write_correction(path, source, outcomes)


def operation_desk(opened: RegisterHome, jobs: Jobs) -> OperationDesk:
    """Where operations begin and are asked for."""
    return OperationDesk(ledger=SqlOperationLedger(opened.database), jobs=jobs, clock=_now)


@contextlib.contextmanager
def running(jobs: Jobs) -> Iterator[None]:
    """Run jobs in a thread of this process; what is under way at the end is finished first."""
    stop = threading.Event()
    runner = threading.Thread(target=jobs.run, args=(stop,), name="jobs")
    runner.start()
    try:
        yield
    finally:
        stop.set()
        runner.join()


def _now() -> datetime:
    return datetime.now(UTC)
