"""One person, with every role there is: no path of six actions freezes a batch, or passes a card of a signed one."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db import schema
from issuer.db.base import Database
from issuer.domain.batch import Acknowledgement, AcknowledgementKind, Batch
from issuer.domain.rights import Actor, Role
from issuer.errors import IssuerError
from tests.contract.batch_stage import BatchStage, people
from tests.contract.one_person import explore
from tests.contract.requests_stage import actor

ACTIONS = 6
EVERYBODY = actor("everybody", *Role)
SOMEBODY_ELSE = actor("somebody else", *Role)
SIGNED_FOR = Acknowledgement(kind=AcknowledgementKind.MEMBER)


@dataclass(frozen=True)
class _Office:
    """A state: the database as it was left."""

    content: bytes = field(repr=False)
    key: Hashable


class _Production:
    """The world of batches for one member, over a real database."""

    def __init__(self, folder: Path, people: Iterable[Actor]) -> None:
        self._file = folder / "issuer.sqlite"
        self._marks = folder / "marks"
        self._database = Database(f"sqlite:///{self._file}")
        self._people = tuple(people)
        self._turns = 0

    def start(self, template: bytes, *, is_signed: bool) -> _Office:
        def work(stage: BatchStage) -> None:
            stage.initialise(1, 2)
            if is_signed:
                batch = stage.open()
                stage.freeze(batch)
                stage.sign(batch)

        self._file.write_bytes(template)
        made = BatchStage(self._database, self._marks, members=people(1))
        made.database.close()
        return self._after(_Office(content=self._file.read_bytes(), key=None), work)

    def actions(self) -> Mapping[str, Callable[[_Office], _Office]]:
        each = self._for_each_batch
        tries: dict[str, Callable[[BatchStage, Actor], object]] = {
            "open": lambda stage, by: stage.open(by=by),
            "fill": each(lambda stage, batch, by: stage.filling.fill(batch.batch_id, actor=by)),
            "cancel": each(lambda stage, batch, by: stage.filling.cancel(batch.batch_id, actor=by)),
            "propose": each(lambda stage, batch, by: stage.propose(batch, by=by)),
            "take back": each(
                lambda stage, batch, by: stage.freezing.take_back(batch.batch_id, actor=by)
            ),
            "confirm": each(
                lambda stage, batch, by: stage.freezing.confirm(
                    batch.batch_id, _proof(batch), actor=by
                )
            ),
            "make": each(lambda stage, batch, by: stage.produce(batch, by=by)),
            "pass": each(
                lambda stage, batch, by: stage.control.pass_cards(
                    batch.batch_id,
                    [line.serial for line in stage.lines(batch) if line.serial is not None],
                    actor=by,
                )
            ),
            "pack": each(
                lambda stage, batch, by: stage.delivery.pack(
                    batch.batch_id, cards_of_box=5, actor=by
                )
            ),
            "dispatch": each(
                lambda stage, batch, by: stage.delivery.dispatch(
                    batch.batch_id, carrier="van", actor=by
                )
            ),
            "receive": each(
                lambda stage, batch, by: stage.delivery.receive(
                    batch.batch_id, stage.numbers(batch), actor=by
                )
            ),
            "hand over": each(
                lambda stage, batch, by: list(
                    stage.delivery.hand_over(
                        batch.batch_id, stage.numbers(batch), SIGNED_FOR, actor=by
                    )
                )
            ),
        }
        return {
            f"{name} by {by.account}": lambda state, work=work, by=by: self._after(
                state, lambda stage: work(stage, by)
            )  # type: ignore[misc]  # bound early
            for name, work in tries.items()
            for by in self._people
        }

    def key(self, state: _Office) -> Hashable:
        return state.key

    def is_reached(self, state: _Office) -> bool:
        batches, cards = state.key  # type: ignore[misc]  # as made below
        frozen_by_one = any(each[1] == "everybody" and each[2] is not None for each in batches)
        return frozen_by_one or any(each[2] is not None for each in cards)

    def _for_each_batch(
        self, work: Callable[[BatchStage, Batch, Actor], object]
    ) -> Callable[[BatchStage, Actor], None]:
        def run(stage: BatchStage, by: Actor) -> None:
            for view in stage.reading.page(actor=EVERYBODY, limit=10).batches:
                with suppress(IssuerError):
                    work(stage, view.batch, by)

        return run

    def _after(self, state: _Office, work: Callable[[BatchStage], object]) -> _Office:
        self._file.write_bytes(state.content)
        self._turns += 1
        stage = BatchStage(self._database, self._marks, first_batch=1000 * self._turns)
        with stage.register.reading() as transaction:
            (decision,) = transaction.decisions.page(limit=2)
        stage.decision_id = decision.decision_id
        # A refusal is an answer; what was done before it stays done.
        with suppress(IssuerError):
            work(stage)
        with self._database.reading() as session:
            batches = session.execute(
                sa.text("SELECT state, proposed_by, confirmed_by FROM batches ORDER BY created_at")
            )
            cards = session.execute(
                sa.text("SELECT state, produced_by, passed_by FROM cards ORDER BY reference")
            )
            key = (
                tuple(sorted(map(tuple, batches), key=str)),
                tuple(sorted(map(tuple, cards), key=str)),
            )
        self._database.close()
        return _Office(content=self._file.read_bytes(), key=key)


def _proof(batch: Batch) -> str:
    return "" if batch.proposal is None else batch.proposal.proof.hex()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("template") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.close()
    return path.read_bytes()


def _without_more_batches(world: _Production) -> None:
    """A second batch goes the way of the first: without it the states are few."""
    chosen = {name: act for name, act in world.actions().items() if not name.startswith("open")}
    world.actions = lambda: chosen  # type: ignore[method-assign]  # fewer of them


@pytest.mark.parametrize("with_more_batches", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_one_person_alone_freezes_nothing(
    tmp_path: Path, template: bytes, *, with_more_batches: bool
) -> None:
    world = _Production(tmp_path, [EVERYBODY])
    start = world.start(template, is_signed=False)
    if not with_more_batches:
        start = world.actions()["open by everybody"](start)
        _without_more_batches(world)
    explored = explore(world, start, depth=ACTIONS)
    assert explored.reached_by is None
    expected = {"propose by everybody", "take back by everybody", "cancel by everybody"}
    assert expected <= explored.effective
    assert "confirm by everybody" not in explored.effective


def test_one_person_alone_passes_no_card_of_a_signed_batch(tmp_path: Path, template: bytes) -> None:
    world = _Production(tmp_path, [EVERYBODY])
    start = world.start(template, is_signed=True)
    _without_more_batches(world)
    explored = explore(world, start, depth=ACTIONS)
    assert explored.reached_by is None
    assert explored.effective == {"make by everybody"}


def test_two_people_freeze_and_pass(tmp_path: Path, template: bytes) -> None:
    world = _Production(tmp_path, [EVERYBODY, SOMEBODY_ELSE])
    every = dict(world.actions())

    def only(*names: str) -> None:
        chosen = {name: every[name] for name in names}
        world.actions = lambda: chosen  # type: ignore[method-assign]  # fewer of them

    start = every["open by everybody"](world.start(template, is_signed=False))
    only("propose by everybody", "confirm by somebody else")
    frozen = explore(world, start, depth=ACTIONS)
    assert frozen.reached_by == ("propose by everybody", "confirm by somebody else")
    only("make by everybody", "pass by somebody else")
    passed = explore(world, world.start(template, is_signed=True), depth=ACTIONS)
    assert passed.reached_by == ("make by everybody", "pass by somebody else")
