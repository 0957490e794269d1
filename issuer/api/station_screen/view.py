"""From the state of a station's screen to what the template shows, in the language of whoever stands before it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from issuer.api.languages import Wording, message
from issuer.api.station_screen.words import BIG_WORDS, DONE, MADE_SHORT, STAGES, words_of
from issuer.domain.card_number import CardNumber
from issuer.domain.chip import Serial
from issuer.services.visit_progress import VisitProgress, VisitStage
from issuer.stations.screen_state import (
    LastChip,
    LinkState,
    MadeKind,
    PanelKind,
    ReaderPanel,
    ScreenState,
    cards_an_hour,
    time_left,
)

__all__ = ["ScreenView", "bar_of", "screen_view"]

_OF_CARD: Final = (
    VisitStage.IDENTIFY,
    VisitStage.PERSONALISE,
    VisitStage.QUALITY_CONTROL,
    VisitStage.LOCK,
    VisitStage.PROVE_LOCK,
)
_OF_BLANK: Final = (VisitStage.IDENTIFY, VisitStage.INITIALISE)
_BEGINS: Final = {
    VisitStage.IDENTIFY: 0,
    VisitStage.INITIALISE: 100,
    VisitStage.PERSONALISE: 50,
    VisitStage.QUALITY_CONTROL: 550,
    VisitStage.LOCK: 900,
    VisitStage.PROVE_LOCK: 950,
}
"""Where a stage begins on a bar of 1000."""

_ENDS: Final = {
    VisitStage.IDENTIFY: 50,
    VisitStage.INITIALISE: 1000,
    VisitStage.PERSONALISE: 550,
    VisitStage.QUALITY_CONTROL: 900,
    VisitStage.LOCK: 950,
    VisitStage.PROVE_LOCK: 1000,
}
_SHOWN_DIGITS: Final = 8
"""So many digits at the end of a serial tell the chips of one box apart."""

_RESTING: Final = message("Resting")
_HOUR: Final = timedelta(hours=1)
_GOOD: Final = frozenset({MadeKind.CARD, MadeKind.BLANK})
_OVER: Final = _GOOD | {MadeKind.CONDEMNED, MadeKind.HELD, MadeKind.REFUSED}
"""After these another chip may come; one whose exchange broke off comes again itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseView:
    """One phase of a visit: ``done``, ``now`` or ``later``."""

    label: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelView:
    """One reader; ``sound`` is heard when ``endings`` has grown."""

    number: int
    reader: str
    kind: str
    word: str
    serial: str
    serial_groups: str
    card_number: str = field(repr=False)
    sentence: str
    to_do: str
    code: str
    said: str
    note: str
    phases: tuple[PhaseView, ...]
    bar: int
    is_chip_out: bool
    is_free: bool
    is_given_up: bool
    is_rejected: bool
    sound: str
    endings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """One chip of the list."""

    at: str
    name: str = field(repr=False)
    made: str
    is_good: bool
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenView:
    """Everything that the template shows."""

    panels: tuple[PanelView, ...]
    cards: str
    rejected: str
    blanks: str
    left: str
    rate: str
    time_left: str
    done_at: str
    batch: str
    lines: tuple[LineView, ...]
    link: str
    link_kind: str
    clock: str
    is_suspended: bool
    day_closed: str
    has_ended: bool
    fault: tuple[str, str, str] | None


def screen_view(
    state: ScreenState,
    words: Wording,
    *,
    now: datetime,
    display_number: Callable[[CardNumber], str],
) -> ScreenView:
    """The screen of a state; ``display_number`` writes a card's number as it is printed."""
    an_hour = cards_an_hour(state.issued_at, now)
    rest = time_left(state.batch_left, an_hour)
    day = state.closed_day
    is_resting = state.is_suspended or state.has_ended
    return ScreenView(
        panels=tuple(
            _panel(number, panel, words, display_number, is_resting=is_resting)
            for number, panel in enumerate(state.panels, start=1)
        ),
        cards=words.number(state.counts.cards),
        rejected=words.number(state.counts.rejected),
        blanks=words.number(state.counts.blanks),
        left="–" if state.batch_left is None else words.number(state.batch_left),
        rate="–" if an_hour is None else words.number(round(an_hour)),
        time_left="–" if rest is None else _duration(rest, words),
        done_at="" if rest is None else words.clock(now + rest),
        batch="" if state.batch is None else str(state.batch)[:8],
        lines=tuple(_line(each, words, display_number) for each in state.last),
        link=_link(state.link, words),
        link_kind=_link_kind(state.link),
        clock=words.clock(now),
        is_suspended=state.is_suspended,
        day_closed=""
        if day is None
        else words.gettext(
            message(
                "The day is closed: %(cards)s cards, %(rejected)s rejected, the data of %(destroyed)s cards destroyed."
            )
        )
        % {
            "cards": words.number(day.issued),
            "rejected": words.number(day.condemned),
            "destroyed": words.number(len(day.destroyed)),
        },
        has_ended=state.has_ended,
        fault=_fault(state, words),
    )


