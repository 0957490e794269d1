"""Organisations: the tree, level by level."""

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from issuer.api.cursors import CursorScope
from issuer.api.entity_tags import tagged
from issuer.api.gate import Caller, Demand, Services
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.rights import Right
from issuer.services.browse_ports import OrganisationLine

__all__ = [
    "CodePath",
    "OrganisationDocument",
    "OrganisationListQuery",
    "OrganisationPageDocument",
    "OrganisationReader",
    "organisation_document",
    "organisation_page",
    "organisation_router",
]

organisation_router = APIRouter(tags=["organisations"])

_LIST: Final = "/v1/organisations"
_CHOICES: Final = 12

CodePath = Annotated[str, Path(max_length=32, examples=["P-01"])]
OrganisationReader = Annotated[Caller, Depends(Demand(Right.READ_ORGANISATIONS))]


class OrganisationListQuery(ListQuery):
    """Which organisations."""

    above: str | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="Those directly below this one; absent: where the caller's part of the tree begins.",
        examples=["P-01"],
    )


class OrganisationLineDocument(BaseModel):
    """One line of a list."""

    code: str = Field(examples=["P-01"])
    name: str
    below: int = Field(ge=0, description="How many are directly below.")
    members: int = Field(ge=0, description="How many members are recorded in it itself.")

    @classmethod
    def of(cls, line: OrganisationLine) -> "OrganisationLineDocument":
        """The document of a line."""
        return cls(code=line.code, name=line.name, below=line.below, members=line.members)


class OrganisationPageDocument(BaseModel):
    """Organisations by their codes."""

    organisations: list[OrganisationLineDocument]
    next: str | None = None


class OrganisationStep(BaseModel):
    """One step of the way up."""

    code: str = Field(examples=["P-01"])
    name: str


class OrganisationDocument(OrganisationStep):
    """An organisation, with the way to it from where the caller's part of the tree begins."""

    committee_number: str | None = Field(examples=["98"])
    level: str | None = Field(examples=["chi bộ"])
    version: int = Field(ge=1, description="One more with every change of it.")
    is_open: bool = Field(description="Whether it works; a closed one never does again.")
    valid_from: date | None = Field(description="Since when it is so; null: not known.")
    path: list[OrganisationStep]


class ChoicesQuery(BaseModel):
    """What somebody has typed so far."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=120, examples=["xa mau"])


class OrganisationChoice(OrganisationStep):
    """An organisation that may be meant, with those above it."""

    path: list[OrganisationStep]


class OrganisationChoices(BaseModel):
    """The organisations that fit best; whoever does not find theirs types on."""

    organisations: list[OrganisationChoice]


def organisation_page(
    caller: Caller, services: ApiServices, query: OrganisationListQuery
) -> OrganisationPageDocument:
    """A page of organisations.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerDataError: ``organisation.code-malformed``, ``organisation.unknown``.
    """
    scope = CursorScope(
        listing="organisations", account=caller.actor.account, selection={"above": query.above}
    )
    behind = None
    if query.cursor is not None:
        behind = OrganisationCode(services.cursors.open(query.cursor, scope).decode())
    found = services.organisations.page(
        actor=caller.actor,
        above=None if query.above is None else parse_organisation_code(query.above),
        limit=query.limit,
        behind=behind,
    )
    return OrganisationPageDocument(
        organisations=[OrganisationLineDocument.of(each) for each in found.lines],
        next=None if found.end is None else services.cursors.seal(found.end.encode(), scope),
    )


def organisation_document(caller: Caller, services: ApiServices, code: str) -> OrganisationDocument:
    """An organisation of the caller's part.

    Raises:
        IssuerDataError: ``organisation.code-malformed``, ``organisation.unknown``.
    """
    path = services.organisations.path(parse_organisation_code(code), actor=caller.actor)
    found = path[-1]
    (version,) = services.organisation_changes.history(found.code, actor=caller.actor, limit=1)
    return OrganisationDocument(
        code=found.code,
        name=found.name,
        committee_number=found.committee_number,
        level=found.level,
        version=version.number,
        is_open=version.is_open,
        valid_from=version.valid_from,
        path=[OrganisationStep(code=each.code, name=each.name) for each in path],
    )


@organisation_router.get("/v1/organisation-choices", summary="Find organisations by name or code")
def find_organisations(
    query: Annotated[ChoicesQuery, Query()], services: Services, caller: OrganisationReader
) -> OrganisationChoices:
    """Beginnings of words of the name, in any order and without marks, or the beginning of the code."""
    found = services.organisations.find(query.text, actor=caller.actor, limit=_CHOICES)
    return OrganisationChoices(
        organisations=[
            OrganisationChoice(
                code=path[-1].code,
                name=path[-1].name,
                path=[OrganisationStep(code=each.code, name=each.name) for each in path[:-1]],
            )
            for path in found
        ]
    )


@organisation_router.get(_LIST, summary="List organisations, one level of the tree")
def list_organisations(
    query: Annotated[OrganisationListQuery, Query()],
    services: Services,
    caller: OrganisationReader,
) -> OrganisationPageDocument:
    """A page of the organisations below one."""
    return organisation_page(caller, services, query)


@organisation_router.get(
    _LIST + "/{code:path}",
    summary="Show an organisation",
    response_model=OrganisationDocument,
)
def show_organisation(
    code: CodePath, request: Request, services: Services, caller: OrganisationReader
) -> Response:
    """What it is called, and the way to it."""
    return tagged(request, organisation_document(caller, services, code))
