"""What is done with batches by a request that carries a key: for programs and for forms alike."""

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from issuer.api.batch_routes import shown_batch
from issuer.api.entity_tags import require_match
from issuer.api.gate import Caller
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.operation_routes import OperationDocument
from issuer.api.ports import ApiServices
from issuer.domain.batch import (
    MAX_CARDS_OF_BATCH,
    Acknowledgement,
    AcknowledgementKind,
    BatchId,
    parse_batch_id,
)
from issuer.domain.card_number import CardNumber
from issuer.domain.chip import parse_serial
from issuer.domain.decisions import parse_decision_id
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.requests import RequestId, parse_request_id
from issuer.services.deliver_batches import MAX_CARDS_OF_BOX
from issuer.services.fill_batches import FillReport
from issuer.services.operation_ports import KeptAnswer, RequestMark

__all__ = [
    "ActDocument",
    "BatchBody",
    "CardNumbersBody",
    "CarrierBody",
    "FillBody",
    "FilledDocument",
    "HandOverBody",
    "PackBody",
    "ProofBody",
    "RequestsBody",
    "SerialsOfBatchBody",
    "fill_once",
    "hand_over_cards",
    "hand_over_once",
    "move_once",
    "open_once",
    "pass_cards",
    "pass_once",
    "receive_cards",
    "receive_once",
    "sign_once",
    "take_out_once",
]

_Identifier = Annotated[
    str,
    Field(min_length=32, max_length=36, examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"]),
]
_Number = Annotated[str, Field(min_length=1, max_length=16, examples=["98.000001"])]
_Serial = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{20}$", examples=["00000000000000000001"])]
_MOST_SCANNED = 1000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BatchBody(_Body):
    """What a batch is opened for."""

    decision: _Identifier
    receiver: str = Field(min_length=1, max_length=32, examples=["P-01"])
    follow_up_of: _Identifier | None = Field(
        default=None, description="The batch whose condemned cards are made anew."
    )
    fill: bool = Field(default=True, description="Put in all that waits, too.")


class FillBody(_Body):
    """How many more."""

    limit: int | None = Field(default=None, ge=1, le=MAX_CARDS_OF_BATCH)


class RequestsBody(_Body):
    """Which requests."""

    requests: list[_Identifier] = Field(min_length=1, max_length=_MOST_SCANNED)


class ProofBody(_Body):
    """What stands on the proof sheet that was read."""

    proof: str = Field(min_length=1, max_length=80, examples=["3f9a 1c20 b4d8 5e67"])
    sites: list[Annotated[str, Field(max_length=32)]] = Field(
        default_factory=list,
        max_length=20,
        description="Where the chips lie that are taken; those of the receiver's own unit without any.",
        examples=[["p01-station"]],
    )


class SerialsOfBatchBody(_Body):
    """Chips, as they were scanned."""

    serials: list[_Serial] = Field(min_length=1, max_length=_MOST_SCANNED)


class PackBody(_Body):
    """How many cards lie in a box."""

    cards_of_box: int = Field(ge=1, le=MAX_CARDS_OF_BOX, examples=[100])


class CarrierBody(_Body):
    """Who carries it."""

    carrier: str = Field(min_length=1, max_length=200, examples=["Vehicle 7"])


class CardNumbersBody(_Body):
    """Cards, as their numbers were scanned."""

    numbers: list[_Number] = Field(min_length=1, max_length=_MOST_SCANNED)


class HandOverBody(CardNumbersBody):
    """Cards whose members have them, and who signed."""

    signed_by: AcknowledgementKind = AcknowledgementKind.MEMBER
    minutes_sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="Of the signed minutes as they were scanned, in hex; the file stays with you.",
    )

    @property
    def acknowledgement(self) -> Acknowledgement:
        """What is kept beside each card."""
        minutes = None if self.minutes_sha256 is None else bytes.fromhex(self.minutes_sha256)
        return Acknowledgement(kind=self.signed_by, minutes=minutes)


class FilledDocument(BaseModel):
    """What is in a batch, and how many more could be."""

    filled: int = Field(ge=0, description="How many went in, or were taken out.")
    held: int = Field(ge=0)
    waiting: int = Field(ge=0)


class ActDocument(BaseModel):
    """What came of scanning: how many it took, which it did not take, each with the code, and what is missing."""

    done: int = Field(ge=0)
    refused: list[tuple[str, str]] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)


def open_once(services: ApiServices, caller: Caller, body: BatchBody, *, key: str) -> KeptAnswer:
    """Open a batch, and put in what waits, where that is wished; the same under the same key is opened once."""

    def act() -> Receipt:
        filling = services.batches.filling
        batch = filling.create(
            parse_organisation_code(body.receiver),
            parse_decision_id(body.decision),
            actor=caller.actor,
            follow_up_of=None if body.follow_up_of is None else parse_batch_id(body.follow_up_of),
        )
        if body.fill:
            filling.fill(batch.batch_id, actor=caller.actor)
        return _receipt(services, caller, batch.batch_id, status=201)

    return carry_out_once(services, _mark(caller, key, "POST /v1/batches", body), act)


def fill_once(
    services: ApiServices, caller: Caller, batch: BatchId, body: FillBody, *, key: str
) -> KeptAnswer:
    """Put in what waits."""

    def act() -> Receipt:
        report = services.batches.filling.fill(batch, actor=caller.actor, limit=body.limit)
        return _filled(batch, report)

    return carry_out_once(services, _mark(caller, key, f"fill batch {batch}", body), act)