def bar_of(progress: VisitProgress) -> int:
    """How far a visit is, in thousandths."""
    begins, ends = _BEGINS[progress.stage], _ENDS[progress.stage]
    if not progress.steps:
        return begins
    return begins + (ends - begins) * min(progress.done, progress.steps) // progress.steps


def _panel(
    number: int,
    panel: ReaderPanel,
    words: Wording,
    display_number: Callable[[CardNumber], str],
    *,
    is_resting: bool,
) -> PanelView:
    sentence, to_do = "", ""
    if panel.kind is PanelKind.GOOD and panel.made is not None:
        to_do = DONE[panel.made]
    elif panel.kind is PanelKind.BAD:
        sentence, to_do = words_of(panel.code, panel.made)
    serial = "" if panel.serial is None else panel.serial.hex().upper()
    return PanelView(
        number=number,
        reader=panel.reader,
        kind=panel.kind.value,
        word=words.gettext(
            _RESTING if is_resting and panel.kind is PanelKind.EMPTY else BIG_WORDS[panel.kind]
        ),
        serial=serial,
        serial_groups=_groups(serial),
        card_number="" if panel.card_number is None else display_number(panel.card_number),
        sentence=words.gettext(sentence) if sentence else "",
        to_do=words.gettext(to_do) if to_do else "",
        code=panel.code or "",
        said=panel.message or "",
        note=panel.note or "",
        phases=() if panel.progress is None else _phases(panel.progress.stage, words),
        bar=0 if panel.progress is None else bar_of(panel.progress),
        is_chip_out=panel.is_chip_out,
        is_free=panel.is_chip_out and not panel.is_given_up and panel.made in _OVER,
        is_given_up=panel.is_given_up,
        is_rejected=panel.made is MadeKind.CONDEMNED,
        sound={PanelKind.GOOD: "good", PanelKind.BAD: "bad"}.get(panel.kind, ""),
        endings=panel.endings,
    )


def _phases(now: VisitStage, words: Wording) -> tuple[PhaseView, ...]:
    stages = _OF_BLANK if now is VisitStage.INITIALISE else _OF_CARD
    at = stages.index(now)
    return tuple(
        PhaseView(
            label=words.gettext(STAGES[stage]),
            state="done" if place < at else "now" if place == at else "later",
        )
        for place, stage in enumerate(stages)
    )


def _line(each: LastChip, words: Wording, display_number: Callable[[CardNumber], str]) -> LineView:
    return LineView(
        at=words.clock(each.at),
        name=display_number(each.card_number)
        if each.card_number is not None
        else _name_of_chip(each.serial),
        made=words.gettext(MADE_SHORT[each.made]),
        is_good=each.made in _GOOD,
        code=each.code or "",
    )


def _name_of_chip(serial: Serial | None) -> str:
    return "–" if serial is None else f"…{_groups(serial.hex().upper()[-_SHOWN_DIGITS:])}"


def _groups(serial: str) -> str:
    return " ".join(serial[at : at + 4] for at in range(0, len(serial), 4))


def _link(link: LinkState, words: Wording) -> str:
    waiting = {"waiting": words.number(link.waiting)}
    if not link.answers_at_once:
        return (
            words.gettext(message("By files: %(waiting)s events wait for the next report"))
            % waiting
        )
    if link.is_online is False:
        return words.gettext(message("Offline: %(waiting)s events wait for the centre")) % waiting
    if link.is_online is None or link.waiting:
        return words.gettext(message("%(waiting)s events wait for the centre")) % waiting
    if link.handed_in_at is None:
        return words.gettext(message("Online, everything handed in"))
    return words.gettext(message("Online, everything handed in at %(time)s")) % {
        "time": words.clock(link.handed_in_at)
    }


def _link_kind(link: LinkState) -> str:
    if not link.answers_at_once:
        return "files"
    return {True: "online", False: "offline", None: "unknown"}[link.is_online]


def _duration(rest: timedelta, words: Wording) -> str:
    minutes = max(round(rest.total_seconds() / 60), 1)
    if rest < _HOUR:
        return words.gettext(message("about %(minutes)s min")) % {"minutes": minutes}
    return words.gettext(message("about %(hours)s h %(minutes)s min")) % {
        "hours": words.number(minutes // 60),
        "minutes": minutes % 60,
    }


def _fault(state: ScreenState, words: Wording) -> tuple[str, str, str] | None:
    if state.fault is None:
        return None
    code, said = state.fault
    _, to_do = words_of(code, None)
    return code, words.gettext(to_do), said
