"""The papers of a batch as pages: what there is to print now, for each level that cards go through."""

from typing import Final

from fastapi import APIRouter, Depends, Request, Response

from issuer.api.answering_errors import is_file
from issuer.api.batch_paper_routes import (
    PROOF_CARDS,
    FirstCard,
    LevelsDocument,
    Taker,
    levels_of,
    minutes_paper,
    packing_paper,
    proof_paper,
)
from issuer.api.batch_routes import BatchIdPath, CardReader, shown_batch
from issuer.api.gate import Services
from issuer.api.pages import batch_words
from issuer.api.pages.rendering import render
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError

__all__ = ["batch_paper_page_router"]

batch_paper_page_router = APIRouter(include_in_schema=False, prefix="/batches/{batch_id}")

_NONE: Final = LevelsDocument(levels=[])


@batch_paper_page_router.get("/papers", response_model=None)
def papers_page(
    batch_id: BatchIdPath, request: Request, services: Services, caller: CardReader
) -> Response:
    """Whatever can be printed for a batch now."""
    batch = shown_batch(caller, services, batch_id)
    try:
        levels = levels_of(caller, services, batch_id)
    except IssuerRefusedError as error:
        if error.code not in ("right.missing", "batch.wrong-state"):
            raise
        levels = _NONE
    may_freeze = caller.actor.may_somewhere(Right.FREEZE_BATCHES)
    return render(
        request,
        "batch_papers.html",
        caller=caller,
        batch=batch,
        levels=levels.levels,
        parts=range(1, (batch.proof_cards or 0) + 1, PROOF_CARDS) if may_freeze else (),
        part_size=PROOF_CARDS,
        words=batch_words,
    )


@batch_paper_page_router.get("/proof", response_model=None, dependencies=[Depends(is_file)])
def proof_page(
    batch_id: BatchIdPath, services: Services, caller: CardReader, first: FirstCard = 1
) -> Response:
    """A part of its proof sheet; it shows everybody in the batch, and asks for the second factor."""
    return proof_paper(caller, services, batch_id, first=first)


@batch_paper_page_router.get("/packing-list", response_model=None)
def packing_page(batch_id: BatchIdPath, services: Services, caller: CardReader) -> Response:
    """Its packing list."""
    return packing_paper(caller, services, batch_id)


@batch_paper_page_router.get("/minutes", response_model=None)
def minutes_page(
    *,
    batch_id: BatchIdPath,
    services: Services,
    caller: CardReader,
    to: Taker = "",
    members: bool = False,
) -> Response:
    """The minutes of a hand-over."""
    return minutes_paper(caller, services, batch_id, taker=to, to_members=members)
