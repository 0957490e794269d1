"""One person, with every role there is, tries everything: no path of six actions leads to a decided request."""

import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db import schema
from issuer.db.base import Database
from issuer.domain.decisions import DecisionId
from issuer.domain.number_blocks import NumberMark
from issuer.domain.request_policy import HandsRule, RequestPolicy
from issuer.domain.requests import RequestEventKind, RequestId
from issuer.domain.rights import Actor, Role
from issuer.errors import IssuerError
from tests.contract.one_person import explore
from tests.contract.requests_stage import DRAFT, NEW_ISSUE, MemoryStores, Stage, actor, member

ACTIONS = 6
STEPS = {
    "propose": RequestEventKind.PROPOSED,
    "endorse": RequestEventKind.ENDORSED,
    "compile": RequestEventKind.COMPILED,
    "send back": RequestEventKind.SENT_BACK,
    "withdraw": RequestEventKind.WITHDRAWN,
}
EVERYBODY = actor("everybody", *Role)
SOMEBODY_ELSE = actor("somebody else", *Role)


@dataclass(frozen=True)
class _Office:
    """A state: the database as it was left, and the mark that lies beside it."""

    content: bytes
    mark: NumberMark | None
    key: Hashable


class _Requests:
    """The world of requests and decisions for one member, over a real database."""

    def __init__(
        self,
        folder: Path,
        policy: RequestPolicy,
        people: Iterable[Actor],
        *,
        with_second_decision: bool = False,
    ) -> None:
        self._with_second_decision = with_second_decision
        self._file = folder / "issuer.sqlite"
        # One database for all states: what was compiled for it is used again.
        self._database = Database(f"sqlite:///{self._file}")
        self._policy = policy
        self._people = tuple(people)
        self._turns = itertools.count(1)
        self._portraits: dict[bytes, bytes] = {}
        self._documents: dict[bytes, bytes] = {}

    def start(self, template: bytes) -> _Office:
        def work(stage: Stage) -> None:
            stage.fill([member(1)])
            stage.grant()

        return self._after(_Office(content=template, mark=None, key=None), work)

    def actions(self) -> Mapping[str, Callable[[_Office], _Office]]:
        tries: dict[str, Callable[[Stage, Actor], object]] = {
            "draft": lambda stage, by: stage.draft(1, wish=NEW_ISSUE, by=by),
            "prepare": lambda stage, by: stage.prepare(self._requests(stage), by=by),
            "confirm": lambda stage, by: [
                stage.confirm(stage.decision(each), by=by) for each in self._decisions(stage)
            ],
            "drop": lambda stage, by: [
                stage.drop(stage.decision(each), by=by) for each in self._decisions(stage)
            ],
        }
        if self._with_second_decision:
            tries["prepare another"] = lambda stage, by: stage.prepare(
                self._requests(stage), by=by, draft=replace(DRAFT, number="13")
            )
        for name, kind in STEPS.items():
            tries[name] = lambda stage, by, kind=kind: stage.take(  # type: ignore[misc]  # bound early
                kind, self._requests(stage), by=by, remark="một lý do"
            )
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
        requests, decisions = state.key  # type: ignore[misc]  # as made below
        return any(each[0] in ("decided", "fulfilled") for each in requests) or any(
            each[1] == "confirmed" for each in decisions
        )

    def _after(self, state: _Office, work: Callable[[Stage], object]) -> _Office:
        self._file.write_bytes(state.content)
        stores = MemoryStores(portraits=self._portraits, documents=self._documents, mark=state.mark)
        first_id = 10_000 * next(self._turns)
        stage = Stage(self._database, policy=self._policy, stores=stores, first_id=first_id)
        # A refusal is an answer; what was done before it stays done.
        with suppress(IssuerError):
            work(stage)
        with self._database.reading() as session:
            key = _key(session)
        # The last connection brings everything into the one file.
        self._database.close()
        return _Office(content=self._file.read_bytes(), mark=stores.mark, key=key)

    @staticmethod
    def _requests(stage: Stage) -> list[RequestId]:
        with stage.database.reading() as session:
            return [
                RequestId(each)
                for each in session.scalars(sa.text("SELECT id FROM requests").columns(id=sa.Uuid))
            ]

    @staticmethod
    def _decisions(stage: Stage) -> list[DecisionId]:
        with stage.database.reading() as session:
            return [
                DecisionId(each)
                for each in session.scalars(sa.text("SELECT id FROM decisions").columns(id=sa.Uuid))
            ]


def _key(session: Session) -> Hashable:
    """States of requests and decisions, and who had a hand in them; neither times nor identifiers."""
    requests = session.execute(sa.text("SELECT id, state FROM requests ORDER BY created_at, id"))
    events = [
        tuple(each)
        for each in session.execute(sa.text("SELECT request_id, kind, account FROM request_events"))
    ]
    decisions = session.execute(
        sa.text(
            "SELECT number, state, prepared_by, requests FROM decisions ORDER BY prepared_at, id"
        )
    )
    return (
        tuple(
            (state, frozenset(each[1:] for each in events if each[0] == request))
            for request, state in requests
        ),
        tuple(tuple(each) for each in decisions),
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("template") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("hands", "with_second_decision"),
    [
        # The weakest rule: the others only refuse more.
        pytest.param(HandsRule.FOUR_EYES, False),
        *(pytest.param(hands, True, marks=pytest.mark.slow) for hands in HandsRule),
    ],
)
def test_one_person_alone_decides_nothing(
    tmp_path: Path, template: bytes, hands: HandsRule, *, with_second_decision: bool
) -> None:
    world = _Requests(
        tmp_path,
        RequestPolicy(hands=hands),
        [EVERYBODY],
        with_second_decision=with_second_decision,
    )
    explored = explore(world, world.start(template), depth=ACTIONS)
    assert explored.reached_by is None
    assert "draft by everybody" in explored.effective
    if hands is HandsRule.FOUR_EYES:
        # The explorer did come as far as one person can: everything but the confirmation works.
        assert explored.effective == set(world.actions()) - {"confirm by everybody"}
    assert explored.states > 10


def test_two_people_decide_in_six_actions(tmp_path: Path, template: bytes) -> None:
    world = _Requests(
        tmp_path, RequestPolicy(hands=HandsRule.FOUR_EYES), [EVERYBODY, SOMEBODY_ELSE]
    )
    # Only the straight way is of interest here: with every action the states are many.
    names = {
        f"{name} by everybody" for name in ("draft", "propose", "endorse", "compile", "prepare")
    }
    chosen = {
        name: act
        for name, act in world.actions().items()
        if name in names or name == "confirm by somebody else"
    }
    world.actions = lambda: chosen  # type: ignore[method-assign]  # fewer of them
    explored = explore(world, world.start(template), depth=ACTIONS)
    assert explored.reached_by == (
        "draft by everybody",
        "propose by everybody",
        "endorse by everybody",
        "compile by everybody",
        "prepare by everybody",
        "confirm by somebody else",
    )
