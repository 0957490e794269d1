"""What is done with members by a request that carries a key: for programs and for forms alike."""

import contextlib
import enum
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile

from issuer.api.card_documents import CountsAs
from issuer.api.gate import Caller
from issuer.api.member_routes import open_member
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.api.upload_forms import form_of
from issuer.domain.calendar_date import parse_date
from issuer.domain.card_validity import EndReason
from issuer.domain.evidence import MAX_EVIDENCE_BYTES
from issuer.domain.member import MemberId
from issuer.domain.member_acts import Correction, MemberAct, Serving, StandingEvent, Transfer
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.standing import parse_standing
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.change_members import Justification
from issuer.services.operation_ports import KeptAnswer
from issuer.services.weighed_changes import ChangedMember

__all__ = [
    "ACCEPTED",
    "ACT_FIELDS",
    "ChangeForm",
    "ChangedMemberDocument",
    "MemberActName",
    "act_of",
    "change_form",
    "change_once",
    "correction_of",
    "hiding_unreadable",
    "picture_of",
    "take_act_once",
]

_REASON: Final = "reason"
_EVIDENCE: Final = "evidence"
_PICTURE: Final = "picture"
_MAX_FIELDS: Final = 32
ACCEPTED: Final = "yes"
"""What a form says where a person has judged what is doubtful."""


class MemberActName(enum.StrEnum):
    """What may be done with a member's record."""

    CORRECTION = "correction"
    STANDING = "standing"
    TRANSFER = "transfer"
    SERVING = "serving"


ACT_FIELDS: Final[Mapping[MemberActName, tuple[str, ...]]] = {
    MemberActName.CORRECTION: tuple(each.value for each in MemberColumn),
    MemberActName.STANDING: ("standing", "since"),
    MemberActName.TRANSFER: ("to", "on"),
    MemberActName.SERVING: ("organisation", "since"),
}
"""The fields of each act; a correction names those that it puts right, the others name all of theirs."""


class CardAfterDocument(BaseModel):
    """A card of the member that has not ended, after the change."""

    reference: str = Field(examples=["0123456789abcdef0123456789abcdef"])
    counts_as: CountsAs
    ends_for: EndReason | None = Field(
        default=None, description="For what it ends as soon as another person confirms it."
    )
    to_be_condemned: bool = Field(
        description="It is being made as two people froze it, and the member is not so any more."
    )


