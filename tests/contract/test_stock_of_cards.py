"""The stock once cards are made of it: any sequence of acts keeps the balance, and no one person makes a chip vanish."""

import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.db.schema import upgrade
from issuer.db.stock_accounts import SqlStockRepository
from issuer.domain.card import CardReference, CardState
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.chip import Serial
from issuer.domain.rights import AccountName, Actor, Role
from issuer.domain.stock_account import (
    FIRST_STORE,
    SiteCode,
    SiteKind,
    StockClass,
    StockCount,
)
from issuer.domain.stock_acts import DayCloseState, StopReason
from issuer.errors import IssuerError, IssuerRefusedError
from issuer.services.stock_services import StockServices
from pki.signed.card_states import CardState as ListedState
from tests.contract.cards_stage import NOW, SEALER, CardsStage
from tests.contract.one_person import explore
from tests.contract.stock_stage import delivery_of, serial_of, staff, stock_services

STATION = SiteCode("station-1")
SITES = (FIRST_STORE, STATION)
KEEPER = staff("kho", Role.STOREKEEPER, now=NOW)
CONTROLLER = staff("kiem tra", Role.QUALITY_CONTROLLER, now=NOW)
EVERYBODY = staff("everybody", *Role, now=NOW)
CHIPS = 6


class Stage(CardsStage):
    """Cards of members, over a stock that the use cases keep."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.services: StockServices = stock_services(self.database, self.clock)
        self.services.room.open_site(
            STATION, kind=SiteKind.STATION, name="Trạm 1", organisation=None, actor=KEEPER
        )
        self.receive(*range(1, CHIPS + 1))

    def receive(self, *numbers: int) -> None:
        self.services.room.receive(delivery_of(*numbers), delivery="d.csv", actor=KEEPER)

    def make(self, number: int, state: CardState = CardState.ISSUED) -> CardReference:
        """The chip becomes a card, as a station makes it."""
        return self.add_card(number, self.add_member(100 + number), state=state)

    def listed(self, reference: CardReference) -> ListedState:
        with self.register.reading() as transaction:
            return transaction.cards.get(reference).validity.state

    def require_balance(self) -> None:
        """Every site's books agree, and every chip of the stock is in one of them once."""
        views = self.services.room.accounts(actor=KEEPER)
        assert [each.site.code for each in views if not each.account.is_balanced] == []
        with self.database.reading() as session:
            chips = session.scalar(sa.text("SELECT count(*) FROM chips"))
        assert chips == sum(each.account.received + each.account.stolen for each in views)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("template") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    Stage(database)
    database.close()
    return path.read_bytes()


def reopened(database: Database) -> Stage:
    """The stage over a database in which it was built before."""
    stage = Stage.__new__(Stage)
    stage.database = database
    stage.now = NOW
    stage.requests = 0
    stage.register = SqlRegister(database, lambda: SEALER)
    stage.services = stock_services(database, stage.clock)
    return stage


@pytest.fixture
def stage(tmp_path: Path, template: bytes) -> Iterator[Stage]:
    (tmp_path / "issuer.sqlite").write_bytes(template)
    database = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
    yield reopened(database)
    database.close()


def test_a_stolen_box_of_finished_cards_is_worthless(stage: Stage) -> None:
    cards = [stage.make(each) for each in (1, 2)]
    stolen = [serial_of(1), serial_of(2)]
    stage.services.stops.report(stolen, reason=StopReason.STOLEN, actor=KEEPER)
    # Nobody can give them out, from the first report on.
    with pytest.raises(IssuerRefusedError) as caught, stage.register.writing() as transaction:
        transaction.cards.hand_over(cards[0], to="somebody", account=AccountName("clerk"), at=NOW)
    assert caught.value.code == "chip.stolen"
    stage.services.stops.confirm(stolen, actor=CONTROLLER)
    assert {stage.listed(each) for each in cards} <= {ListedState.LOST, ListedState.REVOKED}
    account = stage.services.room.account(FIRST_STORE, actor=KEEPER).account
    assert (account.total(StockClass.GOOD), account.stolen, account.received) == (0, 2, 4)
    with stage.register.reading() as transaction:
        assert transaction.cards.get(cards[0]).card.state is CardState.CONDEMNED


