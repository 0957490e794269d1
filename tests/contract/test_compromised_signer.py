"""A stolen signer's cards: suspended by one, ended by another, each member's re-issue drafted once."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from issuer.domain.card import CardReference
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.chip import Serial
from issuer.domain.requests import RequestId, RequestKind, RequestState
from issuer.domain.rights import AccountName, Actor, Role
from issuer.errors import IssuerError
from issuer.reference_files import read_references
from issuer.services.draft_requests import RequestDrafting
from issuer.services.request_ports import RequestQuestion
from issuer.services.revoke_references import CompromisedSigner, CompromiseOutcome, CompromiseStep
from pki.signed.card_states import CardState
from tests.contract.cards_stage import CELL, CardsStage, fresh_sqlite, person
from tests.contract.stock_stage import OfficeStock

FIRST, SECOND = (person(name, Role.DECIDER) for name in ("first", "second"))
HEADER = "reference,signing_time,digest\n"


class World:
    def __init__(self, stage: CardsStage) -> None:
        self.stage = stage
        numbers = itertools.count(1)
        self.signer = CompromisedSigner(
            register=stage.register,
            drafting=RequestDrafting(
                register=stage.register,
                clock=stage.clock,
                new_request_id=lambda: RequestId(uuid.UUID(int=(1 << 90) + next(numbers))),
            ),
            clock=stage.clock,
            chunk_rows=2,
        )
        self.cards = [stage.hand_over(number, stage.add_member(number)) for number in range(1, 4)]

    def take(
        self, actor: Actor, references: list[CardReference] | None = None
    ) -> list[CompromiseOutcome]:
        return list(self.signer.take(references or self.cards, actor=actor, remark="mất khóa"))

    def steps(self, actor: Actor) -> list[CompromiseStep]:
        return [each.step for each in self.take(actor)]

    def states(self) -> list[CardState]:
        with self.stage.register.reading() as transaction:
            return [transaction.cards.get(each).validity.state for each in self.cards]

    def drafts(self) -> int:
        question = RequestQuestion(states={RequestState.DRAFT})
        with self.stage.register.reading() as transaction:
            return transaction.requests.count(question).get(RequestState.DRAFT, 0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = fresh_sqlite(tmp_path)
    yield World(CardsStage(database))
    database.close()


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        work()
    return caught.value.code


def test_two_people_bring_the_list_and_every_card_ends_and_is_made_again(world: World) -> None:
    assert world.steps(FIRST) == [CompromiseStep.SUSPENDED] * 3
    assert world.states() == [CardState.SUSPENDED] * 3
    assert world.steps(FIRST) == [CompromiseStep.WAITING] * 3
    assert world.drafts() == 0
    outcomes = world.take(SECOND)
    assert [(each.step, each.is_drafted, each.code) for each in outcomes] == [
        (CompromiseStep.ENDED, True, None)
    ] * 3
    assert world.states() == [CardState.REVOKED] * 3
    assert world.drafts() == 3
    # Brought once more by anybody, nothing is done twice.
    for actor in (FIRST, SECOND):
        assert world.steps(actor) == [CompromiseStep.ENDED_BEFORE] * 3
    assert world.drafts() == 3
    with world.stage.register.reading() as transaction:
        page = transaction.requests.page(RequestQuestion(states={RequestState.DRAFT}), limit=1)
        [request] = page.requests
    assert request.kind is RequestKind.RE_ISSUE


def test_it_goes_on_where_it_stopped(world: World) -> None:
    world.take(FIRST, world.cards[:1])
    world.take(SECOND, world.cards[:1])
    assert world.steps(SECOND) == [
        CompromiseStep.ENDED_BEFORE,
        CompromiseStep.SUSPENDED,
        CompromiseStep.SUSPENDED,
    ]
    assert world.states() == [CardState.REVOKED, CardState.SUSPENDED, CardState.SUSPENDED]


def test_what_was_reported_otherwise_and_what_nobody_knows_is_told(world: World) -> None:
    step = ValidityStep(
        event=ValidityEvent.REPORTED, account=AccountName("cell"), reason=EndReason.LOST
    )
    with world.stage.register.writing() as transaction:
        transaction.cards.take(world.cards[0], step, at=world.stage.now)
    unknown = CardReference(b"\xff" * 16)
    steps = [each.step for each in world.take(FIRST, [*world.cards[:1], unknown])]
    assert steps == [CompromiseStep.REPORTED_OTHERWISE, CompromiseStep.UNKNOWN]
    assert world.states()[0] is CardState.SUSPENDED


def test_a_card_that_nobody_has_yet_ends_without_a_request_and_can_still_be_destroyed(
    world: World,
) -> None:
    card = world.stage.add_card(9, world.stage.add_member(9))
    world.take(FIRST, [card])
    [outcome] = world.take(SECOND, [card])
    assert (outcome.step, outcome.is_drafted) == (CompromiseStep.ENDED, False)
    OfficeStock(world.stage.database, world.stage.clock).condemn(
        Serial((9).to_bytes(10, "big")), code="test", is_safe=True
    )
    assert world.take(FIRST, [card])[0].step is CompromiseStep.ENDED_BEFORE


def test_the_right_is_demanded_where_each_member_is_recorded(world: World) -> None:
    assert code_of(lambda: world.take(person("clerk", Role.CLERK))) == "right.missing"
    local = person("local", Role.DECIDER, at=CELL)
    assert [each.step for each in world.take(local)] == [CompromiseStep.SUSPENDED] * 3


def test_the_list_of_the_pki_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cards.csv"
    lines = [f"{number:032x},2026-11-22T07:00:00+00:00,{'ab' * 32}\n" for number in (1, 2)]
    path.write_text(HEADER + "".join(lines))
    assert [int.from_bytes(each) for each in read_references(path)] == [1, 2]
    path.write_text(HEADER)
    assert list(read_references(path)) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"reference\n",
        HEADER.encode()[:-1],
        HEADER.encode() + b"00,2026,\n",
        HEADER.encode() + b"%032x,2026-11-22T07:00:00Z,00" % 1,
        HEADER.encode() + b"%032X,2026-11-22T07:00:00Z,00\n" % 10,
        HEADER.encode() + b"%032x,2026-11-22T07:00:00Z,00,more\n" % 1,
        HEADER.encode() + b"\xff\n",
        HEADER.encode() + b"a" * 1000,
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cards.csv"
    path.write_bytes(content)
    assert code_of(lambda: list(read_references(path))) == "references.malformed"


def test_a_list_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    assert code_of(lambda: list(read_references(tmp_path / "x"))) == "references.unavailable"
