"""The workers of a station over readers whose chips come, stay and go."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from card_layout.errors import NoCardError, TransportError
from issuer.domain.chip import Serial
from issuer.errors import IssuerUnavailableError
from issuer.services.station import (
    MAX_REJECTS_IN_A_ROW,
    Station,
    StationEvent,
    StationEventKind,
    StationReport,
    StationTiming,
)
from issuer.services.visit_chip import StationTask, VisitResult
from simulators.blank import blank_image
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader

FAST = StationTiming(poll=0.001, retry=0.01, patience=0.3)


class Hopper:
    """A reader that gives the next chip once the last was powered off after at least one command."""

    def __init__(self, name: str, cards: Sequence[VirtualCard], *, shows_gaps: bool = True) -> None:
        self._name = name
        self._cards = list(cards)
        self._shows_gaps = shows_gaps
        self._is_gap = False
        self._reader: SimulatedReader | None = None
        self.connects = 0

    @property
    def name(self) -> str:
        return self._name

    def is_card_present(self) -> bool:
        if self._reader is not None and self._reader.next_command_number > 1:
            self._reader = None
            self._cards.pop(0)
            self._is_gap = self._shows_gaps
        if self._is_gap:
            self._is_gap = False
            return False
        return bool(self._cards)

    def connect(self) -> Any:
        if not self._cards:
            raise NoCardError("the hopper is empty")
        self.connects += 1
        self._reader = SimulatedReader(self._cards[0], sleep=lambda _seconds: None)
        return self._reader.connect()


class StuckReader(Hopper):
    """A reader in which one chip stays, whatever happens."""

    def is_card_present(self) -> bool:
        return True


class LostReader(Hopper):
    """A reader whose cable was pulled."""

    def is_card_present(self) -> bool:
        raise TransportError("the reader is gone")


class MuteReader(Hopper):
    """A reader whose chip gives no ATR for the first times."""

    mute = 3

    def connect(self) -> Any:
        if self.mute:
            self.mute -= 1
            raise TransportError("the card is unpowered")
        return super().connect()


def work(
    workshop: Any,
    readers: Sequence[Any],
    *,
    task: StationTask = StationTask.INITIALISE,
    count: int | None = None,
    timing: StationTiming = FAST,
    ledger: Any = None,
) -> tuple[StationReport, list[StationEvent]]:
    events: list[StationEvent] = []
    station = Station(
        workshop.bench(task, ledger), readers, timing=timing, count=count, on_event=events.append
    )
    report = station.run()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("station")], (
        "a worker lives on"
    )
    return report, events


def kinds(events: list[StationEvent]) -> list[StationEventKind]:
    return [event.kind for event in events]


@pytest.mark.parametrize("shows_gaps", [True, False])
def test_two_readers_make_all_cards_and_stop(workshop: Any, *, shows_gaps: bool) -> None:
    workshop.add_members(6)
    workshop.receive(*range(1, 7))
    cards = [workshop.blank(number) for number in range(1, 7)]

    def readers() -> list[Hopper]:
        return [
            Hopper("left", cards[:3], shows_gaps=shows_gaps),
            Hopper("right", cards[3:], shows_gaps=shows_gaps),
        ]

    report, _ = work(workshop, readers(), count=6)
    assert report.done == 6
    workshop.bind_and_sign()
    report, events = work(workshop, readers(), task=StationTask.PERSONALISE, count=6)
    assert report.done == 6
    assert {card.state.value for card in workshop.cards.cards()} == {"issued"}
    assert len({card.member_id for card in workshop.cards.cards()}) == 6
    assert kinds(events).count(StationEventKind.VISIT_ENDED) == 6


def test_no_more_chips_are_begun_than_were_asked_for(workshop: Any) -> None:
    workshop.receive(*range(1, 7))
    cards = [workshop.blank(number) for number in range(1, 7)]
    report, _ = work(workshop, [Hopper("left", cards[:3]), Hopper("right", cards[3:])], count=4)
    assert report.done == 4
    assert [record.chip.state.value for record in workshop.stock.chips()].count("received") == 2


def test_an_unknown_chip_is_refused_and_the_worker_goes_on(workshop: Any) -> None:
    workshop.receive(1, 3)
    cards = [workshop.blank(number) for number in (1, 2, 3)]
    report, _ = work(workshop, [Hopper("left", cards)], count=2)
    assert report.done == 2
    assert [outcome.result for outcome in report.outcomes] == [
        VisitResult.DONE,
        VisitResult.REFUSED,
        VisitResult.DONE,
    ]


def test_a_finished_card_that_stays_is_not_taken_twice(workshop: Any) -> None:
    workshop.add_members(1)
    workshop.receive(1)
    card = workshop.blank(1)
    workshop.visit(card, StationTask.INITIALISE)
    workshop.bind_and_sign()
    report, events = work(workshop, [StuckReader("left", [card])], task=StationTask.PERSONALISE)
    assert (report.done, len(report.outcomes)) == (1, 1)
    assert kinds(events).count(StationEventKind.SAME_CHIP) == 1


def test_a_refused_chip_that_stays_is_reported_once(workshop: Any) -> None:
    report, events = work(workshop, [StuckReader("left", [workshop.blank(1)])])
    assert len(report.outcomes) == 1
    assert kinds(events).count(StationEventKind.SAME_CHIP) == 1


def test_a_reader_on_which_chip_after_chip_is_rejected_is_given_up(workshop: Any) -> None:
    workshop.receive(*range(1, 9))
    cards = [_with_other_keys(workshop, workshop.blank(number)) for number in range(1, 9)]
    report, events = work(workshop, [Hopper("left", cards)])
    assert report.readers_given_up == ("left",)
    assert len(report.outcomes) == MAX_REJECTS_IN_A_ROW
    assert StationEventKind.GAVE_UP in kinds(events)


class SlowHand(Hopper):
    """A reader out of which chips are taken late: each is looked at twice."""

    _taken = 0

    def is_card_present(self) -> bool:
        if self.connects == self._taken + 2:
            self._taken = self.connects
            self._cards.pop(0)
        return bool(self._cards)


def test_rejects_are_counted_although_each_chip_is_refused_while_it_is_still_in(
    workshop: Any,
) -> None:
    workshop.receive(*range(1, 9))
    for number in range(1, 9):
        workshop.stock.condemn(Serial(number.to_bytes(10, "big")), code="chip.scratched")
    cards = [workshop.blank(number) for number in range(1, 9)]
    report, _ = work(workshop, [SlowHand("left", cards)])
    assert report.readers_given_up == ("left",)
    results = [outcome.result for outcome in report.outcomes]
    assert results.count(VisitResult.CONDEMNED) == MAX_REJECTS_IN_A_ROW
    assert results.count(VisitResult.REFUSED) == MAX_REJECTS_IN_A_ROW - 1


def test_before_an_operator_a_reader_that_was_given_up_waits_for_their_word(workshop: Any) -> None:
    workshop.receive(*range(1, 5))
    cards = [_with_other_keys(workshop, workshop.blank(number)) for number in (1, 2, 3)]
    events: list[StationEvent] = []

    def on_event(event: StationEvent) -> None:
        events.append(event)
        if event.kind is StationEventKind.GAVE_UP:
            waits.set()

    waits = threading.Event()
    station = Station(
        workshop.bench(StationTask.INITIALISE),
        [Hopper("left", [*cards, workshop.blank(4)])],
        timing=FAST,
        count=1,
        on_event=on_event,
        is_attended=True,
    )
    assert not station.go_on("left")
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(station.run)
        assert waits.wait(30)
        assert station.is_given_up("left")
        assert station.go_on("left")
        report = running.result(30)
    assert report.done == 1
    assert report.readers_given_up == ("left",)
    assert StationEventKind.GOES_ON in kinds(events)


def test_a_station_is_quiet_only_when_it_is_suspended_and_nothing_is_in_hand(workshop: Any) -> None:
    workshop.receive(1)
    seen: list[bool] = []
    station = Station(
        workshop.bench(StationTask.INITIALISE),
        [Hopper("left", [workshop.blank(1)])],
        timing=FAST,
        count=1,
        on_event=lambda event: _suspend_at_the_first_stage(station, event, seen),
    )
    assert not station.is_quiet
    assert station.run().done == 1
    assert seen == [False]
    assert station.is_quiet
    assert not station.take_ticket()


def _suspend_at_the_first_stage(station: Station, event: StationEvent, seen: list[bool]) -> None:
    if event.kind is StationEventKind.STAGE and not seen:
        station.suspend()
        seen.append(station.is_quiet)


def test_a_lost_reader_does_not_stop_the_other(workshop: Any) -> None:
    workshop.receive(1, 2)
    cards = [workshop.blank(number) for number in (1, 2)]
    report, events = work(workshop, [LostReader("left", []), Hopper("right", cards)], count=2)
    assert report.done == 2
    assert kinds(events).count(StationEventKind.READER_LOST) == 1


def test_a_chip_that_is_just_being_put_in_is_waited_for(workshop: Any) -> None:
    workshop.receive(1)
    slow = StationTiming(poll=0.001, retry=30, patience=60)
    report, events = work(workshop, [MuteReader("left", [workshop.blank(1)])], count=1, timing=slow)
    assert report.done == 1
    assert StationEventKind.MUTE_CHIP not in kinds(events)


def test_a_chip_that_stays_mute_is_reported_once(workshop: Any) -> None:
    reader = MuteReader("left", [workshop.blank(1)])
    reader.mute = 10**9
    report, events = work(workshop, [reader])
    assert report.outcomes == ()
    assert kinds(events).count(StationEventKind.MUTE_CHIP) == 1


def test_patience_ends_a_station_without_chips(workshop: Any) -> None:
    report, events = work(workshop, [Hopper("left", [])])
    assert report.done == 0
    assert kinds(events) == [StationEventKind.WAITING, StationEventKind.STOPPED]


def test_a_ledger_that_is_gone_stops_every_worker_before_the_next_command(workshop: Any) -> None:
    workshop.receive(1, 2)
    cards = [workshop.blank(number) for number in (1, 2)]

    class GoneLedger:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            if name != "begin_initialisation":
                return getattr(workshop.station, name)  # type: ignore[no-any-return]

            def fail(*_arguments: Any) -> None:
                raise IssuerUnavailableError("the database does not answer")

            return fail

    with pytest.raises(IssuerUnavailableError):
        work(workshop, [Hopper("left", cards[:1]), Hopper("right", cards[1:])], ledger=GoneLedger())
    assert all(card.image.keys.personalisation.key_version == 0xFF for card in cards)


def _with_other_keys(workshop: Any, card: VirtualCard) -> VirtualCard:
    return VirtualCard(
        blank_image(workshop.profile, serial=card.image.serial, transport_master_key=bytes(32))
    )
