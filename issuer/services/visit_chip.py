"""One visit of a chip to a station: find out what it is, decide, act, and end in a recorded state."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from card_layout.atr import LifeCycle
from card_layout.curves import CurveError
from card_layout.errors import CardError, CardRefusedError
from card_layout.profile import CardProfile
from card_layout.transport.connection import CardConnection
from issuer.domain.card import CardReference, CardState
from issuer.domain.card_job import CardJob
from issuer.domain.card_number import CardNumber
from issuer.domain.chip import Serial
from issuer.domain.chip_hold import require_not_held
from issuer.domain.chip_keys import ChipKeySet, WrongKeyTries
from issuer.domain.chip_plan import SetStatus
from issuer.domain.production_errors import CardRejectedError
from issuer.domain.station_decision import Action, ChipEvidence, Decision, decide
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.initialise_chip import initialise_chip
from issuer.services.lock_card import control_and_lock, find_locked_card
from issuer.services.personalise_card import personalise_card
from issuer.services.print_ports import PrintQueue
from issuer.services.production_ports import (
    ChipDialect,
    ChipKeys,
    ChipRecord,
    Clock,
    OpenedChip,
    QualityControl,
    StationLedger,
)
from issuer.services.visit_progress import (
    ProgressReport,
    VisitProgress,
    VisitStage,
    card_number_of,
)

__all__ = ["PRINTED", "StationTask", "Visit", "VisitOutcome", "VisitResult", "Workbench"]


PRINTED = "print.handed-over"
"""What the journal says of a card whose job the printer has."""


class StationTask(enum.StrEnum):
    """What a station was started for."""

    INITIALISE = "initialise"
    PERSONALISE = "personalise"
    RUN = "run"
    """Whatever the chip that is put in waits for."""


class VisitResult(enum.StrEnum):
    """How a visit ended."""

    DONE = "done"
    """The chip went as far as the task goes, and the record says so."""
    REFUSED = "refused"
    """Neither the chip nor its record was changed."""
    HELD = "held"
    """The chip contradicted us; no station touches it before a person has looked at it."""
    CONDEMNED = "condemned"
    """The chip will never be a card."""
    INTERRUPTED = "interrupted"
    """The exchange broke off; put the chip in again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitOutcome:
    """The end of a visit; ``code`` and ``message`` say what stood in the way.

    ``reached`` is the life cycle in which a chip that was done is left.
    """

    result: VisitResult
    serial: Serial | None = None
    code: str | None = None
    message: str | None = None
    reached: LifeCycle | None = None


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """Everything that a visit works with; shared by all readers of a station.

    ``trust_points`` are CVCA certificates by their reference, for cards that trust some; ``prints`` takes the job of
    each finished card.
    """

    task: StationTask
    profile: CardProfile
    ledger: StationLedger
    chip_keys: ChipKeys
    dialect: ChipDialect
    quality_control: QualityControl
    trust_points: Mapping[bytes, bytes] = field(default_factory=dict)
    clock: Clock = _now
    prints: PrintQueue | None = None


_INITIALISING = frozenset(
    {Action.INITIALISE, Action.RESUME_INITIALISE, Action.FINISH_INITIALISATION_RECORD}
)
_PERSONALISING = frozenset({Action.PERSONALISE, Action.QUALITY_CONTROL, Action.FINISH_RECORD})
_ACTIONS_OF_TASK = {
    StationTask.INITIALISE: _INITIALISING,
    StationTask.PERSONALISE: _PERSONALISING,
    StationTask.RUN: _INITIALISING | _PERSONALISING,
}
"""The actions that each task is for; refusing, condemning and terminating belong to both."""