def test_a_box_that_was_found_may_be_handed_over(stage: Stage) -> None:
    reference = stage.make(1)
    stage.services.stops.report([serial_of(1)], reason=StopReason.MISSING, actor=KEEPER)
    stage.services.stops.lift([serial_of(1)], actor=CONTROLLER)
    with stage.register.writing() as transaction:
        transaction.cards.hand_over(reference, to="member", account=AccountName("clerk"), at=NOW)
    assert stage.listed(reference) is ListedState.VALID


def test_a_card_whose_report_was_judged_alone_ends_all_the_same(stage: Stage) -> None:
    reference = stage.make(1)
    stage.services.stops.report([serial_of(1)], reason=StopReason.STOLEN, actor=KEEPER)
    with stage.register.writing() as transaction:
        transaction.cards.take(
            reference,
            ValidityStep(event=ValidityEvent.REJECTED, account=AccountName("decider")),
            at=NOW,
        )
    stage.services.stops.confirm([serial_of(1)], actor=CONTROLLER)
    assert stage.listed(reference) is ListedState.REVOKED


def test_the_loss_of_a_members_card_is_no_matter_of_the_stock(stage: Stage) -> None:
    stage.hand_over(1, stage.add_member(101))
    with pytest.raises(IssuerRefusedError) as caught:
        stage.services.stops.report([serial_of(1)], reason=StopReason.STOLEN, actor=KEEPER)
    assert caught.value.code == "stop.not-in-hand"


def test_a_finished_card_that_does_not_answer_is_destroyed_by_two_and_revoked(
    stage: Stage,
) -> None:
    reference = stage.make(1)
    with pytest.raises(IssuerRefusedError) as caught:
        stage.services.room.condemn(serial_of(1), reason="mute", actor=CONTROLLER)
    assert caught.value.code == "card.may-be-operational"
    made = stage.services.destructions.witness(
        [serial_of(1)], site=FIRST_STORE, manner="cut", actor=KEEPER
    )
    assert stage.listed(reference) is ListedState.NOT_HANDED_OVER
    stage.services.destructions.confirm(made.destruction.destruction_id, chips=1, actor=CONTROLLER)
    assert stage.listed(reference) is ListedState.REVOKED
    account = stage.services.room.account(FIRST_STORE, actor=KEEPER).account
    assert account.total(StockClass.SPOILED) == 1
    assert account.to_count().spoiled == 0


def test_a_card_that_ended_before_is_destroyed_too(stage: Stage) -> None:
    reference = stage.make(1)
    with stage.register.writing() as transaction:
        transaction.cards.take(
            reference,
            ValidityStep(
                event=ValidityEvent.ENDED, account=AccountName("system"), reason=EndReason.EXPIRED
            ),
            at=NOW,
        )
    made = stage.services.destructions.witness(
        [serial_of(1)], site=FIRST_STORE, manner="cut", actor=KEEPER
    )
    stage.services.destructions.confirm(made.destruction.destruction_id, chips=1, actor=CONTROLLER)
    assert stage.listed(reference) is ListedState.REVOKED


def test_a_bound_blank_is_no_sample(stage: Stage) -> None:
    stage.make(1, state=CardState.BOUND)
    with pytest.raises(IssuerRefusedError) as caught:
        stage.services.room.take_samples(
            [serial_of(1)], site=FIRST_STORE, remark="laboratory", actor=KEEPER
        )
    assert caught.value.code == "stock.not-blank"


