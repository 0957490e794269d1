"""A terminal for tests: a reader that is plugged in and out, cards that are put in, a clock that is set, a journal in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from card_layout.errors import NoCardError, TransportError
from card_layout.profile import load_profile
from card_layout.transport.connection import CardConnection
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from verifier.errors import VerifierError
from verifier.inspection.explained_material import Material
from verifier.inspection.explanation import explain_inspection
from verifier.inspection.portrait_evidence import PortraitOutcome
from verifier.inspection.report import Verdict
from verifier.inspection.snapshot import CardSnapshot, Phase
from verifier.reading.card_reading import read_card
from verifier.reading.watched_conversation import WatchedConversation
from verifier.services.card_identity import card_identity
from verifier.services.card_password import CardPassword
from verifier.services.inspect_card import InspectionRules, inspect_card
from verifier.services.terminal import Terminal
from verifier.services.terminal_ports import (
    Examined,
    HolderRecord,
    InspectionRecord,
    ProgressListener,
)
from verifier.services.terminal_state import Progress, ReadingStep, TerminalState

PICTURE = b"\x89PNG\r\n\x1a\n-a-picture"


class ManualClock:
    """A clock that goes on only when it is told to."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self.seconds


class PluggableReader:
    """A reader that can be unplugged, also in the middle of a conversation with its card."""

    name = "pluggable"

    def __init__(self) -> None:
        self.is_plugged = True
        self.card: VirtualCard | None = None
        self.unplug_at: int | None = None
        """The number of the command over which the reader goes away; 0 is the connecting."""
        self.commands = 0

    def is_card_present(self) -> bool:
        if not self.is_plugged:
            raise TransportError("the reader is gone")
        return self.card is not None

    def connect(self) -> CardConnection:
        self.commands = 0
        self.count()
        if self.card is None:
            raise NoCardError("no card")
        return _Watched(self, SimulatedReader(self.card).connect())

    def count(self) -> None:
        if self.unplug_at is not None and self.commands == self.unplug_at:
            self.is_plugged = False
        self.commands += 1
        if not self.is_plugged:
            raise TransportError("the reader is gone")


class _Watched:
    def __init__(self, reader: PluggableReader, inner: CardConnection) -> None:
        self._reader = reader
        self._inner = inner

    @property
    def atr(self) -> bytes:
        return self._inner.atr

    def transmit(self, command: bytes) -> bytes:
        self._reader.count()
        return self._inner.transmit(command)

    def reset(self) -> bytes:
        return self._inner.reset()

    def close(self) -> None:
        self._inner.close()


@dataclass
class MemoryJournal:
    """Keeps records in memory, or refuses them."""

    records: list[InspectionRecord | HolderRecord] = field(default_factory=list)
    refuses_with: VerifierError | None = None

    def record(self, record: InspectionRecord | HolderRecord) -> int:
        if self.refuses_with is not None:
            raise self.refuses_with
        self.records.append(record)
        return len(self.records)


class Desk:
    """A terminal over a pluggable reader; ``look`` is one look of the thread that owns the reader."""

    def __init__(self, rules: InspectionRules, *, now: datetime) -> None:
        self.rules = rules
        self.clock = ManualClock(now)
        self.reader = PluggableReader()
        self.journal = MemoryJournal()
        self.snapshots: list[CardSnapshot] = []
        self.seen: list[TerminalState] = []
        self.examine: Callable[[CardPassword, ProgressListener], Examined] = self.examine_card
        self.terminal = Terminal(
            reader=self.reader,
            examine=self._examine,
            journal=self.journal,
            clock=self.clock,
        )
        # Waiting is for real terminals: here the next look comes when the test wants it.
        self.terminal._wait = lambda _seconds: None  # type: ignore[method-assign]

    def _examine(self, password: CardPassword, tell: ProgressListener) -> Examined:
        # Looked up at every card, so that a test can put another one there.
        return self.examine(password, tell)

    def look(self) -> TerminalState:
        self.terminal.look()
        return self.terminal.state

    def insert(self, card: VirtualCard) -> TerminalState:
        self.reader.card = card
        return self.look()

    def remove(self) -> TerminalState:
        self.reader.card = None
        return self.look()

    def give(self, can: str) -> TerminalState:
        self.terminal.give_password(CardPassword.from_can(can))
        return self.look()

    def examine_card(self, password: CardPassword, tell: ProgressListener) -> Examined:
        def tell_phase(phase: Phase, files: int) -> None:
            tell(Progress(step=ReadingStep(phase.value), files=files))

        def try_portrait(_image: bytes) -> PortraitOutcome:
            tell(Progress(step=ReadingStep.JUDGE))
            return PortraitOutcome.DECODED

        inspection = inspect_card(
            self.reader,
            password,
            read=lambda reader, opens: read_card(
                reader,
                password=opens,
                profile=load_profile("membercard-1-icao"),
                pace_parameter_ids=self.rules.policy.pace_parameter_ids,
                now=self.clock.now(),
                monotonic=self.clock.monotonic,
                conversation=WatchedConversation(tell_phase),
            ),
            try_portrait=try_portrait,
            rules=self.rules,
            clock=self.clock,
        )
        self.snapshots.append(inspection.snapshot)
        report = inspection.report
        material = Material(
            snapshot=inspection.snapshot,
            policy=self.rules.policy,
            trust=self.rules.anchors,
            now=report.judged_at,
        )
        return Examined(
            report=report,
            explanation=explain_inspection(material, report),
            purpose="inspection",
            card=card_identity(inspection.snapshot),
            portrait=PICTURE if report.verdict is Verdict.ACCEPTED else None,
        )
