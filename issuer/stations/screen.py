"""The state of a station's screen: workers tell what happens, pages are woken, everything is in memory alone."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from issuer.domain.batch import BatchId
from issuer.domain.chip import Serial
from issuer.domain.production_events import ProductionEvent, ProductionEventKind
from issuer.services.production_ports import Clock
from issuer.services.station_events import StationEvent
from issuer.services.station_ports import DayRecord
from issuer.stations.controls import REJECTED
from issuer.stations.screen_state import (
    LAST_CHIPS,
    DayCounts,
    LastChip,
    LinkState,
    MadeKind,
    PanelKind,
    ReaderPanel,
    ScreenState,
    is_told_already,
    made_of,
    panel_after,
)

__all__ = ["StationScreen"]

_ISSUED_KEPT = 200
_MADE_OF_EVENT = {
    ProductionEventKind.ISSUED: MadeKind.CARD,
    ProductionEventKind.INITIALISED: MadeKind.BLANK,
    ProductionEventKind.CONDEMNED: MadeKind.CONDEMNED,
    ProductionEventKind.HELD: MadeKind.HELD,
}


class StationScreen:
    """Safe to use from any thread; each state replaces the one before, and is whole."""

    def __init__(
        self,
        readers: Iterable[str],
        *,
        clock: Clock,
        answers_at_once: bool,
        waiting: Callable[[], int],
        today: Iterable[ProductionEvent] = (),
    ) -> None:
        """Begin a screen.

        Args:
            readers: their names, in the order in which their panels stand.
            clock: tells the time.
            answers_at_once: whether there is a centre that can be asked.
            waiting: how many events the centre has not.
            today: what the journal holds of this day.
        """
        self._clock = clock
        self._waiting = waiting
        self._lock = threading.Lock()
        self._watchers: set[Callable[[], None]] = set()
        counts, last = _told_by_the_journal(today)
        self._state = ScreenState(
            panels=tuple(ReaderPanel(reader=name) for name in readers),
            link=LinkState(answers_at_once=answers_at_once, waiting=waiting()),
            counts=counts,
            last=last,
        )

    @property
    def state(self) -> ScreenState:
        """What is to be seen now."""
        return self._state

    def subscribe(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Have a page woken after each change, from any thread; give back what ends that."""
        with self._lock:
            self._watchers.add(watcher)

        def unsubscribe() -> None:
            with self._lock:
                self._watchers.discard(watcher)

        return unsubscribe

    def show(self, event: StationEvent) -> None:
        """Take one event of a worker."""
        now = self._clock()

        def change(state: ScreenState) -> ScreenState:
            before = next(panel for panel in state.panels if panel.reader == event.reader)
            after = panel_after(before, event)
            state = replace(
                state,
                panels=tuple(after if panel is before else panel for panel in state.panels),
            )
            if event.outcome is None or is_told_already(before, event.outcome):
                return state
            made = made_of(event.outcome)
            state = _with_chip(
                state,
                LastChip(
                    at=now,
                    serial=event.outcome.serial,
                    made=made,
                    card_number=after.card_number,
                    code=event.outcome.code,
                ),
            )
            return _counted(state, made, now)

        self._change(change)

    def note_hand_in(self, *, has_all: bool) -> None:
        """The centre was told what happened: whether it took everything."""
        now, waiting = self._clock(), self._waiting()

        def change(state: ScreenState) -> ScreenState:
            link = replace(state.link, waiting=waiting)
            if link.answers_at_once:
                link = replace(
                    link,
                    is_online=has_all,
                    handed_in_at=now if has_all else link.handed_in_at,
                )
            return replace(state, link=link)

        self._change(change)

    def note_batch(self, batch: BatchId | None) -> None:
        """Which batch is being made."""
        if batch is not None and batch != self._state.batch:
            self._change(lambda state: replace(state, batch=batch, batch_left=None))

    def note_answer(self, batch: BatchId | None, left: int | None) -> None:
        """The centre was there, and said how many cards of the batch are left."""
        waiting = self._waiting()

        def change(state: ScreenState) -> ScreenState:
            if state.link.answers_at_once:
                state = replace(state, link=replace(state.link, is_online=True, waiting=waiting))
            # What the centre was not told yet, it counts as left.
            is_known = state.batch_left is not None and waiting > 0
            if left is None or batch != state.batch or is_known:
                return state
            return replace(state, batch_left=left)

        self._change(change)

    def note_silence(self) -> None:
        """The centre does not answer."""
        self._change(
            lambda state: (
                replace(state, link=replace(state.link, is_online=False))
                if state.link.answers_at_once
                else state
            )
        )

    def note_suspended(self, *, is_suspended: bool) -> None:
        """Whether chips are begun."""
        self._change(lambda state: replace(state, is_suspended=is_suspended))

    def note_rejected(self, serial: Serial) -> None:
        """The operator gave a chip up."""
        now = self._clock()

        def change(state: ScreenState) -> ScreenState:
            number = next((each.card_number for each in state.last if each.serial == serial), None)
            line = LastChip(
                at=now, serial=serial, made=MadeKind.CONDEMNED, card_number=number, code=REJECTED
            )
            state = _counted(_with_chip(state, line), MadeKind.CONDEMNED, now)
            return replace(
                state,
                panels=tuple(
                    _rejected(panel) if panel.serial == serial else panel for panel in state.panels
                ),
            )

        self._change(change)

    def note_day_closed(self, record: DayRecord) -> None:
        """The day is closed: counting begins anew."""
        waiting = self._waiting()
        self._change(
            lambda state: replace(
                state,
                closed_day=record,
                counts=DayCounts(),
                last=(),
                issued_at=(),
                batch=None,
                batch_left=None,
                panels=tuple(
                    ReaderPanel(
                        reader=panel.reader,
                        endings=panel.endings,
                        is_given_up=panel.is_given_up,
                    )
                    for panel in state.panels
                ),
                link=replace(state.link, waiting=waiting),
            )
        )

    def end(self, *, fault: tuple[str, str] | None = None) -> None:
        """The station has ended; with code and words of why, where something was wrong."""
        self._change(lambda state: replace(state, has_ended=True, fault=fault))

    def _change(self, change: Callable[[ScreenState], ScreenState]) -> None:
        with self._lock:
            self._state = change(self._state)
            watchers = tuple(self._watchers)
        for wake in watchers:
            # A page that went away needs nobody to wake it.
            with suppress(RuntimeError):
                wake()


