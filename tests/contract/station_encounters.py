"""Two who do something with the same chip, card or batch at once: what each does, and how both may end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pytest

from issuer.db import card_validity
from issuer.db.stations import SqlStationBook
from issuer.domain.batch import Acknowledgement, AcknowledgementKind, Batch
from issuer.domain.card import CardReference
from issuer.domain.card_number import CardNumber
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.member import MemberId
from issuer.domain.rights import Role
from issuer.domain.stock_account import FIRST_STORE, SiteCode
from issuer.domain.stock_acts import StopReason
from issuer.services.deliver_batches import HandedOver
from issuer.services.station_ports import DayRecord
from tests.contract.batch_stage import CLERK_OF_COMMUNE, CONTROLLER, OPERATOR, STOREKEEPER
from tests.contract.centre_stage import LEFT, MAKER, CentreStage
from tests.contract.requests_stage import actor

SIGNED = Acknowledgement(kind=AcknowledgementKind.MEMBER)
WITNESS = actor("witness", Role.STOREKEEPER, Role.QUALITY_CONTROLLER)
OTHER_WITNESS = actor("other witness", Role.STOREKEEPER, Role.QUALITY_CONTROLLER)
MANAGER = actor("manager", Role.ADMINISTRATOR)
AT_LEFT = SiteCode(LEFT)

Work = Callable[[], object]


Prepare = Callable[[CentreStage], tuple[Work, Work]]


def claim_beside_claim(stage: CentreStage) -> tuple[Work, Work]:
    [serial] = stage.blanks(1)
    return lambda: stage.left.claim(serial), lambda: stage.right.claim(serial)


def take_back_beside_claim(stage: CentreStage) -> tuple[Work, Work]:
    [serial] = stage.blanks(1)
    room = stage.rooms.room

    def take_back() -> None:
        room.take_back([serial], source=AT_LEFT, target=FIRST_STORE, actor=STOREKEEPER)

    return take_back, lambda: stage.left.claim(serial)


def stop_beside_claim(stage: CentreStage) -> tuple[Work, Work]:
    serials = stage.blanks(2)
    report = stage.rooms.stops.report

    def put_on_the_list() -> None:
        report(serials, reason=StopReason.STOLEN, actor=STOREKEEPER)

    return put_on_the_list, lambda: stage.left.claim(serials[0])


def stop_beside_hand_in(stage: CentreStage) -> tuple[Work, Work]:
    _, serials = stage.signed(2)
    for serial in serials:
        stage.left.make(serial)

    def put_on_the_list() -> None:
        stage.rooms.stops.report(serials, reason=StopReason.STOLEN, actor=STOREKEEPER)

    return handing_in(stage), put_on_the_list


def hand_in_beside_pass(stage: CentreStage) -> tuple[Work, Work]:
    batch, serials = stage.signed(3)
    stage.left.make(serials[2])
    assert stage.left.ledger.hand_in()
    for serial in serials[:2]:
        stage.left.make(serial)

    def pass_all() -> None:
        stage.control.pass_cards(batch.batch_id, serials, actor=CONTROLLER)

    return handing_in(stage), pass_all


def first_hand_in_beside_pack(stage: CentreStage) -> tuple[Work, Work]:
    """The batch is not ready: whoever packs it is refused."""
    batch, serials = stage.signed(2)
    for serial in serials:
        stage.left.make(serial)

    def pack() -> None:
        stage.delivery.pack(batch.batch_id, cards_of_box=3, actor=STOREKEEPER)

    return handing_in(stage), pack


def late_hand_in_beside_pack(stage: CentreStage) -> tuple[Work, Work]:
    """The station says of cards that were passed that they are spoiled."""
    batch, serials = stage.passed(2)
    for serial in serials:
        stage.left.ledger.condemn(serial, code="card.rejected")

    def pack() -> None:
        stage.delivery.pack(batch.batch_id, cards_of_box=3, actor=STOREKEEPER)

    return handing_in(stage), pack


def spoiled_beside_destruction(stage: CentreStage) -> tuple[Work, Work]:
    """Both chips have finished cards; the station condemns them, and two witnesses destroy them."""
    _, serials = stage.made(2)
    for serial in serials:
        assert stage.left.ledger.find(serial) is not None
        stage.left.ledger.condemn(serial, code="card.rejected")
    acts = stage.rooms.destructions
    act = acts.witness(serials, site=AT_LEFT, manner="cut", actor=WITNESS).destruction

    def confirm() -> None:
        acts.confirm(act.destruction_id, chips=2, actor=OTHER_WITNESS)

    return handing_in(stage), confirm


def stop_confirmed_beside_pack(stage: CentreStage) -> tuple[Work, Work]:
    """The stop list goes by serials, and whoever packs by references: here that is the other way round."""
    batch, serials = stage.passed(3)
    while serials[0] > serials[1]:
        batch, serials = stage.passed(3)
    stolen = serials[:2]
    stage.rooms.stops.report(stolen, reason=StopReason.STOLEN, actor=STOREKEEPER)

    def confirm() -> None:
        stage.rooms.stops.confirm(stolen, actor=OTHER_WITNESS)

    def pack() -> None:
        stage.delivery.pack(batch.batch_id, cards_of_box=3, actor=STOREKEEPER)

    return confirm, pack


def hand_over_beside_hand_over(stage: CentreStage) -> tuple[Work, Work]:
    batch, _ = stage.received_of(1)
    hand_over = handing_over(stage, batch)
    return hand_over, hand_over


def hand_over_beside_changed_data(stage: CentreStage) -> tuple[Work, Work]:
    """The member has spoiled cards, too, which are locked before the one that is handed over."""
    batch, serials = stage.received_of(1, behind_spoiled=True)
    member_id = MemberId(stage.card_on(serials[0]).member_id)

    def change() -> None:
        with stage.register.writing() as transaction:
            transaction.cards.data_changed([member_id], account=OPERATOR.account, at=stage.clock())

    return handing_over(stage, batch), change


def many_changed_beside_pack(stage: CentreStage) -> tuple[Work, Work]:
    """The members' cards are changed in several parts, which go the other way than whoever packs."""
    batch, serials = stage.passed(2)
    member_ids = [MemberId(stage.card_on(each).member_id) for each in serials]

    def change() -> None:
        with pytest.MonkeyPatch.context() as patch, stage.register.writing() as transaction:
            patch.setattr(card_validity, "_MEMBERS_AT_ONCE", 1)
            transaction.cards.data_changed(member_ids, account=OPERATOR.account, at=stage.clock())

    def pack() -> None:
        stage.delivery.pack(batch.batch_id, cards_of_box=3, actor=STOREKEEPER)

    return change, pack


