"""Acts with the tree of organisations: one more, another name, another place, a merger, a closure, a whole list."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from issuer.api.cursors import CursorScope
from issuer.api.entity_tags import MatchHeader, require_match
from issuer.api.gate import Caller, Demand, Services
from issuer.api.member_act_routes import EvidencePath, change_body, document_file
from issuer.api.member_acts import change_form
from issuer.api.once import KeyHeader, answer_of
from issuer.api.organisation_acts import (
    ChangedOrganisationDocument,
    OrganisationActName,
    TakenListDocument,
    VersionDocument,
    add_once,
    bring_once,
    deed_of,
    hiding_organisations,
    take_deed_once,
)
from issuer.api.organisation_routes import CodePath, OrganisationReader, organisation_document
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.api.upload_forms import form_of
from issuer.domain.member_change import EvidenceDigest
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import Right
from issuer.services.upload_ports import UploadedFile

__all__ = [
    "OrganisationWriter",
    "VersionsDocument",
    "VersionsQuery",
    "evidence_of_organisation",
    "list_file_of",
    "organisation_act_router",
    "versions_of",
]

organisation_act_router = APIRouter(tags=["organisations"])

OrganisationWriter = Annotated[Caller, Depends(Demand(Right.WRITE_ORGANISATIONS))]

_ONE: Final = "/v1/organisations/{code:path}"
_FILES: Final = "multipart/form-data"
_DAY: Final = {"type": "string", "maxLength": 10, "examples": ["2026-11-01"]}
_NAME: Final = {"type": "string", "maxLength": 320}
_LEVEL: Final = {"type": "string", "maxLength": 64, "description": "Empty: none any more."}
_CODE: Final = {"type": "string", "maxLength": 32, "examples": ["P-02"]}
_RENAMING: Final = change_body({"name": _NAME, "level": _LEVEL, "on": _DAY}, required=("on",))
_MOVE: Final = change_body({"under": _CODE, "on": _DAY}, required=("under", "on"))
_MERGER: Final = change_body({"into": _CODE, "on": _DAY}, required=("into", "on"))
_CLOSURE: Final = change_body({"on": _DAY}, required=("on",))
_NEW: Final = change_body(
    {
        "code": _CODE,
        "name": _NAME,
        "parent_code": {**_CODE, "description": "Empty: a top-most one."},
        "committee_number": {"type": "string", "maxLength": 2, "examples": ["98"]},
        "level": {"type": "string", "maxLength": 64},
        "valid_from": {**_DAY, "description": "Empty: not known, which counts as always."},
    },
    required=("code", "name"),
)
_LIST: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            _FILES: {
                "schema": {
                    "type": "object",
                    "required": ["list"],
                    "properties": {
                        "list": {
                            "type": "string",
                            "format": "binary",
                            "description": "xlsx, csv or json, at most 20,000 rows.",
                        }
                    },
                }
            }
        },
    }
}


class VersionsQuery(ListQuery):
    """Of which organisation."""

    organisation: str = Field(min_length=1, max_length=32, examples=["P-01"])


class VersionsDocument(BaseModel):
    """Versions, the newest first."""

    versions: list[VersionDocument]
    next: str | None = None


def versions_of(caller: Caller, services: ApiServices, query: VersionsQuery) -> VersionsDocument:
    """A page of an organisation's versions.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerDataError: ``organisation.unknown``, ``organisation.code-malformed``.
    """
    code = parse_organisation_code(query.organisation)
    scope = CursorScope(
        listing="organisation-versions", account=caller.actor.account, selection={"of": code}
    )
    behind = None
    if query.cursor is not None:
        behind = int(services.cursors.open(query.cursor, scope).decode())
    with hiding_organisations(services, caller, code):
        found = services.organisation_changes.history(
            code, actor=caller.actor, limit=query.limit + 1, behind=behind
        )
    shown = found[: query.limit]
    end = None
    if len(found) > len(shown):
        end = services.cursors.seal(str(shown[-1].number).encode(), scope)
    return VersionsDocument(versions=[VersionDocument.of(each) for each in shown], next=end)


def evidence_of_organisation(
    caller: Caller, services: ApiServices, code: str, digest: str
) -> Response:
    """A document that a change of an organisation rests on, as a file.

    Raises:
        IssuerDataError: ``organisation.unknown``, ``organisation.code-malformed``.
        IssuerRefusedError: ``right.missing``, ``evidence.unknown``, ``evidence.lost``, ``evidence.altered``.
    """
    with hiding_organisations(services, caller, code):
        content = services.organisation_changes.document(
            parse_organisation_code(code),
            EvidenceDigest(bytes.fromhex(digest)),
            actor=caller.actor,
        )
    return document_file(content, digest)


def list_file_of(values: object) -> UploadedFile:
    """The list that a form brings.

    Raises:
        ApiError: it brings none (``api.request-invalid``).
    """
    if not isinstance(values, UploadFile) or not values.filename:
        raise ApiError("the form brings no list", code="api.request-invalid")
    return UploadedFile(name=values.filename, content=values.file)


@organisation_act_router.get("/v1/organisation-versions", summary="What an organisation has been")
def list_versions(
    query: Annotated[VersionsQuery, Query()], services: Services, caller: OrganisationReader
) -> VersionsDocument:
    """The newest first, each with who recorded it and why."""
    return versions_of(caller, services, query)


@organisation_act_router.get(
    "/v1/organisation-evidence/{digest}",
    summary="A document that a change of an organisation rests on",
    response_class=Response,
    responses={
        200: {
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            }
        }
    },
)
def show_organisation_evidence(
    digest: EvidencePath,
    organisation: Annotated[str, Query(min_length=1, max_length=32, examples=["P-01"])],
    services: Services,
    caller: OrganisationWriter,
) -> Response:
    """As it was brought: PDF, JPEG or PNG; that it was read stands in the audit trail."""
    return evidence_of_organisation(caller, services, organisation, digest)


@organisation_act_router.post(
    "/v1/organisations",
    status_code=201,
    summary="Record one new organisation",
    response_model=ChangedOrganisationDocument,
    openapi_extra=_NEW,
)
async def add_organisation(
    request: Request, services: Services, caller: OrganisationWriter, key: KeyHeader
) -> Response:
    """As a list's row would state it; its code is never given to another one."""
    async with change_form(request) as form:
        kept = await run_in_threadpool(add_once, services, caller, form, key=key)
    return answer_of(kept)


