"""Cards that were made: which one is called so, its dossier, and what people say and do of it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from issuer.api.card_documents import (
    CardDocument,
    DossierDocument,
    FoundCardDocument,
    RemarkBody,
    ReportBody,
)
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, Receipt, answer_of, carry_out_once, mark_of
from issuer.api.ports import ApiServices
from issuer.domain.card import CardReference
from issuer.domain.card_dossier import CardDossier
from issuer.domain.card_validity import EndReason
from issuer.domain.rights import Right
from issuer.papers.card_dossier_pdf import dossier_pdf
from issuer.services.card_acts import CardAct
from issuer.services.operation_ports import KeptAnswer

__all__ = [
    "CardReader",
    "CardReferencePath",
    "card_router",
    "dossier_paper",
    "read_dossier",
    "take_act_once",
]

card_router = APIRouter(prefix="/v1/cards", tags=["cards"])

CardReader = Annotated[Caller, Depends(Demand(Right.READ_CARDS))]
CardReporter = Annotated[Caller, Depends(Demand(Right.REPORT_CARDS))]
CardRevoker = Annotated[Caller, Depends(Demand(Right.REVOKE_CARDS))]
CardReferencePath = Annotated[
    str, Path(pattern=r"^[0-9a-f]{32}$", examples=["0123456789abcdef0123456789abcdef"])
]
_PDF: Final = "application/pdf"
_PAPER: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {_PDF: {}}}}
_MAX_NAME: Final = 64


class FindCardQuery(BaseModel):
    """Which card."""

    model_config = ConfigDict(extra="forbid")

    card: str = Field(
        min_length=1,
        max_length=_MAX_NAME,
        description="Its number, its chip's serial (20 digits) or its reference (32 digits).",
        examples=["98.000017"],
    )


def read_dossier(caller: Caller, services: ApiServices, reference: str) -> CardDossier:
    """A card's dossier; that it was read is recorded.

    Raises:
        IssuerRefusedError: ``right.missing``, ``card.unknown``.
    """
    return services.cards.dossiers.read(CardReference(bytes.fromhex(reference)), actor=caller.actor)


def dossier_paper(caller: Caller, services: ApiServices, reference: str) -> Response:
    """The dossier as a document for people."""
    return Response(
        dossier_pdf(read_dossier(caller, services, reference)),
        media_type=_PDF,
        headers={
            "Content-Disposition": f'attachment; filename="card-{reference}.pdf"',
            "Cache-Control": "no-store",
        },
    )


def take_act_once(
    services: ApiServices,
    caller: Caller,
    reference: str,
    act: CardAct,
    body: RemarkBody | ReportBody,
    *,
    key: str,
) -> KeptAnswer:
    """Take an act, unless the same request did already.

    Raises:
        IssuerDataError: ``card.remark``, ``card.report-reason``.
        IssuerRefusedError: ``idempotency.*``; as ``CardActs.take``.
    """
    mark = mark_of(
        caller.actor.account,
        key,
        what=f"{act} card {reference}",
        content=body.model_dump_json().encode(),
    )

    def take() -> Receipt:
        reason: EndReason | None = body.reason if isinstance(body, ReportBody) else None
        record = services.cards.acts.take(
            act,
            CardReference(bytes.fromhex(reference)),
            actor=caller.actor,
            remark=body.remark,
            reason=reason,
        )
        return Receipt(
            status=200, location=f"/v1/cards/{reference}", document=CardDocument.of(record)
        )

    return carry_out_once(services, mark, take)


@card_router.get("", summary="Find a card")
def find_card(
    query: Annotated[FindCardQuery, Query()], services: Services, caller: CardReader
) -> FoundCardDocument:
    """By what stands on it or on its chip; cards of other parts of the tree are not there."""
    found = services.cards.finding.find(query.card.strip(), actor=caller.actor)
    return FoundCardDocument(reference=found.hex())


@card_router.get("/{reference}", summary="Show the dossier of a card")
def show_dossier(
    reference: CardReferencePath, services: Services, caller: CardReader
) -> DossierDocument:
    """That it was read stands in the audit trail."""
    return DossierDocument.of(read_dossier(caller, services, reference))


@card_router.get(
    "/{reference}/dossier",
    response_class=Response,
    summary="Take the dossier of a card (PDF)",
    responses=_PAPER,
)
def take_dossier(reference: CardReferencePath, services: Services, caller: CardReader) -> Response:
    """In Vietnamese and English; that it was read stands in the audit trail."""
    return dossier_paper(caller, services, reference)


@card_router.post(
    "/{reference}/report", response_model=CardDocument, summary="Report a lost, stolen, ... card"
)
def report(
    reference: CardReferencePath,
    body: ReportBody,
    services: Services,
    caller: CardReporter,
    key: KeyHeader,
) -> Response:
    """It counts for nothing at once; it ends when another person confirms it."""
    return answer_of(take_act_once(services, caller, reference, CardAct.REPORT, body, key=key))


@card_router.post(
    "/{reference}/confirm", response_model=CardDocument, summary="Confirm what was reported"
)
def confirm(
    reference: CardReferencePath,
    body: RemarkBody,
    services: Services,
    caller: CardRevoker,
    key: KeyHeader,
) -> Response:
    """As another person: the card never counts again."""
    return answer_of(take_act_once(services, caller, reference, CardAct.CONFIRM, body, key=key))


@card_router.post("/{reference}/suspend", response_model=CardDocument, summary="Suspend a card")
def suspend(
    reference: CardReferencePath,
    body: RemarkBody,
    services: Services,
    caller: CardRevoker,
    key: KeyHeader,
) -> Response:
    """It counts for nothing, for now."""
    return answer_of(take_act_once(services, caller, reference, CardAct.SUSPEND, body, key=key))


@card_router.post(
    "/{reference}/resume", response_model=CardDocument, summary="Take back what holds a card"
)
def resume(
    reference: CardReferencePath,
    body: RemarkBody,
    services: Services,
    caller: CardRevoker,
    key: KeyHeader,
) -> Response:
    """A report that was wrong, as another person; else an office's suspension."""
    return answer_of(take_act_once(services, caller, reference, CardAct.RESUME, body, key=key))


@card_router.post("/{reference}/collect", response_model=CardDocument, summary="Collect a card")
def collect(
    reference: CardReferencePath,
    body: RemarkBody,
    services: Services,
    caller: CardReporter,
    key: KeyHeader,
) -> Response:
    """The organisation took it in: it counts for nothing meanwhile."""
    return answer_of(take_act_once(services, caller, reference, CardAct.COLLECT, body, key=key))


@card_router.post(
    "/{reference}/give-back", response_model=CardDocument, summary="Give a collected card back"
)
def give_back(
    reference: CardReferencePath,
    body: RemarkBody,
    services: Services,
    caller: CardReporter,
    key: KeyHeader,
) -> Response:
    """It is in its member's hand again."""
    return answer_of(take_act_once(services, caller, reference, CardAct.GIVE_BACK, body, key=key))


@card_router.post(
    "/{reference}/return", response_model=CardDocument, summary="Take a card back for good"
)
def take_back(
    reference: CardReferencePath,
    body: RemarkBody,
    services: Services,
    caller: CardReporter,
    key: KeyHeader,
) -> Response:
    """One in force waits for another person's confirmation; an ended one stays what it is."""
    return answer_of(take_act_once(services, caller, reference, CardAct.RETURN, body, key=key))
