import io

from card_layout.atr import LifeCycle
from issuer.domain.chip import Serial
from issuer.services.station import StationEvent, StationEventKind
from issuer.services.visit_chip import VisitOutcome, VisitResult
from issuer.station_display import describe_outcome, plain_display, silent_display

DONE = VisitOutcome(result=VisitResult.DONE, serial=Serial(bytes(10)))
HELD = VisitOutcome(
    result=VisitResult.HELD, serial=Serial(b"\x01" * 10), code="chip.held", message="look [at] it"
)
EVENTS = (
    StationEvent(reader="left [0]", kind=StationEventKind.WAITING),
    StationEvent(reader="left [0]", kind=StationEventKind.STAGE, text="personalise"),
    StationEvent(reader="left [0]", kind=StationEventKind.WARNING, text="2 of 10 tries used"),
    StationEvent(reader="left [0]", kind=StationEventKind.VISIT_ENDED, outcome=DONE),
    StationEvent(reader="left [0]", kind=StationEventKind.VISIT_ENDED, outcome=HELD),
    StationEvent(reader="left [0]", kind=StationEventKind.SAME_CHIP, text="the same chip again"),
    StationEvent(reader="left [0]", kind=StationEventKind.STOPPED),
)


def test_elsewhere_than_on_a_terminal_there_is_a_line_for_every_chip_and_every_warning() -> None:
    out = io.StringIO()
    with plain_display(out) as show:
        for event in EVENTS:
            show(event)
    assert out.getvalue().splitlines() == [
        "left [0]: 2 of 10 tries used",
        "left [0]: 00000000000000000000 done",
        "left [0]: 01010101010101010101 held: look [at] it [chip.held]",
        "left [0]: the same chip again",
    ]


def test_a_line_tells_a_finished_card_from_an_initialised_chip() -> None:
    said = [
        describe_outcome(
            VisitOutcome(result=VisitResult.DONE, serial=Serial(bytes(10)), reached=reached)
        )
        for reached in (LifeCycle.OPERATIONAL, LifeCycle.INITIALISED)
    ]
    assert said == [f"{'0' * 20} done: a finished card", f"{'0' * 20} done: initialised"]


def test_for_programs_nothing_is_shown() -> None:
    with silent_display() as show:
        for event in EVENTS:
            show(event)
