"""One person with an administrator's account, and every account that they get into: no path of six acts decides anything.

The person makes accounts, gives roles, resets passwords, forgets keys, disables, enables, and does with each account into
which they get whatever it may. What nobody may reach is a decided request, or any account of theirs with a role of four
eyes: freezing, destroying, revoking and issuing begin with such a role.
"""

import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.domain.account import Account, AccountId, PasswordHash
from issuer.domain.decisions import DecisionId
from issuer.domain.number_blocks import NumberMark
from issuer.domain.request_policy import HandsRule, RequestPolicy
from issuer.domain.requests import RequestId
from issuer.domain.rights import FOUR_EYES_ROLES, AccountName, Actor, Assignment, Role
from issuer.domain.second_factor import SecondFactor
from issuer.errors import IssuerError
from issuer.services.confirm_accounts import ConfirmationOfAccounts
from issuer.services.people import People
from pki.keys.webauthn_keys import CoseAlgorithm
from tests.contract.cards_stage import fresh_sqlite
from tests.contract.one_person import explore
from tests.contract.requests_stage import NEW_ISSUE, NOW, MemoryStores, Stage, member

ACTIONS = 6
OWN, OTHER = AccountName("administrator"), AccountName("other-administrator")
DECIDERS = (AccountName("decider-1"), AccountName("decider-2"))
MINE = "a password of mine"
BEGIN = {
    OWN: Role.ADMINISTRATOR,
    OTHER: Role.ADMINISTRATOR,
    **dict.fromkeys(DECIDERS, Role.DECIDER),
}


class PlainPasswords:
    """Hashes nothing: the model tells by the password whose account it is."""

    def hash(self, password: str) -> str:
        return password

    def matches(self, encoded: str, password: str) -> bool:
        return encoded == password

    def matches_nothing(self, password: str) -> None:
        """Nobody measures here."""

    def is_outdated(self, encoded: str) -> bool:
        return not encoded


@dataclass(frozen=True)
class _Office:
    content: bytes = field(repr=False)
    mark: NumberMark | None
    key: Hashable


class _Accounts:
    """The world of accounts beside one request that waits for a decision."""

    def __init__(self, folder: Path, *, with_all: bool, with_other: bool = False) -> None:
        self._file = folder / "issuer.sqlite"
        self._with_all, self._with_other = with_all, with_other
        self._portraits: dict[bytes, bytes] = {}
        self._documents: dict[bytes, bytes] = {}
        self._turns = 0
        self._database = fresh_sqlite(folder)
        stage = self._stage(None)
        stage.fill([member(1)])
        stage.grant()
        stage.compiled(1, wish=NEW_ISSUE)
        with stage.register.writing() as transaction:
            for position, (name, role) in enumerate(BEGIN.items()):
                account_id = AccountId(uuid.UUID(int=position + 1))
                transaction.people.add(
                    Account(
                        account_id=account_id,
                        name=name,
                        assignments=(Assignment(role=role),),
                        password=PasswordHash(
                            encoded=MINE if name == OWN else f"of {name}",
                            set_at=NOW,
                            is_provisional=False,
                        ),
                        created_at=NOW,
                    )
                )
                transaction.people.add_second_factor(_key(account_id, name))
        mark = stage.stores.mark
        self._database.close()
        begun = _Office(content=self._file.read_bytes(), mark=mark, key=None)
        self.start = self._after(begun, lambda *_: None)

    def actions(self) -> Mapping[str, Callable[[_Office], _Office]]:
        tries: dict[str, Callable[[Stage, Actor], object]] = {
            "make two deciders": lambda stage, by: [
                self._people(stage).create(
                    AccountName(name),
                    actor=by,
                    assignments=[Assignment(role=Role.DECIDER)],
                    password=MINE,
                )
                for name in ("straw-1", "straw-2")
            ],
            "make an administrator": lambda stage, by: self._people(stage).create(
                AccountName("boss"),
                actor=by,
                assignments=[Assignment(role=Role.ADMINISTRATOR)],
                password=MINE,
            ),
            "get into the deciders": lambda stage, by: [
                act(name)
                for name in DECIDERS
                for act in (
                    lambda name: self._people(stage).reset_password(
                        name, draw=lambda: MINE, actor=by
                    ),
                    lambda name: self._people(stage).remove_second_factors(name, actor=by),
                )
            ],
            "confirm everything": self._confirm_all,
            "prepare": lambda stage, by: stage.prepare(_requests(stage), by=by),
            "decide": lambda stage, by: [
                stage.confirm(stage.decision(each), by=by) for each in _decisions(stage)
            ],
        }
        if self._with_all:
            tries |= {
                "make a clerk who decides": self._make_a_clerk_who_decides,
                "get into the other administrator": lambda stage, by: self._people(
                    stage
                ).reset_password(OTHER, draw=lambda: MINE, actor=by),
                "disable the other administrator": lambda stage, by: self._people(stage).disable(
                    OTHER, actor=by
                ),
                "take a decider's role": lambda stage, by: self._people(stage).unassign(
                    DECIDERS[0], Assignment(role=Role.DECIDER), actor=by
                ),
                "disable and enable a decider": lambda stage, by: (
                    self._people(stage).disable(DECIDERS[1], actor=by),
                    self._people(stage).enable(DECIDERS[1], actor=by),
                ),
            }
        return {
            name: lambda state, work=work: self._after(state, work) for name, work in tries.items()
        }  # type: ignore[misc]  # bound early

    def key(self, state: _Office) -> Hashable:
        return state.key

    def is_reached(self, state: _Office) -> bool:
        accounts, _, requests = state.key  # type: ignore[misc]  # as made below
        return "decided" in requests or any(
            password == MINE and factors == 0 and name != OWN and set(roles) & FOUR_EYES_ROLES
            for name, _, password, factors, roles in accounts
        )

    def _confirm_all(self, stage: Stage, by: Actor) -> None:
        confirmation = ConfirmationOfAccounts(
            register=stage.register, passwords=PlainPasswords(), clock=stage.clock
        )
        for each in confirmation.waiting(actor=by):
            with suppress(IssuerError):
                confirmation.confirm(each.number, actor=by, draw=lambda _: MINE)

    def _make_a_clerk_who_decides(self, stage: Stage, by: Actor) -> None:
        hand = AccountName("hand")
        people = self._people(stage)
        with suppress(IssuerError):
            people.create(hand, actor=by, assignments=[Assignment(role=Role.CLERK)], password=MINE)
        people.assign(hand, Assignment(role=Role.DECIDER), actor=by)

    def _people(self, stage: Stage) -> People:
        return People(register=stage.register, passwords=PlainPasswords(), clock=stage.clock)

    def _stage(self, mark: NumberMark | None) -> Stage:
        self._turns += 1
        stores = MemoryStores(portraits=self._portraits, documents=self._documents, mark=mark)
        return Stage(
            self._database,
            policy=RequestPolicy(hands=HandsRule.FOUR_EYES),
            stores=stores,
            first_id=10_000 * self._turns,
        )

    def _after(self, state: _Office, work: Callable[[Stage, Actor], object]) -> _Office:
        self._file.write_bytes(state.content)
        stage = self._stage(state.mark)
        for by in list(self._hands(stage)):
            with suppress(IssuerError):
                work(stage, by)
        with self._database.reading() as session:
            key = _key_of(session.execute)
        self._database.close()
        return _Office(content=self._file.read_bytes(), mark=stage.stores.mark, key=key)

    def _hands(self, stage: Stage) -> Iterator[Actor]:
        """Every account that the person gets into, as after its log-in; with the other administrator, who agrees."""
        with stage.register.reading() as transaction:
            for account in transaction.people.page(limit=100):
                is_own = account.name == OWN or not transaction.people.second_factors(
                    account.account_id
                )
                is_in = account.password is not None and account.password.encoded == MINE and is_own
                if account.is_active and (is_in or (self._with_other and account.name == OTHER)):
                    yield Actor(
                        account=account.name, assignments=account.assignments, stepped_up_at=NOW
                    )


