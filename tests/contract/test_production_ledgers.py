"""What every ledger of production keeps to; SQLite always, PostgreSQL where a URL is given."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import EcPublicKey
from card_layout.profile import load_profile
from issuer.db.base import Base, Database
from issuer.db.card_ledger import SqlCardLedger
from issuer.db.card_vault import CardVault
from issuer.db.member_rows import MemberRow
from issuer.db.production_tables import CardRow
from issuer.db.register import SqlRegister
from issuer.db.schema import upgrade
from issuer.db.sealing import Sealer
from issuer.domain.card import CardReference, CardState
from issuer.domain.card_job import CardJob
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip import ChipState, Serial
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
    Standing,
)
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.production_errors import TransitionError
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.requests import RequestState
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import StatusIndex
from issuer.errors import ConflictError, IssuerError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.production_ports import CardLedger, NewCard, StationLedger
from issuer.services.status_ports import StatusMarkStore
from issuer.storage.status_mark_files import FileStatusMarkStore
from tests.contract.bound_cards import bind_cards
from tests.contract.decided_requests import decide_for, request_of
from tests.contract.requests_stage import Portraits
from tests.contract.sql_station_ledger import SqlStationLedger
from tests.contract.stock_stage import OfficeStock

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
LIST = bytes(8)
LAST_DAY = date(2036, 11, 21)
KEYS = [ec.derive_private_key(number, ec.SECP256R1()) for number in range(2, 8)]


@dataclass
class Ledgers:
    stock: OfficeStock
    cards: CardLedger
    station: StationLedger
    database: Database
    marks: StatusMarkStore
    vault: CardVault

    def member(self, number: int) -> MemberId:
        return MemberId(uuid.UUID(int=number))

    def serial(self, number: int) -> Serial:
        return Serial(number.to_bytes(10, "big"))

    def initialise(self, number: int) -> Serial:
        serial = self.serial(number)
        self.stock.receive([serial], delivery="test")
        self.station.begin_initialisation(serial)
        self.station.record_chip_key(serial, key(number))
        self.station.finish_initialisation(serial)
        return serial

    def new_card(self, number: int, **changes: object) -> NewCard:
        self.cards.status_list_to_fill(size=64, draw_list_id=lambda: LIST, marks=self.marks)
        return replace(
            NewCard(
                reference=CardReference(bytes([number]) * 16),
                member_id=self.member(number),
                request_id=request_of(self.member(number)),
                serial=self.serial(number),
                ordinal=1,
                profile="membercard-1-icao",
                status=StatusIndex(list_id=LIST, index=number),
                secrets=CardSecrets(
                    can=f"{number:06d}", document_number=f"DOCUMENT{number}", salt=bytes(16)
                ),
            ),
            **changes,  # type: ignore[arg-type]  # each test changes a field to a value of its type
        )

    def sign(self, number: int) -> CardReference:
        self.initialise(number)
        card = self.new_card(number)
        self.cards.bind(card)
        self.cards.prepare_signing(job(card), valid_until=LAST_DAY)
        self.cards.record_signed(card.reference, b"\x77\x00")
        return card.reference


def key(number: int) -> EcPublicKey:
    return EcPublicKey.from_cryptography(KEYS[number].public_key())


def job(card: NewCard) -> CardJob:
    return CardJob(
        reference=card.reference,
        serial=card.serial,
        profile=card.profile,
        secrets=card.secrets,
        mrz_information="0" * 24,
        contents={"EF.DG1": b"one", "EF.COM": b"common"},
        chip_key=key(card.serial[-1]),
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def ledgers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledgers]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
    else:
        database = Database(request.getfixturevalue("postgresql_url"))
    upgrade(database)
    sealer = Sealer(encryption_key=bytes(32), digest_key=bytes(32))
    register = SqlRegister(database, lambda: sealer)
    with register.writing() as transaction:
        transaction.organisations.add([Organisation(code=OrganisationCode("A"), name="A")])
        members = [_member(number) for number in range(1, 6)]
        transaction.members.add(members)
        decide_for(
            transaction,
            [member.member_id for member in members[:4]],
            organisation=OrganisationCode("A"),
            at=NOW,
        )
    vault = CardVault(sealer=sealer, portraits=Portraits({}))
    yield Ledgers(
        stock=OfficeStock(database, _clock),
        cards=SqlCardLedger(database, _clock, vault),
        station=SqlStationLedger(database, _clock, vault),
        database=database,
        marks=FileStatusMarkStore(tmp_path / "marks"),
        vault=vault,
    )
    database.close()


def _clock() -> datetime:
    return NOW


def _member(number: int) -> Member:
    day = date(1990, 1, 1)
    return Member(
        member_id=MemberId(uuid.UUID(int=number)),
        statement=MemberStatement(
            record_number=RecordNumber(f"{number:06d}AB"),
            citizen_number=CitizenNumber(f"{number:012d}"),
            name=MemberName(full=f"Tên {number}", primary=f"Tên {number}"),
            birth_date=day,
            sex=Sex.MALE,
            place_of_birth="Huế",
            home_town="Huế",
            ethnic_group="Kinh",
            admission_date=day,
            recognition_date=day,
            organisation_code=OrganisationCode("A"),
        ),
        portrait=PortraitDigest(bytes(32)),
        portrait_source=PortraitDigest(bytes([number]) * 32),
        recorded_at=NOW,
    )


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        work()
    return caught.value.code


def test_a_delivery_taken_twice_counts_once(ledgers: Ledgers) -> None:
    serials = [ledgers.serial(1), ledgers.serial(2)]
    assert ledgers.stock.receive(serials, delivery="first") == 2
    assert ledgers.stock.receive([*serials, ledgers.serial(3)], delivery="second") == 1
    assert [record.chip.state for record in ledgers.stock.chips()] == [ChipState.RECEIVED] * 3


def test_a_chip_is_found_by_its_serial_with_its_card(ledgers: Ledgers) -> None:
    assert ledgers.station.find(ledgers.serial(1)) is None
    reference = ledgers.sign(1)
    record = ledgers.station.find(ledgers.serial(1))
    assert record is not None
    assert record.chip.public_key == key(1)
    assert record.card is not None
    assert record.card.reference == reference
    assert record.card.state is CardState.SIGNED


def test_starting_an_initialisation_again_forgets_the_older_key(ledgers: Ledgers) -> None:
    serial = ledgers.serial(1)
    ledgers.stock.receive([serial], delivery="test")
    ledgers.station.begin_initialisation(serial)
    ledgers.station.record_chip_key(serial, key(1))
    ledgers.station.begin_initialisation(serial)
    record = ledgers.station.find(serial)
    assert record is not None
    assert record.chip.public_key is None
    # Without a key the chip can not count as initialised.
    with pytest.raises(ConflictError):
        ledgers.station.finish_initialisation(serial)


def test_a_card_in_the_members_hand_fulfils_its_request(ledgers: Ledgers) -> None:
    reference = ledgers.sign(1)
    for step in (
        ledgers.station.begin_personalisation,
        ledgers.station.record_personalised,
        ledgers.station.intend_lock,
        ledgers.station.record_issued,
    ):
        step(reference)
    register = SqlRegister(ledgers.database)
    request_id = request_of(ledgers.member(1))
    with register.reading() as transaction:
        assert transaction.requests.get(request_id).state is RequestState.DECIDED
    ledgers.cards.hand_over(reference, to="cell", account=AccountName("storekeeper"))
    with register.reading() as transaction:
        assert transaction.requests.get(request_id).state is RequestState.FULFILLED
        assert (
            transaction.requests.time_lines([request_id])[request_id][-1].account == "storekeeper"
        )
        assert [each.record().action for each in transaction.audit.records()] == [
            "card.handed-over",
            "request.fulfilled",
        ]
        candidate = transaction.requests.candidates([ledgers.member(1)])[ledgers.member(1)]
    # The member holds the number of the decision now, and the next card is their second.
    assert (candidate.held_card_number, candidate.cards_before) == ("01000001", 1)
    assert candidate.live_request is None


def test_a_condemned_card_leaves_its_request_open(ledgers: Ledgers) -> None:
    ledgers.initialise(1)
    ledgers.cards.bind(ledgers.new_card(1))
    ledgers.stock.condemn(ledgers.serial(1), code="test")
    assert ledgers.member(1) in {each.member_id for each in ledgers.cards.members_to_bind()}


def test_a_member_who_died_after_the_decision_gets_no_card(ledgers: Ledgers) -> None:
    ledgers.initialise(1)
    with ledgers.database.writing() as session:
        session.execute(
            sa.update(MemberRow)
            .where(MemberRow.id == ledgers.member(1))
            .values(standing=Standing.DECEASED.value)
        )
    assert ledgers.member(1) not in {each.member_id for each in ledgers.cards.members_to_bind()}
    with pytest.raises(ConflictError) as caught:
        ledgers.cards.bind(ledgers.new_card(1))
    assert caught.value.code == "card.already-bound"


def test_a_key_belongs_to_one_chip_for_ever(ledgers: Ledgers) -> None:
    ledgers.initialise(1)
    ledgers.stock.condemn(ledgers.serial(1), code="test")
    serial = ledgers.serial(2)
    ledgers.stock.receive([serial], delivery="test")
    ledgers.station.begin_initialisation(serial)
    assert code_of(lambda: ledgers.station.record_chip_key(serial, key(1))) == "chip.key-not-unique"


def test_only_decided_requests_and_initialised_chips_are_offered_for_binding(
    ledgers: Ledgers,
) -> None:
    ledgers.initialise(1)
    ledgers.stock.receive([ledgers.serial(2)], delivery="test")
    ledgers.initialise(3)
    ledgers.station.hold(ledgers.serial(3), code="test")
    assert [each.member_id.int for each in ledgers.cards.members_to_bind()] == [1, 2, 3, 4]
    assert ledgers.cards.chips_to_bind() == (ledgers.serial(1),)
    ledgers.cards.bind(ledgers.new_card(1))
    assert [each.member_id.int for each in ledgers.cards.members_to_bind()] == [2, 3, 4]
    assert ledgers.cards.chips_to_bind() == ()


def test_a_member_never_has_two_cards_nor_a_chip(ledgers: Ledgers) -> None:
    for number in (1, 2):
        ledgers.initialise(number)
    ledgers.cards.bind(ledgers.new_card(1))
    for changes in (
        {"member_id": ledgers.member(1), "request_id": request_of(ledgers.member(1))},
        {"serial": ledgers.serial(1)},
        {"member_id": ledgers.member(5), "request_id": request_of(ledgers.member(5))},
        {"member_id": ledgers.member(3)},
        {"request_id": request_of(ledgers.member(3))},
    ):
        card = ledgers.new_card(2, **changes)
        assert code_of(lambda card=card: ledgers.cards.bind(card)) == "card.already-bound"  # type: ignore[misc]  # a default binds the turn's card
    assert len(ledgers.cards.cards()) == 1


def test_the_database_itself_refuses_a_second_card_of_a_request(ledgers: Ledgers) -> None:
    ledgers.initialise(1)
    ledgers.initialise(2)
    ledgers.cards.bind(ledgers.new_card(1))
    ledgers.cards.bind(ledgers.new_card(2))
    with pytest.raises(ConflictError), ledgers.database.writing() as session:
        session.execute(
            sa.text("UPDATE cards SET request_id = (SELECT min(request_id) FROM cards)")
            if ledgers.database.is_sqlite
            else sa.text("UPDATE cards SET request_id = (SELECT request_id FROM cards LIMIT 1)")
        )


def test_nothing_that_was_drawn_is_used_twice_even_after_a_card_is_condemned(
    ledgers: Ledgers,
) -> None:
    for number in (1, 2):
        ledgers.initialise(number)
    first = ledgers.new_card(1)
    ledgers.cards.bind(first)
    ledgers.stock.condemn(first.serial, code="test")
    second = ledgers.new_card(
        2, member_id=ledgers.member(1), request_id=request_of(ledgers.member(1))
    )
    repeated = (
        replace(second, reference=first.reference),
        replace(second, status=first.status),
        replace(
            second,
            secrets=replace(second.secrets, document_number=first.secrets.document_number),
        ),
    )
    for card in repeated:
        assert code_of(lambda card=card: ledgers.cards.bind(card)) == "card.draw-repeated"  # type: ignore[misc]  # as above
    # The CAN is drawn independently of everything, so two cards may have the same.
    ledgers.cards.bind(replace(second, secrets=replace(second.secrets, can=first.secrets.can)))


def test_drawing_goes_on_until_the_ledger_knows_none_of_the_numbers(ledgers: Ledgers) -> None:
    for number in (1, 2, 3, 4):
        ledgers.initialise(number)
    # A second call goes on with the list that the first one began.
    reports = [
        bind_cards(
            ledger=ledgers.cards,
            profile=load_profile("membercard-1-icao"),
            random_bytes=random.Random(seed).randbytes,
            marks=ledgers.marks,
            limit=2,
            list_size=3,
        )
        for seed in (1, 2)
    ]
    assert [len(report.bound) for report in reports] == [2, 2]
    places = [(card.status.list_id, card.status.index) for card in ledgers.cards.cards()]
    assert len(set(places)) == 4
    # All three positions are given away before another list begins.
    lists = [list_id for list_id, _ in places]
    assert sorted(lists.count(list_id) for list_id in set(lists)) == [1, 3]


def draw(ledgers: Ledgers, *, seed: int, count: int) -> list[tuple[bytes, int]]:
    report = bind_cards(
        ledger=ledgers.cards,
        profile=load_profile("membercard-1-icao"),
        random_bytes=random.Random(seed).randbytes,
        marks=ledgers.marks,
        limit=count,
        list_size=8,
    )
    cards = {card.reference: card.status for card in ledgers.cards.cards()}
    return [(cards[each].list_id, cards[each].index) for each in report.bound]


def forget_cards(ledgers: Ledgers) -> None:
    """What an old backup of the database does."""
    with ledgers.database.writing() as session:
        session.execute(sa.delete(CardRow))


def test_a_database_from_an_old_backup_draws_no_index_again_that_its_mark_knows(
    ledgers: Ledgers,
) -> None:
    for number in (1, 2, 3, 4):
        ledgers.initialise(number)
    before = draw(ledgers, seed=1, count=4)
    forget_cards(ledgers)
    after = draw(ledgers, seed=1, count=4)
    # The four positions that are left of the eight, of the same list, though the source repeats itself.
    assert len({*before, *after}) == 8
    assert len({list_id for list_id, _ in (*before, *after)}) == 1


def test_a_list_whose_mark_stayed_behind_is_used_no_more(ledgers: Ledgers, tmp_path: Path) -> None:
    for number in (1, 2):
        ledgers.initialise(number)
    before = draw(ledgers, seed=1, count=1)
    restored = replace(ledgers, marks=FileStatusMarkStore(tmp_path / "restored"))
    after = draw(restored, seed=2, count=1)
    assert before[0][0] != after[0][0]


def test_an_index_is_marked_before_the_card_is_bound(ledgers: Ledgers) -> None:
    ledgers.initialise(1)
    seen: list[frozenset[int] | None] = []

    class Looking(SqlCardLedger):
        def bind(self, card: NewCard) -> None:
            seen.append(ledgers.marks.drawn(card.status.list_id, size=8))
            super().bind(card)

    looking = Looking(ledgers.database, _clock, ledgers.vault)
    (place,) = draw(replace(ledgers, cards=looking), seed=1, count=1)
    assert seen == [frozenset({place[1]})]


def test_secrets_and_contents_come_back_as_they_were_kept(ledgers: Ledgers) -> None:
    reference = ledgers.sign(1)
    card = ledgers.new_card(1)
    assert ledgers.cards.secrets(reference) == card.secrets
    loaded = ledgers.station.load_job(reference)
    assert loaded == replace(job(card), contents={**job(card).contents, "EF.SOD": b"\x77\x00"})


def test_a_card_is_made_step_by_step_and_no_step_is_skipped(ledgers: Ledgers) -> None:
    reference = ledgers.sign(1)
    station = ledgers.station
    steps = (
        station.begin_personalisation,
        station.record_personalised,
        station.intend_lock,
        station.record_issued,
    )
    for index, step in enumerate(steps):
        for later in steps[index + 1 :]:
            with pytest.raises(TransitionError):
                later(reference)
        step(reference)
        locking = [card.reference for card in station.locking_cards()]
        assert locking == ([reference] if step == station.intend_lock else [])
    ledgers.cards.hand_over(reference, to="cell secretary", account=AccountName("storekeeper"))
    with pytest.raises(TransitionError):
        ledgers.cards.hand_over(reference, to="cell secretary", account=AccountName("storekeeper"))
    [card] = ledgers.cards.cards()
    assert card.state is CardState.HANDED_OVER
    assert card.handed_over_to == "cell secretary"
    assert [event.kind for event in ledgers.stock.journal(serial=ledgers.serial(1))] == [
        "chip-received",
        "initialisation-begun",
        "chip-key-recorded",
        "initialised",
        "bound",
        "signing-prepared",
        "signed",
        "personalisation-begun",
        "personalised",
        "lock-intended",
        "issued",
        "handed-over",
        "secrets-destroyed",
    ]


def test_what_is_not_signed_cannot_be_loaded_by_a_station(ledgers: Ledgers) -> None:
    ledgers.initialise(1)
    card = ledgers.new_card(1)
    assert code_of(lambda: ledgers.station.load_job(card.reference)) == "card.unknown"
    ledgers.cards.bind(card)
    assert code_of(lambda: ledgers.station.load_job(card.reference)) == "card.not-signed"
    assert ledgers.cards.prepared(card.reference) is None
    with pytest.raises(TransitionError):
        ledgers.cards.record_signed(card.reference, b"\x77\x00")
    ledgers.cards.prepare_signing(job(card), valid_until=LAST_DAY)
    assert ledgers.cards.prepared(card.reference) == job(card)
    assert code_of(lambda: ledgers.station.load_job(card.reference)) == "card.not-signed"


def test_a_held_chip_is_held_until_it_is_released(ledgers: Ledgers) -> None:
    serial = ledgers.initialise(1)
    assert code_of(lambda: ledgers.stock.release(serial)) == "chip.not-held"
    ledgers.station.hold(serial, code="personalisation.card-cryptogram")
    record = ledgers.station.find(serial)
    assert record is not None
    assert record.chip.held == "personalisation.card-cryptogram"
    ledgers.stock.release(serial)
    record = ledgers.station.find(serial)
    assert record is not None
    assert record.chip.held is None


def test_a_chip_that_nobody_knows_is_refused_everywhere(ledgers: Ledgers) -> None:
    serial = ledgers.serial(9)
    for work in (
        lambda: ledgers.stock.release(serial),
        lambda: ledgers.stock.condemn(serial, code="test"),
        lambda: ledgers.station.begin_initialisation(serial),
        lambda: ledgers.station.hold(serial, code="test"),
    ):
        assert code_of(work) == "chip.not-in-stock"


def test_an_event_can_be_neither_changed_nor_deleted(ledgers: Ledgers) -> None:
    ledgers.initialise(1)
    before = ledgers.stock.journal()
    for statement in ("UPDATE card_events SET kind = 'x'", "DELETE FROM card_events"):
        with (
            pytest.raises((ConflictError, IssuerUnavailableError)),
            ledgers.database.writing() as session,
        ):
            session.execute(sa.text(statement))
    assert ledgers.stock.journal() == before


def test_of_two_that_take_the_same_step_at_once_one_wins(ledgers: Ledgers) -> None:
    reference = ledgers.sign(1)
    ledgers.station.begin_personalisation(reference)
    barrier = threading.Barrier(4)
    results: list[str] = []

    def take() -> None:
        barrier.wait()
        try:
            ledgers.station.record_personalised(reference)
        except IssuerRefusedError:
            results.append("refused")
        else:
            results.append("taken")

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refused", "refused", "refused", "taken"]


def test_every_table_of_production_is_known_to_the_migrations() -> None:
    assert {"chips", "cards", "card_contents", "card_events", "status_lists"} <= set(
        Base.metadata.tables
    )
