"""What a station's screen makes of events: how a chip ended stays to be read, and everything is counted once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from card_layout.atr import LifeCycle
from issuer.api.languages import Language, wording
from issuer.api.station_screen.view import ScreenView, bar_of, screen_view
from issuer.api.station_screen.words import CODES, MADE, words_of
from issuer.domain.batch import BatchId
from issuer.domain.card_number import CardNumber, CommitteeBlockScheme
from issuer.domain.chip import Serial
from issuer.services.station_events import StationEvent, StationEventKind
from issuer.services.visit_chip import VisitOutcome, VisitResult
from issuer.services.visit_progress import VisitProgress, VisitStage
from issuer.stations.screen import StationScreen
from issuer.stations.screen_state import (
    MadeKind,
    PanelKind,
    ReaderPanel,
    ScreenState,
    cards_an_hour,
    panel_after,
    time_left,
)

NOW = datetime(2026, 11, 22, 3, 0, 0, tzinfo=UTC)
FIRST, SECOND = (Serial(number.to_bytes(10, "big")) for number in (1, 2))
NUMBER = CardNumber("98000001")
BATCH = BatchId(UUID(int=7))


def at_stage(stage: VisitStage, serial: Serial | None = FIRST, **more: object) -> StationEvent:
    progress = VisitProgress(stage=stage, serial=serial, **more)  # type: ignore[arg-type]
    return StationEvent(reader="left", kind=StationEventKind.STAGE, progress=progress)


def ended(result: VisitResult, serial: Serial | None = FIRST, **more: object) -> StationEvent:
    outcome = VisitOutcome(result=result, serial=serial, **more)  # type: ignore[arg-type]
    return StationEvent(reader="left", kind=StationEventKind.VISIT_ENDED, outcome=outcome)


def told(kind: StationEventKind, text: str = "") -> StationEvent:
    return StationEvent(reader="left", kind=kind, text=text)


CARD_DONE = ended(VisitResult.DONE, reached=LifeCycle.OPERATIONAL)
CONDEMNED = ended(VisitResult.CONDEMNED, code="card.differs", message="a byte differs")
GONE = told(StationEventKind.CHIP_GONE)


def after(*events: StationEvent) -> ReaderPanel:
    panel = ReaderPanel(reader="left")
    for event in events:
        panel = panel_after(panel, event)
    return panel


def test_a_card_goes_from_empty_over_its_stages_to_green_and_stays_when_it_is_taken() -> None:
    begun = after(at_stage(VisitStage.IDENTIFY, None))
    assert (begun.kind, begun.serial) == (PanelKind.BUSY, None)
    panel = after(
        at_stage(VisitStage.IDENTIFY, None),
        at_stage(VisitStage.PERSONALISE, card_number=NUMBER, done=1, steps=2),
        CARD_DONE,
        told(StationEventKind.WAITING),
        GONE,
    )
    assert (panel.kind, panel.made, panel.card_number) == (PanelKind.GOOD, MadeKind.CARD, NUMBER)
    assert panel.is_chip_out
    assert panel.endings == 1


def test_the_cause_of_a_rejection_stays_although_the_chip_is_refused_because_it_is_still_in() -> (
    None
):
    first = after(at_stage(VisitStage.PERSONALISE, card_number=NUMBER), CONDEMNED)
    again = panel_after(
        panel_after(first, at_stage(VisitStage.IDENTIFY, None)),
        ended(VisitResult.REFUSED, None, code="chip.terminated", message="dead"),
    )
    assert again == first
    assert (again.code, again.card_number) == ("card.differs", NUMBER)
    # Once it is out, the same refusal is about a chip that was put in.
    told_anew = panel_after(
        panel_after(again, GONE), ended(VisitResult.REFUSED, None, code="chip.terminated")
    )
    assert (told_anew.code, told_anew.endings) == ("chip.terminated", 2)


def test_a_finished_card_that_is_left_in_after_its_refusal_stays_red() -> None:
    red = after(
        at_stage(VisitStage.PROVE_LOCK, None),
        ended(VisitResult.REFUSED, None, code="card.already-issued"),
    )
    assert (red.kind, red.code) == (PanelKind.BAD, "card.already-issued")
    # The station looks at it again and again, and tells of no second ending.
    assert panel_after(red, at_stage(VisitStage.PROVE_LOCK, None)) == red
    # One whose lock was not proven yet is recognised, and goes on.
    known = panel_after(red, at_stage(VisitStage.PROVE_LOCK, card_number=NUMBER))
    assert known.kind is PanelKind.BUSY


def test_a_chip_that_was_broken_off_turns_blue_only_when_it_goes_on() -> None:
    red = after(
        at_stage(VisitStage.PERSONALISE), ended(VisitResult.INTERRUPTED, code="transport.lost")
    )
    assert panel_after(red, at_stage(VisitStage.IDENTIFY)).kind is PanelKind.BAD
    assert panel_after(red, at_stage(VisitStage.PERSONALISE)).kind is PanelKind.BUSY


def test_another_chip_s_number_is_never_shown_for_a_chip() -> None:
    panel = after(
        at_stage(VisitStage.PERSONALISE, FIRST, card_number=NUMBER),
        ended(VisitResult.REFUSED, SECOND, code="chip.exchanged"),
    )
    assert (panel.serial, panel.card_number) == (SECOND, None)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (StationEventKind.READER_LOST, "reader.lost"),
        (StationEventKind.MUTE_CHIP, "reader.mute-chip"),
    ],
)
def test_what_passes_by_itself_clears_itself(kind: StationEventKind, code: str) -> None:
    red = after(told(kind, "the cable is out"))
    assert (red.kind, red.code, red.message) == (PanelKind.BAD, code, "the cable is out")
    assert panel_after(red, told(StationEventKind.WAITING)).kind is PanelKind.EMPTY


def test_a_reader_that_was_given_up_waits_for_the_operator() -> None:
    red = after(CONDEMNED, told(StationEventKind.GAVE_UP, "three in a row"))
    assert red.is_given_up
    assert panel_after(red, told(StationEventKind.WAITING)).is_given_up
    assert panel_after(red, told(StationEventKind.GOES_ON)).kind is PanelKind.EMPTY


def test_a_chip_that_leaves_before_anything_was_begun_leaves_nothing() -> None:
    assert after(at_stage(VisitStage.IDENTIFY, None), GONE) == ReaderPanel(reader="left")


def test_a_warning_stands_beside_the_green() -> None:
    panel = after(
        at_stage(VisitStage.PERSONALISE),
        told(StationEventKind.WARNING, "the print job cannot be handed over"),
        CARD_DONE,
    )
    assert (panel.kind, panel.note) == (PanelKind.GOOD, "the print job cannot be handed over")
    assert panel_after(panel, at_stage(VisitStage.PERSONALISE, SECOND)).note is None


def a_screen(**more: object) -> StationScreen:
    given: dict[str, object] = {
        "clock": lambda: NOW, "answers_at_once": True, "waiting": lambda: 2,
    }  # fmt: skip
    return StationScreen(("left",), **given | more)  # type: ignore[arg-type]


def test_cards_chips_and_rejects_are_counted_each_once() -> None:
    screen = a_screen()
    woken: list[None] = []
    screen.subscribe(lambda: woken.append(None))
    screen.note_batch(BATCH)
    screen.note_answer(BATCH, 2)
    events = (
        at_stage(VisitStage.PERSONALISE, card_number=NUMBER), CARD_DONE, GONE,
        ended(VisitResult.DONE, SECOND, reached=LifeCycle.INITIALISED), GONE, CONDEMNED,
        ended(VisitResult.REFUSED, None, code="chip.terminated"),
    )  # fmt: skip
    for event in events:
        screen.show(event)
    counts = screen.state.counts
    assert (counts.cards, counts.blanks, counts.rejected) == (1, 1, 1)
    assert screen.state.batch_left == 1
    assert [(each.made, each.serial) for each in screen.state.last] == [
        (MadeKind.CONDEMNED, FIRST), (MadeKind.BLANK, SECOND),
    ]  # fmt: skip
    assert len(woken) == len(events) + 2


def test_a_page_that_ended_wakes_nobody_and_hurts_nobody() -> None:
    screen = a_screen()

    def gone() -> None:
        raise RuntimeError("the loop is closed")

    unsubscribe = screen.subscribe(gone)
    screen.show(CARD_DONE)
    unsubscribe()
    assert screen.state.counts.cards == 1


def test_the_link_is_online_offline_or_by_files() -> None:
    screen = a_screen()
    assert screen.state.link.is_online is None
    screen.note_hand_in(has_all=True)
    assert (screen.state.link.is_online, screen.state.link.handed_in_at) == (True, NOW)
    screen.note_hand_in(has_all=False)
    assert (screen.state.link.is_online, screen.state.link.handed_in_at) == (False, NOW)
    carried = a_screen(answers_at_once=False)
    carried.note_hand_in(has_all=False)
    assert (carried.state.link.is_online, carried.state.link.waiting) == (None, 2)


def test_the_rate_counts_pauses_and_forgets_what_is_long_ago() -> None:
    times = tuple(NOW - timedelta(minutes=minutes) for minutes in (300, 10, 8, 6, 4, 2))
    assert cards_an_hour(times, NOW) == pytest.approx(24)
    assert cards_an_hour(times, NOW + timedelta(minutes=5)) == pytest.approx(16)
    assert cards_an_hour(times[:3], NOW) is None
    assert time_left(12, 24) == timedelta(minutes=30)
    assert time_left(None, 24) is None
    assert time_left(5, None) is None


def view(state: ScreenState, language: Language = Language.VIETNAMESE) -> ScreenView:
    return screen_view(
        state, wording(language), now=NOW, display_number=CommitteeBlockScheme().display
    )


def shown(
    panel: ReaderPanel, change: Callable[[ScreenState], ScreenState] = lambda each: each
) -> ScreenView:
    return view(change(replace(a_screen().state, panels=(panel,))))


def test_red_says_a_sentence_what_to_do_and_the_code_in_both_languages() -> None:
    panel = after(ended(VisitResult.REFUSED, code="chip.not-in-stock", message="not there"))
    [vietnamese] = shown(panel).panels
    assert vietnamese.sentence == "Chip này không có trong kho."
    assert vietnamese.to_do == "Để riêng cho thủ kho."
    assert (vietnamese.code, vietnamese.said, vietnamese.sound) == (
        "chip.not-in-stock", "not there", "bad",
    )  # fmt: skip
    [english] = view(replace(a_screen().state, panels=(panel,)), Language.ENGLISH).panels
    assert english.sentence == "This chip is not in our stock."


def test_a_code_that_nobody_wrote_words_for_gets_those_of_its_end() -> None:
    for result, made in (
        (VisitResult.CONDEMNED, MadeKind.CONDEMNED),
        (VisitResult.HELD, MadeKind.HELD),
        (VisitResult.INTERRUPTED, MadeKind.INTERRUPTED),
        (VisitResult.REFUSED, MadeKind.REFUSED),
    ):
        [panel] = shown(after(ended(result, code="some.code"))).panels
        assert panel.sentence == wording(Language.VIETNAMESE).gettext(MADE[made][0])
        assert panel.to_do
    assert words_of("some.code", None)[0] not in {text for text, _ in CODES.values()}


def test_the_bar_never_goes_back() -> None:
    moments = [
        VisitProgress(stage=VisitStage.IDENTIFY),
        *(VisitProgress(stage=VisitStage.PERSONALISE, done=done, steps=20) for done in range(21)),
        VisitProgress(stage=VisitStage.QUALITY_CONTROL),
        VisitProgress(stage=VisitStage.LOCK),
        VisitProgress(stage=VisitStage.PROVE_LOCK),
    ]
    bars = [bar_of(each) for each in moments]
    assert all(first <= second for first, second in pairwise(bars))
    assert (bars[0], bars[-1]) == (0, 950)
    blank = VisitProgress(stage=VisitStage.INITIALISE, done=16, steps=16)
    assert bar_of(blank) == 1000


def test_a_chip_that_comes_again_itself_is_not_told_to_make_room() -> None:
    broken_off = panel_after(after(ended(VisitResult.INTERRUPTED, code="transport.lost")), GONE)
    assert not shown(broken_off).panels[0].is_free
    assert shown(panel_after(after(CARD_DONE), GONE)).panels[0].is_free
    assert not shown(after(CARD_DONE)).panels[0].is_free


def test_what_is_left_of_the_batch_tells_when_it_is_done() -> None:
    times = tuple(NOW - timedelta(minutes=minutes) for minutes in (10, 8, 6, 4, 2))
    found = shown(
        ReaderPanel(reader="left"), lambda state: replace(state, issued_at=times, batch_left=60)
    )
    assert (found.rate, found.left) == ("24", "60")
    assert (found.time_left, found.done_at) == ("khoảng 2 giờ 30 phút", "12:30")
    assert shown(ReaderPanel(reader="left")).time_left == "–"