@organisation_act_router.post(
    "/v1/organisation-lists",
    summary="Take a list of organisations",
    response_model=TakenListDocument,
    openapi_extra=_LIST,
)
async def bring_organisations(
    request: Request, services: Services, caller: OrganisationWriter, key: KeyHeader
) -> Response:
    """As a whole or not at all; organisations that are there and stated alike are left as they are."""
    async with form_of(request, max_files=1, max_fields=0) as form:
        file = list_file_of(form.get("list"))
        kept = await run_in_threadpool(bring_once, services, caller, file, key=key)
    return answer_of(kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What every act with an organisation is asked with."""

    code: str
    request: Request
    services: ApiServices
    caller: Caller
    key: str
    if_match: str | None

    async def take(self, name: OrganisationActName) -> Response:
        """Carry out the act that the form asks for."""

        def seen() -> int:
            current = organisation_document(self.caller, self.services, self.code)
            require_match(self.if_match, current)
            return current.version

        async with change_form(self.request) as form:
            kept = await run_in_threadpool(
                take_deed_once,
                self.services,
                self.caller,
                parse_organisation_code(self.code),
                form,
                what=f"POST {name}",
                deed=lambda: deed_of(name, form.without("reason").fields),
                key=self.key,
                version=seen,
            )
        return answer_of(kept)


def _asked(
    *,
    code: CodePath,
    request: Request,
    services: Services,
    caller: OrganisationWriter,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> _Asked:
    return _Asked(
        code=code, request=request, services=services, caller=caller, key=key, if_match=if_match
    )


WithOrganisation = Annotated[_Asked, Depends(_asked)]


@organisation_act_router.post(
    _ONE + "/renamings",
    summary="Give an organisation another name or level from a day on",
    response_model=ChangedOrganisationDocument,
    openapi_extra=_RENAMING,
)
async def rename(asked: WithOrganisation) -> Response:
    """What is not named stays; cards of members who are recorded in it bear the old name from then on."""
    return await asked.take(OrganisationActName.RENAMING)


@organisation_act_router.post(
    _ONE + "/moves",
    summary="Put an organisation under another one from a day on",
    response_model=ChangedOrganisationDocument,
    openapi_extra=_MOVE,
)
async def move(asked: WithOrganisation) -> Response:
    """With all below it; the right is asked for in both places."""
    return await asked.take(OrganisationActName.MOVE)


@organisation_act_router.post(
    _ONE + "/mergers",
    summary="Merge an organisation into another one from a day on",
    response_model=ChangedOrganisationDocument,
    openapi_extra=_MERGER,
)
async def merge(asked: WithOrganisation) -> Response:
    """Its members and the organisations directly below it go there; it is closed for ever."""
    return await asked.take(OrganisationActName.MERGER)


@organisation_act_router.post(
    _ONE + "/closures",
    summary="Close an organisation from a day on",
    response_model=ChangedOrganisationDocument,
    openapi_extra=_CLOSURE,
)
async def close(asked: WithOrganisation) -> Response:
    """Nobody is recorded in it and nothing is open below it; it is closed for ever."""
    return await asked.take(OrganisationActName.CLOSURE)
