"""The composition root: the one module that knows every adapter of the verifier."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from card_layout.profile import CardProfile, load_profile
from card_layout.transport.connection import CardReader
from card_layout.transport.readers import open_reader, wait_for_card, wait_for_removal
from verifier.inspection.report import inspect as judge
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.card_reading import read_card
from verifier.reading.conversation import Conversation
from verifier.reading.portrait_decoding import PortraitDecoder
from verifier.reading.recording import RecordedConversation
from verifier.reading.terminal_proof import TerminalAccess
from verifier.reading.transcript_file import ReadingSettings, Transcript
from verifier.services.card_password import CardPassword
from verifier.services.inspect_batch import CardChange
from verifier.services.inspect_card import (
    Inspection,
    InspectionRules,
    PortraitTrial,
    inspect_card,
    log_evidence_of,
)
from verifier.trust.clock_mark import ROLLED_BACK, GuardedClock
from verifier.trust.credentials import CredentialsSource, CurrentCredentials
from verifier.trust.directory import Trust, load_trust
from verifier.trust.proofs import proof_in_file, proofs_in

__all__ = [
    "DEFAULT_PROFILE",
    "SystemClock",
    "Verifier",
    "card_change",
    "judge_stored",
    "open_verifier",
]

DEFAULT_PROFILE: Final = "membercard-1"
_POLL_SECONDS: Final = 0.02
_LIVE: Final = Conversation()


class SystemClock:
    """The computer's clocks, and what guards the one that tells the time of day (verifier.trust.clock_mark)."""

    def __init__(self, guard: GuardedClock | None = None) -> None:
        self._guard = guard

    def now(self) -> datetime:
        """The time of day; where a guard knows a later one to be past, that one."""
        return datetime.now(UTC) if self._guard is None else self._guard.now()

    def known_past(self) -> datetime:
        """The latest time that is surely past: what is kept for so many days is let go of by it, and not by ``now``.

        Raises:
            TrustError: ``bundle.unwritable``, ``trust.malformed``.
        """
        return datetime.now(UTC) if self._guard is None else self._guard.known_past()

    def guard_by(self, guard: GuardedClock | None) -> None:
        """Another bundle was installed: it may know a later time."""
        self._guard = guard

    @property
    def notes(self) -> tuple[str, ...]:
        """What a report must say of the time of day."""
        is_rolled_back = self._guard is not None and self._guard.is_rolled_back
        return (ROLLED_BACK,) if is_rolled_back else ()

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A terminal ready to inspect: a reader, a profile, and what it trusts."""

    reader: CardReader
    profile: CardProfile
    rules: InspectionRules
    clock: SystemClock
    terminal: TerminalAccess
    decoder: PortraitDecoder
    credentials: CurrentCredentials | None = None
    """The terminal's own key and certificates, where it has any."""

    def inspect(
        self,
        reader: CardReader,
        password: CardPassword,
        *,
        conversation: Conversation = _LIVE,
        try_portrait: PortraitTrial | None = None,
    ) -> Inspection:
        """Read and judge the card in the reader; ``try_portrait`` stands in for the decoder's own trial."""
        self.decoder.prepare()
        return self._told(
            inspect_card(
                reader,
                password,
                read=lambda card, opens: self._read(card, opens, conversation=conversation),
                try_portrait=self.decoder.try_portrait if try_portrait is None else try_portrait,
                rules=self.rules,
                clock=self.clock,
            )
        )

    def renewed(self, trust_directory: Path) -> "Verifier":
        """The same terminal with what the trust directory holds now; the one before is not to be used any more.

        Raises:
            TrustError: the trust directory or its policy is broken, or does not know the purpose.
        """
        trust = load_trust(trust_directory)
        rules = _rules(
            trust,
            trust_directory,
            purpose=self.rules.purpose,
            at=self.rules.at,
            inclusion_proof=None,
        )
        needed = rules.policy.protected_files(rules.purpose)
        self.clock.guard_by(GuardedClock.open(trust_directory, trust, system=_utc_now))
        return replace(self, rules=rules, terminal=replace(self.terminal, needed=needed))

    def inspect_recorded(
        self, reader: CardReader, password: CardPassword
    ) -> tuple[Inspection, Transcript]:
        """The same, with a redacted transcript of what was said."""
        self.decoder.prepare()
        record = RecordedConversation(self.clock.monotonic)
        inspection = self._told(
            inspect_card(
                reader,
                password,
                read=lambda card, opens: self._read(card, opens, conversation=record),
                try_portrait=self.decoder.try_portrait,
                rules=self.rules,
                clock=self.clock,
            )
        )
        settings = ReadingSettings(
            profile=self.profile.name,
            read_at=inspection.snapshot.read_at,
            path=password.path,
            pace_parameter_ids=self.rules.policy.pace_parameter_ids,
            allow_bac=self.rules.policy.allow_bac,
            has_credentials=self.terminal.credentials is not None,
            needed=self.terminal.needed,
        )
        transcript = Transcript.of(
            record, inspection.snapshot, settings=settings, report=inspection.report
        )
        return inspection, transcript

    def _told(self, inspection: Inspection) -> Inspection:
        """The same with what there is to say of the clock, unless somebody named the time to judge at."""
        notes = () if self.rules.at is not None else self.clock.notes
        report = replace(inspection.report, notes=(*inspection.report.notes, *notes))
        return replace(inspection, report=report) if notes else inspection

    def _read(
        self,
        reader: CardReader,
        password: CardPassword,
        conversation: Conversation = _LIVE,
    ) -> CardSnapshot:
        return read_card(
            reader,
            password=password,
            profile=self.profile,
            pace_parameter_ids=self.rules.policy.pace_parameter_ids,
            allow_bac=self.rules.policy.allow_bac,
            now=self.clock.now(),
            monotonic=self.clock.monotonic,
            terminal=self.terminal,
            conversation=conversation,
        )


