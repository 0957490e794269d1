"""Publishing what cards count as: what changed is signed, kept, marked, and found again after whatever went wrong."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from issuer.db.base import Database
from issuer.db.production_tables import StatusListRow
from issuer.db.schema import upgrade
from issuer.db.status_ledger import SqlStatusLedger
from issuer.domain.card import CardReference
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.rights import AccountName, Role
from issuer.errors import IssuerError, IssuerUnavailableError
from issuer.services.publication_ports import StatusLedger
from issuer.services.publish_status import (
    PublishedStatus,
    PublishingTimes,
    StatusPublishing,
)
from issuer.services.status_duty import StatusDuty
from pki.errors import PkiRefusedError
from pki.keys.software import SoftwareSigner
from pki.signed.card_states import CardState, CardStates, check_transitions
from pki.signed.status_list import StatusList, prepare_status_list
from pki.signed.status_list_delta import StatusListDelta
from simulators.authority import TestAuthority
from tests.contract.cards_stage import LIST, NOW, CardsStage, fresh_sqlite, person
from tests.unit.verifier.status_office import StatusOffice

ADMINISTRATOR = person("administrator", Role.ADMINISTRATOR)


@dataclass
class Signer:
    """Signs as the PKI does: numbers grow, no card revives."""

    office: StatusOffice
    now: datetime = NOW
    signed: list[StatusList] = field(default_factory=list)
    wrong: CardStates | None = None

    def issue(self, states: CardStates, *, days: int) -> bytes:
        if self.signed:
            check_transitions(self.signed[-1].states, states)
        prepared = prepare_status_list(
            signer_certificate=self.office.certificate,
            public_key=self.office.key.public_key(),
            number=len(self.signed) + 1,
            this_update=self.now,
            next_update=self.now + timedelta(days=days),
            states=self.wrong or states,
        )
        der = prepared.sign(SoftwareSigner(self.office.key))
        self.signed.append(StatusList.from_bytes(der))
        return der


@dataclass
class Shelf:
    """Keeps in memory; may be full."""

    kept: bytes | None = None
    deltas: dict[int, bytes] = field(default_factory=dict)
    is_full: bool = False

    def current(self) -> bytes | None:
        return self.kept

    def admit(self, der: bytes) -> StatusList:
        return StatusList.from_bytes(der)

    def put(self, der: bytes, *, number: int, delta: bytes | None) -> None:
        if self.is_full:
            raise IssuerUnavailableError("no room", code="status.unwritable")
        self.kept = der
        if delta is not None:
            self.deltas[number] = delta


@dataclass
class Office:
    stage: CardsStage
    signer: Signer
    ledger: StatusLedger
    shelf: Shelf = field(default_factory=Shelf)

    @property
    def publishing(self) -> StatusPublishing:
        return StatusPublishing(ledger=self.ledger, shelf=self.shelf, clock=self.stage.clock)

    def publish(self, *, is_full: bool = False) -> PublishedStatus:
        self.signer.now += timedelta(minutes=5)
        return self.publishing.publish(self.signer, actor=ADMINISTRATOR, days=7, is_full=is_full)

    def take(
        self, reference: CardReference, event: ValidityEvent, reason: EndReason | None = None
    ) -> None:
        step = ValidityStep(event=event, account=AccountName("clerk"), reason=reason)
        with self.stage.register.writing() as transaction:
            transaction.cards.take(reference, step, at=self.stage.now)

    def listed(self, index: int, list_id: bytes = LIST) -> CardState | None:
        assert self.shelf.kept is not None
        return StatusList.from_bytes(self.shelf.kept).find(list_id, index)

    def waiting(self) -> int:
        return self.ledger.counts()[1]


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    if request.param == "sqlite":
        database = fresh_sqlite(tmp_path)
    else:
        database = Database(request.getfixturevalue("postgresql_url"))
        upgrade(database)
    authority = TestAuthority.create(now=NOW - timedelta(days=2))
    yield Office(
        stage=CardsStage(database),
        signer=Signer(StatusOffice(authority=authority)),
        ledger=SqlStatusLedger(database),
    )
    database.close()


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises((IssuerError, PkiRefusedError)) as caught:
        work()
    return caught.value.code


def test_handing_over_is_one_change_and_positions_without_a_card_were_handed_to_nobody(
    office: Office,
) -> None:
    issued = office.stage.add_card(1, office.stage.add_member(1))
    first = office.publish()
    assert (first.publication.number, first.publication.changes, first.is_full) == (1, 0, True)
    assert {office.listed(index) for index in range(64)} == {CardState.NOT_HANDED_OVER}
    with office.stage.register.writing() as transaction:
        transaction.cards.hand_over(issued, to="m", account=AccountName("x"), at=NOW)
    assert office.waiting() == 1
    second = office.publish()
    assert (second.publication.number, second.publication.changes, second.is_full) == (2, 1, False)
    assert (office.listed(1), office.listed(2)) == (CardState.VALID, CardState.NOT_HANDED_OVER)
    assert office.waiting() == 0
    delta = StatusListDelta.from_bytes(office.shelf.deltas[2])
    assert delta.apply(office.signer.signed[0]).der == office.shelf.kept


def test_each_state_is_published_and_what_is_final_stays(office: Office) -> None:
    stage = office.stage
    cards = [stage.hand_over(number, stage.add_member(number)) for number in range(1, 5)]
    office.publish()
    lost, suspended, stale, valid = cards
    office.take(lost, ValidityEvent.REPORTED, EndReason.LOST)
    office.take(suspended, ValidityEvent.SUSPENDED)
    office.take(stale, ValidityEvent.DATA_CHANGED)
    assert office.publish().publication.changes == 3
    assert [office.listed(number) for number in range(1, 5)] == [
        CardState.SUSPENDED,
        CardState.SUSPENDED,
        CardState.DATA_STALE,
        CardState.VALID,
    ]
    with stage.register.writing() as transaction:
        transaction.cards.take(
            lost,
            ValidityStep(event=ValidityEvent.CONFIRMED, account=AccountName("decider")),
            at=NOW,
        )
    office.take(suspended, ValidityEvent.RESUMED)
    office.publish()
    assert [office.listed(number) for number in (1, 2, 4)] == [
        CardState.LOST,
        CardState.VALID,
        CardState.VALID,
    ]
    with stage.register.reading() as transaction:
        acts = [each.record() for each in transaction.audit.records()]
    published = [each for each in acts if each.action == "status.published"]
    assert [each.details["number"] for each in published] == [1, 2, 3]
    assert valid in cards


def test_a_list_that_is_begun_later_comes_into_the_next_one(office: Office) -> None:
    office.stage.hand_over(1, office.stage.add_member(1))
    office.publish()
    with office.stage.database.writing() as session:
        session.add(StatusListRow(list_id=b"another.", size=64, created_at=NOW, is_shared=False))
    office.publish()
    assert office.listed(5, b"another.") is CardState.NOT_HANDED_OVER
    assert office.listed(1) is CardState.VALID


def test_lists_of_two_sizes_and_no_list_at_all_are_refused(office: Office) -> None:
    with office.stage.database.writing() as session:
        session.add(StatusListRow(list_id=b"another.", size=128, created_at=NOW, is_shared=False))
    assert code_of(office.publish) == "status.list-sizes"
    with office.stage.database.writing() as session:
        for row in session.query(StatusListRow):
            session.delete(row)
    assert code_of(office.publish) == "status.no-lists"


def test_what_was_signed_and_not_put_anywhere_is_published_again(office: Office) -> None:
    office.stage.hand_over(1, office.stage.add_member(1))
    office.shelf.is_full = True
    assert code_of(office.publish) == "status.unwritable"
    assert office.waiting() == 1
    office.shelf.is_full = False
    again = office.publish()
    assert again.publication.number == 2
    assert (office.listed(1), office.waiting()) == (CardState.VALID, 0)


@pytest.mark.parametrize("kept", [None, b"nothing that anybody signed"])
def test_without_the_list_before_everything_is_read_anew(
    office: Office, kept: bytes | None
) -> None:
    stage = office.stage
    first = stage.hand_over(1, stage.add_member(1))
    office.publish()
    office.take(first, ValidityEvent.SUSPENDED)
    office.shelf.kept = kept
    published = office.publish()
    assert published.is_full
    assert published.delta_bytes == 0
    assert (office.listed(1), office.waiting()) == (CardState.SUSPENDED, 0)


def test_a_full_reading_says_the_same(office: Office) -> None:
    stage = office.stage
    for number in range(1, 6):
        stage.hand_over(number, stage.add_member(number))
    office.publish()
    states = office.publishing.states(actor=ADMINISTRATOR)
    published = office.publish(is_full=True)
    assert published.is_full
    assert published.publication.changes == 0
    assert office.signer.signed[0].states == office.signer.signed[1].states == states


def test_a_card_that_changes_while_the_list_is_signed_is_in_the_next_one(office: Office) -> None:
    reference = office.stage.hand_over(1, office.stage.add_member(1))
    office.publish()
    office.take(reference, ValidityEvent.SUSPENDED)
    issue = office.signer.issue

    def meanwhile(states: CardStates, *, days: int) -> bytes:
        # Back to what the last list says: nothing but the mark tells that the new one says otherwise.
        office.take(reference, ValidityEvent.RESUMED)
        return issue(states, days=days)

    office.signer.issue = meanwhile  # type: ignore[method-assign]  # for one list
    office.publish()
    assert (office.listed(1), office.waiting()) == (CardState.SUSPENDED, 1)
    office.signer.issue = issue  # type: ignore[method-assign]  # as it was
    office.publish()
    assert (office.listed(1), office.waiting()) == (CardState.VALID, 0)


def test_a_list_that_changed_in_many_places_is_marked_as_a_whole(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("issuer.services.publish_status._MANY", 1)
    stage = office.stage
    cards = [stage.hand_over(number, stage.add_member(number)) for number in range(1, 5)]
    issue = office.signer.issue

    def meanwhile(states: CardStates, *, days: int) -> bytes:
        office.take(cards[0], ValidityEvent.SUSPENDED)
        return issue(states, days=days)

    office.signer.issue = meanwhile  # type: ignore[method-assign]  # for one list
    assert office.publish().publication.changes == 4
    # What the list says is marked, and not what has become of the card since.
    assert (office.listed(1), office.waiting()) == (CardState.VALID, 1)
    office.signer.issue = issue  # type: ignore[method-assign]  # as it was
    for card in cards[1:]:
        office.take(card, ValidityEvent.DATA_CHANGED)
    assert office.publish().publication.changes == 4
    assert (office.listed(1), office.listed(4)) == (CardState.SUSPENDED, CardState.DATA_STALE)
    assert office.waiting() == 0


def test_two_never_publish_at_once_and_a_signer_that_signs_something_else_is_found_out(
    office: Office,
) -> None:
    office.stage.hand_over(1, office.stage.add_member(1))
    with office.ledger.exclusively():
        assert code_of(office.publish) == "status.publishing"
    office.signer.wrong = CardStates(positions=64, tables={LIST: bytes(64)})
    assert code_of(office.publish) == "status.not-as-asked"
    assert office.shelf.kept is None
    assert office.waiting() == 1


def test_a_list_signed_elsewhere_is_taken_once(office: Office) -> None:
    office.stage.hand_over(1, office.stage.add_member(1))
    der = office.signer.issue(office.publishing.states(actor=ADMINISTRATOR), days=7)
    taken = office.publishing.take(der, actor=ADMINISTRATOR)
    assert taken.publication.changes == 1
    assert (office.listed(1), office.waiting()) == (CardState.VALID, 0)
    assert code_of(lambda: office.publishing.take(der, actor=ADMINISTRATOR)) == "status.not-newer"


def test_whoever_has_no_right_publishes_nothing(office: Office) -> None:
    clerk = person("clerk", Role.CLERK)
    for work in (
        lambda: office.publishing.publish(office.signer, actor=clerk, days=7),
        lambda: office.publishing.states(actor=clerk),
        lambda: office.publishing.take(b"", actor=clerk),
    ):
        assert code_of(work) == "right.missing"


TIMES = PublishingTimes(every=timedelta(minutes=5), days=6)


def duty(office: Office) -> StatusDuty:
    return StatusDuty(publishing=office.publishing, issuer=office.signer, times=TIMES)


def later(office: Office, **time: int) -> None:
    office.stage.now += timedelta(**time)
    office.signer.now = office.stage.now


def test_a_list_is_published_by_itself_when_cards_changed_and_the_time_has_come(
    office: Office,
) -> None:
    work = duty(office)
    card = office.stage.hand_over(1, office.stage.add_member(1))
    assert work.waiting(limit=9) == ["status-list"]
    assert work.waiting(limit=0) == []
    work.work("status-list")
    assert (len(office.signer.signed), office.waiting()) == (1, 0)
    later(office, minutes=6)
    assert work.waiting(limit=9) == []
    office.take(card, ValidityEvent.REPORTED, EndReason.LOST)
    assert work.waiting(limit=9) == ["status-list"]
    work.work("status-list")
    assert (len(office.signer.signed), office.waiting()) == (2, 0)
    later(office, minutes=4)
    with office.stage.register.writing() as transaction:
        transaction.cards.take(
            card,
            ValidityStep(event=ValidityEvent.REJECTED, account=AccountName("another")),
            at=office.stage.now,
        )
    assert work.waiting(limit=9) == []
    later(office, minutes=1)
    assert work.waiting(limit=9) == ["status-list"]
    newest = office.ledger.newest()
    assert newest is not None
    assert newest.account == "system"


def test_a_list_without_changes_is_renewed_before_it_ends(office: Office) -> None:
    office.stage.add_card(1, office.stage.add_member(1))
    work = duty(office)
    work.work("status-list")
    later(office, days=3, hours=23)
    assert work.waiting(limit=9) == []
    later(office, hours=1)
    assert work.waiting(limit=9) == ["status-list"]
    work.work("status-list")
    assert len(office.signer.signed) == 2
    assert work.waiting(limit=9) == []


def test_of_many_that_find_a_list_due_one_publishes_it(office: Office) -> None:
    office.stage.add_card(1, office.stage.add_member(1))
    works = [duty(office) for _ in range(4)]
    assert all(each.waiting(limit=1) for each in works)
    together = threading.Barrier(len(works))

    def run(work: StatusDuty) -> None:
        together.wait()
        work.work("status-list")

    with ThreadPoolExecutor(len(works)) as threads:
        for found in [threads.submit(run, each) for each in works]:
            found.result()
    assert len(office.signer.signed) == 1
    assert not any(each.waiting(limit=1) for each in works)


def test_what_the_signer_says_keeps_its_code_and_the_list_stays_due(office: Office) -> None:
    office.stage.add_card(1, office.stage.add_member(1))

    class NoSigner:
        def issue(self, states: CardStates, *, days: int) -> bytes:
            del states, days
            raise PkiRefusedError("not now", code="signer.unreachable")

    work = StatusDuty(publishing=office.publishing, issuer=NoSigner(), times=TIMES)
    assert code_of(lambda: work.work("status-list")) == "signer.unreachable"
    assert work.waiting(limit=1)