class ChangedMemberDocument(BaseModel):
    """What was changed; nobody's data."""

    id: str
    version: int = Field(ge=2, description="Of the member now.")
    changed: list[MemberColumn]
    cards: list[CardAfterDocument]
    request: uuid.UUID | None = Field(default=None, description="The member's open request.")
    request_breaks: list[str] = Field(
        default_factory=list, description="The rules that it breaks by the change, by their codes."
    )

    @classmethod
    def of(cls, found: ChangedMember) -> "ChangedMemberDocument":
        """The document of a change."""
        asked = found.consequences.request
        return cls(
            id=str(found.member.member_id),
            version=found.member.version,
            changed=[each.column for each in found.changes],
            cards=[
                CardAfterDocument(
                    reference=each.card.reference.hex(),
                    counts_as=each.after.state.label,
                    ends_for=each.after.report,
                    to_be_condemned=each.must_be_condemned,
                )
                for each in found.consequences.cards
            ],
            request=None if asked is None else asked.request.request_id,
            request_breaks=[] if asked is None else [each.code for each in asked.findings],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeForm:
    """What came in to change a member: the texts of the form, and the files by the names of their fields."""

    fields: Mapping[str, str] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def why(self) -> Justification:
        """The reason with the document."""
        return Justification(
            reason=self.fields.get(_REASON, ""), evidence=self.files.get(_EVIDENCE)
        )

    @property
    def content(self) -> bytes:
        """Everything that it asks for, files by their digests."""
        digests = {name: hashlib.sha256(file).hexdigest() for name, file in self.files.items()}
        return json.dumps([sorted(self.fields.items()), sorted(digests.items())]).encode()

    def without(self, *names: str) -> "ChangeForm":
        """The same without what is drawn anew for each sending."""
        kept = {name: text for name, text in self.fields.items() if name not in names}
        return ChangeForm(fields=kept, files=self.files)


@contextlib.asynccontextmanager
async def change_form(
    request: Request, *files: str, max_bytes: int = MAX_EVIDENCE_BYTES
) -> AsyncIterator[ChangeForm]:
    """The texts and files of a change.

    Args:
        request: that brings them.
        files: the fields that may hold a file, beside ``evidence``.
        max_bytes: of each file; one byte more is read, which tells that there is too much.

    Raises:
        ApiError: ``api.media-type``, ``api.body-malformed``, ``api.request-invalid``.
    """
    known = {_EVIDENCE, *files}
    async with form_of(request, max_files=len(known), max_fields=_MAX_FIELDS) as form:
        pairs = form.multi_items()
        fields = {name: value for name, value in pairs if isinstance(value, str)}
        uploads = {name: value for name, value in pairs if isinstance(value, UploadFile)}
        if len(fields) + len(uploads) != len(pairs) or not uploads.keys() <= known:
            raise ApiError(
                f"a field stands twice, or a file is none of {', '.join(sorted(known))}",
                code="api.request-invalid",
            )
        yield ChangeForm(
            fields=fields,
            files={
                name: await upload.read(max_bytes + 1)
                for name, upload in uploads.items()
                # A browser sends a nameless file where none was chosen.
                if upload.filename
            },
        )


def picture_of(form: ChangeForm) -> bytes:
    """The picture that a form brings.

    Raises:
        ApiError: it brings none (``api.request-invalid``).
    """
    picture = form.files.get(_PICTURE)
    if picture is None:
        raise ApiError("the form brings no picture", code="api.request-invalid")
    return picture


def act_of(name: MemberActName, fields: Mapping[str, str]) -> MemberAct:
    """The act that a form asks for.

    Raises:
        ApiError: a field of it is missing (``api.request-invalid``).
        IssuerDataError: ``member.field-unknown``, ``standing.unknown``, ``organisation.code-malformed``, ``date.*``.
    """
    if name is MemberActName.CORRECTION:
        return correction_of(fields)
    given = {each: fields.get(each, "").strip() for each in ACT_FIELDS[name]}
    missing = sorted(set(given) - fields.keys())
    if missing:
        raise ApiError(f"{', '.join(missing)} missing", code="api.request-invalid")
    if name is MemberActName.STANDING:
        return StandingEvent(
            standing=parse_standing(given["standing"]), since=parse_date(given["since"])
        )
    if name is MemberActName.TRANSFER:
        return Transfer(to=parse_organisation_code(given["to"]), on=parse_date(given["on"]))
    code = given["organisation"]
    return Serving(
        organisation=parse_organisation_code(code) if code else None,
        since=parse_date(given["since"]),
    )


def correction_of(fields: Mapping[str, str]) -> Correction:
    """The correction of the fields that are named; an empty text empties an optional one.

    Raises:
        IssuerDataError: ``member.field-unknown``.
    """
    values: dict[MemberColumn, str | None] = {}
    for name, text in fields.items():
        try:
            values[MemberColumn(name)] = text.strip() or None
        except ValueError as error:
            raise IssuerDataError(
                "there is no such field of a member",
                code="member.field-unknown",
                hint="fields are named as the columns of member lists",
            ) from error
    return Correction(values=values)


def take_act_once(
    services: ApiServices,
    caller: Caller,
    member_id: uuid.UUID,
    form: ChangeForm,
    *,
    what: str,
    act: Callable[[], MemberAct],
    key: str,
    version: Callable[[], int],
) -> KeptAnswer:
    """Carry an act out; the same under the same key is carried out once.

    Args:
        services: what routes reach.
        caller: who asks.
        member_id: with whom.
        form: everything that is asked for.
        what: the act's name.
        act: reads the act from it.
        key: of the request.
        version: the one that the caller looked at; judges the precondition of a program.

    Raises:
        ApiError: ``api.precondition-*``.
        IssuerDataError, IssuerRefusedError: ``idempotency.*``; as ``ChangeOfMembers.take``.
    """

    def take() -> ChangedMember:
        seen = version()
        return services.changes.take(
            MemberId(member_id), act(), actor=caller.actor, version=seen, why=form.why
        )

    return change_once(services, caller, member_id, form, take, what=what, key=key)


def change_once(
    services: ApiServices,
    caller: Caller,
    member_id: uuid.UUID,
    form: ChangeForm,
    change: Callable[[], ChangedMember],
    *,
    what: str,
    key: str,
) -> KeptAnswer:
    """Change a member; the same under the same key is done once.

    Raises:
        IssuerDataError, IssuerRefusedError: ``idempotency.*``; as ``change`` does.
    """
    mark = mark_of(
        caller.actor.account, key, what=f"{what} of member {member_id}", content=form.content
    )

    def act() -> Receipt:
        with hiding_unreadable(services, caller, member_id):
            done = change()
        return Receipt(
            status=200,
            location=f"/v1/members/{member_id}",
            document=ChangedMemberDocument.of(done),
        )

    return carry_out_once(services, mark, act)


@contextlib.contextmanager
def hiding_unreadable(
    services: ApiServices, caller: Caller, member_id: uuid.UUID
) -> Iterator[None]:
    """Whoever may not even read a member does not learn that there is one; whoever may is told that a right is missing.

    Raises:
        IssuerRefusedError: ``member.unknown`` in the place of ``right.missing``, for those.
    """
    try:
        yield
    except IssuerRefusedError as error:
        if error.code == "right.missing":
            open_member(caller, services, member_id)
        raise
