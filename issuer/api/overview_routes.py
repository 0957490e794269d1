"""The overview: what waits for whoever looks, and the register in figures, each by right."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from issuer.api.gate import AnySession, Caller, Services
from issuer.api.languages import message
from issuer.api.ports import ApiServices
from issuer.domain.requests import RequestEventKind
from issuer.services.overviews import DECISIONS

__all__ = ["FigureDocument", "OverviewDocument", "TaskDocument", "overview_of", "overview_router"]

_FIGURES: Final = {
    "members": message("Members"),
    "official": message("Official members"),
    "probationary": message("Probationary members"),
    "elsewhere": message("Abroad or being transferred"),
    "organisations": message("Organisations"),
}
_TASKS: Final[Mapping[str, str]] = {
    RequestEventKind.PROPOSED: message("Requests to propose"),
    RequestEventKind.ENDORSED: message("Requests to endorse"),
    RequestEventKind.COMPILED: message("Requests to compile"),
    RequestEventKind.TABLED: message("Requests to put into a decision"),
    DECISIONS: message("Decisions to confirm"),
}
_HREFS: Final[Mapping[str, str]] = {
    RequestEventKind.PROPOSED: "/requests?waiting=propose",
    RequestEventKind.ENDORSED: "/requests?waiting=endorse",
    RequestEventKind.COMPILED: "/requests?waiting=compile",
    RequestEventKind.TABLED: "/requests?waiting=decide",
    DECISIONS: "/decisions?waiting=confirm",
}

overview_router = APIRouter(prefix="/v1/overview", tags=["overview"])

Looking = Annotated[
    Caller, Depends(AnySession("each figure is shown by its own right; without one there is none"))
]


class FigureDocument(BaseModel):
    """One figure."""

    name: str = Field(examples=["members"])
    label: str = Field(examples=["Members"])
    count: int = Field(ge=0)


class TaskDocument(FigureDocument):
    """Something that waits for the caller."""

    href: str = Field(examples=["/requests?state=proposed"])


class OverviewDocument(BaseModel):
    """What waits, and the figures; within the caller's own part of the tree."""

    as_of: datetime
    waiting: list[TaskDocument]
    figures: list[FigureDocument]


def overview_of(caller: Caller, services: ApiServices) -> OverviewDocument:
    """The overview of whoever calls."""
    found = services.overview.show(caller.actor)
    return OverviewDocument(
        as_of=found.as_of,
        waiting=[
            TaskDocument(
                name=each.name, label=_TASKS[each.name], count=each.count, href=_HREFS[each.name]
            )
            for each in found.waiting
        ],
        figures=[
            FigureDocument(name=each.name, label=_FIGURES[each.name], count=each.count)
            for each in found.figures
        ],
    )


@overview_router.get("", summary="What waits for the caller, and figures")
def overview(services: Services, caller: Looking) -> OverviewDocument:
    """Computed as it is asked for."""
    return overview_of(caller, services)
