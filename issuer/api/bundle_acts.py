"""Taking a bundle in, for programs and for the console's form alike: kept, answered with an operation, taken behind it."""

from typing import Final

from issuer.api.gate import Caller
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.operation_routes import OperationDocument
from issuer.api.ports import ApiServices
from issuer.services.bundle_operations import begin_taking
from issuer.services.operation_ports import KeptAnswer
from issuer.services.upload_ports import UploadedFile

__all__ = ["BUNDLE_FIELD", "take_bundle_once"]

BUNDLE_FIELD: Final = "bundle"
"""The file's name in the form, and that under which it is kept."""


def take_bundle_once(
    services: ApiServices, caller: Caller, file: UploadedFile, *, key: str
) -> KeptAnswer:
    """Keep the file durably, and have it taken; the same file under the same key is one operation.

    Raises:
        IssuerRefusedError: ``right.missing``, ``idempotency.key-reused``, ``idempotency.outcome-unknown``.
        IssuerUnavailableError: the file cannot be kept (``upload.unavailable``).
    """
    upload_id, digest = services.uploads.put(file, ())
    has_begun = False

    def act() -> Receipt:
        nonlocal has_begun
        operation = begin_taking(services.operations, upload_id, actor=caller.actor)
        has_begun = True
        return Receipt(
            status=202,
            location=f"/v1/operations/{operation.operation_id}",
            document=OperationDocument.of(operation),
        )

    mark = mark_of(caller.actor.account, key, what="take a bundle", content=digest)
    try:
        return carry_out_once(services, mark, act)
    finally:
        if not has_begun:
            # The same request again, or a refusal: nobody works on this copy.
            services.uploads.remove(upload_id)