def hand_over_beside_report(stage: CentreStage) -> tuple[Work, Work]:
    batch, serials = stage.received_of(1)
    reference = CardReference(stage.card_on(serials[0]).reference)
    step = ValidityStep(
        event=ValidityEvent.REPORTED, account=OPERATOR.account, reason=EndReason.LOST
    )

    def report() -> None:
        with stage.register.writing() as transaction:
            transaction.cards.take(reference, step, at=stage.clock())

    return handing_over(stage, batch), report


def freeze_beside_freeze(stage: CentreStage) -> tuple[Work, Work]:
    """There are chips for one and a half of the two batches."""
    stage.initialised(3 - len(stage.cards.chips_to_bind()))

    def freezing() -> Work:
        batch = stage.filled(2)
        proof = stage.propose(batch, sites=[AT_LEFT])
        return lambda: stage.freezing.confirm(
            batch.batch_id, proof, actor=CONTROLLER, sites=[AT_LEFT]
        )

    return freezing(), freezing()


def freeze_beside_claim(stage: CentreStage) -> tuple[Work, Work]:
    serials = stage.initialised(2)
    batch = stage.filled(2)
    proof = stage.propose(batch, sites=[AT_LEFT])

    def freeze() -> None:
        stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER, sites=[AT_LEFT])

    return freeze, lambda: stage.left.claim(serials[0])


