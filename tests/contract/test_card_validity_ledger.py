"""What the database keeps of a card's validity: hand-over, ends, changes, and their trail; on both databases."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db.base import Database
from issuer.db.card_ledger import SqlCardRegister
from issuer.db.production_tables import CardContentsRow, CardEventRow, CardRow
from issuer.db.schema import upgrade
from issuer.domain.card import CardReference, CardState
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.chip import Serial
from issuer.domain.rights import AccountName
from issuer.errors import ConflictError, IssuerError, IssuerUnavailableError
from issuer.services.card_validity_ports import CardRecord
from pki.signed.card_states import CardState as ListedState
from tests.contract.cards_stage import CELL, NOW, CardsStage, fresh_sqlite
from tests.contract.stock_stage import OfficeStock

ONE, OTHER = AccountName("one"), AccountName("other")


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CardsStage]:
    if request.param == "sqlite":
        database = fresh_sqlite(tmp_path)
    else:
        database = Database(request.getfixturevalue("postgresql_url"))
        upgrade(database)
    yield CardsStage(database)
    database.close()


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        work()
    return caught.value.code


def take(
    stage: CardsStage,
    reference: CardReference,
    event: ValidityEvent,
    account: AccountName = ONE,
    *,
    reason: EndReason | None = None,
    remark: str = "",
) -> CardRecord:
    step = ValidityStep(event=event, account=account, reason=reason)
    with stage.register.writing() as transaction:
        return transaction.cards.take(reference, step, at=stage.now, remark=remark)


def state_of(stage: CardsStage, reference: CardReference) -> ListedState:
    with stage.register.reading() as transaction:
        return transaction.cards.get(reference).validity.state


def test_handing_over_activates_and_says_so_everywhere(stage: CardsStage) -> None:
    reference = stage.add_card(1, stage.add_member(1))
    assert state_of(stage, reference) is ListedState.NOT_HANDED_OVER
    with stage.register.writing() as transaction:
        record = transaction.cards.hand_over(reference, to="member", account=ONE, at=NOW)
    assert record.validity.state is ListedState.VALID
    assert record.card.state is CardState.HANDED_OVER
    assert (record.card.handed_over_to, record.card.handed_over_at) == ("member", NOW)
    with stage.register.reading() as transaction:
        [change] = transaction.cards.changes(reference)
        acts = [each.record() for each in transaction.audit.records()]
        assert transaction.cards.on_chip(Serial((1).to_bytes(10, "big"))) == record
    assert (change.event, change.before, change.after, change.account) == (
        ValidityEvent.HANDED_OVER,
        ListedState.NOT_HANDED_OVER,
        ListedState.VALID,
        ONE,
    )
    [act] = [each for each in acts if each.action == "card.handed-over"]
    assert (act.subject_id, act.organisation, act.account) == (reference.hex(), CELL, ONE)
    assert act.details["after"] == "valid"


def test_the_member_s_card_before_ends_when_the_new_one_is_handed_over(stage: CardsStage) -> None:
    member_id = stage.add_member(1)
    old = stage.hand_over(1, member_id)
    new = stage.add_card(2, member_id)
    assert state_of(stage, old) is ListedState.VALID
    with stage.register.writing() as transaction:
        transaction.cards.hand_over(new, to="member", account=ONE, at=NOW)
    assert state_of(stage, old) is ListedState.REPLACED
    assert state_of(stage, new) is ListedState.VALID
    with stage.register.reading() as transaction:
        assert [each.validity.state for each in transaction.cards.of_member(member_id)] == [
            ListedState.REPLACED,
            ListedState.VALID,
        ]
        assert transaction.cards.changes(old)[-1].reason is EndReason.REPLACED


def test_an_older_card_cannot_take_the_place_of_the_newer_one(stage: CardsStage) -> None:
    member_id = stage.add_member(1)
    stage.hand_over(2, member_id)
    older = stage.add_card(1, member_id)
    with stage.register.writing() as transaction:
        assert (
            code_of(lambda: transaction.cards.hand_over(older, to="m", account=ONE, at=NOW))
            == "card.superseded"
        )


def test_what_is_reported_cannot_be_handed_over(stage: CardsStage) -> None:
    reference = stage.add_card(1, stage.add_member(1))
    take(stage, reference, ValidityEvent.REPORTED, reason=EndReason.STOLEN)
    with stage.register.writing() as transaction:
        assert (
            code_of(lambda: transaction.cards.hand_over(reference, to="m", account=OTHER, at=NOW))
            == "card.held"
        )
    ended = take(stage, reference, ValidityEvent.CONFIRMED, OTHER)
    assert ended.validity.state is ListedState.LOST


def test_a_step_that_is_refused_or_changes_nothing_leaves_no_trace(stage: CardsStage) -> None:
    reference = stage.hand_over(1, stage.add_member(1))
    take(stage, reference, ValidityEvent.DATA_CHANGED)
    with stage.register.reading() as transaction:
        before = (transaction.cards.changes(reference), transaction.audit.head())
    take(stage, reference, ValidityEvent.DATA_CHANGED)
    assert code_of(lambda: take(stage, reference, ValidityEvent.CONFIRMED)) == "card.not-reported"
    with stage.register.reading() as transaction:
        assert (transaction.cards.changes(reference), transaction.audit.head()) == before


def test_a_condemned_card_that_may_work_is_revoked_and_another_is_not(stage: CardsStage) -> None:
    working = stage.add_card(1, stage.add_member(1), state=CardState.LOCKING)
    unfinished = stage.add_card(2, stage.add_member(2), state=CardState.SIGNED)
    stock = OfficeStock(stage.database, stage.clock)
    for number in (1, 2):
        stock.condemn(Serial(number.to_bytes(10, "big")), code="test", is_safe=True)
    assert state_of(stage, working) is ListedState.REVOKED
    assert state_of(stage, unfinished) is ListedState.NOT_HANDED_OVER


def test_a_card_that_nobody_will_get_loses_its_secrets_with_a_record(stage: CardsStage) -> None:
    condemned = stage.add_card(1, stage.add_member(1), state=CardState.SIGNED)
    stolen = stage.add_card(2, stage.add_member(2), state=CardState.ISSUED)
    kept = stage.add_card(3, stage.add_member(3), state=CardState.ISSUED)
    with stage.database.writing() as session:
        session.execute(sa.update(CardRow).values(sealed_secrets=b"sealed"))
        for reference in (condemned, stolen, kept):
            session.add(CardContentsRow(reference=reference, sealed=b"sealed", prepared_at=NOW))
    OfficeStock(stage.database, stage.clock).condemn(
        Serial((1).to_bytes(10, "big")), code="test", is_safe=True
    )
    take(stage, stolen, ValidityEvent.REPORTED, reason=EndReason.STOLEN)
    assert left_of(stage, stolen) == (b"sealed", b"sealed")
    take(stage, stolen, ValidityEvent.CONFIRMED, OTHER)
    assert left_of(stage, kept) == (b"sealed", b"sealed")
    with stage.database.reading() as session:
        for reference in (condemned, stolen):
            assert left_of(stage, reference) == (b"", b"")
            kinds = session.scalars(
                sa.select(CardEventRow.kind).where(CardEventRow.reference == reference)
            ).all()
            assert kinds.count("secrets-destroyed") == 1
        cards = SqlCardRegister(stage.database, stage.clock)
        lines = cards.lines(states=[CardState.ISSUED], with_secrets=True)
        assert [line.card.reference for line in lines] == [kept]
        assert "secrets-destroyed" not in session.scalars(
            sa.select(CardEventRow.kind).where(CardEventRow.reference == kept)
        )


def left_of(stage: CardsStage, reference: CardReference) -> tuple[bytes, bytes]:
    """What lies sealed of a card: its secrets and its contents."""
    with stage.database.reading() as session:
        secrets = session.scalars(
            sa.select(CardRow.sealed_secrets).where(CardRow.reference == reference)
        ).one()
        contents = session.scalars(
            sa.select(CardContentsRow.sealed).where(CardContentsRow.reference == reference)
        ).one()
    return secrets, contents


def test_who_reported_does_not_confirm_whatever_the_way(stage: CardsStage) -> None:
    reference = stage.hand_over(1, stage.add_member(1))
    take(stage, reference, ValidityEvent.REPORTED, reason=EndReason.LOST, remark="mất ở chợ")
    assert state_of(stage, reference) is ListedState.SUSPENDED
    for event in (ValidityEvent.CONFIRMED, ValidityEvent.REJECTED):
        assert code_of(lambda event=event: take(stage, reference, event)) == "right.same-person"  # type: ignore[misc]  # a default binds the turn's event
    take(stage, reference, ValidityEvent.CONFIRMED, OTHER)
    assert state_of(stage, reference) is ListedState.LOST
    with stage.register.reading() as transaction:
        reported, confirmed = transaction.cards.changes(reference)[-2:]
    assert (reported.remark, reported.reason, confirmed.reason) == (
        "mất ở chợ",
        EndReason.LOST,
        EndReason.LOST,
    )


def test_of_many_who_confirm_at_once_one_does(stage: CardsStage) -> None:
    reference = stage.hand_over(1, stage.add_member(1))
    take(stage, reference, ValidityEvent.REPORTED, reason=EndReason.LOST)
    barrier = threading.Barrier(4)
    results: list[str] = []

    def confirm() -> None:
        barrier.wait()
        try:
            take(stage, reference, ValidityEvent.CONFIRMED, OTHER)
        except IssuerError as error:
            results.append(error.code)
        else:
            results.append("confirmed")

    threads = [threading.Thread(target=confirm) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["card.not-reported"] * 3 + ["confirmed"]


def test_a_change_can_be_neither_changed_nor_deleted_but_for_the_remark(stage: CardsStage) -> None:
    reference = stage.hand_over(1, stage.add_member(1))
    take(stage, reference, ValidityEvent.SUSPENDED, remark="một lý do")
    for statement in (
        "UPDATE card_changes SET after = 0",
        "UPDATE card_changes SET account = 'x'",
        "DELETE FROM card_changes",
    ):
        with (
            pytest.raises((ConflictError, IssuerUnavailableError)),
            stage.database.writing() as session,
        ):
            session.execute(sa.text(statement))
    with stage.database.writing() as session:
        session.execute(sa.text("UPDATE card_changes SET remark = ''"))
    with stage.register.reading() as transaction:
        assert {each.remark for each in transaction.cards.changes(reference)} == {""}


def test_a_card_that_is_not_there_is_unknown(stage: CardsStage) -> None:
    reference = CardReference(bytes(16))
    with stage.register.writing() as transaction:
        for work in (
            lambda: transaction.cards.get(reference),
            lambda: transaction.cards.on_chip(Serial(bytes(10))),
            lambda: transaction.cards.hand_over(reference, to="m", account=ONE, at=NOW),
            lambda: transaction.cards.take(
                reference, ValidityStep(event=ValidityEvent.SUSPENDED, account=ONE), at=NOW
            ),
        ):
            assert code_of(work) == "card.unknown"
