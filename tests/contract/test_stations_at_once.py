"""Two who do something with the same chip, card or batch at once, on both databases: one after the other, or refused."""

import contextlib
import functools
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from issuer.db import card_validity
from issuer.db.base import Database
from issuer.db.chip_holds import hold_chip
from issuer.db.production_rows import locked_chip
from issuer.db.schema import upgrade
from issuer.db.stations import SqlStationBook
from issuer.domain.batch import Acknowledgement, AcknowledgementKind, Batch
from issuer.domain.card import CardReference
from issuer.domain.card_number import CardNumber
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.chip import Serial
from issuer.domain.member import MemberId
from issuer.domain.rights import Role
from issuer.domain.stock_account import FIRST_STORE, SiteCode
from issuer.domain.stock_acts import StopReason
from issuer.services.deliver_batches import HandedOver
from issuer.services.station_ports import DayRecord
from tests.contract.batch_stage import CLERK_OF_COMMUNE, CONTROLLER, OPERATOR, STOREKEEPER
from tests.contract.cards_stage import fresh_sqlite
from tests.contract.centre_stage import LEFT, MAKER, CentreStage
from tests.contract.meetings import Did, Meetings, at_once
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

FEW, MANY = 50, 990
"""Members: each card that is made takes one."""


@contextlib.contextmanager
def centre(request: pytest.FixtureRequest, folder: Path, *, members: int) -> Iterator[CentreStage]:
    """A centre over a database of the kind that the test or fixture is asked for."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            database = fresh_sqlite(folder)
        else:
            database = stack.enter_context(on_server(request.getfixturevalue("postgresql_server")))
        stack.callback(database.close)
        made = CentreStage(database, folder, members=members)
        stack.callback(made.close)
        yield made


@contextlib.contextmanager
def on_server(server: str) -> Iterator[Database]:
    """A database in a schema of its own."""
    name = f"membercard_{uuid.uuid4().hex}"
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    inside = sa.engine.make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
    database = Database(inside.render_as_string(hide_password=False))
    upgrade(database)
    yield database
    database.close()
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(name, cascade=True))
    engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def workplace(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CentreStage]:
    with centre(request, tmp_path_factory.mktemp("centre"), members=FEW) as made:
        yield made


@pytest.fixture
def stage(workplace: CentreStage) -> Iterator[CentreStage]:
    """After every test nothing is lost or doubled, whatever it was about."""
    yield workplace
    workplace.require_sound()


@pytest.fixture(params=["sqlite", "postgresql"])
def large_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CentreStage]:
    with centre(request, tmp_path, members=MANY) as made:
        yield made


def told(did: Did) -> str | None:
    """The code of a refusal; that of the card where one card was handed over."""
    if isinstance(did.value, list):
        [card] = did.value
        assert isinstance(card, HandedOver)
        return card.code
    return did.code


def require_met(stage: CentreStage, meetings: Meetings, prepare: Prepare, after: int | None) -> int:
    """Both end as they may; how many statements the first one took."""
    first, second = prepare(stage)
    met = meetings.meet(first, second, after=after)
    ends = (told(met.first), told(met.second))
    assert ends in ENCOUNTERS[prepare].ends, (prepare.__name__, after, ends)
    return met.statements


def test_who_meets_another_in_the_middle_goes_on_or_is_told_why(stage: CentreStage) -> None:
    with contextlib.closing(Meetings(stage.database)) as meetings:
        for prepare, encounter in ENCOUNTERS.items():
            count = require_met(stage, meetings, prepare, encounter.middle)
            assert count > encounter.middle, prepare.__name__


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_who_meets_another_at_any_statement_goes_on_or_is_told_why(
    large_stage: CentreStage,
) -> None:
    with contextlib.closing(Meetings(large_stage.database)) as meetings:
        for prepare in ENCOUNTERS:
            count = require_met(large_stage, meetings, prepare, None)
            assert count > 5, prepare.__name__
            # On SQLite whoever writes is alone from the first statement on.
            for after in range(1, count, 4 if large_stage.database.is_sqlite else 1):
                require_met(large_stage, meetings, prepare, after)
            large_stage.require_sound()


def test_who_waits_in_a_circle_is_told_to_do_it_again(stage: CentreStage) -> None:
    """Nobody of the product does so; here two lock two chips in different orders."""
    serials = stage.blanks(2)

    def hold(*order: Serial) -> None:
        with stage.database.writing() as session:
            for serial in order:
                hold_chip(locked_chip(session, serial), "chip.looked-at")
                session.flush()

    forth, back = functools.partial(hold, *serials), functools.partial(hold, *serials[::-1])
    with contextlib.closing(Meetings(stage.database)) as meetings:
        met = meetings.meet(forth, back, after=2)
    ends = {met.first.code, met.second.code}
    assert ends == ({None} if stage.database.is_sqlite else {None, "database.crossed"})


def test_of_stations_that_claim_a_chip_at_once_the_one_has_it_where_it_lies(
    stage: CentreStage,
) -> None:
    stations = (stage.left, stage.right, stage.another_station())
    for number in range(9):
        owner = stations[number % len(stations)]
        [serial] = stage.blanks(1, site=owner.name)
        done = at_once(*(functools.partial(each.claim, serial) for each in stations))
        codes = {each.name: did.code for each, did in zip(stations, done, strict=True)}
        assert codes.pop(owner.name) is None
        assert set(codes.values()) <= {"station.claimed-elsewhere", "chip.elsewhere"}
        assert stage.claimed_by(serial) == owner.name


def test_a_card_that_many_hand_over_at_once_is_handed_over_once(stage: CentreStage) -> None:
    batch, _ = stage.received_of(3)
    for number in stage.numbers(batch):
        hand_over = handing_over(stage, batch, number)
        codes = [told(did) for did in at_once(hand_over, hand_over, hand_over)]
        assert codes.count(None) == 1
        assert set(codes) <= {None, "batch.other-card", "production.wrong-state"}


def test_two_batches_that_are_frozen_at_once_share_no_chip(stage: CentreStage) -> None:
    for _ in range(2):
        first, second = at_once(*freeze_beside_freeze(stage))
        codes = {told(first), told(second)}
        assert codes in ({None, "batch.too-few-chips"}, {None, "card.already-bound"})