def day_beside_released_chip(stage: CentreStage) -> tuple[Work, Work]:
    """The station ends its day with a chip in hand that it never began; somebody takes the chip from it."""
    [serial] = stage.blanks(1)
    stage.left.claim(serial)
    stage.left.ledger.note("looked", serial=None, code="station.looked")
    assert stage.left.ledger.hand_in()
    record = DayRecord(
        head=stage.left.journal.head,
        at=stage.clock(),
        closed_by=MAKER,
        issued=0,
        condemned=0,
        destroyed=(),
    )
    book = SqlStationBook(stage.database, stage.clock)

    def release() -> None:
        book.release(serial, account=OPERATOR.account)

    return lambda: stage.left.link.close_day(record), release


def handing_in(stage: CentreStage) -> Work:
    """What the left station has to tell; where it is told nothing it would try again later, and this is no end."""

    def hand_in() -> None:
        events, head = stage.left.journal.pending(limit=500)
        stage.left.journal.record_handed_in(stage.left.link.hand_in(events, head=head))

    return hand_in


def dismissal_beside_released_chip(stage: CentreStage) -> tuple[Work, Work]:
    """A station that was lost, with two chips; one of them is taken from it singly."""
    lost = stage.another_station()
    serials = stage.blanks(2, site=lost.name)
    for serial in serials:
        lost.claim(serial)
    book = SqlStationBook(stage.database, stage.clock)

    def dismiss() -> None:
        book.dismiss(lost.name, account=MANAGER.account)

    return dismiss, lambda: book.release(serials[1], account=OPERATOR.account)


def handing_over(stage: CentreStage, batch: Batch, *chosen: CardNumber) -> Work:
    """Cards of a batch, or all, each to its member."""
    numbers = chosen or stage.numbers(batch)

    def hand_over() -> list[HandedOver]:
        return list(
            stage.delivery.hand_over(batch.batch_id, numbers, SIGNED, actor=CLERK_OF_COMMUNE)
        )

    return hand_over


Codes = tuple[str | None, str | None]
BOTH: Final[Codes] = (None, None)


@dataclass(frozen=True, kw_only=True)
class Encounter:
    """How two may end who meet.

    Attributes:
        middle: behind so many statements of the first one the short test lets the second one begin.
        ends: the codes of both; ``None`` for who is not refused.
    """

    middle: int
    ends: frozenset[Codes] = frozenset({BOTH})


def either(code: str) -> frozenset[Codes]:
    """One of the two wins, the other one is told this."""
    return frozenset({(None, code), (code, None)})


ENCOUNTERS: Final[Mapping[Prepare, Encounter]] = {
    claim_beside_claim: Encounter(
        middle=5,
        ends=frozenset({(None, "station.claimed-elsewhere"), (None, "chip.elsewhere")}),
    ),
    take_back_beside_claim: Encounter(
        middle=8, ends=frozenset({(None, "chip.elsewhere"), ("chip.claimed", None)})
    ),
    stop_beside_claim: Encounter(middle=10),
    stop_beside_hand_in: Encounter(middle=17),
    hand_in_beside_pass: Encounter(middle=17),
    first_hand_in_beside_pack: Encounter(middle=17, ends=frozenset({(None, "batch.wrong-state")})),
    late_hand_in_beside_pack: Encounter(
        middle=10, ends=frozenset({BOTH, (None, "batch.nothing-to-pack")})
    ),
    spoiled_beside_destruction: Encounter(middle=18),
    stop_confirmed_beside_pack: Encounter(middle=24),
    hand_over_beside_hand_over: Encounter(
        middle=18, ends=either("batch.other-card") | either("production.wrong-state")
    ),
    hand_over_beside_changed_data: Encounter(middle=5),
    many_changed_beside_pack: Encounter(middle=3),
    hand_over_beside_report: Encounter(middle=18, ends=frozenset({BOTH, ("card.held", None)})),
    freeze_beside_freeze: Encounter(middle=12, ends=either("batch.too-few-chips")),
    freeze_beside_claim: Encounter(middle=12),
    day_beside_released_chip: Encounter(
        middle=4, ends=frozenset({BOTH, (None, "station.not-claimed")})
    ),
    dismissal_beside_released_chip: Encounter(
        middle=4, ends=frozenset({BOTH, (None, "station.not-claimed")})
    ),
}
