"""What is done with batches: opened, filled, frozen by two, signed, passed, packed, dispatched, received, handed over."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from issuer.api import batch_acts
from issuer.api.batch_acts import (
    ActDocument,
    BatchBody,
    CardNumbersBody,
    CarrierBody,
    FillBody,
    FilledDocument,
    HandOverBody,
    PackBody,
    ProofBody,
    RequestsBody,
    SerialsOfBatchBody,
)
from issuer.api.batch_routes import BatchDocument, BatchIdPath
from issuer.api.entity_tags import MatchHeader
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, answer_of
from issuer.api.operation_routes import OperationDocument
from issuer.api.stock_routes import StockController, StockKeeper
from issuer.domain.batch import BatchId
from issuer.domain.rights import Right
from issuer.domain.stock_account import parse_site_code

__all__ = ["BatchFreezer", "batch_act_router"]

batch_act_router = APIRouter(prefix="/v1/batches", tags=["batches"])

BatchFreezer = Annotated[Caller, Depends(Demand(Right.FREEZE_BATCHES))]
SigningAsker = Annotated[Caller, Depends(Demand(Right.HAVE_BATCHES_SIGNED))]
CardGiver = Annotated[Caller, Depends(Demand(Right.HAND_OVER_CARDS))]


@batch_act_router.post(
    "",
    status_code=201,
    summary="Open a batch for a receiving committee",
    response_model=BatchDocument,
)
def open_batch(
    body: BatchBody, services: Services, caller: BatchFreezer, key: KeyHeader
) -> Response:
    """By a confirmed decision, for members recorded at the receiver or below."""
    return answer_of(batch_acts.open_once(services, caller, body, key=key))


@batch_act_router.post(
    "/{batch_id}/requests",
    summary="Put requests that wait into an open batch",
    response_model=FilledDocument,
)
def fill_batch(
    batch_id: BatchIdPath,
    body: FillBody,
    services: Services,
    caller: BatchFreezer,
    key: KeyHeader,
) -> Response:
    """In the order of the register."""
    return answer_of(batch_acts.fill_once(services, caller, BatchId(batch_id), body, key=key))


@batch_act_router.post(
    "/{batch_id}/taken-out",
    summary="Take requests out of an open batch",
    response_model=FilledDocument,
)
def take_out_of_batch(
    batch_id: BatchIdPath,
    body: RequestsBody,
    services: Services,
    caller: BatchFreezer,
    key: KeyHeader,
) -> Response:
    """They can go into another one."""
    return answer_of(batch_acts.take_out_once(services, caller, BatchId(batch_id), body, key=key))


@batch_act_router.post(
    "/{batch_id}/cancellation",
    summary="Give up a batch that is not frozen",
    response_model=BatchDocument,
)
def cancel_batch(
    *,
    batch_id: BatchIdPath,
    services: Services,
    caller: BatchFreezer,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Its requests can go into another one."""
    identifier = BatchId(batch_id)
    kept = batch_acts.move_once(
        services,
        caller,
        identifier,
        lambda: services.batches.filling.cancel(identifier, actor=caller.actor),
        key=key,
        what="cancel",
        if_match=if_match,
    )
    return answer_of(kept)