def test_cards_in_their_members_hands_are_good_and_not_counted(stage: Stage) -> None:
    stage.hand_over(1, stage.add_member(101))
    stage.make(2)
    account = stage.services.room.account(FIRST_STORE, actor=KEEPER).account
    assert account.total(StockClass.GOOD) == 2
    assert account.to_count() == StockCount(finished=1, spoiled=0, samples=0, left=4)


def test_dispatched_cards_are_good_and_not_counted(stage: Stage) -> None:
    for number in (1, 2, 3):
        stage.make(number)
    with stage.database.writing() as session:
        # The batch alone is of interest here, not what led to it; nothing of this is kept.
        session.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
        session.execute(
            sa.text(
                "INSERT INTO batches (id, receiver_id, decision_id, state, version, created_by, created_at,"
                " proof, cards, proposed_by, proposed_at, confirmed_by, confirmed_at)"
                " VALUES (:id, :id, :id, 'dispatched', 1, 'x', :at, :proof, 1, 'x', :at, 'y', :at)"
            ),
            {"id": "0" * 32, "at": "2026-11-23 08:00:00.000000", "proof": bytes(32)},
        )
        session.execute(
            # The first lies in a box of the batch, the second one came into none.
            sa.text("UPDATE cards SET batch_id = :id, box = :box WHERE serial = :serial"),
            [
                {"id": "0" * 32, "serial": serial_of(1), "box": 1},
                {"id": "0" * 32, "serial": serial_of(2), "box": None},
            ],
        )
        stock = SqlStockRepository(session)
        account = stock.account(FIRST_STORE)
        assert account.total(StockClass.GOOD) == 3
        assert account.to_count() == StockCount(finished=2, spoiled=0, samples=0, left=3)
        lying = [serial for serial, _ in stock.serials_in_hand(FIRST_STORE)]
        assert lying == [serial_of(each) for each in range(2, CHIPS + 1)]
        assert not stock.standings([serial_of(1)])[serial_of(1)].is_in_hand
        session.rollback()


# Any sequence of acts.


def _acts() -> Mapping[str, Callable[[Stage, Sequence[Serial], SiteCode, Actor], object]]:
    def open_destructions(stage: Stage) -> list[tuple[object, int]]:
        return [
            (each.destruction_id, each.chips)
            for each in stage.services.destructions.newest(actor=KEEPER, limit=9)
        ]

    def conclude(stage: Stage, by: Actor) -> None:
        for identifier, chips in open_destructions(stage):
            stage.services.destructions.confirm(identifier, chips=chips, actor=by)  # type: ignore[arg-type]

    def make(stage: Stage, serials: Sequence[Serial], state: CardState) -> None:
        """As a station would: only of blanks that nothing keeps from it."""
        number = int.from_bytes(serials[0], "big")
        with stage.register.reading() as transaction:
            standing = transaction.stock.standings(serials[:1]).get(serials[0])
        if (
            standing is not None
            and standing.stock_class is StockClass.LEFT
            and standing.held is None
            and standing.card is None
        ):
            stage.make(number, state)

    return {
        "receive": lambda stage, serials, _site, _by: stage.receive(
            *(int.from_bytes(each, "big") for each in serials)
        ),
        "issue": lambda stage, serials, _site, by: stage.services.room.issue(
            serials, source=FIRST_STORE, target=STATION, actor=by
        ),
        "return": lambda stage, serials, _site, by: stage.services.room.take_back(
            serials, source=STATION, target=FIRST_STORE, actor=by
        ),
        "sample": lambda stage, serials, site, by: stage.services.room.take_samples(
            serials, site=site, remark="x", actor=by
        ),
        "condemn": lambda stage, serials, _site, by: stage.services.room.condemn(
            serials[0], reason="x", actor=by
        ),
        "make": lambda stage, serials, _site, _by: make(stage, serials, CardState.ISSUED),
        "lock": lambda stage, serials, _site, _by: make(stage, serials, CardState.LOCKING),
        "report": lambda stage, serials, _site, by: stage.services.stops.report(
            serials, reason=StopReason.STOLEN, actor=by
        ),
        "confirm": lambda stage, serials, _site, by: stage.services.stops.confirm(
            serials, actor=by
        ),
        "lift": lambda stage, serials, _site, by: stage.services.stops.lift(serials, actor=by),
        "witness": lambda stage, serials, site, by: stage.services.destructions.witness(
            serials, site=site, manner="x", actor=by
        ),
        "conclude": lambda stage, _serials, _site, by: conclude(stage, by),
    }


