"""One person, with every role there is, tries everything with a card in its member's hand: no six actions end it."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.domain.card import CardReference
from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.card_validity import REPORTS, EndReason
from issuer.domain.member import Standing
from issuer.domain.rights import Actor, Role
from issuer.errors import IssuerError
from issuer.services.card_lifecycle import CardLifecycle
from issuer.services.change_members import ChangeOfMembers, Justification
from pki.signed.card_states import CardState
from tests.contract.cards_stage import NOW, SEALER, CardsStage, person
from tests.contract.one_person import explore

ACTIONS = 6
EVERYBODY = person("everybody", *Role)
SOMEBODY_ELSE = person("somebody else", *Role)
WHY = Justification(reason="một lý do")


@dataclass(frozen=True)
class _Office:
    """A state: the database as it was left, and all of it on which rules depend."""

    content: bytes
    key: Hashable


class _Cards:
    """The world of one card in one member's hand, over a real database."""

    def __init__(
        self, folder: Path, people: Iterable[Actor], reasons: Collection[EndReason]
    ) -> None:
        self._reasons = sorted(reasons)
        self._file = folder / "issuer.sqlite"
        # One database for all states: what was compiled for it is used again.
        self._database = Database(f"sqlite:///{self._file}")
        self._register = SqlRegister(self._database, lambda: SEALER)
        self._people = tuple(people)
        self._card = CardReference(bytes([1]) * 16)
        self._lifecycle = CardLifecycle(register=self._register, clock=lambda: NOW)

    def start(self) -> _Office:
        schema.upgrade(self._database)
        stage = CardsStage(self._database)
        stage.hand_over(1, stage.add_member(1))
        return self._kept()

    def actions(self) -> Mapping[str, Callable[[_Office], _Office]]:
        lifecycle, card = self._lifecycle, self._card
        tries: dict[str, Callable[[Actor], object]] = {
            "confirm": lambda by: lifecycle.confirm(card, actor=by),
            "resume": lambda by: lifecycle.resume(card, actor=by, remark=""),
            "suspend": lambda by: lifecycle.suspend(card, actor=by, remark=""),
            "collect": lambda by: lifecycle.collect(card, actor=by),
            "give back": lambda by: lifecycle.give_back(card, actor=by),
            "return": lambda by: lifecycle.take_back(card, actor=by),
        }
        for reason in self._reasons:
            tries[f"report {reason}"] = lambda by, reason=reason: lifecycle.report(  # type: ignore[misc]  # bound early
                card, reason, actor=by, remark=""
            )
        for standing in (Standing.SUSPENDED, Standing.OFFICIAL, Standing.EXPELLED):
            tries[f"stand {standing}"] = lambda by, standing=standing: self._stand(standing, by)  # type: ignore[misc]  # bound early
        return {
            f"{name} by {by.account}": lambda state, work=work, by=by: self._after(
                state, lambda: work(by)
            )  # type: ignore[misc]  # bound early
            for name, work in tries.items()
            for by in self._people
        }

    def key(self, state: _Office) -> Hashable:
        return state.key

    def is_reached(self, state: _Office) -> bool:
        counts_as: CardState = state.key[0]  # type: ignore[index]  # as made below
        return counts_as.is_final

    def _stand(self, standing: Standing, by: Actor) -> None:
        with self._register.reading() as transaction:
            member = transaction.members.get(transaction.cards.get(self._card).card.member_id)
        since = member.statement.standing_since or NOW.date() - timedelta(days=30)
        changes = ChangeOfMembers(
            register=self._register,
            evidence=None,  # type: ignore[arg-type]  # nobody brings a document here
            scheme=CommitteeBlockScheme(),
            clock=lambda: NOW,
        )
        changes.change_standing(
            member.member_id, standing, since=since, actor=by, version=member.version, why=WHY
        )

    def _after(self, state: _Office, work: Callable[[], object]) -> _Office:
        self._file.write_bytes(state.content)
        # A refusal is an answer; what was done before it stays done.
        with suppress(IssuerError):
            work()
        return self._kept()

    def _kept(self) -> _Office:
        with self._register.reading() as transaction:
            record = transaction.cards.get(self._card)
            standing = transaction.members.get(record.card.member_id).statement.standing
        # The last connection brings everything into the one file.
        self._database.close()
        return _Office(
            content=self._file.read_bytes(),
            key=(record.validity.state, record.validity, standing),
        )


@pytest.mark.parametrize(
    "reasons",
    [
        # A report's reason changes nothing of who may do what, which the long form finds out.
        pytest.param([EndReason.LOST], id="lost"),
        pytest.param(REPORTS, id="all", marks=pytest.mark.slow),
    ],
)
def test_one_person_alone_ends_no_card(tmp_path: Path, reasons: Collection[EndReason]) -> None:
    world = _Cards(tmp_path, [EVERYBODY], reasons)
    explored = explore(world, world.start(), depth=ACTIONS)
    assert explored.reached_by is None
    assert explored.states > 30
    # The explorer did come as far as one person can: everything but the confirmation works.
    assert explored.effective == set(world.actions()) - {"confirm by everybody"}


@pytest.mark.parametrize("reason", [EndReason.LOST, EndReason.SIGNER_COMPROMISED])
def test_two_people_end_it_in_two(tmp_path: Path, reason: EndReason) -> None:
    world = _Cards(tmp_path, [EVERYBODY, SOMEBODY_ELSE], [reason])
    start = world.start()
    names = {f"report {reason} by everybody", "confirm by somebody else"}
    chosen = {name: act for name, act in world.actions().items() if name in names}
    world.actions = lambda: chosen  # type: ignore[method-assign]  # fewer of them
    explored = explore(world, start, depth=ACTIONS)
    assert explored.reached_by == (f"report {reason} by everybody", "confirm by somebody else")