def _told_by_the_journal(
    events: Iterable[ProductionEvent],
) -> tuple[DayCounts, tuple[LastChip, ...]]:
    """What was made before the station was started anew; the journal knows chips and no card numbers."""
    counts, last = DayCounts(), []
    for event in events:
        made = _MADE_OF_EVENT.get(event.kind)
        if made is None:
            continue
        counts = _more(counts, made)
        code = event.code if made in (MadeKind.CONDEMNED, MadeKind.HELD) else None
        last.append(LastChip(at=event.at, serial=event.serial, made=made, code=code))
    return counts, tuple(reversed(last[-LAST_CHIPS:]))


def _with_chip(state: ScreenState, line: LastChip) -> ScreenState:
    """The newest first; a chip that comes again takes its line along."""
    others = tuple(each for each in state.last if each.serial is None or each.serial != line.serial)
    return replace(state, last=(line, *others)[:LAST_CHIPS])


def _counted(state: ScreenState, made: MadeKind, now: datetime) -> ScreenState:
    if made is MadeKind.CARD:
        left = state.batch_left
        state = replace(
            state,
            issued_at=(*state.issued_at, now)[-_ISSUED_KEPT:],
            batch_left=None if left is None else max(left - 1, 0),
        )
    return replace(state, counts=_more(state.counts, made), closed_day=None)


def _more(counts: DayCounts, made: MadeKind) -> DayCounts:
    return replace(
        counts,
        cards=counts.cards + (made is MadeKind.CARD),
        blanks=counts.blanks + (made is MadeKind.BLANK),
        rejected=counts.rejected + (made is MadeKind.CONDEMNED),
    )


def _rejected(panel: ReaderPanel) -> ReaderPanel:
    return replace(
        panel,
        kind=PanelKind.BAD,
        made=MadeKind.CONDEMNED,
        code=REJECTED,
        message="rejected by the operator",
        note=None,
        endings=panel.endings + 1,
    )
