"""Stations over the network and on none: the same journal, the same chips, everything signed and sealed."""

import base64
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from issuer.db import station_desk
from issuer.db.base import crossed
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.db.station_tables import StationClaimRow, StationDayRow
from issuer.db.stock_tables import StockSiteRow
from issuer.domain.chip import Serial
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.production_events import ProductionEventKind, StationName
from issuer.domain.rights import Actor, Assignment, Right, Role
from issuer.domain.stock_account import SiteCode
from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.stock_room import StockRoom
from issuer.services.visit_chip import VisitResult
from issuer.stations.clock_correction import ClockCorrection
from issuer.stations.messages import StationOrder, StationReport
from pki.errors import PkiError
from pki.signed.sealed_message import MessagePurpose
from simulators.faults import Fault, FaultKind
from tests.integration.production.station_stage import ANNA, NOW, Stations, peer_of, prepared, rows

FAR = StationName("far")
ON_BOTH_DATABASES = True


def serials(cards: list[Any]) -> list[Serial]:
    return [Serial(card.image.serial) for card in cards]


def test_a_station_over_the_network_makes_cards_without_the_database(
    workshop: Any, stations: Stations
) -> None:
    station = stations.over_the_network("far", stations.enrol("far"))
    cards = prepared(workshop, station, 2)
    assert [station.visit(card).result for card in cards] == [VisitResult.DONE] * 2
    assert station.ledger.hand_in()
    assert {row.state for row in rows(workshop, CardRow)} == {"issued"}
    assert {event.station for event in rows(workshop, CardEventRow) if event.kind == "issued"} == {
        "far"
    }
    record = station.close_day()
    assert (record.issued, len(record.destroyed)) == (2, 2)
    [day] = rows(workshop, StationDayRow)
    assert (day.station, day.issued) == ("far", 2)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_report_that_gave_way_to_somebody_else_at_the_centre_is_handed_in_again(
    workshop: Any, stations: Stations, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    station = (
        stations.here("far")
        if where == "here"
        else stations.over_the_network("far", stations.enrol("far"))
    )
    [card] = prepared(workshop, station)
    assert station.visit(card).result is VisitResult.DONE
    with monkeypatch.context() as patch:
        patch.setattr(station_desk, "lock_stops", _give_way)
        assert not station.ledger.hand_in()
    assert {row.state for row in rows(workshop, CardRow)} == {"signed"}
    assert station.ledger.hand_in()
    assert {row.state for row in rows(workshop, CardRow)} == {"issued"}


def _give_way(*_args: Any) -> None:
    raise crossed()


def test_an_offline_station_makes_cards_from_orders_and_reports(
    workshop: Any, stations: Stations
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.add_members(2)
    workshop.receive(1, 2)
    cards = [workshop.blank(number) for number in (1, 2)]
    unknown = station.visit(cards[0])
    assert (unknown.result, unknown.code) == (VisitResult.REFUSED, "station.not-in-bundle")

    order, given = stations.order("far", serials(cards))
    assert len(given) == 2
    taken = bundles.take(order)
    assert (taken.number, taken.chips, taken.jobs) == (1, 2, 0)
    with pytest.raises(IssuerRefusedError) as again:
        bundles.take(order)
    assert again.value.code == "station.order-repeated"
    assert [station.visit(card).result for card in cards] == [VisitResult.DONE] * 2
    assert {row.state for row in rows(workshop, ChipRow)} == {"received"}

    # The initialised serials travel up first.
    report, count = bundles.report()
    assert count == station.journal.head.sequence
    for _ in range(2):
        stations.accept(report)
    assert {row.state for row in rows(workshop, ChipRow)} == {"initialised"}
    workshop.bind_and_sign()
    order, given = stations.order("far", serials(cards))
    taken = bundles.take(order)
    assert (taken.chips, taken.jobs, taken.through) == (2, 2, count)

    torn = station.visit(cards[0], Fault(kind=FaultKind.TEAR_DURING, at=20))
    assert torn.result is VisitResult.INTERRUPTED
    assert [station.visit(card).result for card in cards] == [VisitResult.DONE] * 2
    record = station.close_day()
    assert (record.issued, len(record.destroyed)) == (2, 2)
    assert station.journal.jobs_held() == ()
    report, _ = bundles.report()
    for _ in range(2):
        stations.accept(report)
    assert {row.state for row in rows(workshop, CardRow)} == {"issued"}
    [day] = rows(workshop, StationDayRow)
    assert (day.station, day.issued) == ("far", 2)
    assert not [row for row in rows(workshop, StationClaimRow) if row.released_at is None]


def test_an_order_does_not_put_back_what_the_station_has_done(
    workshop: Any, stations: Stations
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.receive(1, 2)
    cards = [workshop.blank(number) for number in (1, 2)]
    bundles.take(stations.order("far", serials(cards))[0])
    assert station.visit(cards[0]).result is VisitResult.DONE
    torn = station.visit(cards[1], Fault(kind=FaultKind.TEAR_AFTER, at=12))
    assert torn.result is VisitResult.INTERRUPTED
    taken = bundles.take(stations.order("far", serials(cards))[0])
    assert (taken.chips, taken.left_alone) == (0, 2)
    assert station.visit(cards[1]).result is VisitResult.DONE


def test_what_an_offline_station_has_nobody_else_gets(workshop: Any, stations: Stations) -> None:
    station = stations.over_the_network("near", stations.enrol("near"))
    stations.enrol("far")
    workshop.receive(1)
    card = workshop.blank(1)
    stations.order("far", serials([card]))
    refused = station.visit(card)
    assert (refused.result, refused.code) == (VisitResult.REFUSED, "station.claimed-elsewhere")
    stations.book.release(Serial(card.image.serial), account=ANNA)
    [chip] = rows(workshop, ChipRow)
    assert chip.held == "station.claim-released"
    assert station.visit(card).code == "chip.held"


def test_a_dismissed_station_is_heard_no_more_and_its_chips_are_held(
    workshop: Any, stations: Stations
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.receive(1)
    card = workshop.blank(1)
    bundles.take(stations.order("far", serials([card]))[0])
    station.visit(card)
    report, _ = bundles.report()
    assert stations.book.dismiss(FAR, account=ANNA) == (card.image.serial,)
    with pytest.raises(IssuerRefusedError) as refused:
        stations.accept(report)
    assert refused.value.code == "station.dismissed"
    [chip] = rows(workshop, ChipRow)
    assert (chip.state, chip.held) == ("received", "station.claim-released")


def test_a_report_is_taken_from_whoever_makes_cards_at_the_station_alone(
    workshop: Any, stations: Stations
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.receive(1)
    card = workshop.blank(1)
    bundles.take(stations.order("far", serials([card]))[0])
    assert station.visit(card).result is VisitResult.DONE
    report, _ = bundles.report()
    room = StockRoom(desk=stations.orders.stock)
    places = [OrganisationCode("P-01"), OrganisationCode("P-02")]
    with stations.orders.stock.register.writing() as transaction:
        transaction.organisations.add([Organisation(code=each, name=each) for each in places])
    with workshop.database.writing() as session:
        owner = session.scalar(sa.select(OrganisationRow.id).where(OrganisationRow.code == "P-01"))
        session.execute(
            sa.update(StockSiteRow).where(StockSiteRow.code == FAR).values(organisation_id=owner)
        )

    def accept(place: OrganisationCode) -> None:
        actor = Actor(
            account=ANNA,
            assignments=(Assignment(role=Role.PRODUCTION_OPERATOR, organisation=place),),
            stepped_up_at=NOW,
        )
        stations.desk.accept(
            report,
            demand=lambda name: room.demand_at_site(
                SiteCode(name), Right.PRODUCE_CARDS, actor=actor
            ),
        )

    with pytest.raises(IssuerRefusedError) as refused:
        accept(places[1])
    assert refused.value.code == "right.missing"
    assert [row.state for row in rows(workshop, ChipRow)] == ["received"]
    accept(places[0])
    assert [row.state for row in rows(workshop, ChipRow)] == ["initialised"]


def test_a_message_counts_only_as_its_signers_and_its_receivers(
    stations: Stations,
) -> None:
    far = stations.enrol("far")
    near = stations.office.party("near", sealed_as="station")
    report = StationReport(station=FAR, at=NOW)
    centre = peer_of(stations.centre)
    by_a_stranger = stations.keys_of(near).seal(
        report.to_bytes(), purpose=MessagePurpose.RESULT_BUNDLE, peer=centre
    )
    with pytest.raises(IssuerRefusedError) as refused:
        stations.accept(by_a_stranger)
    assert refused.value.code == "station.unknown"
    stations.know("near", near)
    with pytest.raises(IssuerRefusedError) as refused:
        stations.accept(by_a_stranger)
    assert refused.value.code == "station.other-signer"
    order_for_far, _ = stations.order("far", [])
    _, bundles_of_near = stations.offline("near", near)
    with pytest.raises(PkiError) as sealed:
        bundles_of_near.take(order_for_far)
    assert sealed.value.code == "sealed-message.other-receiver"
    another_centre = stations.office.party("another")
    forged = stations.keys_of(another_centre).seal(
        StationOrder(station=FAR, at=NOW, number=7).to_bytes(),
        purpose=MessagePurpose.JOB_BUNDLE,
        peer=peer_of(far),
    )
    _, bundles = stations.offline("far", far)
    with pytest.raises(IssuerRefusedError) as refused:
        bundles.take(forged)
    assert refused.value.code == "station.other-signer"
    with pytest.raises(PkiError):
        stations.accept(order_for_far)


def test_an_answer_that_was_kept_or_made_up_is_no_answer(workshop: Any, stations: Stations) -> None:
    answers: list[bytes] = []
    lie: list[bytes] = []

    def transport(message: bytes) -> bytes:
        answer = lie[0] if lie else stations.desk.answer(message)
        answers.append(answer)
        return answer

    station = stations.over_the_network("far", stations.enrol("far"), transport)
    [card] = prepared(workshop, station)
    for rubbish in (answers[0], b"", b"0" * 100, base64.b64encode(answers[-1])):
        lie[:] = [rubbish]
        refused = station.visit(card)
        assert (refused.result, refused.code) == (VisitResult.REFUSED, "station.link-lost")
    lie.clear()
    assert station.visit(card).result is VisitResult.DONE


def test_a_station_whose_clock_is_wrong_is_not_answered(stations: Stations) -> None:
    station = stations.over_the_network("far", stations.enrol("far"))
    message: list[bytes] = []
    keep = stations.over_the_network("far2", stations.enrol("far2"), message.append)
    with pytest.raises((IssuerUnavailableError, TypeError)):
        keep.claim(Serial(bytes(10)))
    stations.clock.now = NOW + timedelta(minutes=11)
    with pytest.raises(IssuerRefusedError) as refused:
        stations.desk.answer(message[0])
    assert refused.value.code == "station.clock-wrong"
    assert station.claim(Serial(bytes(10))) is None


def test_a_station_whose_clock_is_behind_its_order_takes_none(
    workshop: Any, stations: Stations
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.receive(1)
    order, _ = stations.order("far", serials([workshop.blank(1)]))
    stations.clock.now = NOW - timedelta(minutes=11)
    with pytest.raises(IssuerRefusedError) as refused:
        bundles.take(order)
    assert refused.value.code == "station.clock-wrong"
    assert station.journal.in_hand() == ()
    stations.clock.now = NOW - timedelta(minutes=9)
    assert bundles.take(order).chips == 1
    # What the centre wrote is a witness of the time, whatever somebody reads off a watch.
    correction = ClockCorrection(journal=station.journal)
    assert correction.look().order_written_at == NOW
    stations.clock.now = NOW + timedelta(days=3650)
    station.journal.append(ProductionEventKind.NOTED, None, code="test.noted")
    stations.clock.now = NOW - timedelta(minutes=11)
    with pytest.raises(IssuerRefusedError) as refused:
        correction.correct(watch=stations.clock.now, reason="the battery was empty")
    assert refused.value.code == "station.clock-wrong"
    stations.clock.now = NOW + timedelta(minutes=1)
    correction.correct(watch=stations.clock.now, reason="the battery was empty")
    station.journal.time.require_sound()


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_messages_have_one_form(cut: int) -> None:
    report = StationReport(station=FAR, at=NOW).to_bytes()
    order = StationOrder(station=FAR, at=NOW).to_bytes()
    assert StationReport.from_bytes(report).to_bytes() == report
    assert StationOrder.from_bytes(order).to_bytes() == order
    for kind, content in ((StationReport, report), (StationOrder, order)):
        for damaged in (content[:cut], content + b" ", content.replace(b"1", b"2", 1), b"[]"):
            with pytest.raises(IssuerDataError):
                kind.from_bytes(damaged)


def test_a_station_of_this_process_and_one_elsewhere_have_different_names(
    stations: Stations, workshop: Any
) -> None:
    workshop.receive(1)
    stations.enrol("far")
    here = stations.here("far")
    with pytest.raises(IssuerRefusedError) as refused:
        here.claim(Serial((1).to_bytes(10, "big")))
    assert refused.value.code == "station.name-taken"


def test_days_that_were_closed_before_a_report_was_carried_are_all_told(
    workshop: Any, stations: Stations
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.receive(1, 2)
    for number in (1, 2):
        card = workshop.blank(number)
        bundles.take(stations.order("far", serials([card]))[0])
        assert station.visit(card).result is VisitResult.DONE
        station.close_day()
    for _ in range(2):
        stations.accept(bundles.report()[0])
    days = rows(workshop, StationDayRow)
    assert [day.sequence for day in days] == [4, 8]
    # What the centre has is told no more.
    bundles.take(stations.order("far", [])[0])
    station.close_day()
    stations.accept(bundles.report()[0])
    assert len(rows(workshop, StationDayRow)) == 3
