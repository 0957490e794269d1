"""What people say of cards after the hand-over: rights, places, second persons, remarks."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from issuer.domain.card import CardReference
from issuer.domain.card_validity import EndReason
from issuer.domain.rights import Actor, Role
from issuer.errors import IssuerError
from issuer.services.card_lifecycle import CardLifecycle
from issuer.services.expire_cards import CardExpiry
from pki.signed.card_states import CardState
from tests.contract.cards_stage import CELL, OTHER_CELL, CardsStage, fresh_sqlite, person

CLERK = person("clerk", Role.CLERK, at=CELL)
STRANGER = person("stranger", Role.CLERK, Role.DECIDER, at=OTHER_CELL)
DECIDER = person("decider", Role.DECIDER)
BOTH = person("both", Role.CLERK, Role.DECIDER)


class World:
    def __init__(self, stage: CardsStage) -> None:
        self.stage = stage
        self.lifecycle = CardLifecycle(register=stage.register, clock=stage.clock)
        self.card = stage.hand_over(1, stage.add_member(1))

    def state(self) -> CardState:
        with self.stage.register.reading() as transaction:
            return transaction.cards.get(self.card).validity.state

    def report(self, actor: Actor = CLERK, reason: EndReason = EndReason.LOST) -> None:
        self.lifecycle.report(self.card, reason, actor=actor, remark="mất ở chợ")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = fresh_sqlite(tmp_path)
    yield World(CardsStage(database))
    database.close()


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        work()
    return caught.value.code


def test_the_clerk_of_the_cell_reports_and_a_decider_confirms(world: World) -> None:
    world.report()
    assert world.state() is CardState.SUSPENDED
    confirmed = world.lifecycle.confirm(world.card, actor=DECIDER)
    assert confirmed.validity.end is EndReason.LOST
    assert world.state() is CardState.LOST


def test_every_act_is_demanded_at_the_member_s_place(world: World) -> None:
    lifecycle, card = world.lifecycle, world.card
    for work in (
        lambda: lifecycle.report(card, EndReason.LOST, actor=STRANGER, remark=""),
        lambda: lifecycle.collect(card, actor=STRANGER),
        lambda: lifecycle.take_back(card, actor=STRANGER),
        lambda: lifecycle.give_back(card, actor=STRANGER),
        lambda: lifecycle.confirm(card, actor=STRANGER),
        lambda: lifecycle.suspend(card, actor=STRANGER, remark=""),
        lambda: lifecycle.resume(card, actor=STRANGER, remark=""),
        lambda: lifecycle.confirm(card, actor=CLERK),
        lambda: lifecycle.suspend(card, actor=CLERK, remark=""),
        lambda: lifecycle.resume(card, actor=CLERK, remark=""),
    ):
        assert code_of(work) == "right.missing"
    assert world.state() is CardState.VALID


def test_whoever_reported_neither_confirms_nor_takes_it_back(world: World) -> None:
    world.report(BOTH)
    assert code_of(lambda: world.lifecycle.confirm(world.card, actor=BOTH)) == "right.same-person"
    assert (
        code_of(lambda: world.lifecycle.resume(world.card, actor=BOTH, remark="gefunden"))
        == "right.same-person"
    )
    world.lifecycle.resume(world.card, actor=DECIDER, remark="ở nhà")
    assert world.state() is CardState.VALID


def test_an_office_suspends_and_resumes(world: World) -> None:
    world.lifecycle.suspend(world.card, actor=DECIDER, remark="kiểm tra")
    assert world.state() is CardState.SUSPENDED
    world.lifecycle.resume(world.card, actor=DECIDER, remark="xong")
    assert world.state() is CardState.VALID
    assert (
        code_of(lambda: world.lifecycle.resume(world.card, actor=DECIDER, remark="x"))
        == "card.not-suspended"
    )


def test_a_collected_card_is_given_back_and_a_returned_one_ends(world: World) -> None:
    world.lifecycle.collect(world.card, actor=CLERK, remark="ra nước ngoài")
    assert world.state() is CardState.SUSPENDED
    world.lifecycle.give_back(world.card, actor=CLERK)
    assert world.state() is CardState.VALID
    returned = world.lifecycle.take_back(world.card, actor=CLERK)
    assert returned.validity.report is EndReason.RETURNED
    world.lifecycle.confirm(world.card, actor=DECIDER)
    assert world.state() is CardState.REVOKED
    assert code_of(lambda: world.lifecycle.give_back(world.card, actor=CLERK)) == "card.ended"


def test_a_found_card_that_comes_back_stays_lost(world: World) -> None:
    world.report()
    world.lifecycle.confirm(world.card, actor=DECIDER)
    found = world.lifecycle.take_back(world.card, actor=CLERK, remark="hàng xóm nhặt được")
    assert (found.validity.state, found.validity.is_collected) == (CardState.LOST, True)
    assert found.validity.report is None
    assert (
        code_of(lambda: world.lifecycle.resume(world.card, actor=DECIDER, remark="x"))
        == "card.ended"
    )


@pytest.mark.parametrize("remark", ["dòng\nmới", "a" * 401, "\x1b[2J"])
def test_a_remark_is_one_line_of_bounded_text(world: World, remark: str) -> None:
    assert (
        code_of(
            lambda: world.lifecycle.report(world.card, EndReason.LOST, actor=CLERK, remark=remark)
        )
        == "card.remark"
    )
    assert world.state() is CardState.VALID


def test_the_remark_stands_with_the_card_and_not_in_the_trail(world: World) -> None:
    world.report()
    with world.stage.register.reading() as transaction:
        changes = transaction.cards.changes(world.card)
        trail = repr([each.record() for each in transaction.audit.records()])
    assert changes[-1].remark == "mất ở chợ"
    assert "chợ" not in trail
    assert "chợ" not in repr(changes)


def test_a_card_that_nobody_knows_is_refused(world: World) -> None:
    unknown = CardReference(bytes(16))
    assert (
        code_of(lambda: world.lifecycle.report(unknown, EndReason.LOST, actor=CLERK, remark=""))
        == "card.unknown"
    )


def test_the_calendar_ends_a_card_behind_its_last_day_and_hands_none_over(world: World) -> None:
    stage = world.stage
    last_day = stage.now.date()
    first, second = (stage.add_member(number) for number in (5, 6))
    card = stage.add_card(5, first, valid_until=last_day)
    with stage.register.writing() as transaction:
        transaction.cards.hand_over(card, to="m", account=CLERK.account, at=stage.now)
    late = stage.add_card(6, second, valid_until=last_day)
    expiry = CardExpiry(register=stage.register, clock=stage.clock, chunk_rows=1)
    administrator = person("administrator", Role.ADMINISTRATOR)
    assert expiry.run(actor=administrator) == 0
    stage.now += timedelta(days=1)
    with stage.register.writing() as transaction:
        assert (
            code_of(
                lambda: transaction.cards.hand_over(
                    late, to="m", account=CLERK.account, at=stage.now
                )
            )
            == "card.expired"
        )
    assert expiry.run(actor=administrator) == 1
    assert expiry.run(actor=administrator) == 0
    with stage.register.reading() as transaction:
        assert transaction.cards.get(card).validity.end is EndReason.EXPIRED
        assert transaction.cards.get(late).validity.state is CardState.NOT_HANDED_OVER
    assert world.state() is CardState.VALID
    assert code_of(lambda: expiry.run(actor=CLERK)) == "right.missing"
