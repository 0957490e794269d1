"""What forms and programs ask for of the tree of organisations: read, carried out once, and answered."""

import enum
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel, Field

from issuer.api.gate import Caller
from issuer.api.member_acts import ChangeForm
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.domain.calendar_date import parse_date
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.organisation_acts import Closure, Merger, Move, OrganisationDeed, Renaming
from issuer.domain.organisation_history import OrganisationChange, OrganisationVersion
from issuer.domain.organisation_list import OrganisationColumn
from issuer.errors import IssuerRefusedError
from issuer.services.operation_ports import KeptAnswer
from issuer.services.upload_ports import UploadedFile
from issuer.services.weighed_organisations import ChangedOrganisation

__all__ = [
    "ACT_FIELDS",
    "NEW_FIELDS",
    "ChangedOrganisationDocument",
    "OrganisationActName",
    "TakenListDocument",
    "VersionDocument",
    "add_once",
    "bring_once",
    "deed_of",
    "hiding_organisations",
    "take_deed_once",
]

_REASON: Final = "reason"


class OrganisationActName(enum.StrEnum):
    """What may be done with an organisation."""

    RENAMING = "renaming"
    MOVE = "move"
    MERGER = "merger"
    CLOSURE = "closure"


ACT_FIELDS: Final[Mapping[OrganisationActName, tuple[str, ...]]] = {
    OrganisationActName.RENAMING: ("name", "level", "on"),
    OrganisationActName.MOVE: ("under", "on"),
    OrganisationActName.MERGER: ("into", "on"),
    OrganisationActName.CLOSURE: ("on",),
}
"""The fields of each act; a renaming names those that it changes, the others name all of theirs."""

NEW_FIELDS: Final = tuple(each.value for each in OrganisationColumn)
"""What is stated of a new organisation, as a list's row does."""


class VersionDocument(BaseModel):
    """What an organisation was for a while."""

    number: int = Field(ge=1)
    change: OrganisationChange = Field(description="What began it.")
    valid_from: date | None
    valid_until: date | None
    name: str
    parent: str | None = Field(examples=["P"])
    level: str | None
    committee_number: str | None = Field(examples=["98"])
    successor: str | None = Field(description="Into which it was merged.")
    at: datetime | None = Field(description="When it was recorded.")
    account: str | None = Field(examples=["van"])
    reason: str | None
    evidence: str | None = Field(description="SHA-256 of the document that it rests on.")

    @classmethod
    def of(cls, version: OrganisationVersion) -> "VersionDocument":
        """The document of a version."""
        act, stated = version.act, version.organisation
        return cls(
            number=version.number,
            change=version.change,
            valid_from=version.valid_from,
            valid_until=version.valid_until,
            name=stated.name,
            parent=stated.parent_code,
            level=stated.level,
            committee_number=stated.committee_number,
            successor=version.successor,
            at=None if act is None else act.at,
            account=None if act is None else act.account,
            reason=None if act is None else act.reason,
            evidence=None if act is None or act.evidence is None else act.evidence.hex(),
        )


class ChangedOrganisationDocument(BaseModel):
    """What was changed, and how far it went."""

    code: str = Field(examples=["P-01"])
    version: int = Field(ge=1, description="Of the organisation now.")
    change: OrganisationChange
    moved_members: int = Field(default=0, ge=0)
    moved_organisations: int = Field(default=0, ge=0)
    stale_cards: int = Field(
        default=0, ge=0, description="That say something else than the register from now on."
    )

    @classmethod
    def of(cls, done: ChangedOrganisation) -> "ChangedOrganisationDocument":
        """The document of a change."""
        return cls(
            code=done.version.organisation.code,
            version=done.version.number,
            change=done.version.change,
            moved_members=done.reach.moved_members,
            moved_organisations=done.reach.moved_organisations,
            stale_cards=done.reach.stale_cards,
        )


class TakenListDocument(BaseModel):
    """What became of a list's rows."""

    taken: int = Field(ge=0)
    already_present: int = Field(ge=0)


def deed_of(name: OrganisationActName, fields: Mapping[str, str]) -> OrganisationDeed:
    """The act that a form asks for.

    Raises:
        ApiError: a field is missing, or none of the act's (``api.request-invalid``).
        IssuerDataError: ``organisation.code-malformed``, ``date.*``.
    """
    known = ACT_FIELDS[name]
    missing = [each for each in known if each not in fields]
    if name is OrganisationActName.RENAMING:
        missing = [each for each in missing if each == "on"]
    unknown = fields.keys() - set(known)
    if missing or unknown:
        raise ApiError(
            f"expected the fields {', '.join(known)}, "
            f"got {len(missing)} too few and {len(unknown)} others",
            code="api.request-invalid",
        )
    on = parse_date(fields["on"].strip())
    match name:
        case OrganisationActName.RENAMING:
            return Renaming(on=on, name=fields.get("name"), level=fields.get("level"))
        case OrganisationActName.MOVE:
            return Move(on=on, under=parse_organisation_code(fields["under"].strip()))
        case OrganisationActName.MERGER:
            return Merger(on=on, into=parse_organisation_code(fields["into"].strip()))
        case OrganisationActName.CLOSURE:
            return Closure(on=on)


