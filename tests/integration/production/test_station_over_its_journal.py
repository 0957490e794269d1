"""A station works on its own journal and hands in: chips go on when the centre is gone, and both agree in the end."""

import json
import sqlite3
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from card_layout.atr import LifeCycle
from card_layout.curves import EcPublicKey
from issuer.db.audit import SqlAuditTrail
from issuer.db.local_job_seal import LocalJobSeal
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.db.station_desk import SqlProductionLink
from issuer.db.station_tables import StationClaimRow, StationDayRow, StationRow
from issuer.domain.batch import BatchId
from issuer.domain.card import CardReference
from issuer.domain.chip import Serial
from issuer.domain.production_events import StationName
from issuer.errors import IssuerError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.station_ports import DayRecord
from issuer.services.visit_chip import VisitResult
from issuer.stations.clock_correction import ClockCorrection
from issuer.stations.journal import StationJournal
from issuer.stations.journal_ledger import JournalStationLedger
from simulators.faults import Fault, FaultKind
from tests.integration.production.station_stage import (
    ANNA,
    NOW,
    RUN,
    Stations,
    StationUnderTest,
    prepared,
    rows,
)

Make = Callable[..., StationUnderTest]


@pytest.fixture
def make_station(stations: Stations) -> Make:
    return stations.here


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        work()
    return caught.value.code


def test_a_station_takes_a_blank_to_an_issued_card_and_both_records_agree(
    workshop: Any, make_station: Make
) -> None:
    station = make_station()
    [card] = prepared(workshop, station)
    assert station.visit(card).result is VisitResult.DONE
    assert rows(workshop, CardRow)[0].state == "signed"
    assert station.ledger.hand_in()
    [row] = rows(workshop, CardRow)
    assert row.state == "issued"
    assert row.issued_at == NOW
    events = rows(workshop, CardEventRow)
    assert [event.kind for event in events] == [
        "chip-received",
        "claimed",
        "initialisation-begun",
        "chip-key-recorded",
        "initialised",
        "status-list-begun",
        "bound",
        "signing-prepared",
        "signed",
        "claimed",
        "personalisation-begun",
        "personalised",
        "lock-intended",
        "issued",
    ]
    assert {(event.station, event.account) for event in events if event.kind == "issued"} == {
        ("left", "anna")
    }
    [known] = rows(workshop, StationRow)
    assert (known.sequence, known.chain) == (
        station.journal.head.sequence,
        station.journal.head.chain,
    )
    with workshop.database.reading() as session:
        records = list(SqlAuditTrail(session).records())
    assert [each.record().action for each in records][-1] == "station.events-taken"


def test_a_card_goes_on_while_the_centre_is_gone_and_no_other_is_begun(
    workshop: Any, make_station: Make
) -> None:
    station = make_station()
    first, second = prepared(workshop, station, 2)
    torn = station.visit(first, Fault(kind=FaultKind.TEAR_DURING, at=12))
    assert torn.result is VisitResult.INTERRUPTED
    station.link.is_cut = True
    assert station.visit(first).result is VisitResult.DONE
    other = station.visit(second)
    assert (other.result, other.code) == (VisitResult.REFUSED, "station.link-lost")
    assert not station.ledger.hand_in()
    station.link.is_cut = False
    assert station.visit(second).result is VisitResult.DONE
    assert station.ledger.hand_in()
    assert {row.state for row in rows(workshop, CardRow)} == {"issued"}


def test_of_two_stations_that_claim_one_chip_one_wins(workshop: Any, make_station: Make) -> None:
    left, right = make_station("left"), make_station("right")
    [card] = prepared(workshop, left)
    torn = left.visit(card, Fault(kind=FaultKind.TEAR_AFTER, at=15))
    assert torn.result is VisitResult.INTERRUPTED
    refused = right.visit(card)
    assert (refused.result, refused.code) == (VisitResult.REFUSED, "station.claimed-elsewhere")
    assert left.visit(card).result is VisitResult.DONE
    assert left.ledger.hand_in()
    [claim] = rows(workshop, StationClaimRow)
    assert (claim.station, claim.released_at) == ("left", NOW)
    finished = right.visit(card)
    assert finished.code == "card.already-issued"


def test_a_chip_in_a_stations_hands_is_condemned_by_nobody_else(
    workshop: Any, make_station: Make
) -> None:
    station = make_station()
    [card] = prepared(workshop, station)
    station.visit(card, Fault(kind=FaultKind.TEAR_AFTER, at=15))
    serial = card.image.serial
    with pytest.raises(IssuerRefusedError) as refused:
        workshop.stock.condemn(serial, code="card.condemned-by-person")
    assert refused.value.code == "chip.claimed"
    workshop.stock.condemn(serial, code="card.condemned-by-person", is_safe=True)
    assert station.ledger.hand_in()
    assert {each.code for each in station.journal.rejections()} == {"production.wrong-state"}