def _key(account_id: AccountId, name: str) -> SecondFactor:
    return SecondFactor(
        credential_id=name.encode(),
        account_id=account_id,
        label="key",
        algorithm=CoseAlgorithm.ES256,
        public_key=b"public",
        counter=0,
        created_at=NOW,
    )


def _key_of(execute: Callable[..., sa.Result[tuple[object, ...]]]) -> Hashable:
    """Accounts, what is proposed for them, and the request; neither times nor identifiers."""
    accounts = execute(
        sa.text(
            "SELECT name, state, password_hash,"
            " (SELECT count(*) FROM second_factors WHERE account_id = accounts.id),"
            " (SELECT group_concat(role) FROM account_assignments WHERE account_id = accounts.id)"
            " FROM accounts ORDER BY name"
        )
    )
    proposals = execute(
        sa.text(
            "SELECT name, act, role, proposed_by FROM account_proposals"
            " JOIN accounts ON accounts.id = account_id ORDER BY 1, 2, 3, 4"
        )
    )
    states = execute(
        sa.text("SELECT state FROM requests UNION ALL SELECT state FROM decisions")
    ).scalars()
    return (
        tuple((*each[:4], tuple((each[4] or "").split(","))) for each in accounts),
        tuple(map(tuple, proposals)),
        tuple(states),
    )


def _requests(stage: Stage) -> list[RequestId]:
    with stage.database.reading() as session:
        found = session.scalars(sa.text("SELECT id FROM requests").columns(id=sa.Uuid))
        return [RequestId(each) for each in found]


def _decisions(stage: Stage) -> list[DecisionId]:
    with stage.database.reading() as session:
        found = session.scalars(sa.text("SELECT id FROM decisions").columns(id=sa.Uuid))
        return [DecisionId(each) for each in found]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("with_all", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_one_administrator_alone_decides_nothing(tmp_path: Path, *, with_all: bool) -> None:
    world = _Accounts(tmp_path, with_all=with_all)
    explored = explore(world, world.start, depth=ACTIONS)
    assert explored.reached_by is None
    assert {"make two deciders", "make an administrator", "get into the deciders"} <= (
        explored.effective
    )
    assert not {"prepare", "decide"} & explored.effective
    assert explored.states > 5


def test_two_administrators_could(tmp_path: Path) -> None:
    world = _Accounts(tmp_path, with_all=False, with_other=True)
    explored = explore(world, world.start, depth=ACTIONS)
    assert explored.reached_by is not None
    assert explored.reached_by[-1] == "confirm everything"


def test_without_the_rule_one_administrator_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("issuer.services.people", "issuer.domain.account_proposal"):
        monkeypatch.setattr(f"{module}.FOUR_EYES_ROLES", frozenset())
    world = _Accounts(tmp_path, with_all=False)
    is_decided: Callable[[_Office], bool] = lambda state: "decided" in state.key[2]  # type: ignore[index]  # noqa: E731
    monkeypatch.setattr(world, "is_reached", is_decided)
    explored = explore(world, world.start, depth=3)
    assert explored.reached_by == ("make two deciders", "prepare", "decide")