ACTS = _acts()
STEPS = st.tuples(
    st.sampled_from(sorted(ACTS)),
    st.lists(st.integers(1, CHIPS + 2).map(serial_of), min_size=1, max_size=3, unique=True),
    st.sampled_from(SITES),
    st.sampled_from((staff("one", *Role, now=NOW), staff("two", *Role, now=NOW))),
)


def _keeps_balance(folder: Path, template: bytes, steps: Sequence[tuple[object, ...]]) -> None:
    path = folder / f"{next(_COUNTER)}.sqlite"
    path.write_bytes(template)
    database = Database(f"sqlite:///{path}")
    stage = reopened(database)
    stage.requests = 1000
    for name, serials, site, by in steps:
        # A refusal is an answer.
        with suppress(IssuerError):
            ACTS[name](stage, serials, site, by)  # type: ignore[index,arg-type]
        stage.require_balance()
    for site in SITES:
        right = stage.services.room.account(site, actor=KEEPER).account.to_count()
        wrong = StockCount(
            finished=right.finished,
            spoiled=right.spoiled,
            samples=right.samples,
            left=right.left + 1,
        )
        differing = stage.services.days.count(site, wrong, actor=KEEPER).close
        with pytest.raises(IssuerRefusedError):
            stage.services.days.close(differing.close_id, actor=CONTROLLER)
        counted = stage.services.days.count(site, right, actor=KEEPER).close
        assert counted.state is DayCloseState.COUNTED
        stage.services.days.close(counted.close_id, actor=CONTROLLER)
    database.close()
    path.unlink()


_COUNTER = itertools.count()


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=4, max_size=12))
def test_any_sequence_of_acts_keeps_the_balance(
    tmp_path: Path, template: bytes, steps: Sequence[tuple[object, ...]]
) -> None:
    _keeps_balance(tmp_path, template, steps)


@pytest.mark.slow
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=4, max_size=40))
def test_any_long_sequence_of_acts_keeps_the_balance(
    tmp_path: Path, template: bytes, steps: Sequence[tuple[object, ...]]
) -> None:
    _keeps_balance(tmp_path, template, steps)


# One person alone.


@dataclass(frozen=True)
class _State:
    content: bytes
    key: Hashable


