"""Cards of a batch that were missing, stopped, ended or given up on their way: none is lost to the books."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from issuer.db.base import Database
from issuer.db.personal_data import FORGOTTEN_TABLES
from issuer.db.production_rows import require_not_passed
from issuer.db.production_tables import CardContentsRow, CardRow
from issuer.db.schema import upgrade
from issuer.domain.batch import Batch, BatchEventKind, BatchState
from issuer.domain.card import CardReference
from issuer.domain.card_dossier import DossierRoom
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.chip import Serial
from issuer.domain.rights import AccountName, Role
from issuer.domain.stock_account import FIRST_STORE
from issuer.domain.stock_acts import StopReason
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.stock_services import StockServices
from tests.contract.batch_stage import CLERK_OF_COMMUNE, CONTROLLER, STOREKEEPER, BatchStage, people
from tests.contract.cards_stage import fresh_sqlite
from tests.contract.requests_stage import NOW
from tests.contract.stock_stage import staff, stock_services
from tests.contract.test_batch_delivery import SIGNED

KEEPER = staff("kho", Role.STOREKEEPER, now=NOW)
CHECKER = staff("kiem tra", Role.QUALITY_CONTROLLER, now=NOW)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[BatchStage]:
    database = fresh_sqlite(tmp_path)
    yield staged(database, tmp_path)
    database.close()


def staged(database: Database, folder: Path) -> BatchStage:
    made = BatchStage(database, folder / "marks", members=people(4))
    made.initialise(1, 2, 3, 4, 5)
    return made


def stock_of(stage: BatchStage) -> StockServices:
    return stock_services(stage.database, stage.clock)


def produced(stage: BatchStage) -> tuple[Batch, list[Serial]]:
    batch = stage.open()
    stage.freeze(batch)
    stage.sign(batch)
    return batch, stage.produce(batch)


def passed(stage: BatchStage) -> tuple[Batch, list[Serial]]:
    batch, serials = produced(stage)
    stage.control.pass_cards(batch.batch_id, serials, actor=CONTROLLER)
    return batch, serials


def pack(stage: BatchStage, batch: Batch) -> tuple[int, int]:
    done = stage.delivery.pack(batch.batch_id, cards_of_box=3, actor=STOREKEEPER)
    return done.cards, done.boxes


def dispatch(stage: BatchStage, batch: Batch) -> None:
    stage.delivery.dispatch(batch.batch_id, carrier="courier 7", actor=STOREKEEPER)


def take(
    stage: BatchStage,
    reference: CardReference | None,
    event: ValidityEvent,
    account: str,
    reason: EndReason | None = None,
) -> None:
    assert reference is not None
    step = ValidityStep(event=event, account=AccountName(account), reason=reason)
    with stage.register.writing() as transaction:
        transaction.cards.take(reference, step, at=stage.clock())


def finished_at_the_site(stage: BatchStage) -> int:
    return stock_of(stage).room.account(FIRST_STORE, actor=KEEPER).account.to_count().finished


def codes_of_hand_over(stage: BatchStage, batch: Batch) -> list[str | None]:
    outcomes = stage.delivery.hand_over(
        batch.batch_id, stage.numbers(batch), SIGNED, actor=CLERK_OF_COMMUNE
    )
    return [each.code for each in outcomes]


def the_way_of_found_cards(stage: BatchStage) -> None:
    """One was stopped before its pass, one reported before the boxes, one lost on its way; all are found."""
    stops = stock_of(stage).stops
    batch, serials = produced(stage)
    stopped, missing, lost, good = stage.lines(batch)
    assert stopped.serial is not None
    stops.report([stopped.serial], reason=StopReason.MISSING, actor=KEEPER)
    report = stage.control.pass_cards(batch.batch_id, serials, actor=CONTROLLER)
    assert [(each.serial, each.code) for each in report.refused] == [
        (stopped.serial, "chip.stolen")
    ]
    stops.lift([stopped.serial], actor=CHECKER)
    report = stage.control.pass_cards(batch.batch_id, serials, actor=CONTROLLER)
    assert (report.refused, report.state) == ((), BatchState.CONTROLLED)
    # What is stopped or missing comes into no box, and what is found into one of its own.
    stops.report([stopped.serial], reason=StopReason.STOLEN, actor=KEEPER)
    take(stage, missing.reference, ValidityEvent.REPORTED, "one", EndReason.LOST)
    assert pack(stage, batch) == (2, 1)
    take(stage, missing.reference, ValidityEvent.REJECTED, "two")
    assert pack(stage, batch) == (1, 1)
    assert stage.view(batch).batch.state is BatchState.PACKED
    with pytest.raises(IssuerRefusedError) as caught:
        pack(stage, batch)
    assert caught.value.code == "batch.nothing-to-pack"
    dispatch(stage, batch)
    assert finished_at_the_site(stage) == 1
    with stage.register.reading() as transaction:
        dossier = transaction.card_dossiers.gather(stopped.reference, at=stage.clock())
    assert [
        (event.what, event.account, event.code)
        for event in dossier.events
        if event.room is DossierRoom.STOCK
    ] == [
        ("stop-reported", KEEPER.account, "missing"),
        ("stop-lifted", CHECKER.account, None),
        ("stop-reported", KEEPER.account, "stolen"),
    ]
    receive = stage.delivery.receive
    here = [missing.card_number, good.card_number]
    counted = receive(batch.batch_id, here, actor=CLERK_OF_COMMUNE)
    assert [line.card_number for line in counted.missing] == [lost.card_number]
    take(stage, lost.reference, ValidityEvent.REPORTED, "one", EndReason.LOST)
    counted = receive(batch.batch_id, [], actor=CLERK_OF_COMMUNE)
    assert counted.batch.state is BatchState.RECEIVED
    assert codes_of_hand_over(stage, batch)[1::2] == [None, None]
    # One that turns up is counted in whoever judged its report, and given to nobody before.
    counted = receive(batch.batch_id, [lost.card_number], actor=CLERK_OF_COMMUNE)
    assert (counted.counted, counted.unexpected, counted.missing) == (1, (), ())
    assert codes_of_hand_over(stage, batch)[2] == "card.held"
    take(stage, lost.reference, ValidityEvent.REJECTED, "two")
    assert codes_of_hand_over(stage, batch)[2] is None
    # The last one was at the site all the time: it goes after the others.
    stops.lift([stopped.serial], actor=CHECKER)
    assert pack(stage, batch) == (1, 1)
    assert stage.view(batch).batch.state is BatchState.RECEIVED
    assert finished_at_the_site(stage) == 0
    counted = receive(batch.batch_id, [], actor=CLERK_OF_COMMUNE)
    assert [line.card_number for line in counted.missing] == [stopped.card_number]
    receive(batch.batch_id, [stopped.card_number], actor=CLERK_OF_COMMUNE)
    assert codes_of_hand_over(stage, batch)[0] is None
    view = stage.view(batch)
    assert (view.batch.state, view.tally.handed_over) == (BatchState.HANDED_OVER, 4)
    kinds = [each.kind for each in view.events]
    assert kinds.count(BatchEventKind.PACKED) == 3
    assert kinds.count(BatchEventKind.RECEIVED) == 3
    assert [line.box for line in stage.lines(batch)] == [3, 2, 1, 1]


def test_a_card_that_was_found_is_handed_over_and_its_batch_ends(stage: BatchStage) -> None:
    the_way_of_found_cards(stage)


def test_a_card_that_was_found_is_handed_over_on_postgresql(
    postgresql_url: str, tmp_path: Path
) -> None:
    database = Database(postgresql_url)
    upgrade(database)
    the_way_of_found_cards(staged(database, tmp_path))
    assert {CardRow.__tablename__, CardContentsRow.__tablename__} <= set(FORGOTTEN_TABLES)
    database.forget_old_versions(of=FORGOTTEN_TABLES)
    database.close()


def test_a_card_that_ended_before_the_boxes_lies_at_the_site_and_is_destroyed(
    stage: BatchStage,
) -> None:
    batch, _ = passed(stage)
    ended = stage.lines(batch)[0]
    assert ended.serial is not None
    take(stage, ended.reference, ValidityEvent.REPORTED, "one", EndReason.DAMAGED)
    take(stage, ended.reference, ValidityEvent.CONFIRMED, "two")
    assert pack(stage, batch) == (3, 1)
    assert finished_at_the_site(stage) == 4
    dispatch(stage, batch)
    assert finished_at_the_site(stage) == 1
    destructions = stock_of(stage).destructions
    witnessed = destructions.witness(
        [ended.serial], site=FIRST_STORE, manner="cut", actor=KEEPER
    ).destruction
    destructions.confirm(witnessed.destruction_id, chips=1, actor=CHECKER)
    assert finished_at_the_site(stage) == 0


def test_what_quality_control_has_passed_no_station_gives_up(stage: BatchStage) -> None:
    batch, serials = produced(stage)
    with stage.database.writing() as session:
        require_not_passed(session, serials[0])
    stage.control.pass_cards(batch.batch_id, serials[:2], actor=CONTROLLER)
    with stage.database.writing() as session:
        require_not_passed(session, serials[2])
        with pytest.raises(ConflictError) as caught:
            require_not_passed(session, serials[0])
    assert caught.value.code == "card.passed"
    assert "cards report" in (caught.value.hint or "")


@pytest.mark.parametrize("is_made", [False, True], ids=["in production", "received"])
def test_a_batch_ends_with_the_card_that_it_waited_for(stage: BatchStage, *, is_made: bool) -> None:
    batch, serials = produced(stage)
    last = stage.lines(batch)[3]
    stage.control.pass_cards(batch.batch_id, serials if is_made else serials[:3], actor=CONTROLLER)
    if is_made:
        pack(stage, batch)
        dispatch(stage, batch)
        stage.delivery.receive(batch.batch_id, stage.numbers(batch), actor=CLERK_OF_COMMUNE)
        numbers = stage.numbers(batch)[:3]
        list(stage.delivery.hand_over(batch.batch_id, numbers, SIGNED, actor=CLERK_OF_COMMUNE))
    take(stage, last.reference, ValidityEvent.REPORTED, "one", EndReason.DAMAGED)
    before = BatchState.RECEIVED if is_made else BatchState.PRODUCING
    assert stage.view(batch).batch.state is before
    take(stage, last.reference, ValidityEvent.CONFIRMED, "two")
    after = BatchState.HANDED_OVER if is_made else BatchState.CONTROLLED
    assert stage.view(batch).batch.state is after
