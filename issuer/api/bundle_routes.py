"""Bundles over HTTP: another register or a member database hands one in; conflicts are shown and settled."""

import uuid
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from issuer.api.gate import Caller, Demand, Services
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.api.upload_forms import form_of
from issuer.domain.bundle import ConflictId, ConflictKind, ConflictState
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.bundle_ports import BundleRecord, Conflict, Direction
from issuer.services.exchange_desk import ExchangeDesk
from issuer.services.import_bundle import ImportReport
from issuer.services.settle_conflicts import ConflictChoice
from pki.errors import PkiDataError, PkiRefusedError
from pki.signed.sealed_envelope import MAX_SEALED_BYTES

__all__ = ["bundle_router"]

bundle_router = APIRouter(prefix="/v1", tags=["bundles"])

_FILE: Final = "bundle"
_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [_FILE],
                    "properties": {_FILE: {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}

Exchanger = Annotated[Caller, Depends(Demand(Right.EXCHANGE_BUNDLES))]
ConflictPath = Annotated[
    uuid.UUID, Path(description="The conflict.", examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
]


class NewestQuery(BaseModel):
    """How many."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)


class BundleDocument(BaseModel):
    """A bundle that was made or taken, and what it carried or became."""

    instance: str = Field(examples=["xa-mau"])
    direction: Direction
    sequence: int = Field(ge=1)
    sha256: str
    at: datetime
    account: str
    counts: dict[str, int]

    @classmethod
    def of(cls, record: BundleRecord) -> "BundleDocument":
        """The document of a record."""
        return cls(
            instance=record.instance,
            direction=record.direction,
            sequence=record.sequence,
            sha256=record.digest.hex(),
            at=record.at,
            account=record.account,
            counts=dict(record.counts),
        )


class BundlesDocument(BaseModel):
    """The newest first."""

    bundles: list[BundleDocument]


class FoundDocument(BaseModel):
    """Something of a bundle that was not taken by itself."""

    kind: str
    subject: str
    code: str = Field(examples=["bundle.both-changed"])
    sentence: str
    columns: list[str]


class ReportDocument(BaseModel):
    """What became of a bundle; ``is_repeated``: it had been taken before, and nothing was done."""

    bundle: BundleDocument
    is_repeated: bool
    conflicts: list[FoundDocument]

    @classmethod
    def of(cls, report: ImportReport) -> "ReportDocument":
        """The document of a report."""
        return cls(
            bundle=BundleDocument.of(report.record),
            is_repeated=report.is_repeated,
            conflicts=[
                FoundDocument(
                    kind=each.kind,
                    subject=each.subject_id,
                    code=each.code,
                    sentence=each.sentence,
                    columns=list(each.columns),
                )
                for each in report.conflicts
            ],
        )


class ConflictDocument(BaseModel):
    """A conflict that waits for a person, without anybody's data."""

    id: str
    instance: str
    sequence: int
    kind: ConflictKind
    subject: str
    organisation: str
    member: str | None
    code: str
    sentence: str
    columns: list[str]
    found_at: datetime

    @classmethod
    def of(cls, conflict: Conflict) -> "ConflictDocument":
        """The document of a conflict."""
        return cls(
            id=str(conflict.conflict_id),
            instance=conflict.instance,
            sequence=conflict.sequence,
            kind=conflict.kind,
            subject=conflict.subject_id,
            organisation=conflict.organisation,
            member=None if conflict.member_id is None else str(conflict.member_id),
            code=conflict.code,
            sentence=conflict.sentence,
            columns=list(conflict.columns),
            found_at=conflict.found_at,
        )


class ConflictsDocument(BaseModel):
    """The oldest first."""

    conflicts: list[ConflictDocument]


class ChoiceDocument(BaseModel):
    """Whose statement is true (docs/bundles.md), and why."""

    model_config = ConfigDict(extra="forbid")

    choice: ConflictChoice
    reason: str = Field(min_length=1, max_length=400)


class SettledDocument(BaseModel):
    """A conflict as it is now, and how many requests that waited for it were taken."""

    id: str
    state: ConflictState
    requests_taken: int = Field(ge=0)


@bundle_router.post("/bundles", summary="Hand in a bundle", openapi_extra=_FORM)
async def take_bundle(caller: Exchanger, services: Services, request: Request) -> ReportDocument:
    """Taken once, in order, whole or not at all: the same file again gives the same report and changes nothing."""
    desk = _desk(services)
    async with form_of(request, max_files=1, max_fields=0) as form:
        files = [each for each in form.values() if isinstance(each, UploadFile)]
        if len(files) != 1 or list(form) != [_FILE]:
            raise ApiError(
                f"got {len(files)} files, expected one: {_FILE}", code="api.request-invalid"
            )
        content = await files[0].read(MAX_SEALED_BYTES + 1)
    return await run_in_threadpool(_take, desk, caller, content)


@bundle_router.get("/bundles", summary="Bundles made and taken")
def list_bundles(
    caller: Exchanger, services: Services, query: Annotated[NewestQuery, Query()]
) -> BundlesDocument:
    """Counts and digests, nobody's data."""
    del caller
    found = _desk(services).newest(limit=query.limit)
    return BundlesDocument(bundles=[BundleDocument.of(each) for each in found])


@bundle_router.get("/conflicts", summary="Conflicts with other instances")
def list_conflicts(
    caller: Exchanger, services: Services, query: Annotated[NewestQuery, Query()]
) -> ConflictsDocument:
    """Those of one's own part of the tree that wait for a person."""
    found = _desk(services).waiting(actor=caller.actor, limit=query.limit)
    return ConflictsDocument(conflicts=[ConflictDocument.of(each) for each in found])


@bundle_router.post("/conflicts/{conflict}", summary="Settle a conflict")
def settle_conflict(
    caller: Exchanger, services: Services, conflict: ConflictPath, content: ChoiceDocument
) -> SettledDocument:
    """Say whose statement is true; a conflict is settled once."""
    settled = _desk(services).settle(
        ConflictId(conflict), content.choice, reason=content.reason, actor=caller.actor
    )
    return SettledDocument(
        id=str(conflict),
        state=settled.conflict.state,
        requests_taken=settled.requests_taken,
    )


def _take(desk: ExchangeDesk, caller: Caller, content: bytes) -> ReportDocument:
    try:
        return ReportDocument.of(desk.take(content, actor=caller.actor))
    except PkiDataError as error:
        raise IssuerDataError(str(error), code=error.code) from error
    except PkiRefusedError as error:
        raise IssuerRefusedError(str(error), code=error.code) from error


def _desk(services: ApiServices) -> ExchangeDesk:
    if services.exchange is None:
        raise IssuerRefusedError(
            "this register exchanges no bundles", code="exchange.not-installed"
        )
    return services.exchange