class _OnePersonsStock:
    """A blank, a spoiled chip and a finished card; what one person can do with them."""

    def __init__(self, folder: Path, people: Sequence[Actor]) -> None:
        self._file = folder / "issuer.sqlite"
        self._database = Database(f"sqlite:///{self._file}")
        self._people = tuple(people)

    def start(self, template: bytes) -> _State:
        def work(stage: Stage, _by: Actor) -> None:
            stage.make(3)

        return self._after(_State(content=template, key=None), work, KEEPER)

    def actions(self) -> Mapping[str, Callable[[_State], _State]]:
        acts: dict[str, Callable[[Stage, Actor], object]] = {
            "report": lambda stage, by: stage.services.stops.report(
                [serial_of(3)], reason=StopReason.STOLEN, actor=by
            ),
            "confirm": lambda stage, by: stage.services.stops.confirm([serial_of(3)], actor=by),
            "lift": lambda stage, by: stage.services.stops.lift([serial_of(3)], actor=by),
            "condemn": lambda stage, by: stage.services.room.condemn(
                serial_of(1), reason="x", actor=by
            ),
            "witness the spoiled one": lambda stage, by: stage.services.destructions.witness(
                [serial_of(1)], site=FIRST_STORE, manner="x", actor=by
            ),
            "witness the card": lambda stage, by: stage.services.destructions.witness(
                [serial_of(3)], site=FIRST_STORE, manner="x", actor=by
            ),
            "be the second witness": lambda stage, by: [
                stage.services.destructions.confirm(each.destruction_id, chips=1, actor=by)
                for each in stage.services.destructions.newest(actor=by, limit=9)
                if each.state.value == "witnessed"
            ],
            "withdraw": lambda stage, by: [
                stage.services.destructions.withdraw(each.destruction_id, actor=by)
                for each in stage.services.destructions.newest(actor=by, limit=9)
                if each.state.value == "witnessed"
            ],
            "count": lambda stage, by: stage.services.days.count(
                FIRST_STORE,
                stage.services.room.account(FIRST_STORE, actor=by).account.to_count(),
                actor=by,
            ),
            "close": lambda stage, by: [
                stage.services.days.close(each.close_id, actor=by)
                for each in stage.services.days.newest(actor=by, limit=1)
            ],
        }
        return {
            f"{name} by {by.account}": lambda state, work=work, by=by: self._after(  # type: ignore[misc]
                state, work, by
            )
            for name, work in acts.items()
            for by in self._people
        }

    def key(self, state: _State) -> Hashable:
        return state.key

    def is_reached(self, state: _State) -> bool:
        destroyed, closed, ended, condemned_cards = state.key[0]  # type: ignore[index]
        return bool(destroyed or closed or ended or condemned_cards)

    def _after(self, state: _State, work: Callable[[Stage, Actor], object], by: Actor) -> _State:
        self._file.write_bytes(state.content)
        stage = reopened(self._database)
        with suppress(IssuerError):
            work(stage, by)
        with self._database.reading() as session:
            key = tuple(
                tuple(tuple(row) for row in session.execute(sa.text(query))) for query in _KEY
            )
        self._database.close()
        return _State(content=self._file.read_bytes(), key=(tuple(key[0][0]), *key[1:]))


_KEY = (
    (
        "SELECT (SELECT count(*) FROM chips WHERE destroyed_at IS NOT NULL),"
        " (SELECT count(*) FROM stock_day_closes WHERE state = 'closed'),"
        " (SELECT count(*) FROM cards WHERE ended_for IS NOT NULL),"
        " (SELECT count(*) FROM cards WHERE state = 'condemned')"
    ),
    "SELECT serial, state, held FROM chips ORDER BY serial",
    "SELECT DISTINCT state, first_witness FROM stock_destructions ORDER BY state",
    "SELECT DISTINCT serial, state, reported_by FROM stock_stops ORDER BY serial, state",
    "SELECT state, counted_by FROM stock_day_closes ORDER BY counted_at DESC, id LIMIT 1",
    "SELECT report FROM cards",
)


def test_one_person_alone_destroys_ends_and_closes_nothing(tmp_path: Path, template: bytes) -> None:
    world = _OnePersonsStock(tmp_path, [EVERYBODY])
    explored = explore(world, world.start(template), depth=6)
    assert explored.reached_by is None
    assert explored.states > 10
    # The explorer did come as far as one person can.
    assert explored.effective >= {
        f"{name} by everybody"
        for name in ("report", "condemn", "witness the spoiled one", "witness the card", "count")
    }


def test_two_people_destroy_in_two_acts(tmp_path: Path, template: bytes) -> None:
    world = _OnePersonsStock(tmp_path, [EVERYBODY, staff("another", *Role, now=NOW)])
    explored = explore(world, world.start(template), depth=2)
    assert explored.reached_by is not None
    assert {each.rsplit(" by ", 1)[1] for each in explored.reached_by} == {"everybody", "another"}