def test_a_clock_that_was_set_back_begins_no_chip(workshop: Any, make_station: Make) -> None:
    station = make_station()
    first, second = prepared(workshop, station, 2)
    assert station.visit(first).result is VisitResult.DONE
    station.clock.now = NOW - timedelta(minutes=3)
    refused = station.visit(second)
    assert (refused.result, refused.code) == (VisitResult.REFUSED, "station.clock-back")
    station.clock.now = NOW - timedelta(minutes=1)
    assert station.visit(second).result is VisitResult.DONE
    times = [event.at for event in station.journal.events()]
    assert times == sorted(times)


def test_a_clock_that_had_run_ahead_is_corrected_by_a_watch(
    workshop: Any, make_station: Make, tmp_path: Path
) -> None:
    station = make_station()
    first, second = prepared(workshop, station, 2)
    correction = ClockCorrection(journal=station.journal)
    assert code_of(lambda: correction.correct(watch=NOW, reason="r")) == "station.clock-not-behind"
    station.clock.now = NOW + timedelta(days=3650)
    assert station.visit(first).result is VisitResult.DONE
    # Ten years later and no day older: the clock is right again.
    station.clock.now = now = NOW + timedelta(hours=1)
    assert station.visit(second).code == "station.clock-back"
    assert code_of(station.close_day) == "station.clock-back"
    standing = correction.look()
    assert (standing.now, standing.is_behind) == (now, True)
    # The other card was only initialised, and that before the clock ran ahead.
    assert correction.made_ahead() == (Serial(first.image.serial),)
    before = station.journal.head
    for watch, reason, code in (
        (now, " ", "station.clock-reason"),
        (now, "r" * 201, "station.clock-reason"),
        (now + timedelta(minutes=11), "battery", "station.clock-wrong"),
        (now - timedelta(minutes=11), "battery", "station.clock-wrong"),
    ):
        refused = code_of(lambda w=watch, r=reason: correction.correct(watch=w, reason=r))
        assert refused == code
    assert station.journal.head == before
    event = correction.correct(watch=now + timedelta(minutes=9), reason=" the battery was empty ")
    assert (event.at, event.sequence, event.code) == (
        now,
        before.sequence + 1,
        "station.clock-corrected",
    )
    assert (
        event.detail
        == f"from {NOW + timedelta(days=3650):%Y-%m-%dT%H:%M:%SZ}: the battery was empty"
    )
    assert station.visit(second).result is VisitResult.DONE
    assert correction.made_ahead() == (Serial(first.image.serial),)
    assert {each.at for each in station.journal.events(after=before.sequence)} == {now}
    assert station.ledger.hand_in()
    told = [each for each in rows(workshop, CardEventRow) if each.code == event.code]
    assert [(each.at, each.detail, each.account) for each in told] == [(now, event.detail, "anna")]
    station.close_day()
    station.journal.close()
    # It stands in the file, and whoever opens that goes on from it.
    again = StationJournal.open(
        tmp_path / "left.sqlite", station=StationName("left"), account=ANNA, clock=station.clock
    )
    again.time.require_sound()
    station.clock.now = now - timedelta(minutes=3)
    assert code_of(again.time.require_sound) == "station.clock-back"
    again.close()


def test_the_day_closes_once_everything_is_in_and_destroys_what_was_sealed(
    workshop: Any, make_station: Make, tmp_path: Path
) -> None:
    station = make_station()
    cards = prepared(workshop, station, 2)
    station.visit(cards[0])
    station.visit(cards[1], Fault(kind=FaultKind.TEAR_AFTER, at=15))
    with pytest.raises(IssuerRefusedError) as unfinished:
        station.close_day()
    assert unfinished.value.code == "station.unfinished"
    assert station.visit(cards[1]).result is VisitResult.DONE
    references = {row.reference for row in rows(workshop, CardRow)}
    sealed = [station.journal.job_of(reference) for reference in references]
    assert all(sealed)
    station.link.is_cut = True
    with pytest.raises(IssuerRefusedError) as lost:
        station.close_day()
    assert lost.value.code == "station.link-lost"
    station.link.is_cut = False
    record = station.close_day()
    assert (record.issued, record.condemned, set(record.destroyed)) == (2, 0, references)
    station.journal.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("left.sqlite*"))
    assert not [each for each in sealed if each is not None and each[-40:] in kept]
    [day] = rows(workshop, StationDayRow)
    assert (day.station, day.issued, day.closed_by) == ("left", 2, "anna")
    assert not [row for row in rows(workshop, StationClaimRow) if row.released_at is None]


