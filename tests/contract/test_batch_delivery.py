"""Batches from the station to the members' hands; SQLite, and the straight way on PostgreSQL where a URL is given."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest
import sqlalchemy as sa
from PIL import Image

from issuer.db.base import Database
from issuer.db.schema import upgrade
from issuer.domain.batch import Acknowledgement, AcknowledgementKind, Batch, BatchState
from issuer.domain.card import CardState
from issuer.domain.card_dossier import DossierRoom
from issuer.domain.card_number import CardNumber, CommitteeBlockScheme
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.chip import Serial
from issuer.domain.requests import RequestState
from issuer.domain.rights import AccountName, Actor, Role
from issuer.errors import ConflictError, IssuerError
from issuer.papers.batch_papers import minutes_pdf, packing_list_pdf, proof_sheet_pdf
from tests.contract.batch_stage import (
    CLERK_OF_COMMUNE,
    CONTROLLER,
    OPERATOR,
    STOREKEEPER,
    BatchStage,
    people,
)
from tests.contract.requests_stage import CELL, COMMUNE, OTHER, actor

SIGNED = Acknowledgement(kind=AcknowledgementKind.MEMBER, minutes=bytes(range(32)))
SCHEME = CommitteeBlockScheme()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("template") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    BatchStage(database, path.parent / "marks", members=people(4)).initialise(1, 2, 3, 4, 5, 6)
    database.close()
    return path.read_bytes()


@pytest.fixture
def stage(tmp_path: Path, template: bytes) -> Iterator[BatchStage]:
    path = tmp_path / "issuer.sqlite"
    path.write_bytes(template)
    database = Database(f"sqlite:///{path}")
    made = BatchStage(database, tmp_path / "marks")
    with made.register.reading() as transaction:
        (decision,) = transaction.decisions.page(limit=2)
    made.decision_id = decision.decision_id
    yield made
    database.close()


@pytest.fixture
def produced(stage: BatchStage) -> tuple[Batch, list[Serial]]:
    """A batch all of whose cards a station has finished."""
    batch = stage.open()
    stage.freeze(batch)
    stage.sign(batch)
    return batch, stage.produce(batch)


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        work()
    return caught.value.code


def straight_way(stage: BatchStage) -> None:
    batch = stage.open()
    stage.freeze(batch)
    assert stage.view(batch).batch.state is BatchState.FROZEN
    stage.sign(batch)
    assert stage.view(batch).batch.state is BatchState.SIGNED
    stage.produce(batch, 1)
    assert stage.view(batch).batch.state is BatchState.PRODUCING
    serials = stage.produce(batch, 2, 3, 4)
    first = stage.lines(batch)[0].serial
    assert first is not None
    report = stage.control.pass_cards(batch.batch_id, serials, actor=CONTROLLER)
    assert (report.passed, report.left, report.state) == (3, 1, BatchState.PRODUCING)
    report = stage.control.pass_cards(batch.batch_id, [first, *serials], actor=CONTROLLER)
    assert (report.passed, report.left, report.state) == (1, 0, BatchState.CONTROLLED)
    packed = stage.delivery.pack(batch.batch_id, cards_of_box=3, actor=STOREKEEPER)
    assert (packed.cards, packed.boxes) == (4, 2)
    sent = stage.delivery.dispatch(batch.batch_id, carrier=" courier 7 ", actor=STOREKEEPER)
    assert (sent.state, sent.carrier) == (BatchState.DISPATCHED, "courier 7")
    numbers = stage.numbers(batch)
    counted = stage.delivery.receive(batch.batch_id, numbers[:3], actor=CLERK_OF_COMMUNE)
    assert [line.card_number for line in counted.missing] == [numbers[3]]
    assert counted.batch.state is BatchState.DISPATCHED
    counted = stage.delivery.receive(batch.batch_id, numbers[2:], actor=CLERK_OF_COMMUNE)
    assert (counted.counted, counted.missing) == (1, ())
    assert counted.batch.state is BatchState.RECEIVED
    outcomes = list(
        stage.delivery.hand_over(batch.batch_id, numbers, SIGNED, actor=CLERK_OF_COMMUNE)
    )
    assert [each.code for each in outcomes] == [None] * 4
    view = stage.view(batch)
    assert view.batch.state is BatchState.HANDED_OVER
    assert view.tally.handed_over == 4
    references = [card.reference for card in stage.cards.cards()]
    with stage.register.reading() as transaction:
        kept = transaction.batches.acknowledgements(references)
        assert set(kept) == set(references)
        assert set(kept.values()) == {SIGNED}
        assert {transaction.requests.get(line.request_id).state for line in stage.lines(batch)} == {
            RequestState.FULFILLED
        }
        actions = [
            each.record().action
            for each in transaction.audit.records()
            if each.record().action.startswith("batch.")
        ]
        dossier = transaction.card_dossiers.gather(references[0], at=stage.clock())
    told = {
        (event.what, event.account, event.code, event.detail)
        for event in dossier.events
        if event.room is DossierRoom.BATCH
    }
    assert ("dispatched", STOREKEEPER.account, None, "courier 7") in told
    digest = f"SHA-256 {bytes(range(32)).hex()}"
    assert ("acknowledged", CLERK_OF_COMMUNE.account, "member", digest) in told
    assert {"opened", "frozen", "packed", "received", "handed-over"} < {what for what, *_ in told}
    assert actions == [
        "batch.opened", "batch.filled", "batch.freeze-proposed", "batch.frozen", "batch.signed",
        "batch.production-begun", "batch.cards-passed", "batch.cards-passed", "batch.controlled", "batch.packed",
        "batch.dispatched", "batch.counted-in", "batch.counted-in", "batch.received", "batch.handed-over",
    ]  # fmt: skip


def test_a_batch_goes_from_the_station_into_the_members_hands(stage: BatchStage) -> None:
    straight_way(stage)


def test_a_batch_goes_into_the_members_hands_on_postgresql(
    postgresql_url: str, tmp_path: Path
) -> None:
    database = Database(postgresql_url)
    upgrade(database)
    stage = BatchStage(database, tmp_path / "marks", members=people(4))
    stage.initialise(1, 2, 3, 4)
    straight_way(stage)
    database.close()


def test_whoever_made_a_card_does_not_pass_it(
    stage: BatchStage, produced: tuple[Batch, list[Serial]]
) -> None:
    batch, serials = produced
    both = actor("operator", Role.PRODUCTION_OPERATOR, Role.QUALITY_CONTROLLER)
    report = stage.control.pass_cards(batch.batch_id, serials, actor=both)
    assert report.passed == 0
    assert {each.code for each in report.refused} == {"right.same-person"}
    # The database refuses it, too, whatever the program says.
    with pytest.raises(ConflictError), stage.database.writing() as session:
        session.execute(sa.text("UPDATE cards SET passed_by = produced_by, passed_at = bound_at"))
    assert stage.view(batch).tally.passed == 0


def test_whoever_had_a_hand_in_an_earlier_step_at_the_station_does_not_pass_the_card(
    stage: BatchStage,
) -> None:
    batch = stage.open()
    stage.freeze(batch)
    stage.sign(batch)
    serials = stage.produce(batch)
    with stage.database.writing() as session:
        session.execute(
            sa.text(
                "INSERT INTO card_events (at, kind, serial, station, account)"
                " SELECT bound_at, 'interrupted', serial, 'S2', 'controller' FROM cards"
            )
        )
    report = stage.control.pass_cards(batch.batch_id, serials, actor=CONTROLLER)
    assert {each.code for each in report.refused} == {"right.same-person"}


def test_only_issued_cards_of_the_batch_are_passed(stage: BatchStage) -> None:
    batch = stage.open()
    stage.freeze(batch)
    stage.sign(batch)
    made = stage.produce(batch, 1)
    waiting = stage.lines(batch)[1].serial
    assert waiting is not None
    unknown = Serial(bytes(10))
    report = stage.control.pass_cards(batch.batch_id, [*made, waiting, unknown], actor=CONTROLLER)
    assert report.passed == 1
    assert [(each.serial, each.code) for each in report.refused] == [
        (waiting, "card.not-issued"),
        (unknown, "batch.other-card"),
    ]


def test_a_card_that_was_not_passed_is_handed_over_to_nobody(
    stage: BatchStage, produced: tuple[Batch, list[Serial]]
) -> None:
    card = stage.cards.cards(states=[CardState.ISSUED])[0]
    assert card.serial in produced[1]
    code = code_of(
        lambda: stage.cards.hand_over(card.reference, to="cell", account=STOREKEEPER.account)
    )
    assert code == "card.not-passed"


def test_condemned_cards_are_left_out_and_do_not_hold_the_batch_up(
    stage: BatchStage, produced: tuple[Batch, list[Serial]]
) -> None:
    batch, serials = produced
    stage.control.pass_cards(batch.batch_id, serials[1:], actor=CONTROLLER)
    assert stage.view(batch).batch.state is BatchState.PRODUCING
    stage.stock.condemn(serials[0], code="test", is_safe=True)
    assert stage.view(batch).batch.state is BatchState.CONTROLLED
    assert stage.delivery.pack(batch.batch_id, cards_of_box=9, actor=STOREKEEPER).cards == 3


def test_a_batch_without_a_good_card_is_not_packed(
    stage: BatchStage, produced: tuple[Batch, list[Serial]]
) -> None:
    batch, serials = produced
    for serial in serials:
        stage.stock.condemn(serial, code="test", is_safe=True)
    assert stage.view(batch).batch.state is BatchState.CONTROLLED
    pack = stage.delivery.pack
    assert code_of(lambda: pack(batch.batch_id, cards_of_box=9, actor=STOREKEEPER)) == (
        "batch.nothing-to-pack"
    )


def test_a_missing_card_is_named_until_it_is_reported_stolen(
    stage: BatchStage, produced: tuple[Batch, list[Serial]]
) -> None:
    batch, serials = produced
    stage.control.pass_cards(batch.batch_id, serials, actor=CONTROLLER)
    stage.delivery.pack(batch.batch_id, cards_of_box=2, actor=STOREKEEPER)
    stage.delivery.dispatch(batch.batch_id, carrier="courier", actor=STOREKEEPER)
    numbers = stage.numbers(batch)
    report = stage.delivery.receive(
        batch.batch_id, [*numbers[1:], CardNumber("97000001")], actor=CLERK_OF_COMMUNE
    )
    assert [line.card_number for line in report.missing] == [numbers[0]]
    assert report.unexpected == ("97000001",)
    missing = report.missing[0].reference
    assert missing is not None
    with stage.register.writing() as transaction:
        transaction.cards.take(
            missing,
            ValidityStep(
                event=ValidityEvent.REPORTED,
                account=STOREKEEPER.account,
                reason=EndReason.STOLEN,
            ),
            at=stage.clock(),
        )
    report = stage.delivery.receive(batch.batch_id, [], actor=CLERK_OF_COMMUNE)
    assert (report.missing, report.batch.state) == ((), BatchState.RECEIVED)
    # Whatever turns up later, the stolen card goes to nobody.
    outcomes = stage.delivery.hand_over(batch.batch_id, numbers, SIGNED, actor=CLERK_OF_COMMUNE)
    assert [each.code for each in outcomes] == ["batch.other-card", None, None, None]


def test_a_card_is_handed_over_where_its_member_is_recorded(stage: BatchStage) -> None:
    batch = stage.received()
    numbers = stage.numbers(batch)
    elsewhere = actor("elsewhere", Role.CLERK, at=OTHER)
    outcomes = list(stage.delivery.hand_over(batch.batch_id, numbers[:1], SIGNED, actor=elsewhere))
    assert [each.code for each in outcomes] == ["right.missing"]
    of_cell = actor("cell clerk", Role.CLERK, at=CELL)
    outcomes = list(stage.delivery.hand_over(batch.batch_id, numbers[:1], SIGNED, actor=of_cell))
    assert [each.code for each in outcomes] == [None]
    # Nothing of what was refused is left behind.
    again = list(stage.delivery.hand_over(batch.batch_id, numbers[:2], SIGNED, actor=of_cell))
    assert [each.code for each in again] == ["batch.other-card", None]


def test_steps_are_taken_in_their_order_by_those_who_may(
    stage: BatchStage, produced: tuple[Batch, list[Serial]]
) -> None:
    batch, serials = produced
    steps: list[tuple[Callable[[Actor], object], Actor]] = [
        (lambda by: stage.delivery.pack(batch.batch_id, cards_of_box=9, actor=by), STOREKEEPER),
        (lambda by: stage.delivery.dispatch(batch.batch_id, carrier="c", actor=by), STOREKEEPER),
        (lambda by: stage.delivery.receive(batch.batch_id, [], actor=by), CLERK_OF_COMMUNE),
        (
            lambda by: list(stage.delivery.hand_over(batch.batch_id, [], SIGNED, actor=by)),
            CLERK_OF_COMMUNE,
        ),
    ]
    for step, by in steps:
        assert code_of(lambda step=step, by=by: step(by)) == "batch.wrong-state"  # type: ignore[misc]  # bound early
        assert code_of(lambda step=step: step(OPERATOR)) == "right.missing"  # type: ignore[misc]  # bound early
    assert (
        code_of(lambda: stage.control.pass_cards(batch.batch_id, serials, actor=OPERATOR))
        == "right.missing"
    )
    stage.control.pass_cards(batch.batch_id, serials, actor=CONTROLLER)
    control = stage.control
    assert (
        code_of(lambda: control.pass_cards(batch.batch_id, serials, actor=CONTROLLER))
        == "batch.wrong-state"
    )


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((30, 40), 60).convert("RGB").save(buffer, "JPEG", quality=50)
    return buffer.getvalue()


def _text(content: bytes) -> str:
    document = pypdfium2.PdfDocument(content)
    return "\n".join(page.get_textpage().get_text_range() for page in document)


def test_the_proof_sheet_shows_every_card_and_the_digest_on_every_page(stage: BatchStage) -> None:
    batch = stage.open()
    proof = stage.propose(batch)
    left_alone = replace(CONTROLLER, stepped_up_at=None)
    assert (
        code_of(lambda: stage.papers.proof(batch.batch_id, actor=left_alone))
        == "right.step-up-needed"
    )
    sheet = stage.papers.proof(batch.batch_id, actor=CONTROLLER)
    portrait = _picture()
    content = proof_sheet_pdf(sheet, portrait_of=lambda _digest: portrait, display=SCHEME.display)
    again = proof_sheet_pdf(sheet, portrait_of=lambda _digest: portrait, display=SCHEME.display)
    assert content == again
    document = pypdfium2.PdfDocument(content)
    for page in document:
        grouped = " ".join(proof[start : start + 4] for start in range(0, 16, 4)).upper()
        assert grouped in page.get_textpage().get_text_range()
    text = _text(content)
    for line in sheet.lines:
        assert SCHEME.display(line.card_number) in text
    assert text.count("Nguyễn Văn An") == 4
    part = stage.papers.proof(batch.batch_id, actor=CONTROLLER, first=4)
    assert [part.first, len(part.lines)] == [4, 1]
    assert (
        code_of(lambda: stage.papers.proof(batch.batch_id, actor=CONTROLLER, first=5))
        == "batch.no-such-part"
    )
    with stage.register.reading() as transaction:
        listed = [
            each.record()
            for each in transaction.audit.records()
            if each.record().action == "members.listed"
        ]
    assert listed[0].account == "controller"
    assert listed[0].details["count"] == 4


def test_papers_of_a_batch_name_what_each_level_needs(stage: BatchStage) -> None:
    batch = stage.received()
    clerk = CLERK_OF_COMMUNE
    packing = packing_list_pdf(
        stage.papers.packing_list(batch.batch_id, actor=STOREKEEPER), display=SCHEME.display
    )
    text = _text(packing)
    assert "Nguyễn" not in text
    assert "Box 2" in text
    for number in stage.numbers(batch):
        assert SCHEME.display(number) in text
    minutes = _text(
        minutes_pdf(stage.papers.minutes(batch.batch_id, actor=clerk), display=SCHEME.display)
    )
    assert "The production unit" in minutes
    assert minutes.count("Nguyễn Văn An") == 4
    cell = stage.papers.minutes(batch.batch_id, actor=clerk, taker=CELL)
    assert (cell.giver_name, cell.taker_name) == ("Đảng ủy xã Mẫu", "Chi bộ thôn Một")
    signing = stage.papers.minutes(batch.batch_id, actor=clerk, taker=CELL, to_members=True)
    assert "Ký nhận" in _text(minutes_pdf(signing, display=SCHEME.display))
    assert code_of(
        lambda: stage.papers.minutes(batch.batch_id, actor=actor("all", Role.CLERK), taker=OTHER)
    ) == ("batch.other-receiver")
    # Papers keep every card that was in a box, and say what became of it.
    lost = stage.lines(batch)[0]
    assert lost.reference is not None
    with stage.register.writing() as transaction:
        report = ValidityStep(
            event=ValidityEvent.REPORTED, account=AccountName("one"), reason=EndReason.STOLEN
        )
        transaction.cards.take(lost.reference, report, at=stage.clock())
    others = stage.numbers(batch)[1:]
    assert {
        each.code for each in stage.delivery.hand_over(batch.batch_id, others, SIGNED, actor=clerk)
    } == {None}
    packing = _text(
        packing_list_pdf(
            stage.papers.packing_list(batch.batch_id, actor=STOREKEEPER), display=SCHEME.display
        )
    )
    for number in stage.numbers(batch):
        assert SCHEME.display(number) in packing
    assert packing.count("handed over") == 3
    assert packing.count("stolen") == 1
    signing = stage.papers.minutes(batch.batch_id, actor=clerk, taker=CELL, to_members=True)
    text = _text(minutes_pdf(signing, display=SCHEME.display))
    assert (len(signing.lines), text.count("handed over"), text.count("stolen")) == (4, 3, 1)
    assert (
        code_of(lambda: stage.papers.minutes(batch.batch_id, actor=STOREKEEPER, taker=COMMUNE))
        == "right.missing"
    )


def test_each_level_has_minutes_of_its_own_for_whoever_may_draw_them_up(stage: BatchStage) -> None:
    batch = stage.open()
    clerk = CLERK_OF_COMMUNE
    assert code_of(lambda: stage.papers.levels(batch.batch_id, actor=clerk)) == "batch.wrong-state"
    stage.filling.cancel(batch.batch_id, actor=OPERATOR)
    batch = stage.received()
    levels = stage.papers.levels(batch.batch_id, actor=clerk)
    assert [(each.code, each.depth, each.cards, each.own) for each in levels] == [
        (COMMUNE, 0, 4, 0),
        (CELL, 1, 4, 4),
    ]
    of_cell = actor("of cell", Role.CLERK, at=CELL)
    (only,) = stage.papers.levels(batch.batch_id, actor=of_cell)
    assert (only.code, only.name) == (CELL, "Chi bộ thôn Một")
    for stranger in (actor("elsewhere", Role.CLERK, at=OTHER), STOREKEEPER):
        refused = code_of(lambda who=stranger: stage.papers.levels(batch.batch_id, actor=who))
        assert refused == "right.missing"
    # The card of a member who moves away lies in the receiver's box all the same.
    with stage.register.writing() as transaction:
        (kept,) = transaction.members.several([stage.lines(batch)[3].member_id])
        statement = replace(kept.statement, organisation_code=OTHER)
        transaction.members.change(replace(kept, statement=statement, version=2), [])
    levels = stage.papers.levels(batch.batch_id, actor=clerk)
    assert [(each.code, each.cards, each.own) for each in levels] == [(COMMUNE, 4, 0), (CELL, 3, 3)]
    assert len(stage.papers.minutes(batch.batch_id, actor=clerk).lines) == 4
    assert len(stage.papers.minutes(batch.batch_id, actor=clerk, taker=CELL).lines) == 3
