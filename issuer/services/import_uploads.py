"""Use case: lists that come in through the console or the API, and what became of their rows."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.import_members import ImportProgress, MemberImport, MemberListSource
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.import_ports import ImportNumber, ImportRecord
from issuer.services.operation_actor import actor_of_today
from issuer.services.operation_ports import Operation, OperationKind
from issuer.services.operations import OperationDesk, Progress
from issuer.services.register_ports import Register
from issuer.services.upload_ports import Corrections, UploadId, Uploads

__all__ = ["IMPORT_NUMBER", "ImportWork", "Imports"]

IMPORT_NUMBER: Final = "import"
"""Among the counts of an operation: which import it was."""

_UPLOAD: Final = "upload"
_CORRECTION: Final = "correction.xlsx"
_SHOWN: Final = frozenset({RowResult.REFUSED, RowResult.QUESTIONABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Imports:
    """Begins imports, and shows one's own."""

    register: Register
    uploads: Uploads
    operations: OperationDesk
    corrections: Corrections
    clock: Callable[[], datetime]

    def begin(self, upload_id: UploadId, *, actor: Actor) -> Operation:
        """Have an upload imported; the rows' own organisations are judged when they are taken.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        actor.demand_somewhere(Right.IMPORT_MEMBERS, now=self.clock())
        return self.operations.begin(
            OperationKind.IMPORT_MEMBERS, account=actor.account, inputs={_UPLOAD: upload_id}
        )

    def show(self, number: ImportNumber, *, actor: Actor) -> ImportRecord:
        """One's own import.

        Raises:
            IssuerRefusedError: there is none, or it is somebody else's (``import.unknown``).
        """
        with self.register.reading() as transaction:
            record = transaction.imports.get(number)
        if record.account != actor.account:
            raise IssuerRefusedError(f"import {number} is not known", code="import.unknown")
        return record

    def findings(
        self, number: ImportNumber, *, actor: Actor, behind: int = 0, limit: int | None = None
    ) -> Iterator[RowOutcome]:
        """The rows that were refused, or wait for a person, with what was found; those behind a row.

        Raises:
            IssuerRefusedError: ``import.unknown``.
        """
        self.show(number, actor=actor)
        with self.register.reading() as transaction:
            found = (
                each
                for each in transaction.imports.outcomes(number)
                if each.result in _SHOWN and each.row > behind
            )
            yield from itertools.islice(found, limit)

    def has_correction(self, number: ImportNumber, *, actor: Actor) -> bool:
        """Whether one's own import has a file of rows to put right.

        Raises:
            IssuerRefusedError: ``import.unknown``.
        """
        self.show(number, actor=actor)
        return self.corrections.has(number)

    def correction(self, number: ImportNumber, *, actor: Actor) -> bytes:
        """The rows of one's own list that were not taken, with what is wrong (xlsx); the audit trail keeps who had it.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``: it takes the right to export members;
                ``import.unknown``; there is none, or it is gone (``correction.gone``).
        """
        now = self.clock()
        self.show(number, actor=actor)
        # Rows that were not taken are of no part of the tree yet.
        actor.demand_somewhere(Right.EXPORT_MEMBERS, now=now)
        content = self.corrections.get(number)
        with self.register.writing() as transaction:
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="import.correction-downloaded",
                    subject=AuditSubject.IMPORT,
                    subject_id=str(number),
                )
            )
        return content


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportWork:
    """What is done for an operation that imports (``issuer.services.operations.Work``).

    Attributes:
        register: who knows the account's roles of today.
        uploads: the files.
        open_list: judges a list as a whole, as the template is laid out or as a mapping says.
        open_import: the use case that imports, with portraits from a directory.
        write_correction: writes the rows that were not taken to a file.
        corrections: where that file lies for a while.
    """

    register: Register
    uploads: Uploads
    open_list: Callable[[Path, Path | None], AbstractContextManager[MemberListSource]]
    open_import: Callable[[Path], AbstractContextManager[MemberImport]]
    write_correction: Callable[[Path, MemberListSource, Iterator[RowOutcome]], object]
    corrections: Corrections

    def __call__(self, operation: Operation, progress: Progress) -> Mapping[str, int]:
        """Import the list, or go on where an earlier attempt broke off; the files are taken away at the end."""
        upload_id = UploadId(operation.inputs[_UPLOAD])
        actor = actor_of_today(self.register, operation.account)

        def tell(come: ImportProgress) -> None:
            progress(done=come.rows_done, total=come.row_count)

        try:
            with (
                self.uploads.open(upload_id) as stored,
                self.open_list(stored.list_file, stored.mapping) as source,
                self.open_import(stored.portraits) as importing,
            ):
                record = importing.run(source, actor=actor, progress=tell)
                if record.summary.refused or record.summary.questionable:
                    # It lies beside the list itself until it is sealed, and goes with it.
                    path = stored.list_file.with_name(_CORRECTION)
                    self.write_correction(path, source, importing.outcomes(record))
                    self.corrections.keep(record.number, path)
        finally:
            # A process that is killed leaves them for the next attempt.
            self.uploads.remove(upload_id)
        summary = record.summary
        return {
            IMPORT_NUMBER: record.number,
            RowResult.TAKEN.value: summary.taken,
            RowResult.PRESENT.value: summary.already_present,
            RowResult.REFUSED.value: summary.refused,
            RowResult.QUESTIONABLE.value: summary.questionable,
        }