def test_a_second_process_is_kept_from_the_journal(make_station: Make) -> None:
    make_station()
    with pytest.raises(IssuerRefusedError) as refused:
        make_station()
    assert refused.value.code == "station.journal-in-use"


def test_a_journal_of_another_station_is_refused(make_station: Make, tmp_path: Path) -> None:
    make_station("left").journal.close()
    (tmp_path / "left.sqlite").rename(tmp_path / "right.sqlite")
    with pytest.raises(IssuerRefusedError) as refused:
        make_station("right")
    assert refused.value.code == "station.other-journal"


def test_the_same_key_from_two_chips_is_found_by_the_centre(
    workshop: Any, make_station: Make
) -> None:
    left, right = make_station("left"), make_station("right")
    workshop.receive(1, site="left")
    workshop.receive(2, site="right")
    left.visit(workshop.blank(1))
    assert left.ledger.hand_in()
    [key] = [event.public_key for event in left.journal.events() if event.public_key is not None]
    second = workshop.blank(2)
    claimed = right.claim(second.image.serial)
    right.journal.take([claimed])
    right.ledger.begin_initialisation(second.image.serial)
    right.ledger.record_chip_key(second.image.serial, key)
    assert right.ledger.hand_in()
    assert [each.code for each in right.journal.rejections()] == ["chip.key-not-unique"]
    states = {row.serial[-1]: row.state for row in rows(workshop, ChipRow)}
    assert states == {1: "initialised", 2: "condemned"}
    # The station learns of it when the chip is put in again.
    assert right.ledger.find(second.image.serial).chip.condemned_for == "chip.key-not-unique"


def test_a_weak_key_that_a_station_took_is_found_by_the_centre(
    workshop: Any, make_station: Make
) -> None:
    station = make_station()
    workshop.receive(1, site="left")
    card = workshop.blank(1)
    serial = Serial(card.image.serial)
    station.journal.take([station.claim(serial)])
    curve = workshop.profile.chip_authentication_curve
    station.ledger.begin_initialisation(serial)
    station.ledger.record_chip_key(serial, EcPublicKey(curve=curve, point=curve.generator))
    station.ledger.finish_initialisation(serial)
    assert station.ledger.hand_in()
    codes = [each.code for each in station.journal.rejections()]
    assert codes == ["chip.key-weak", "production.wrong-state"]
    [chip] = rows(workshop, ChipRow)
    assert (chip.state, chip.condemned_for, chip.key_point) == ("condemned", "chip.key-weak", None)
    # Put in again it is ended.
    assert station.visit(card).result is VisitResult.CONDEMNED
    assert card.image.state is LifeCycle.TERMINATED