class Visit:
    """One visit; ``run`` does everything."""

    def __init__(
        self,
        workbench: Workbench,
        connection: CardConnection,
        *,
        report: ProgressReport = lambda _progress: None,
        warn: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """``report`` is told how far the visit is, ``warn`` with what a person must see before the next."""
        self._bench = workbench
        self._ledger = workbench.ledger
        self._connection = connection
        self._on_progress = report
        self._warn = warn
        self._serial: Serial | None = None
        self._card_number: CardNumber | None = None
        self._looked_up: Serial | None = None
        self._admitted: ChipRecord | None = None

    def run(self) -> VisitOutcome:
        """Find out, decide, act.

        Whatever the chip or the reader does becomes an outcome. What is wrong with the ledger or the keystore
        is raised: a station that cannot record must not go on.

        Raises:
            IssuerUnavailableError, PkiError: the database or the keystore is gone.
        """
        try:
            return self._visit()
        except (CardError, IssuerRefusedError) as error:
            return self._end(error)

    def _report(self, stage: VisitStage, done: int = 0, steps: int = 0) -> None:
        self._on_progress(
            VisitProgress(
                stage=stage,
                serial=self._serial,
                card_number=self._card_number,
                done=done,
                steps=steps,
            )
        )

    def _end(self, error: CardError | IssuerRefusedError) -> VisitOutcome:
        """What a visit that could not go on means for the chip."""
        if isinstance(error, CardRejectedError) or error.code == "chip.key-not-unique":
            return self._condemn(error.code, str(error))
        if isinstance(error, IssuerRefusedError):
            return self._outcome(VisitResult.REFUSED, error)
        if isinstance(error, CardRefusedError) or error.code == "personalisation.card-cryptogram":
            # GlobalPlatform chips end for good after about ten wrong authentications, so a machine never
            # tries one again; and a chip that refuses a step of the plan is not what the ledger says it is.
            return self._hold(error)
        return self._outcome(VisitResult.INTERRUPTED, error)

    def _visit(self) -> VisitOutcome:
        sighting = self._bench.dialect.look(self._connection)
        life_cycle = sighting.life_cycle
        if life_cycle is None:
            raise IssuerRefusedError(
                "the chip shows no life-cycle status of ours", code="chip.unknown-kind"
            )
        if life_cycle is LifeCycle.TERMINATED:
            return self._act(decide(ChipEvidence(life_cycle=life_cycle), None, None), None, None)
        if life_cycle is LifeCycle.OPERATIONAL:
            self._serial = sighting.serial
            return self._visit_operational()
        self._report(VisitStage.IDENTIFY)
        opened = self._bench.dialect.open(
            self._connection, keys_for=self._keys_for, on_tries=self._show_tries
        )
        if opened.key_version is None:
            self._admit(opened.serial)
        record = self._admitted
        if record is None or record.chip.serial != opened.serial:
            record = self._record(opened.serial)
        evidence = ChipEvidence(
            life_cycle=life_cycle,
            key_version=opened.key_version,
            is_keyless=opened.key_version is None,
            reference=self._reference(opened, life_cycle),
        )
        decision = decide(evidence, record.chip, record.card)
        return self._act(decision, opened, record)

    def _visit_operational(self) -> VisitOutcome:
        if self._bench.task is StationTask.INITIALISE:
            raise IssuerRefusedError("the card is finished already", code="card.already-issued")
        self._report(VisitStage.PROVE_LOCK)
        card = find_locked_card(
            self._connection, quality_control=self._bench.quality_control, ledger=self._ledger
        )
        # A card that was held at its lock goes on once a person has released it, as any other chip.
        self._admit(card.serial)
        self._bench.dialect.prove_locked(self._connection)
        self._ledger.record_issued(card.reference)
        job = self._ledger.load_job(card.reference)
        self._card_number = card_number_of(job)
        self._report(VisitStage.PROVE_LOCK)
        self._print(job)
        return VisitOutcome(
            result=VisitResult.DONE, serial=card.serial, reached=LifeCycle.OPERATIONAL
        )

    def _show_tries(self, tries: WrongKeyTries) -> None:
        """Tell people before the attempt; the one that may end the chip is none for a machine."""
        if tries.used:
            self._warn(f"the chip was given wrong keys: {tries}")
        tries.require_more_than_one()

    def _keys_for(self, serial: Serial, key_version: int) -> ChipKeySet:
        self._admit(serial)
        return self._bench.chip_keys.key_set(serial, key_version)

    def _admit(self, serial: Serial) -> None:
        """Let only chips of the stock in that nobody holds."""
        self._serial = serial
        self._admitted = self._record(serial)
        require_not_held(self._admitted.chip.held, serial)

    def _record(self, serial: Serial) -> ChipRecord:
        self._looked_up = serial
        record = self._ledger.find(serial)
        if record is None:
            raise IssuerRefusedError(
                "the chip is not in the stock ledger", code="chip.not-in-stock"
            )
        return record

    @staticmethod
    def _reference(opened: OpenedChip, life_cycle: LifeCycle) -> CardReference | None:
        # A chip gets its reference and leaves "initialised" in one step (SPEC.md 8.3), so before that there
        # is nothing to ask for.
        if life_cycle in (LifeCycle.PERSONALISING, LifeCycle.PERSONALISED):
            return opened.card_reference()
        return None

    def _act(
        self, decision: Decision, opened: OpenedChip | None, record: ChipRecord | None
    ) -> VisitOutcome:
        if decision.action is Action.REFUSE or opened is None or record is None:
            raise IssuerRefusedError(decision.reason or "refused", code=decision.code)
        if decision.action is Action.CONDEMN:
            return self._condemn(
                decision.code or "card.rejected", decision.reason or "", opened=opened
            )
        if decision.action is Action.TERMINATE:
            self._terminate(opened)
            return VisitOutcome(
                result=VisitResult.CONDEMNED,
                serial=opened.serial,
                code=decision.code,
                message=decision.reason,
            )
        if decision.action not in _ACTIONS_OF_TASK[self._bench.task]:
            raise IssuerRefusedError(
                f"the chip waits to {decision.action.value}, this station is here to {self._bench.task}",
                code="station.other-task",
            )
        if decision.action in _INITIALISING:
            self._initialise(decision.action, opened)
            reached = LifeCycle.INITIALISED
        else:
            self._personalise(decision.action, opened, record)
            reached = LifeCycle.OPERATIONAL
        return VisitOutcome(result=VisitResult.DONE, serial=opened.serial, reached=reached)

    def _initialise(self, action: Action, opened: OpenedChip) -> None:
        if action is Action.FINISH_INITIALISATION_RECORD:
            self._ledger.finish_initialisation(opened.serial)
            return
        self._report(VisitStage.INITIALISE)
        try:
            initialise_chip(
                opened,
                profile=self._bench.profile,
                ledger=self._ledger,
                chip_keys=self._bench.chip_keys,
                on_step=lambda done, steps: self._report(VisitStage.INITIALISE, done, steps),
            )
        except CurveError as error:
            raise CardRejectedError(
                f"the chip's public key is not one: {error}", code="chip.key-invalid"
            ) from error

    def _personalise(self, action: Action, opened: OpenedChip, record: ChipRecord) -> None:
        card = record.card
        if card is None:
            raise IssuerRefusedError("no card is bound to the chip", code="chip.not-bound")
        job = self._ledger.load_job(card.reference)
        if job.profile != self._bench.profile.name:
            raise IssuerRefusedError(
                f"the card is for profile {job.profile}, the station works with {self._bench.profile.name}",
                code="station.other-profile",
            )
        self._card_number = card_number_of(job)
        if action is Action.PERSONALISE:
            self._report(VisitStage.PERSONALISE)
            personalise_card(
                opened,
                job,
                profile=self._bench.profile,
                ledger=self._ledger,
                trust_points=self._bench.trust_points,
                today=self._bench.clock().astimezone(UTC).date(),
                on_step=lambda done, steps: self._report(VisitStage.PERSONALISE, done, steps),
            )
        elif card.state in (CardState.SIGNED, CardState.PERSONALISING):
            # SET STATUS 15 was carried out, and its answer or our commit was lost.
            self._ledger.begin_personalisation(card.reference)
            self._ledger.record_personalised(card.reference)
        control_and_lock(
            self._connection,
            job,
            keys_for=self._keys_for,
            dialect=self._bench.dialect,
            quality_control=self._bench.quality_control,
            ledger=self._ledger,
            on_stage=self._report,
        )
        self._print(job)

    def _print(self, job: CardJob) -> None:
        """Hand the finished card to the printer; a printer that is away makes no card bad."""
        if self._bench.prints is None:
            return
        try:
            self._bench.prints.hand_over(job, copy=1)
        except IssuerUnavailableError as error:
            self._warn(f"{error}")
            self._ledger.note("print", serial=job.serial, code=error.code, detail=str(error))
        else:
            self._ledger.note("copy 1", serial=job.serial, code=PRINTED)

    def _condemn(
        self, code: str, message: str, *, opened: OpenedChip | None = None
    ) -> VisitOutcome:
        """Record first, then terminate the chip if it lets us: a torn termination is made up for later."""
        if self._serial is None:
            return VisitOutcome(result=VisitResult.REFUSED, code=code, message=message)
        self._ledger.condemn(self._serial, code=code, detail=message)
        outcome = VisitOutcome(
            result=VisitResult.CONDEMNED, serial=self._serial, code=code, message=message
        )
        try:
            if opened is None:
                self._connection.reset()
                opened = self._bench.dialect.open(
                    self._connection, keys_for=self._keys_of_condemned
                )
                self._require_same(opened.serial)
            self._terminate(opened)
        except (CardError, IssuerRefusedError) as error:
            self._note("termination-failed", error)
        return outcome

    def _keys_of_condemned(self, serial: Serial, key_version: int) -> ChipKeySet:
        self._require_same(serial)
        return self._bench.chip_keys.key_set(serial, key_version)

    def _require_same(self, serial: Serial) -> None:
        if serial != self._serial:
            raise IssuerRefusedError("another chip answers", code="chip.exchanged")

    def _terminate(self, opened: OpenedChip) -> None:
        opened.execute(SetStatus(life_cycle=LifeCycle.TERMINATED))
        self._ledger.record_terminated(opened.serial)

    def _hold(self, error: CardError) -> VisitOutcome:
        if self._serial is None or not self._is_ours(self._serial):
            return VisitOutcome(result=VisitResult.REFUSED, code=error.code, message=str(error))
        self._ledger.hold(self._serial, code=error.code, detail=str(error))
        return VisitOutcome(
            result=VisitResult.HELD, serial=self._serial, code=error.code, message=str(error)
        )

    def _outcome(self, result: VisitResult, error: CardError | IssuerRefusedError) -> VisitOutcome:
        self._note(f"visit-{result}", error)
        return VisitOutcome(result=result, serial=self._serial, code=error.code, message=str(error))

    def _note(self, kind: str, error: CardError | IssuerRefusedError) -> None:
        # Chips that are not ours leave no trace in our journal.
        if self._serial is not None and self._is_ours(self._serial):
            self._ledger.note(kind, serial=self._serial, code=error.code, detail=str(error))

    def _is_ours(self, serial: Serial) -> bool:
        if self._looked_up == serial:
            return self._admitted is not None and self._admitted.chip.serial == serial
        try:
            return self._ledger.find(serial) is not None
        except IssuerRefusedError:
            return False
