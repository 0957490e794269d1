"""Evidence as it comes in: every step of a reading leaves some here, so that the reading may break off anywhere."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from card_layout.errors import AccessError, CardDataError, CardRefusedError
from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.security_infos import ChipAuthenticationPublicKeyInfo, PaceInfo
from card_layout.iso7816.channel import CardChannel, ReadingLimitError
from verifier.inspection.snapshot import (
    AccessEvidence,
    AccessOutcome,
    AccessPath,
    ActiveAuthenticationEvidence,
    CardSnapshot,
    ChipEvidence,
    ChipOutcome,
    FileEvidence,
    FileOutcome,
    Phase,
    ReadingProblem,
)
from verifier.inspection.terminal_evidence import TerminalEvidence
from verifier.reading.conversation import Conversation

__all__ = ["Evidence"]

_MACHINE_READABLE_ZONE = "EF.DG1"


class Evidence:
    """A snapshot in the making; ``monotonic`` counts seconds, ``conversation`` carries the protocols out.

    The reading notes in its own thread. Whoever stops waiting for it seals the evidence, and then it takes nothing
    more: every note is taken whole before the seal or not at all.
    """

    def __init__(
        self, monotonic: Callable[[], float], conversation: Conversation | None = None
    ) -> None:
        self._monotonic = monotonic
        self.conversation = Conversation() if conversation is None else conversation
        self._lock = threading.Lock()
        self._is_sealed = False
        self._phase = Phase.CONNECT
        self._phase_begin = monotonic()
        self._phase_seconds: dict[Phase, float] = {}
        self._files: dict[str, FileEvidence] = {}
        self._access = AccessEvidence()
        self._chip = ChipEvidence()
        self._active_authentication: ActiveAuthenticationEvidence | None = None
        self._terminal: TerminalEvidence | None = None
        self._fallbacks: tuple[str, ...] = ()
        self._has_refused_key = False
        self._is_complete = False
        self._problem: ReadingProblem | None = None
        self._atr: bytes | None = None
        self._channel: CardChannel | None = None
        self._sealed_apdu_count = 0

    def begin(self, channel: CardChannel) -> None:
        """The card answered to reset; from now on its commands are counted."""
        with self._lock:
            if not self._is_sealed:
                self._atr = channel.atr
                self._channel = channel

    def seal(self, code: str) -> None:
        """Take nothing more; a reading that is neither complete nor broken off by itself ends here, with ``code``."""
        with self._lock:
            if self._is_sealed:
                return
            self._is_sealed = True
            self.conversation.cut()
            self._sealed_apdu_count = 0 if self._channel is None else self._channel.apdu_count
            if not self._is_complete and self._problem is None:
                self._problem = ReadingProblem(phase=self._phase, code=code)
                self._phase_seconds.setdefault(self._phase, self._seconds_of_phase())

    def snapshot(self, *, profile: str, read_at: datetime) -> CardSnapshot:
        """What there is so far."""
        return CardSnapshot(
            profile=profile,
            read_at=read_at,
            atr=self._atr,
            files=self._files,
            access=self._access,
            chip=self._chip,
            active_authentication=self._active_authentication,
            terminal=self._terminal,
            fallbacks=self._fallbacks,
            is_complete=self._is_complete,
            problem=self._problem,
            apdu_count=self._apdu_count,
            phase_seconds=self._phase_seconds,
        )

    @property
    def _apdu_count(self) -> int:
        if self._is_sealed:
            return self._sealed_apdu_count
        return 0 if self._channel is None else self._channel.apdu_count

    def _seconds_of_phase(self) -> float:
        # A clock that is set back must not make a snapshot that cannot be stored.
        return max(0.0, self._monotonic() - self._phase_begin)

    @property
    def atr(self) -> bytes | None:
        """The answer to reset, ``None`` before there was one."""
        return self._atr

    def outcome(self, name: str) -> FileOutcome | None:
        """What came of asking for a file, ``None`` where it was not asked for."""
        evidence = self._files.get(name)
        return None if evidence is None else evidence.outcome

    def content(self, name: str) -> bytes | None:
        """The bytes of a file, ``None`` where it was not read."""
        evidence = self._files.get(name)
        return None if evidence is None else evidence.content

    def of_file(self, name: str, read: Callable[[], bytes | None]) -> bytes | None:
        """Read one file and note what came of it; ``read`` gives ``None`` where there is no such file.

        Raises:
            TransportError: the exchange broke off.
            AccessError: the session is over.
            ReadingLimitError: a bound was reached.
        """
        try:
            with self.conversation.file(name):
                content = read()
        except CardRefusedError as error:
            self.note_file(name, FileOutcome.REFUSED, code=error.code)
            return None
        except (AccessError, ReadingLimitError):
            raise
        except CardDataError as error:
            self.note_file(name, FileOutcome.MALFORMED, code=error.code)
            return None
        if content is None:
            self.note_file(name, FileOutcome.ABSENT)
        else:
            self.note_file(name, FileOutcome.READ, content=content)
        return content

    def note_file(
        self,
        name: str,
        outcome: FileOutcome,
        *,
        content: bytes | None = None,
        code: str | None = None,
    ) -> None:
        """Keep what came of asking for a file."""
        evidence = FileEvidence(name=name, outcome=outcome, content=content, code=code)
        with self._lock:
            if not self._is_sealed:
                self._files[name] = evidence

    def note_access(
        self, path: AccessPath, outcome: AccessOutcome, pace_info: PaceInfo | None
    ) -> None:
        """Keep how far the way in led; basic access control has no PACEInfo."""
        encoded = None if pace_info is None else pace_info.to_bytes()
        self._keep_access(AccessEvidence(path=path, outcome=outcome, pace_info=encoded))

    @property
    def is_opened_by_bac(self) -> bool:
        """Whether basic access control opened the card: its session has 3DES and nothing better."""
        return self._access.path is AccessPath.BAC

    def forget_access(self) -> None:
        """Nothing was sent: no way in was tried."""
        self._keep_access(AccessEvidence())

    def _keep_access(self, evidence: AccessEvidence) -> None:
        with self._lock:
            if not self._is_sealed:
                self._access = evidence

    def compare_password(self, information: str) -> None:
        """Keep whether the MRZ that opened the chip is the one on it: evidence that needs no password kept."""
        content = self.content(_MACHINE_READABLE_ZONE)
        if content is None:
            return
        try:
            on_card = DataGroup1.from_bytes(content).mrz.information
        except CardDataError:
            # Check 9.14 says so; what cannot be decoded was not compared.
            return
        self._keep_access(replace(self._access, is_password_of_data=on_card == information))

    def note_chip(self, outcome: ChipOutcome, key: ChipAuthenticationPublicKeyInfo | None) -> None:
        """Keep how far chip authentication led, and with which key, where one is known."""
        self._has_refused_key |= outcome is ChipOutcome.REFUSED_BY_CHIP
        if outcome is ChipOutcome.PROVEN and self._has_refused_key:
            self.note_fallback("chip-authentication.fallback")
        if key is None:
            evidence = ChipEvidence(outcome=outcome)
        else:
            evidence = ChipEvidence(
                outcome=outcome,
                public_key=key.public_key.to_subject_public_key_info(explicit=False),
                key_id=key.key_id,
            )
        with self._lock:
            if not self._is_sealed:
                self._chip = evidence

    @property
    def chip_outcome(self) -> ChipOutcome:
        """How far chip authentication led so far."""
        return self._chip.outcome

    @property
    def terminal(self) -> TerminalEvidence | None:
        """What came of terminal authentication so far."""
        return self._terminal

    def note_terminal(self, terminal: TerminalEvidence) -> None:
        """Keep what the terminal showed to the chip, and what came of it."""
        with self._lock:
            if not self._is_sealed:
                self._terminal = terminal

    def note_fallback(self, code: str) -> None:
        """Keep that the chip refused something, which was then done in another way."""
        with self._lock:
            if not self._is_sealed:
                self._fallbacks = tuple(dict.fromkeys((*self._fallbacks, code)))

    def note_active_authentication(self, challenge: bytes, signature: bytes | None) -> None:
        """Keep what the chip was asked to sign, and what it answered."""
        evidence = ActiveAuthenticationEvidence(challenge=challenge, signature=signature)
        with self._lock:
            if not self._is_sealed:
                self._active_authentication = evidence

    def complete(self) -> None:
        """The reading came to its end."""
        with self._lock:
            if not self._is_sealed:
                self._is_complete = True

    def break_off(self, code: str) -> None:
        """Keep why the reading ended before its time."""
        with self._lock:
            if not self._is_sealed:
                self._is_complete = False
                self._problem = ReadingProblem(phase=self._phase, code=code)

    @contextmanager
    def timed(self, phase: Phase) -> Iterator[None]:
        """Measure one phase, and let a problem in it bear its name."""
        with self._lock:
            self._phase = phase
            self._phase_begin = self._monotonic()
        try:
            yield
        finally:
            with self._lock:
                if not self._is_sealed:
                    self._phase_seconds[phase] = self._seconds_of_phase()
