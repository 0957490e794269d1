"""Imports: a list with its portraits comes in, an operation takes it, a report says what became of its rows."""

import contextlib
import csv
import io
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import StreamingResponse

from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, Receipt, answer_of, carry_out_once, mark_of
from issuer.api.operation_routes import OperationDocument
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.api.upload_forms import form_of
from issuer.domain.rights import Right
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.import_ports import ImportNumber, ImportRecord
from issuer.services.operation_ports import KeptAnswer
from issuer.services.upload_ports import UploadedFile

__all__ = [
    "FindingDocument",
    "ImportNumberPath",
    "Importer",
    "begin_import",
    "correction_of",
    "findings_of",
    "import_router",
    "report_of",
    "upload_of",
]

import_router = APIRouter(prefix="/v1/imports", tags=["imports"])

_FILES: Final = "multipart/form-data"
_WORKBOOK: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MAX_FILES: Final = 5000
_MAX_FIELDS: Final = 4
_REPORT_COLUMNS: Final = ("row", "result", "column", "code", "reason")
_BYTE_ORDER_MARK: Final = "\ufeff"

Importer = Annotated[Caller, Depends(Demand(Right.IMPORT_MEMBERS))]
ImportNumberPath = Annotated[
    int, Path(ge=1, le=2**31 - 1, description="The import.", examples=[12])
]


class _Upload:
    """What came in: the list, a mapping where it has other columns, the portraits, and the fields beside them."""

    def __init__(
        self,
        list_file: UploadFile,
        mapping: UploadFile | None,
        portraits: list[UploadFile],
        fields: dict[str, str],
    ) -> None:
        self.list_file = _as_uploaded(list_file)
        self.mapping = None if mapping is None else _as_uploaded(mapping)
        self.portraits = [_as_uploaded(each) for each in portraits]
        self.fields = fields


def _as_uploaded(file: UploadFile) -> UploadedFile:
    return UploadedFile(name=file.filename or "", content=file.file)


@contextlib.asynccontextmanager
async def upload_of(request: Request) -> AsyncIterator[_Upload]:
    """The files of a request, until the block ends; the boundary counts them on the way.

    Raises:
        ApiError: ``api.media-type``, ``api.body-malformed``, ``api.request-invalid``.
    """
    async with form_of(request, max_files=_MAX_FILES, max_fields=_MAX_FIELDS) as form:
        yield _sorted_out(form)


def _sorted_out(form: FormData) -> _Upload:
    files: dict[str, list[UploadFile]] = {"list": [], "mapping": [], "portraits": []}
    fields = dict[str, str]()
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields[name] = value
        elif name not in files:
            raise ApiError(
                "a file has another name than list, mapping or portraits",
                code="api.request-invalid",
            )
        elif value.filename:
            # A browser sends one without a name where none was chosen.
            files[name].append(value)
    lists, mappings = files["list"], files["mapping"]
    if len(lists) != 1:
        raise ApiError(f"got {len(lists)} lists, expected one", code="api.request-invalid")
    if len(mappings) > 1:
        raise ApiError(
            f"got {len(mappings)} mappings, expected at most one", code="api.request-invalid"
        )
    return _Upload(lists[0], mappings[0] if mappings else None, files["portraits"], fields)


class ImportDocument(BaseModel):
    """How an import has ended, or how far it is."""

    number: int = Field(examples=[12])
    rows: int = Field(ge=0)
    taken: int = Field(ge=0)
    already_present: int = Field(ge=0)
    refused: int = Field(ge=0)
    questionable: int = Field(ge=0)
    is_finished: bool

    @classmethod
    def of(cls, record: ImportRecord) -> "ImportDocument":
        """The document of an import."""
        summary = record.summary
        return cls(
            number=record.number,
            rows=summary.rows,
            taken=summary.taken,
            already_present=summary.already_present,
            refused=summary.refused,
            questionable=summary.questionable,
            is_finished=record.finished_at is not None,
        )


class FindingDocument(BaseModel):
    """One thing that is wrong with a row, or that a person has to look at."""

    row: int = Field(ge=1)
    result: RowResult
    column: str = Field(examples=["birth_date"])
    code: str = Field(examples=["date.impossible"])
    reason: str


class FindingsDocument(BaseModel):
    """Findings in the order of their rows; ``next`` is the row behind which there are more."""

    findings: list[FindingDocument]
    next: int | None = None