def take_out_once(
    services: ApiServices, caller: Caller, batch: BatchId, body: RequestsBody, *, key: str
) -> KeptAnswer:
    """Take requests out."""

    def act() -> Receipt:
        wanted: list[RequestId] = [parse_request_id(each) for each in body.requests]
        taken = services.batches.filling.take_out(batch, wanted, actor=caller.actor)
        shown = shown_batch(caller, services, batch)
        return _filled(
            batch, FillReport(filled=taken, held=shown.requests, waiting=shown.waiting or 0)
        )

    return carry_out_once(services, _mark(caller, key, f"take out of batch {batch}", body), act)


def move_once(
    services: ApiServices,
    caller: Caller,
    batch: BatchId,
    work: Callable[[], object],
    *,
    key: str,
    what: str,
    if_match: str | None,
    body: BaseModel | None = None,
) -> KeptAnswer:
    """Take a batch one step on, as it was read; the same under the same key is taken once.

    Raises:
        ApiError: ``api.precondition-missing``, ``api.precondition-failed``.
        IssuerError: what the step refuses.
    """

    def act() -> Receipt:
        require_match(if_match, shown_batch(caller, services, batch))
        work()
        return _receipt(services, caller, batch)

    return carry_out_once(services, _mark(caller, key, f"{what} batch {batch}", body), act)


def sign_once(services: ApiServices, caller: Caller, batch: BatchId, *, key: str) -> KeptAnswer:
    """Have a batch signed, as an operation; the same under the same key is begun once."""

    def act() -> Receipt:
        operation = services.batches.operations.sign(batch, actor=caller.actor)
        return Receipt(
            status=202,
            location=f"/v1/operations/{operation.operation_id}",
            document=OperationDocument.of(operation),
        )

    return carry_out_once(services, _mark(caller, key, f"sign batch {batch}", None), act)


def pass_once(
    services: ApiServices, caller: Caller, batch: BatchId, body: SerialsOfBatchBody, *, key: str
) -> KeptAnswer:
    """Pass finished cards."""

    def act() -> Receipt:
        return _scanned(batch, pass_cards(services, caller, batch, body.serials))

    return carry_out_once(services, _mark(caller, key, f"pass cards of batch {batch}", body), act)


def receive_once(
    services: ApiServices, caller: Caller, batch: BatchId, body: CardNumbersBody, *, key: str
) -> KeptAnswer:
    """Count cards in."""

    def act() -> Receipt:
        numbers = [services.scheme.parse(each) for each in body.numbers]
        return _scanned(batch, receive_cards(services, caller, batch, numbers))

    return carry_out_once(services, _mark(caller, key, f"count in batch {batch}", body), act)


def hand_over_once(
    services: ApiServices, caller: Caller, batch: BatchId, body: HandOverBody, *, key: str
) -> KeptAnswer:
    """Hand cards over."""

    def act() -> Receipt:
        numbers = [services.scheme.parse(each) for each in body.numbers]
        found = hand_over_cards(services, caller, batch, numbers, body.acknowledgement)
        return _scanned(batch, found)

    return carry_out_once(services, _mark(caller, key, f"hand over of batch {batch}", body), act)


def pass_cards(
    services: ApiServices, caller: Caller, batch: BatchId, serials: list[str]
) -> ActDocument:
    """Pass the cards on these chips."""
    report = services.batches.control.pass_cards(
        batch, [parse_serial(each) for each in serials], actor=caller.actor
    )
    return ActDocument(
        done=report.passed,
        refused=[(each.serial.hex().upper(), each.code) for each in report.refused],
    )


def receive_cards(
    services: ApiServices, caller: Caller, batch: BatchId, numbers: list[CardNumber]
) -> ActDocument:
    """Count in the cards with these numbers."""
    report = services.batches.delivery.receive(batch, numbers, actor=caller.actor)
    display = services.scheme.display
    return ActDocument(
        done=report.counted,
        refused=[(display(each), "batch.unexpected") for each in report.unexpected],
        missing=[display(each.card_number) for each in report.missing],
    )


def hand_over_cards(
    services: ApiServices,
    caller: Caller,
    batch: BatchId,
    numbers: list[CardNumber],
    acknowledgement: Acknowledgement,
) -> ActDocument:
    """Hand over the cards with these numbers."""
    outcomes = list(
        services.batches.delivery.hand_over(batch, numbers, acknowledgement, actor=caller.actor)
    )
    display = services.scheme.display
    return ActDocument(
        done=sum(each.code is None for each in outcomes),
        refused=[
            (display(each.card_number), each.code) for each in outcomes if each.code is not None
        ],
    )


def _mark(caller: Caller, key: str, what: str, body: BaseModel | None) -> RequestMark:
    content = b"" if body is None else body.model_dump_json().encode()
    return mark_of(caller.actor.account, key, what=what, content=content)


def _receipt(
    services: ApiServices, caller: Caller, batch: BatchId, *, status: int = 200
) -> Receipt:
    shown = shown_batch(caller, services, batch)
    return Receipt(
        status=status,
        location=f"/v1/batches/{batch}",
        document=shown.model_copy(update={"events": None}),
    )


def _filled(batch: BatchId, report: FillReport) -> Receipt:
    return Receipt(
        status=200,
        location=f"/v1/batches/{batch}",
        document=FilledDocument(filled=report.filled, held=report.held, waiting=report.waiting),
    )


def _scanned(batch: BatchId, found: ActDocument) -> Receipt:
    return Receipt(status=200, location=f"/v1/batches/{batch}", document=found)