def test_events_are_never_changed_and_an_altered_one_is_found(
    make_station: Make, workshop: Any, tmp_path: Path
) -> None:
    station = make_station()
    workshop.receive(1, site="left")
    station.visit(workshop.blank(1))
    station.journal.close()
    connection = sqlite3.connect(tmp_path / "left.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        connection.execute("UPDATE events SET line = ''")
    with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
        connection.execute("DELETE FROM events")
    connection.execute("DROP TRIGGER events_stay")
    connection.execute("UPDATE events SET line = replace(line, 'anna', 'annb') WHERE sequence = 1")
    connection.commit()
    connection.close()
    with pytest.raises(IssuerUnavailableError) as damaged:
        make_station().journal.events()
    assert damaged.value.code == "station.journal-damaged"


def test_an_initialised_chip_that_was_put_in_too_early_is_asked_for_again(
    workshop: Any, make_station: Make
) -> None:
    station = make_station()
    workshop.add_members(1)
    workshop.receive(1, site="left")
    card = workshop.blank(1)
    assert station.visit(card).result is VisitResult.DONE
    early = station.visit(card)
    assert (early.result, early.code) == (VisitResult.REFUSED, "chip.not-bound")
    assert station.ledger.hand_in()
    workshop.bind_and_sign()
    assert station.visit(card).result is VisitResult.DONE


def test_a_station_that_works_on_one_batch_gets_no_card_of_another(
    workshop: Any, stations: Stations
) -> None:
    station = stations.here()
    [card] = prepared(workshop, station)
    with pytest.raises(IssuerRefusedError) as refused:
        station.claim(card.image.serial, BatchId(uuid.UUID(int=7)))
    assert refused.value.code == "station.other-batch"
    assert station.claim(card.image.serial).is_claimed


def test_what_was_rejected_is_told_again_where_the_answer_was_lost(
    workshop: Any, make_station: Make
) -> None:
    station = make_station()
    [card] = prepared(workshop, station)
    station.visit(card, Fault(kind=FaultKind.TEAR_AFTER, at=15))
    workshop.stock.condemn(card.image.serial, code="card.condemned-by-person", is_safe=True)
    events, head = station.journal.pending(limit=500)
    lost = station.link.hand_in(events, head=head)
    assert {each.code for each in lost.rejected} == {"production.wrong-state"}
    assert station.journal.rejections() == ()
    assert station.ledger.hand_in()
    assert station.journal.rejections() == lost.rejected
    kinds = [row.kind for row in rows(workshop, CardEventRow)]
    assert kinds.count("event-rejected") == len(lost.rejected)


def test_events_reach_the_disk_before_they_count_and_copies_of_the_centres_word_after(
    tmp_path: Path, workshop: Any, stations: Stations
) -> None:
    said: list[str] = []

    class Listening(sqlite3.Connection):
        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            said.append(statement)
            return super().execute(statement, *arguments)

    def connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, factory=Listening
        )

    inner = stations.here("left")
    inner.journal.close()
    workshop.receive(1, site="left")
    journal = StationJournal.open(
        tmp_path / "left.sqlite",
        station=StationName("left"),
        account=ANNA,
        clock=stations.clock,
        connect=connect,
    )
    ledger = JournalStationLedger(journal, inner.link, LocalJobSeal(sealer=workshop.sealer()))
    outcome, _ = workshop.visit(workshop.blank(1), RUN, ledger=ledger)
    assert outcome.result is VisitResult.DONE
    assert ledger.hand_in()
    journal.close()
    level = ""
    found = set()
    for statement in said:
        if statement.startswith("PRAGMA synchronous="):
            level = statement.partition("=")[2]
        elif statement.startswith(("INSERT INTO events", "INSERT OR REPLACE INTO chips")):
            found.add(("events" if "events" in statement else "chips", level))
        elif statement.startswith("INSERT INTO facts") and "CONFLICT" in statement:
            found.add(("facts", level))
    assert found == {
        ("events", "FULL"), ("chips", "FULL"), ("chips", "NORMAL"), ("facts", "NORMAL"),
    }  # fmt: skip


def test_a_day_whose_end_the_centre_heard_and_the_station_did_not_is_told_once(
    workshop: Any, make_station: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make_station()
    cards = prepared(workshop, station, 2)
    assert station.visit(cards[0]).result is VisitResult.DONE
    tell = SqlProductionLink.close_day

    def answer_lost(link: SqlProductionLink, record: Any) -> None:
        tell(link, record)
        raise IssuerUnavailableError("the cable is cut", code="station.no-answer")

    with monkeypatch.context() as patch:
        patch.setattr(SqlProductionLink, "close_day", answer_lost)
        with pytest.raises(IssuerUnavailableError):
            station.close_day()
    record = station.close_day()
    assert (record.issued, len(record.destroyed)) == (1, 1)
    [day] = rows(workshop, StationDayRow)
    assert (day.sequence, day.issued) == (record.head.sequence, 1)
    # Work that went on meanwhile is of the next day, and the first one is told to its end before.
    with monkeypatch.context() as patch:
        patch.setattr(SqlProductionLink, "close_day", answer_lost)
        assert station.visit(cards[1]).result is VisitResult.DONE
        with pytest.raises(IssuerUnavailableError):
            station.close_day()
    serial = Serial((3).to_bytes(10, "big"))
    workshop.receive(3, site="left")
    assert station.ledger.find(serial) is not None
    second = station.close_day()
    assert (second.issued, second.destroyed) == (0, ())
    assert [each.issued for each in rows(workshop, StationDayRow)] == [1, 1, 0]
    assert station.journal.in_hand() == ()
    assert not [row for row in rows(workshop, StationClaimRow) if row.released_at is None]


def test_a_day_that_destroyed_much_is_told_in_parts(workshop: Any, stations: Stations) -> None:
    far = stations.over_the_network("far", stations.enrol("far"))
    near = stations.here("near")
    references = tuple(CardReference(number.to_bytes(16, "big")) for number in range(1, 1201))
    for station in (far, near):
        day = DayRecord(
            head=station.journal.head,
            at=NOW,
            closed_by=ANNA,
            issued=1200,
            condemned=0,
            destroyed=references,
        )
        for _ in range(2):
            station.link.close_day(day)
    told = {row.station: json.loads(row.destroyed) for row in rows(workshop, StationDayRow)}
    expected = [each.hex() for each in references]
    assert told == {"far": expected, "near": expected}
    with workshop.database.reading() as session:
        records = [each.record() for each in SqlAuditTrail(session).records()]
    counted = [
        each.details["destroyed"]
        for each in records
        if each.subject_id == "far" and "destroyed" in each.details
    ]
    assert counted == [500, 500, 200]