class FindingsQuery(BaseModel):
    """Which findings: those of the rows behind one; rows say nothing about anybody, so they are their own cursor."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(default=0, ge=0, le=2**31 - 1)
    limit: int = Field(default=50, ge=1, le=200)


def begin_import(services: ApiServices, caller: Caller, upload: _Upload, *, key: str) -> KeptAnswer:
    """Keep the files, and have them imported; the same files under the same key are imported once."""
    upload_id, digest = services.uploads.put(
        upload.list_file, upload.portraits, mapping=upload.mapping
    )
    mark = mark_of(caller.actor.account, key, what="POST /v1/imports", content=digest)
    is_begun = False

    def act() -> Receipt:
        nonlocal is_begun
        operation = services.imports.begin(upload_id, actor=caller.actor)
        is_begun = True
        return Receipt(
            status=202,
            location=f"/v1/operations/{operation.operation_id}",
            document=OperationDocument.of(operation),
        )

    try:
        return carry_out_once(services, mark, act)
    finally:
        if not is_begun:
            services.uploads.remove(upload_id)


def findings_of(
    services: ApiServices, caller: Caller, number: int, *, after: int, limit: int
) -> FindingsDocument:
    """A page of findings, of so many rows."""
    rows = list(
        services.imports.findings(
            ImportNumber(number), actor=caller.actor, behind=after, limit=limit + 1
        )
    )
    return FindingsDocument(
        findings=[each for row in rows[:limit] for each in _documents(row)],
        next=rows[limit - 1].row if len(rows) > limit else None,
    )


def report_of(services: ApiServices, caller: Caller, number: int) -> StreamingResponse:
    """Every finding as a csv file that spreadsheets read."""
    services.imports.show(ImportNumber(number), actor=caller.actor)

    def lines() -> Iterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        buffer.write(_BYTE_ORDER_MARK)
        writer.writerow(_REPORT_COLUMNS)
        for row in services.imports.findings(ImportNumber(number), actor=caller.actor):
            for each in _documents(row):
                writer.writerow((each.row, each.result.value, each.column, each.code, each.reason))
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
        yield buffer.getvalue()

    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="import-{number}.csv"'},
    )


def correction_of(services: ApiServices, caller: Caller, number: int) -> Response:
    """The rows of one's own list that were not taken, as a workbook; the audit trail keeps who had it.

    Raises:
        IssuerRefusedError: ``import.unknown``, ``correction.gone``; ``right.missing``, ``right.step-up-needed``.
    """
    return Response(
        services.imports.correction(ImportNumber(number), actor=caller.actor),
        media_type=_WORKBOOK,
        headers={"Content-Disposition": f'attachment; filename="correction-{number}.xlsx"'},
    )


def _documents(row: RowOutcome) -> Iterator[FindingDocument]:
    for each in row.findings:
        yield FindingDocument(
            row=row.row,
            result=row.result,
            column=each.column,
            code=each.code,
            reason=each.sentence,
        )


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            _FILES: {
                "schema": {
                    "type": "object",
                    "required": ["list"],
                    "properties": {
                        "list": {"type": "string", "format": "binary"},
                        "mapping": {
                            "type": "string",
                            "format": "binary",
                            "description": "A mapping file (TOML), where the list has other columns than the template.",
                        },
                        "portraits": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "maxItems": _MAX_FILES - 2,
                        },
                    },
                }
            }
        },
    }
}


@import_router.post(
    "",
    status_code=202,
    summary="Import a member list",
    response_model=OperationDocument,
    openapi_extra=_BODY,
)
async def import_list(
    request: Request, services: Services, caller: Importer, key: KeyHeader
) -> Response:
    """Answered with an operation as soon as the files are kept."""
    async with upload_of(request) as upload:
        kept = await run_in_threadpool(begin_import, services, caller, upload, key=key)
    return answer_of(kept)


@import_router.get("/{number}", summary="Show an import")
def show_import(number: ImportNumberPath, services: Services, caller: Importer) -> ImportDocument:
    """One's own import."""
    return ImportDocument.of(services.imports.show(ImportNumber(number), actor=caller.actor))


@import_router.get("/{number}/findings", summary="What was found in an import's rows")
def list_findings(
    number: ImportNumberPath,
    query: Annotated[FindingsQuery, Query()],
    services: Services,
    caller: Importer,
) -> FindingsDocument:
    """Refused rows, and rows that wait for a person; ``limit`` counts rows."""
    return findings_of(services, caller, number, after=query.after, limit=query.limit)


@import_router.get(
    "/{number}/report",
    summary="Every finding as a csv file",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def download_report(
    number: ImportNumberPath, services: Services, caller: Importer
) -> StreamingResponse:
    """Row, result, column, code, reason; nobody's data."""
    return report_of(services, caller, number)


@import_router.get(
    "/{number}/correction",
    summary="The rows that were not taken, for the committee to correct",
    response_class=Response,
    responses={200: {"content": {_WORKBOOK: {"schema": {"type": "string", "format": "binary"}}}}},
)
def download_correction(number: ImportNumberPath, services: Services, caller: Importer) -> Response:
    """One's own list as a workbook, with what is wrong in each row; it is kept sealed for two weeks.

    It takes ``members.export`` and the second factor, which a token of the command line brings only where a security key confirmed its terminal.
    """
    return correction_of(services, caller, number)
