"""Batches from their opening to the freeze; SQLite always, PostgreSQL where a URL is given."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db.base import Database
from issuer.db.batch_filling import waiting_requests
from issuer.db.decisions import unsigned_requests
from issuer.db.member_rows import MemberRow
from issuer.db.schema import upgrade
from issuer.domain.batch import BatchEventKind, BatchState
from issuer.domain.card import CardState
from issuer.domain.member import Standing
from issuer.domain.requests import RequestId
from issuer.domain.rights import Actor, Role
from issuer.errors import ConflictError, IssuerDataError, IssuerError
from tests.contract.batch_stage import CONTROLLER, OPERATOR, BatchStage, people
from tests.contract.query_plans import explained
from tests.contract.requests_stage import CELL, CLERK, COMMUNE, OTHER, PROVINCE, actor, member


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("template") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    BatchStage(database, path.parent / "marks", members=people(4)).initialise(1, 2, 3, 4, 5, 6)
    database.close()
    return path.read_bytes()


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path: Path, template: bytes) -> Iterator[BatchStage]:
    if request.param == "sqlite":
        path = tmp_path / "issuer.sqlite"
        path.write_bytes(template)
        database = Database(f"sqlite:///{path}")
        made = BatchStage(database, tmp_path / "marks")
        with made.register.reading() as transaction:
            (decision,) = transaction.decisions.page(limit=2)
        made.decision_id = decision.decision_id
    else:
        database = Database(request.getfixturevalue("postgresql_url"))
        upgrade(database)
        made = BatchStage(database, tmp_path / "marks", members=people(4))
        made.initialise(1, 2, 3, 4, 5, 6)
    yield made
    database.close()


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        work()
    return caught.value.code


def test_a_batch_goes_from_open_to_frozen_by_two_people(stage: BatchStage) -> None:
    batch = stage.open()
    view = stage.view(batch)
    assert (view.batch.state, view.tally.requests, view.waiting) == (BatchState.OPEN, 4, 0)
    frozen = stage.freeze(batch)
    assert frozen.bound == 4
    assert stage.view(batch).tally.bound == 4
    assert [event.kind for event in stage.events(batch)] == [
        BatchEventKind.OPENED,
        BatchEventKind.FILLED,
        BatchEventKind.FREEZE_PROPOSED,
        BatchEventKind.FROZEN,
    ]
    proposal = stage.view(batch).batch.proposal
    assert proposal is not None
    assert (proposal.proposed_by, proposal.confirmed_by) == ("operator", "controller")
    lines = stage.lines(batch)
    assert [line.position for line in lines] == [1, 2, 3, 4]
    assert {line.state for line in lines} == {CardState.BOUND}
    cards = stage.cards.cards()
    assert {card.batch_id for card in cards} == {batch.batch_id}
    assert len({(card.status.list_id, card.status.index) for card in cards}) == 4
    assert len({stage.cards.secrets(card.reference).document_number for card in cards}) == 4
    with stage.register.reading() as transaction:
        actions = [each.record().action for each in transaction.audit.records()]
    assert actions[-4:] == [
        "batch.opened", "batch.filled", "batch.freeze-proposed", "batch.frozen",
    ]  # fmt: skip


def test_whoever_proposed_the_freeze_cannot_confirm_it(stage: BatchStage) -> None:
    batch = stage.open()
    proof = stage.propose(batch)
    freezing = stage.freezing
    assert (
        code_of(lambda: freezing.confirm(batch.batch_id, proof, actor=OPERATOR))
        == "right.same-person"
    )
    # The database refuses it, too, whatever the program says.
    with pytest.raises(ConflictError), stage.database.writing() as session:
        session.execute(
            sa.text(
                "UPDATE batches SET state = 'frozen', confirmed_by = proposed_by,"
                " confirmed_at = proposed_at"
            )
        )
    assert stage.view(batch).batch.state is BatchState.FREEZING
    assert stage.cards.cards() == ()


def test_the_digest_of_the_sheet_has_to_be_typed(stage: BatchStage) -> None:
    batch = stage.open()
    proof = stage.propose(batch)
    confirm = stage.freezing.confirm
    for wrong, code in (
        (proof[:15], "batch.proof-malformed"),
        (proof + "00", "batch.proof-malformed"),
        ("x" * 16, "batch.proof-malformed"),
        ("0" * 16 if proof[:16] != "0" * 16 else "1" * 16, "batch.other-proof"),
    ):
        assert (
            code_of(lambda wrong=wrong: confirm(batch.batch_id, wrong, actor=CONTROLLER)) == code  # type: ignore[misc]  # bound early
        )
    typed = f"{proof[:4]} {proof[4:8]} {proof[8:12]} {proof[12:16]}".upper()
    assert confirm(batch.batch_id, typed, actor=CONTROLLER).bound == 4


def test_a_record_that_changes_between_proposal_and_confirmation_stops_the_freeze(
    stage: BatchStage,
) -> None:
    batch = stage.open()
    proof = stage.propose(batch)
    with stage.database.writing() as session:
        session.execute(
            sa.update(MemberRow)
            .where(MemberRow.id == member(3).member_id)
            .values(full_name="Nguyễn Văn Ân")
        )
    freezing = stage.freezing
    assert (
        code_of(lambda: freezing.confirm(batch.batch_id, proof, actor=CONTROLLER))
        == "batch.changed-since-proposal"
    )
    assert stage.cards.cards() == ()
    freezing.take_back(batch.batch_id, actor=CONTROLLER)
    assert stage.view(batch).batch.proposal is None
    assert stage.propose(batch) != proof
    again = stage.propose  # The new proposal stands, so nobody can propose on top of it.
    assert code_of(lambda: again(batch)) == "batch.wrong-state"


def test_members_who_may_have_no_card_any_more_are_left_out(stage: BatchStage) -> None:
    batch = stage.open()
    with stage.database.writing() as session:
        session.execute(
            sa.update(MemberRow)
            .where(MemberRow.id == member(3).member_id)
            .values(standing=Standing.EXPELLED.value)
        )
    proposed = stage.freezing.propose(batch.batch_id, actor=OPERATOR)
    assert len(proposed.left_out) == 1
    assert proposed.batch.proposal is not None
    assert proposed.batch.proposal.cards == 3
    assert stage.view(batch).tally.requests == 3
    proof = proposed.batch.proposal.proof.hex()
    assert stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER).bound == 3


def test_without_enough_chips_nothing_is_frozen(stage: BatchStage) -> None:
    for serial in stage.cards.chips_to_bind()[:3]:
        stage.station.hold(serial, code="test")
    batch = stage.open()
    proposed = stage.freezing.propose(batch.batch_id, actor=OPERATOR)
    assert proposed.chips_missing == 1
    assert proposed.batch.proposal is not None
    proof = proposed.batch.proposal.proof.hex()
    assert (
        code_of(lambda: stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER))
        == "batch.too-few-chips"
    )
    assert stage.view(batch).batch.state is BatchState.FREEZING
    assert stage.cards.cards() == ()


def test_a_request_is_held_by_one_batch_at_a_time(stage: BatchStage) -> None:
    first = stage.open()
    second = stage.open()
    assert stage.view(second).tally.requests == 0
    assert code_of(lambda: stage.propose(second)) == "batch.empty"
    taken = stage.held(first)[:1]
    assert stage.filling.take_out(first.batch_id, taken, actor=OPERATOR) == 1
    assert stage.filling.fill(second.batch_id, actor=OPERATOR).filled == 1
    assert stage.held(second) == taken
    stage.filling.cancel(first.batch_id, actor=OPERATOR)
    report = stage.filling.fill(second.batch_id, actor=OPERATOR, limit=2)
    assert (report.filled, report.held, report.waiting) == (2, 3, 1)
    assert stage.view(first).batch.state is BatchState.CANCELLED
    assert code_of(lambda: stage.filling.fill(first.batch_id, actor=OPERATOR)) == (
        "batch.wrong-state"
    )


def test_a_batch_holds_only_members_at_or_below_its_receiver(stage: BatchStage) -> None:
    with stage.database.writing() as session:
        session.execute(
            sa.text(
                "UPDATE members SET organisation_id = (SELECT id FROM organisations WHERE code = 'P-02')"
                " WHERE id = :id"
            ).bindparams(sa.bindparam("id", member(1).member_id, sa.Uuid()))
        )
    assert stage.view(stage.open(receiver=CELL)).tally.requests == 3
    assert stage.view(stage.open(receiver=OTHER)).tally.requests == 1


def test_a_receiver_must_be_below_the_committee_that_decided(stage: BatchStage) -> None:
    with stage.register.writing() as transaction:
        decision = transaction.decisions.get(stage.decision_id)
    assert decision.committee == PROVINCE
    assert stage.open(receiver=PROVINCE).receiver == PROVINCE
    with pytest.raises(IssuerDataError) as caught:
        stage.open(receiver=type(COMMUNE)("NOWHERE"))
    assert caught.value.code == "organisation.unknown"


def test_who_has_no_right_there_does_nothing(stage: BatchStage) -> None:
    batch = stage.open()
    elsewhere = actor("elsewhere", Role.PRODUCTION_OPERATOR, at=OTHER)
    tries: list[Callable[[Actor], object]] = [
        lambda by: stage.filling.create(COMMUNE, stage.decision_id, actor=by),
        lambda by: stage.filling.fill(batch.batch_id, actor=by),
        lambda by: stage.filling.take_out(batch.batch_id, [], actor=by),
        lambda by: stage.filling.cancel(batch.batch_id, actor=by),
        lambda by: stage.freezing.propose(batch.batch_id, actor=by),
        lambda by: stage.freezing.take_back(batch.batch_id, actor=by),
        lambda by: stage.freezing.confirm(batch.batch_id, "0" * 16, actor=by),
    ]
    for attempt in tries:
        for by in (elsewhere, CLERK):
            assert code_of(lambda attempt=attempt, by=by: attempt(by)) == "right.missing"  # type: ignore[misc]  # bound early
    assert code_of(lambda: stage.reading.show(batch.batch_id, actor=elsewhere)) == "right.missing"
    assert stage.reading.page(actor=elsewhere, limit=10).batches == ()
    assert [
        each.batch.batch_id for each in stage.reading.page(actor=OPERATOR, limit=10).batches
    ] == [batch.batch_id]


def test_pages_of_batches_and_lines_go_on_where_they_ended(stage: BatchStage) -> None:
    batches = [stage.open() for _ in range(3)]
    page = stage.reading.page(actor=OPERATOR, limit=2)
    assert [each.batch.batch_id for each in page.batches] == [
        batches[2].batch_id,
        batches[1].batch_id,
    ]
    assert page.end is not None
    last = stage.reading.page(actor=OPERATOR, limit=2, behind=page.end)
    assert [each.batch.batch_id for each in last.batches] == [batches[0].batch_id]
    assert last.end is None
    first = stage.reading.lines(batches[0].batch_id, actor=OPERATOR, limit=3)
    assert (len(first.lines), first.end) == (3, 3)
    rest = stage.reading.lines(batches[0].batch_id, actor=OPERATOR, limit=3, behind=first.end)
    assert (len(rest.lines), rest.end) == (1, None)


def test_numbers_that_repeat_are_drawn_again(stage: BatchStage, tmp_path: Path) -> None:
    first = stage.open()
    held = stage.held(first)
    stage.filling.take_out(first.batch_id, held[2:], actor=OPERATOR)
    stage.freeze(first)
    # The same source once more draws the same references and document numbers first.
    again = BatchStage(stage.database, tmp_path / "marks", first_batch=10)
    again.decision_id = stage.decision_id
    second = again.filling.create(COMMUNE, stage.decision_id, actor=OPERATOR)
    again.filling.fill(second.batch_id, actor=OPERATOR)
    assert again.freeze(second).bound == 2
    assert len({card.reference for card in stage.cards.cards()}) == 4


def test_a_source_that_only_repeats_itself_freezes_nothing(stage: BatchStage) -> None:
    batch = stage.open()
    object.__setattr__(stage.freezing, "random_bytes", bytes)
    proof = stage.propose(batch)
    assert (
        code_of(lambda: stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER))
        == "card.draw-repeated"
    )
    assert stage.cards.cards() == ()


def test_two_confirmations_at_once_bind_each_member_once(stage: BatchStage) -> None:
    batch = stage.open()
    proof = stage.propose(batch)
    ends: list[str] = []

    def confirm() -> None:
        try:
            stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER)
        except IssuerError as error:
            ends.append(error.code)
        else:
            ends.append("frozen")

    threads = [threading.Thread(target=confirm) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["batch.wrong-state", "frozen"]
    assert len(stage.cards.cards()) == 4


def test_the_time_line_of_a_batch_cannot_be_changed(stage: BatchStage) -> None:
    stage.open()
    for statement in ("UPDATE batch_events SET account = 'nobody'", "DELETE FROM batch_events"):
        with pytest.raises(IssuerError), stage.database.writing() as session:
            session.execute(sa.text(statement))


def test_condemned_cards_are_made_anew_in_a_follow_up_batch(stage: BatchStage) -> None:
    batch = stage.open()
    stage.freeze(batch)
    serials = [line.serial for line in stage.lines(batch)]
    assert serials[0] is not None
    stage.stock.condemn(serials[0], code="test")
    assert stage.view(batch).tally.condemned == 1
    follow_up = stage.filling.create(
        COMMUNE, stage.decision_id, actor=OPERATOR, follow_up_of=batch.batch_id
    )
    assert stage.filling.fill(follow_up.batch_id, actor=OPERATOR).held == 1
    assert len(stage.held(batch)) == 3
    assert stage.freeze(follow_up).bound == 1
    (line,) = stage.lines(follow_up)
    assert line.request_id == RequestId(stage.lines(batch)[0].request_id)
    assert code_of(
        lambda: stage.filling.create(
            OTHER, stage.decision_id, actor=OPERATOR, follow_up_of=batch.batch_id
        )
    ) == ("batch.other-receiver")


def test_a_table_of_all_batches_is_not_walked_for_what_waits(stage: BatchStage) -> None:
    """With a million cards made, each request that waits would else cost a look at all of them."""
    batch = stage.open()
    with stage.database.reading() as session:
        plan = explained(session.connection(), waiting_requests(batch.decision_id, batch.receiver))
    assert "uq_batch_requests_request_id_live" in plan
    assert not re.search(r"SCAN batch_requests|Seq Scan on batch_requests", plan)


def test_a_table_of_all_cards_is_not_walked_for_what_is_not_signed(stage: BatchStage) -> None:
    """The page of a decision counts it each time that somebody looks."""
    with stage.database.reading() as session:
        for query in (
            unsigned_requests(stage.decision_id),
            waiting_requests(stage.decision_id),
        ):
            plan = explained(session.connection(), query)
            assert "uq_cards_request_id_live" in plan
            assert not re.search(r"SCAN cards|Seq Scan on cards", plan)
