"""Numbers and status indices that a province hands to its communes: each is given out once, by one of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from issuer.db import schema
from issuer.db.base import Database
from issuer.domain.card_number import CardNumber
from issuer.domain.decisions import DecisionState
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import RequestEventKind, RequestId, RequestState
from issuer.domain.rights import Role
from issuer.domain.status_allotment import LIST_SIZE
from issuer.errors import IssuerError
from issuer.services.prepare_decisions import DecisionDraft
from tests.contract.bundle_stage import OPERATOR, PROVINCE_CLERK, Exchange, Office, person
from tests.contract.requests_stage import (
    CLERK,
    COMMUNE,
    DRAFT,
    ENDORSER,
    NEW_ISSUE,
    OTHER,
    PDF,
    PROVINCE,
    actor,
    codes,
    ids,
)

Event, State = RequestEventKind, RequestState
HERE = RequestPolicy(deciding_level=1)
COMPILER = actor("commune-compiler", Role.ENDORSER, at=COMMUNE)
PREPARES, CONFIRMS = (actor(name, Role.DECIDER, at=COMMUNE) for name in ("thu", "tam"))


@pytest.fixture
def exchange(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Exchange]:
    """The commune decides by itself, and gives out numbers that the province handed to it."""
    url = (
        f"sqlite:///{tmp_path / 'province.sqlite'}"
        if getattr(request, "param", "sqlite") == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    province, commune = Database(url), Database(f"sqlite:///{tmp_path / 'commune.sqlite'}")
    for each in (province, commune):
        schema.upgrade(each)
    made = Exchange.between(province, commune, folder=tmp_path, policy=HERE)
    made.commune.fill([person(number) for number in range(1, 8)])
    made.enrol()
    yield made
    province.close()
    commune.close()


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        act()
    return caught.value.code


def hand(exchange: Exchange, first: int, last: int) -> None:
    exchange.province.handing.hand_numbers(
        exchange.commune.own.name, COMMUNE,
        first=CardNumber(f"98{first:06}"), last=CardNumber(f"98{last:06}"), actor=OPERATOR,
    )  # fmt: skip


def decided(office: Office, *numbers: int, number: str = "1-NQ/DU") -> list[RequestId]:
    requests = ids(office.draft(*numbers, wish=NEW_ISSUE))
    for kind, by in (
        (Event.PROPOSED, CLERK), (Event.ENDORSED, ENDORSER), (Event.COMPILED, COMPILER),
    ):  # fmt: skip
        assert codes(office.take(kind, requests, by=by)) == [None] * len(requests)
    draft = DecisionDraft(
        number=number, decided_on=DRAFT.decided_on, committee=COMMUNE, document=PDF
    )
    decision, outcomes = office.prepare(requests, by=PREPARES, draft=draft)
    assert codes(outcomes) == [None] * len(requests)
    assert codes(office.confirm(decision, by=CONFIRMS)) == [None] * len(requests)
    return requests


@pytest.mark.parametrize("exchange", ["sqlite", "postgresql"], indirect=True)
def test_a_commune_that_decides_gives_out_its_block_and_the_province_keeps_what_was_given_out(
    exchange: Exchange,
) -> None:
    commune, province = exchange.commune, exchange.province
    hand(exchange, 1, 50)
    assert exchange.down().record.counts == {"blocks-new": 1, "conflicts": 0}
    requests = decided(commune, 1, 3)
    report = exchange.up()
    assert report.conflicts == ()
    assert province.states() == {State.DECIDED: 2}
    assert [province.get(each).card_number for each in requests] == ["98000001", "98000002"]
    with province.register.reading() as transaction:
        assert transaction.numbers.count_given_out() == 2
        decision_id = transaction.requests.current_decision(requests[0])
        assert decision_id is not None
        decision = transaction.decisions.get(decision_id)
    assert decision.state is DecisionState.CONFIRMED
    assert (decision.prepared_by, decision.confirmed_by) == ("xa-mau:thu", "xa-mau:tam")
    assert decision.document is not None
    assert province.stores.documents[decision.document.digest] == PDF
    # A second bundle of the same decision's committee adds to it and repeats nothing.
    decided(commune, 5, number="2-NQ/DU")
    assert exchange.up().conflicts == ()
    assert province.states() == {State.DECIDED: 3}


def test_numbers_that_were_handed_down_are_nobody_elses(exchange: Exchange) -> None:
    province, name = exchange.province, exchange.commune.own.name
    hand(exchange, 1, 50)
    assert code_of(lambda: hand(exchange, 40, 60)) in {
        "numbers.block-overlaps",
        "numbers.block-spent",
    }
    hand_to = lambda committee: province.handing.hand_numbers(  # noqa: E731 - one of many alike
        name, committee, first=CardNumber("98000100"), last=CardNumber("98000200"), actor=OPERATOR
    )
    assert code_of(lambda: hand_to(OTHER)) == "instance.wrong-place"
    assert code_of(lambda: hand_to(PROVINCE)) == "instance.wrong-place"
    with province.register.reading() as transaction:
        (block,) = transaction.numbers.blocks()
    assert (block.left, block.held_by) == (0, "xa-mau")
    assert province.stores.mark is not None
    assert [(each.first, each.end) for each in province.stores.mark.spent] == [(98000001, 98000051)]


def test_a_number_that_an_instance_was_not_given_is_not_taken(exchange: Exchange) -> None:
    commune, province = exchange.commune, exchange.province
    commune.numbers.grant(
        COMMUNE, first=CardNumber("98000900"), last=CardNumber("98000999"), actor=OPERATOR
    )
    decided(commune, 1)
    assert [each.code for each in exchange.up().conflicts] == ["bundle.number-not-theirs"]
    assert province.states() == {}


@pytest.mark.parametrize("exchange", ["sqlite", "postgresql"], indirect=True)
def test_a_set_of_indices_is_given_once_and_drawn_from_alone(exchange: Exchange) -> None:
    commune, province = exchange.commune, exchange.province
    name = commune.own.name
    first = province.handing.hand_indices(name, 100, actor=OPERATOR)
    second = province.handing.hand_indices(name, 100, actor=OPERATOR)
    assert first.list_id != second.list_id
    assert len(set(first.indices)) == 100
    assert list(first.indices) != list(range(first.indices[0], first.indices[0] + 100))
    made = province.send(commune, by=PROVINCE_CLERK)
    assert commune.receive(made, by=CLERK).record.counts["index-sets-new"] == 2
    drawn = commune.statuses.drawn(first.list_id, size=LIST_SIZE)
    assert drawn is not None
    assert set(range(LIST_SIZE)) - drawn == set(first.indices)
    with province.register.reading() as transaction:
        assert transaction.exchange.lists_given_to(name) == {first.list_id, second.list_id}
        taken = transaction.exchange.shared_lists(size=LIST_SIZE)
    assert taken == {
        first.list_id: frozenset(first.indices), second.list_id: frozenset(second.indices)
    }  # fmt: skip
    assert (
        code_of(lambda: province.handing.hand_indices(name, 0, actor=OPERATOR)) == "status.set-size"
    )