@contextmanager
def open_verifier(
    *,
    reader_name: str,
    trust_directory: Path,
    profile_name: str = DEFAULT_PROFILE,
    purpose: str | None = None,
    at: datetime | None = None,
    credentials: CredentialsSource | None = None,
    inclusion_proof: Path | None = None,
    find_reader: Callable[[str], CardReader] = open_reader,
) -> Iterator[Verifier]:
    """Load what is trusted and what the terminal can show, then find the reader; its key is closed at the end.

    ``inclusion_proof`` is brought for the card; without it, the trust directory's ``proofs/`` are looked through.
    ``find_reader`` finds the reader by its name.

    Raises:
        TrustError: the trust directory or its policy is broken, or does not know the purpose; the terminal's
            directory is broken.
        CardDataError: the profile cannot be read.
        TransportError: there is no such reader.
    """
    trust = load_trust(trust_directory)
    rules = _rules(trust, trust_directory, purpose=purpose, at=at, inclusion_proof=inclusion_proof)
    needed = rules.policy.protected_files(purpose)
    with ExitStack() as opened:
        shown = (
            None
            if credentials is None
            else opened.enter_context(closing(CurrentCredentials(credentials)))
        )
        decoder = opened.enter_context(closing(PortraitDecoder()))
        yield Verifier(
            profile=load_profile(profile_name),
            reader=find_reader(reader_name),
            rules=rules,
            clock=SystemClock(GuardedClock.open(trust_directory, trust, system=_utc_now)),
            terminal=TerminalAccess(credentials=shown, needed=needed),
            decoder=decoder,
            credentials=shown,
        )


def _rules(
    trust: Trust,
    trust_directory: Path,
    *,
    purpose: str | None,
    at: datetime | None,
    inclusion_proof: Path | None,
) -> InspectionRules:
    return InspectionRules(
        anchors=trust.anchors,
        policy=trust.policy,
        log_policy=trust.log_policy,
        proofs=(
            proofs_in(trust_directory / "proofs")
            if inclusion_proof is None
            else proof_in_file(inclusion_proof)
        ),
        purpose=purpose,
        at=at,
    )


def judge_stored(
    snapshot: CardSnapshot,
    *,
    trust_directory: Path,
    purpose: str | None = None,
    at: datetime | None = None,
) -> tuple[Inspection, InspectionRules]:
    """Judge the evidence of an earlier reading, as of when it was read unless another time is given.

    Raises:
        TrustError: the trust directory or its policy is broken, or does not know the purpose.
    """
    trust = load_trust(trust_directory)
    moment = snapshot.read_at if at is None else at
    rules = _rules(trust, trust_directory, purpose=purpose, at=moment, inclusion_proof=None)
    log_evidence = log_evidence_of(snapshot, rules)
    clock = SystemClock()
    begin = clock.monotonic()
    report = judge(
        snapshot,
        trust=trust.anchors,
        policy=trust.policy,
        now=moment,
        purpose=purpose,
        log_evidence=log_evidence,
    )
    seconds = max(0.0, clock.monotonic() - begin)
    return Inspection(snapshot=snapshot, report=report, judge_seconds=seconds), rules


def _utc_now() -> datetime:
    return datetime.now(UTC)


def card_change(wait_seconds: float) -> CardChange:
    """Waiting for people, or for a machine, to change the card."""
    return CardChange(
        wait_for_card=_waiting(wait_for_card, wait_seconds),
        wait_for_removal=_waiting(wait_for_removal, wait_seconds),
    )


def _waiting(wait: Callable[..., bool], seconds: float) -> Callable[[CardReader], bool]:
    return lambda reader: wait(reader, timeout_seconds=seconds, poll_seconds=_POLL_SECONDS)
