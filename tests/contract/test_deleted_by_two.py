"""A record is deleted by two people, and the card that its member has ends with it; on both databases."""

import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db.base import Database
from issuer.db.schema import upgrade
from issuer.db.status_ledger import SqlStatusLedger
from issuer.domain.card import CardReference
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.data_subjects import DeletionGround
from issuer.domain.member import MemberId, PortraitDigest
from issuer.domain.member_change import EvidenceDigest
from issuer.domain.rights import AccountName, Actor, Role
from issuer.errors import IssuerError, IssuerRefusedError
from issuer.services.delete_subjects import DeletionOffice
from pki.signed.card_states import CardState
from tests.contract.cards_stage import LIST, CardsStage, fresh_sqlite, person
from tests.contract.one_person import explore

CLERK = person("clerk", Role.CLERK)
DECIDER = person("decider", Role.DECIDER)
EVERYBODY = person("everybody", *Role)
SOMEBODY_ELSE = person("somebody else", *Role)
ORDERED = DeletionGround.ORDERED_BY_AUTHORITY
ORDER = b"%PDF-1.7 an order"
ACTIONS = 6


class Folder:
    """Keeps pictures and documents in memory."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}

    def put(self, document: bytes) -> EvidenceDigest:
        self.kept[bytes(32)] = document
        return EvidenceDigest(bytes(32))

    def get(self, digest: bytes) -> bytes:
        if digest not in self.kept:
            raise IssuerRefusedError("not there", code="evidence.lost")
        return self.kept[digest]

    def remove(self, digest: bytes) -> None:
        self.kept.pop(digest, None)


class Pictures(Folder):
    """Nobody brings a picture here."""

    def put(self, image: bytes) -> PortraitDigest:  # type: ignore[override]  # another port
        raise AssertionError(image)


def office(stage: CardsStage) -> DeletionOffice:
    return DeletionOffice(
        register=stage.register,
        portraits=Pictures(),
        evidence=Folder(),
        clock=stage.clock,
        random_bytes=bytes,
        forget_old_versions=lambda: None,
    )


def delete(stage: CardsStage, member_id: MemberId) -> None:
    deleting = office(stage)
    deleting.propose(member_id, ground=ORDERED, reference="7", evidence=ORDER, actor=CLERK)
    deleting.confirm(member_id, actor=DECIDER, keep=lambda _: None)


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CardsStage]:
    if request.param == "sqlite":
        database = fresh_sqlite(tmp_path)
    else:
        database = Database(request.getfixturevalue("postgresql_url"))
        upgrade(database)
    yield CardsStage(database)
    database.close()


def test_a_card_in_hand_ends_with_its_members_record_and_the_world_is_told(
    stage: CardsStage,
) -> None:
    card = stage.hand_over(1, stage.add_member(1))
    other = stage.hand_over(2, stage.add_member(2))
    ledger = SqlStatusLedger(stage.database)
    ledger.mark([(LIST, 1, CardState.VALID), (LIST, 2, CardState.VALID)])
    assert not ledger.has_unpublished()
    delete(stage, MemberId(uuid.UUID(int=1)))
    with stage.register.reading() as transaction:
        found = transaction.cards.get(card).validity
        assert (found.state, found.end) == (CardState.REVOKED, EndReason.RECORD_DELETED)
        assert transaction.cards.get(other).validity.state is CardState.VALID
        *_, change = transaction.cards.changes(card)
        assert (change.account, change.after) == ("decider", CardState.REVOKED)
        said = [each.record() for each in transaction.audit.records()]
    assert list(ledger.unpublished()) == [(LIST, 1, CardState.REVOKED)]
    assert {(each.action, each.account) for each in said[-3:]} == {
        ("subject.deletion-proposed", "clerk"),
        ("card.ended", "decider"),
        ("subject.deleted", "decider"),
    }
    (deleted,) = (each.details for each in said if each.action == "subject.deleted")
    assert (deleted["proposed_by"], deleted["cards_ended"]) == ("clerk", 1)


def test_what_has_ended_already_stays_as_it_ended(stage: CardsStage) -> None:
    member_id = stage.add_member(1)
    lost, last = stage.hand_over(1, member_id), None
    for event, account, reason in (
        (ValidityEvent.REPORTED, "one", EndReason.LOST),
        (ValidityEvent.CONFIRMED, "other", None),
    ):
        step = ValidityStep(event=event, account=AccountName(account), reason=reason)
        with stage.register.writing() as transaction:
            transaction.cards.take(lost, step, at=stage.now)
    with stage.register.reading() as transaction:
        last = transaction.cards.changes(lost)
    delete(stage, member_id)
    with stage.register.reading() as transaction:
        assert transaction.cards.get(lost).validity.end is EndReason.LOST
        assert transaction.cards.changes(lost) == last


def test_a_report_that_was_open_is_settled_by_the_end(stage: CardsStage) -> None:
    member_id = stage.add_member(1)
    card = stage.hand_over(1, member_id)
    step = ValidityStep(
        event=ValidityEvent.REPORTED, account=AccountName("one"), reason=EndReason.STOLEN
    )
    with stage.register.writing() as transaction:
        transaction.cards.take(card, step, at=stage.now)
    delete(stage, member_id)
    with stage.register.reading() as transaction:
        assert transaction.cards.get(card).validity.state is CardState.REVOKED


def test_where_the_proof_is_not_kept_the_card_goes_on(stage: CardsStage) -> None:
    member_id = stage.add_member(1)
    card = stage.hand_over(1, member_id)
    deleting = office(stage)
    deleting.propose(member_id, ground=ORDERED, reference="7", evidence=ORDER, actor=CLERK)

    def fail(_: object) -> None:
        raise IssuerRefusedError("the disk is full", code="file.unavailable")

    with pytest.raises(IssuerRefusedError):
        deleting.confirm(member_id, actor=DECIDER, keep=fail)
    with stage.register.reading() as transaction:
        assert transaction.cards.get(card).validity.state is CardState.VALID
        assert transaction.members.get(member_id).member_id == member_id


@pytest.mark.parametrize(
    "statement",
    [
        (
            "INSERT INTO erasures (member_id, at, account, ground, reference, digest, proposed_by)"
            " SELECT id, recorded_at, 'one', 'recorded-in-error', '7', portrait, 'one' FROM members"
        ),
        (
            "INSERT INTO deletion_proposals (member_id, ground, reference, proposed_by, proposed_at)"
            " SELECT id, 'ordered-by-authority', '7', 'one', recorded_at FROM members"
        ),
    ],
)
def test_the_database_itself_refuses_one_person_and_an_order_that_is_not_there(
    stage: CardsStage, statement: str
) -> None:
    stage.add_member(1)
    with pytest.raises(IssuerError), stage.database.writing() as session:
        session.execute(sa.text(statement))


# One person alone, over six actions.


@dataclass(frozen=True)
class _Office:
    content: bytes = field(repr=False)
    key: Hashable


class _Deleting:
    """The world of one member's record, over a real database."""

    def __init__(self, folder: Path, people: Iterable[Actor]) -> None:
        self._file = folder / "issuer.sqlite"
        self._people = tuple(people)
        database = fresh_sqlite(folder)
        self._stage = CardsStage(database)
        self._member = self._stage.add_member(1)
        self._card: CardReference = self._stage.hand_over(1, self._member)
        self._deleting = office(self._stage)
        database.close()
        self.start = _Office(content=self._file.read_bytes(), key=((), (), ((1,),)))

    def actions(self) -> Mapping[str, Callable[[_Office], _Office]]:
        tries: dict[str, Callable[[Actor], object]] = {
            f"propose {ground}": lambda by, ground=ground: self._deleting.propose(
                self._member, ground=ground, reference="7", evidence=ORDER, actor=by
            )
            for ground in DeletionGround
        }
        tries["withdraw"] = lambda by: self._deleting.withdraw(self._member, actor=by)
        tries["confirm"] = lambda by: self._deleting.confirm(
            self._member, actor=by, keep=lambda _: None
        )
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
        _, erased, standing = state.key  # type: ignore[misc]  # as made below
        return bool(erased) or standing != ((1,),)

    def _after(self, state: _Office, work: Callable[[], object]) -> _Office:
        self._file.write_bytes(state.content)
        with suppress(IssuerError):
            work()
        with self._stage.database.reading() as session:
            key = tuple(
                tuple(map(tuple, session.execute(sa.text(statement))))
                for statement in (
                    "SELECT ground, proposed_by FROM deletion_proposals",
                    "SELECT account FROM erasures",
                    "SELECT 1 FROM members WHERE erased_at IS NULL",
                )
            )
        self._stage.database.close()
        return _Office(content=self._file.read_bytes(), key=key)


def test_one_person_alone_deletes_nothing(tmp_path: Path) -> None:
    world = _Deleting(tmp_path, [EVERYBODY])
    explored = explore(world, world.start, depth=ACTIONS)
    assert explored.reached_by is None
    assert explored.effective == {
        "propose ordered-by-authority by everybody",
        "withdraw by everybody",
    }


def test_two_people_delete_in_two_actions(tmp_path: Path) -> None:
    world = _Deleting(tmp_path, [EVERYBODY, SOMEBODY_ELSE])
    explored = explore(world, world.start, depth=2)
    assert explored.reached_by is not None
    proposed, confirmed = explored.reached_by
    assert proposed.startswith("propose ordered-by-authority by ")
    assert confirmed.startswith("confirm by ")
    assert proposed.partition(" by ")[2] != confirmed.partition(" by ")[2]