def take_deed_once(
    services: ApiServices,
    caller: Caller,
    code: OrganisationCode,
    form: ChangeForm,
    *,
    what: str,
    deed: Callable[[], OrganisationDeed],
    key: str,
    version: Callable[[], int],
) -> KeptAnswer:
    """Carry an act out; the same under the same key is carried out once.

    Args:
        services: what routes reach.
        caller: who asks.
        code: with which organisation.
        form: everything that is asked for.
        what: the act's name.
        deed: reads the act from it.
        key: of the request.
        version: the one that the caller looked at; judges the precondition of a program.

    Raises:
        ApiError: ``api.precondition-*``.
        IssuerDataError, IssuerRefusedError: ``idempotency.*``; as ``ChangeOfOrganisations.take``.
    """
    mark = mark_of(
        caller.actor.account, key, what=f"{what} of organisation {code}", content=form.content
    )

    def act() -> Receipt:
        with hiding_organisations(services, caller, code):
            seen = version()
            done = services.organisation_changes.take(
                code, deed(), actor=caller.actor, why=form.why, version=seen
            )
        return _receipt(done)

    return carry_out_once(services, mark, act)


def add_once(services: ApiServices, caller: Caller, form: ChangeForm, *, key: str) -> KeptAnswer:
    """Record an organisation; the same under the same key is recorded once.

    Raises:
        ApiError: a field is none of an organisation's (``api.request-invalid``).
        IssuerDataError, IssuerRefusedError: ``idempotency.*``; as ``AddingOfOrganisations.add``.
    """
    stated = form.without(_REASON).fields
    if stated.keys() - set(NEW_FIELDS):
        raise ApiError(f"expected the fields {', '.join(NEW_FIELDS)}", code="api.request-invalid")
    cells = {OrganisationColumn(name): text for name, text in stated.items() if text.strip()}
    mark = mark_of(caller.actor.account, key, what="record an organisation", content=form.content)
    above = stated.get(OrganisationColumn.PARENT_CODE, "").strip()

    def act() -> Receipt:
        with hiding_organisations(services, caller, above or None):
            version = services.organisation_adding.add(cells, actor=caller.actor, why=form.why)
        document = VersionDocument.of(version)
        return Receipt(
            status=201,
            location=_address(version.organisation.code),
            document=ChangedOrganisationDocument(
                code=version.organisation.code, version=document.number, change=document.change
            ),
        )

    return carry_out_once(services, mark, act)


def bring_once(
    services: ApiServices, caller: Caller, file: UploadedFile, *, key: str
) -> KeptAnswer:
    """Take a list of organisations; the same file under the same key is taken once.

    Raises:
        IssuerDataError, IssuerRefusedError: ``idempotency.*``; as ``BringingOfOrganisations.bring``.
    """
    upload_id, digest = services.uploads.put(file, ())
    mark = mark_of(caller.actor.account, key, what="a list of organisations", content=digest)

    def act() -> Receipt:
        found = services.organisation_lists.bring(upload_id, actor=caller.actor)
        return Receipt(
            status=200,
            location="/v1/organisations",
            document=TakenListDocument(taken=found.taken, already_present=found.already_present),
        )

    try:
        return carry_out_once(services, mark, act)
    finally:
        services.uploads.remove(upload_id)


@contextmanager
def hiding_organisations(services: ApiServices, caller: Caller, code: str | None) -> Iterator[None]:
    """Whoever may not even read an organisation does not learn that there is one.

    Raises:
        IssuerDataError: ``organisation.unknown`` in the place of ``right.missing``, for those.
    """
    try:
        yield
    except IssuerRefusedError as error:
        if error.code == "right.missing" and code is not None:
            services.organisations.path(parse_organisation_code(code), actor=caller.actor)
        raise


def _receipt(done: ChangedOrganisation) -> Receipt:
    code = done.version.organisation.code
    return Receipt(
        status=200,
        location=_address(code),
        document=ChangedOrganisationDocument.of(done),
    )


def _address(code: OrganisationCode) -> str:
    return f"/v1/organisations/{quote(code, safe='')}"