@batch_act_router.post(
    "/{batch_id}/freeze-proposal",
    summary="Propose the freeze of a batch",
    response_model=BatchDocument,
)
def propose_freeze(
    *,
    batch_id: BatchIdPath,
    services: Services,
    caller: BatchFreezer,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Requests whose members may have no card any more are left out."""
    identifier = BatchId(batch_id)
    kept = batch_acts.move_once(
        services,
        caller,
        identifier,
        lambda: services.batches.freezing.propose(identifier, actor=caller.actor),
        key=key,
        what="propose the freeze of",
        if_match=if_match,
    )
    return answer_of(kept)


@batch_act_router.post(
    "/{batch_id}/freeze-withdrawal",
    summary="Take a proposed freeze back",
    response_model=BatchDocument,
)
def take_freeze_back(
    *,
    batch_id: BatchIdPath,
    services: Services,
    caller: BatchFreezer,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """The batch is open again."""
    identifier = BatchId(batch_id)
    kept = batch_acts.move_once(
        services,
        caller,
        identifier,
        lambda: services.batches.freezing.take_back(identifier, actor=caller.actor),
        key=key,
        what="take back the freeze of",
        if_match=if_match,
    )
    return answer_of(kept)


@batch_act_router.post(
    "/{batch_id}/freeze",
    summary="Freeze a batch whose freeze another person proposed",
    response_model=BatchDocument,
)
def freeze_batch(
    *,
    batch_id: BatchIdPath,
    body: ProofBody,
    services: Services,
    caller: BatchFreezer,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Members are bound to initialised chips: of the sites that are named or, without any, of the receiver's own unit."""
    identifier = BatchId(batch_id)
    kept = batch_acts.move_once(
        services,
        caller,
        identifier,
        lambda: services.batches.freezing.confirm(
            identifier,
            body.proof,
            actor=caller.actor,
            sites=[parse_site_code(each) for each in body.sites],
        ),
        key=key,
        what="freeze",
        if_match=if_match,
        body=body,
    )
    return answer_of(kept)


@batch_act_router.post(
    "/{batch_id}/signing",
    status_code=202,
    summary="Have a frozen batch signed",
    response_model=OperationDocument,
)
def sign_batch(
    batch_id: BatchIdPath,
    services: Services,
    caller: SigningAsker,
    key: KeyHeader,
) -> Response:
    """An operation, under the authorisation by two of its decision; asked for again, it goes on where it broke off."""
    return answer_of(batch_acts.sign_once(services, caller, BatchId(batch_id), key=key))


@batch_act_router.post(
    "/{batch_id}/passes",
    summary="Pass finished cards of a batch",
    response_model=ActDocument,
)
def pass_batch_cards(
    batch_id: BatchIdPath,
    body: SerialsOfBatchBody,
    services: Services,
    caller: StockController,
    key: KeyHeader,
) -> Response:
    """As another person than whoever made them."""
    return answer_of(batch_acts.pass_once(services, caller, BatchId(batch_id), body, key=key))


@batch_act_router.post(
    "/{batch_id}/packing",
    summary="Pack a batch that passed quality control",
    response_model=BatchDocument,
)
def pack_batch(
    *,
    batch_id: BatchIdPath,
    body: PackBody,
    services: Services,
    caller: StockKeeper,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Those of one organisation lie together."""
    identifier = BatchId(batch_id)
    kept = batch_acts.move_once(
        services,
        caller,
        identifier,
        lambda: services.batches.delivery.pack(
            identifier, cards_of_box=body.cards_of_box, actor=caller.actor
        ),
        key=key,
        what="pack",
        if_match=if_match,
        body=body,
    )
    return answer_of(kept)


@batch_act_router.post(
    "/{batch_id}/dispatch",
    summary="Give a packed batch to whoever carries it",
    response_model=BatchDocument,
)
def dispatch_batch(
    *,
    batch_id: BatchIdPath,
    body: CarrierBody,
    services: Services,
    caller: StockKeeper,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """It is on its way."""
    identifier = BatchId(batch_id)
    kept = batch_acts.move_once(
        services,
        caller,
        identifier,
        lambda: services.batches.delivery.dispatch(
            identifier, carrier=body.carrier, actor=caller.actor
        ),
        key=key,
        what="dispatch",
        if_match=if_match,
        body=body,
    )
    return answer_of(kept)


@batch_act_router.post(
    "/{batch_id}/receipts",
    summary="Count in cards of a batch that arrived",
    response_model=ActDocument,
)
def receive_batch_cards(
    batch_id: BatchIdPath,
    body: CardNumbersBody,
    services: Services,
    caller: CardGiver,
    key: KeyHeader,
) -> Response:
    """As often as it takes; the batch is received when nothing is missing."""
    return answer_of(batch_acts.receive_once(services, caller, BatchId(batch_id), body, key=key))


@batch_act_router.post(
    "/{batch_id}/hand-overs",
    summary="Hand cards of a received batch to their members",
    response_model=ActDocument,
)
def hand_over_batch_cards(
    batch_id: BatchIdPath,
    body: HandOverBody,
    services: Services,
    caller: CardGiver,
    key: KeyHeader,
) -> Response:
    """From then on the cards count."""
    return answer_of(batch_acts.hand_over_once(services, caller, BatchId(batch_id), body, key=key))
