"""One new member, recorded by a request that carries a key: for programs and for forms alike."""

import uuid
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from issuer.api.gate import Caller, Services
from issuer.api.import_routes import Importer
from issuer.api.member_acts import ChangeForm, change_form, picture_of
from issuer.api.once import KeyHeader, Receipt, answer_of, carry_out_once, mark_of
from issuer.api.ports import ApiServices
from issuer.domain.member_rules import MemberColumn
from issuer.errors import IssuerDataError
from issuer.services.import_outcome import RowResult
from issuer.services.operation_ports import KeptAnswer
from issuer.services.record_member import RecordedMember

__all__ = ["STATED", "RecordedDocument", "member_recording_router", "record_once"]

member_recording_router = APIRouter(prefix="/v1/members", tags=["members"])

STATED: Final = tuple(each for each in MemberColumn if each is not MemberColumn.PORTRAIT)
"""What a form states of a new member; the picture comes as a file."""

_TEXT: Final = {"type": "string", "maxLength": 400}
_REQUIRED: Final = (
    MemberColumn.RECORD_NUMBER, MemberColumn.CITIZEN_NUMBER, MemberColumn.FULL_NAME, MemberColumn.BIRTH_DATE,
    MemberColumn.SEX, MemberColumn.PLACE_OF_BIRTH, MemberColumn.HOME_TOWN, MemberColumn.ETHNIC_GROUP,
    MemberColumn.ADMISSION_DATE, MemberColumn.ORGANISATION_CODE,
)  # fmt: skip
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [*(each.value for each in _REQUIRED), "picture"],
                    "properties": {
                        **{each.value: _TEXT for each in STATED},
                        "picture": {
                            "type": "string",
                            "format": "binary",
                            "description": "JPEG or PNG, at most 5 MiB.",
                        },
                    },
                }
            }
        },
    }
}


class RecordedDocument(BaseModel):
    """What became of it; nobody's data."""

    result: RowResult = Field(examples=["taken"])
    member: uuid.UUID | None = Field(default=None, description="The new member.")
    questionable: str | None = Field(
        default=None,
        description="Under which it waits for a person, as an import and a row.",
        examples=["12:1"],
    )
    doubts: list[str] = Field(default_factory=list, description="What is doubtful, by codes.")

    @classmethod
    def of(cls, found: RecordedMember) -> "RecordedDocument":
        """The document of an outcome."""
        is_waiting = found.result is RowResult.QUESTIONABLE
        return cls(
            result=found.result,
            member=found.member_id,
            questionable=str(found.reference) if is_waiting else None,
            doubts=[each.code for each in found.findings] if is_waiting else [],
        )


def record_once(services: ApiServices, caller: Caller, form: ChangeForm, *, key: str) -> KeptAnswer:
    """Record a member; the same under the same key is done once.

    Raises:
        ApiError: the form brings no picture (``api.request-invalid``).
        IssuerDataError: ``member.field-unknown``; as ``MemberRecording.record``.
        IssuerRefusedError: ``idempotency.*``, ``right.missing``.
    """
    picture = picture_of(form)
    unknown = form.fields.keys() - {each.value for each in STATED}
    if unknown:
        raise IssuerDataError(
            "there is no such field of a member",
            code="member.field-unknown",
            hint="fields are named as the columns of member lists",
        )
    cells = {MemberColumn(name): text for name, text in form.fields.items() if text.strip()}
    mark = mark_of(caller.actor.account, key, what="record a member", content=form.content)

    def act() -> Receipt:
        found = services.recording.record(cells, picture, actor=caller.actor)
        where = "" if found.member_id is None else f"/{found.member_id}"
        return Receipt(
            status=200, location=f"/v1/members{where}", document=RecordedDocument.of(found)
        )

    return carry_out_once(services, mark, act)


@member_recording_router.post(
    "", summary="Record one new member", response_model=RecordedDocument, openapi_extra=_BODY
)
async def record_member(
    request: Request, services: Services, caller: Importer, key: KeyHeader
) -> Response:
    """As a list of one row: taken, already present, or waiting for a person where something is doubtful."""
    async with change_form(request, "picture") as form:
        kept = await run_in_threadpool(record_once, services, caller, form, key=key)
    return answer_of(kept)
