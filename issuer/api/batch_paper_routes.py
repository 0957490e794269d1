"""The papers of a batch: proof sheet, packing list, the minutes of each level, the sheet that members sign."""

import uuid
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from issuer.api.batch_routes import BatchIdPath, CardReader
from issuer.api.gate import Caller, Demand, Services
from issuer.api.ports import ApiServices
from issuer.domain.batch import BatchId
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.rights import Right
from issuer.papers.batch_papers import minutes_pdf, packing_list_pdf, proof_sheet_pdf
from issuer.services.write_batch_papers import HandOverLevel

__all__ = [
    "PROOF_CARDS",
    "FirstCard",
    "HandsOver",
    "LevelsDocument",
    "Taker",
    "batch_paper_router",
    "levels_of",
    "minutes_paper",
    "packing_paper",
    "proof_paper",
]

batch_paper_router = APIRouter(prefix="/v1/batches", tags=["batches"])

PROOF_CARDS: Final = 500
"""So many cards with their portraits are a file that a printer takes."""

_PDF: Final = "application/pdf"
_PAPER: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {_PDF: {}}}}

Freezer = Annotated[Caller, Depends(Demand(Right.FREEZE_BATCHES))]
HandsOver = Annotated[Caller, Depends(Demand(Right.HAND_OVER_CARDS))]
FirstCard = Annotated[
    int, Query(alias="from", ge=1, le=10**6, description="The place of the first card shown.")
]
Taker = Annotated[
    str,
    Query(
        max_length=32,
        description="The organisation that takes the cards; else the batch's receiver.",
        examples=["P-01-03"],
    ),
]


class LevelDocument(BaseModel):
    """An organisation that takes cards of a batch."""

    organisation: str = Field(examples=["P-01-03"])
    name: str
    depth: int = Field(ge=0, description="How many levels below the receiver it stands.")
    cards: int = Field(ge=0, description="For it and for all below it.")
    own: int = Field(ge=0, description="For its own members.")

    @classmethod
    def of(cls, level: HandOverLevel) -> "LevelDocument":
        """The document of a level."""
        return cls(
            organisation=level.code,
            name=level.name,
            depth=level.depth,
            cards=level.cards,
            own=level.own,
        )


class LevelsDocument(BaseModel):
    """Through whose hands the cards of a batch go, each organisation behind the one above it."""

    levels: list[LevelDocument]


def levels_of(caller: Caller, services: ApiServices, batch_id: uuid.UUID) -> LevelsDocument:
    """The organisations whose minutes the caller may draw up.

    Raises:
        IssuerRefusedError: ``right.missing``, ``batch.unknown``, ``batch.wrong-state``.
    """
    found = services.batches.papers.levels(BatchId(batch_id), actor=caller.actor)
    return LevelsDocument(levels=[LevelDocument.of(each) for each in found])


def proof_paper(
    caller: Caller, services: ApiServices, batch_id: uuid.UUID, *, first: int
) -> Response:
    """A part of the proof sheet."""
    sheet = services.batches.papers.proof(
        BatchId(batch_id), actor=caller.actor, first=first, count=PROOF_CARDS
    )
    content = proof_sheet_pdf(
        sheet, portrait_of=services.portraits.get, display=services.scheme.display
    )
    return _paper(content, f"proof-{batch_id}-{first}")


def packing_paper(caller: Caller, services: ApiServices, batch_id: uuid.UUID) -> Response:
    """The packing list."""
    packing = services.batches.papers.packing_list(BatchId(batch_id), actor=caller.actor)
    return _paper(packing_list_pdf(packing, display=services.scheme.display), f"packing-{batch_id}")


def minutes_paper(
    caller: Caller, services: ApiServices, batch_id: uuid.UUID, *, taker: str, to_members: bool
) -> Response:
    """The minutes of the hand-over to one organisation, or the sheet on which its members sign."""
    code: OrganisationCode | None = parse_organisation_code(taker) if taker else None
    found = services.batches.papers.minutes(
        BatchId(batch_id), actor=caller.actor, taker=code, to_members=to_members
    )
    name = "-".join(
        (
            "signatures" if to_members else "minutes",
            str(batch_id),
            *(() if code is None else (code,)),
        )
    )
    return _paper(minutes_pdf(found, display=services.scheme.display), name)


def _paper(content: bytes, name: str) -> Response:
    return Response(
        content,
        media_type=_PDF,
        headers={
            "Content-Disposition": f'attachment; filename="{name}.pdf"',
            "Cache-Control": "no-store",
        },
    )


@batch_paper_router.get(
    "/{batch_id}/proof",
    response_class=Response,
    summary="Take a part of a batch's proof sheet (PDF)",
    responses=_PAPER,
)
def take_proof(
    batch_id: BatchIdPath, services: Services, caller: Freezer, first: FirstCard = 1
) -> Response:
    """Five hundred cards with their portraits, and the digest that two people compare.

    It takes ``cards.export`` and the second factor, which a token of the command line never brings.
    """
    return proof_paper(caller, services, batch_id, first=first)


@batch_paper_router.get(
    "/{batch_id}/packing-list",
    response_class=Response,
    summary="Take a batch's packing list (PDF)",
    responses=_PAPER,
)
def take_packing_list(batch_id: BatchIdPath, services: Services, caller: CardReader) -> Response:
    """Which card lies in which box; it names nobody."""
    return packing_paper(caller, services, batch_id)


@batch_paper_router.get("/{batch_id}/levels", summary="List who takes cards of a batch")
def list_levels(batch_id: BatchIdPath, services: Services, caller: HandsOver) -> LevelsDocument:
    """The receiver and all below it that have cards in its boxes, as far as they are the caller's."""
    return levels_of(caller, services, batch_id)


@batch_paper_router.get(
    "/{batch_id}/minutes",
    response_class=Response,
    summary="Take the minutes of a hand-over (PDF)",
    responses=_PAPER,
)
def take_minutes(
    *,
    batch_id: BatchIdPath,
    services: Services,
    caller: HandsOver,
    to: Taker = "",
    members: Annotated[
        bool, Query(description="From there to the members, each of whom signs.")
    ] = False,
) -> Response:
    """From one level to the next, or to the members; that it was drawn up stands in the audit trail."""
    return minutes_paper(caller, services, batch_id, taker=to, to_members=members)
