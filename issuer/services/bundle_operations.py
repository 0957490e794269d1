"""Use case: a bundle that comes in through the console or the API, and is taken while its bearer may leave."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.exchange_desk import told_as_ours
from issuer.services.import_bundle import BundleImport
from issuer.services.operation_actor import actor_of_today
from issuer.services.operation_ports import Operation, OperationKind
from issuer.services.operations import OperationDesk, Progress
from issuer.services.register_ports import Register
from issuer.services.upload_ports import UploadId, Uploads

__all__ = ["REPEATED", "SEQUENCE", "TakeBundleWork", "begin_taking"]

REPEATED: Final = "repeated"
"""Among the counts of an operation: the bundle had been taken before, and nothing was done."""

SEQUENCE: Final = "sequence"
"""Among the counts of an operation: the number that its sender gave the bundle."""

_UPLOAD: Final = "upload"


def begin_taking(operations: OperationDesk, upload_id: UploadId, *, actor: Actor) -> Operation:
    """Have an uploaded bundle taken; at whose place the right is needed is known when it is opened.

    Raises:
        IssuerRefusedError: ``right.missing``.
    """
    if not actor.may_somewhere(Right.EXCHANGE_BUNDLES):
        raise IssuerRefusedError(
            f"account {actor.account} has no right {Right.EXCHANGE_BUNDLES}", code="right.missing"
        )
    return operations.begin(
        OperationKind.TAKE_BUNDLE, account=actor.account, inputs={_UPLOAD: upload_id}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBundleWork:
    """What is done for an operation that takes a bundle (``issuer.services.operations.Work``).

    A worker that died after the bundle was taken leaves a second one that finds it taken: nothing is done twice.
    """

    register: Register
    uploads: Uploads
    importing: Callable[[], AbstractContextManager[BundleImport]]
    max_bytes: int

    def __call__(self, operation: Operation, progress: Progress) -> Mapping[str, int]:
        """Take the file; it is removed at the end."""
        upload_id = UploadId(operation.inputs[_UPLOAD])
        actor = actor_of_today(self.register, operation.account)
        try:
            with (
                told_as_ours(),
                self.uploads.open(upload_id) as stored,
                self.importing() as importing,
            ):
                with stored.list_file.open("rb") as file:
                    content = file.read(self.max_bytes + 1)
                report = importing.take(content, actor=actor, progress=progress)
        finally:
            # A process that is killed leaves it for the next attempt.
            self.uploads.remove(upload_id)
        return {
            **report.record.counts,
            SEQUENCE: report.record.sequence,
            REPEATED: int(report.is_repeated),
        }
