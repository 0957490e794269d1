"""A transcript as a file: how the terminal was set, line by line what happened, and what came of it.

It holds no password, no key and nobody's data (docs/decisions/0028), so it can be attached to a report of a fault;
whoever gets it plays it again without the card.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from card_layout.profile import CardProfile
from card_layout.protocols.pace import PacePassword
from card_layout.transport.connection import CardConnection
from verifier.errors import SnapshotError
from verifier.inspection.report import Report
from verifier.inspection.snapshot import AccessPath, CardSnapshot
from verifier.inspection.snapshot_values import (
    MAX_CODE_CHARACTERS,
    read_fields,
    read_member,
    read_number,
    read_text,
    read_truth,
)
from verifier.reading.card_reading import read_card
from verifier.reading.recording import RecordedConversation
from verifier.reading.replaying import ReplayedConversation
from verifier.reading.terminal_proof import TerminalAccess
from verifier.reading.transcript_events import Event, TranscriptError, read_line
from verifier.services.card_password import CardPassword

__all__ = ["MAX_TRANSCRIPT_CHARACTERS", "ReadingSettings", "Transcript", "outcome_of"]

MAX_TRANSCRIPT_CHARACTERS: Final = 32_000_000
_FORMAT: Final = 1
_TRANSCRIPT: Final = "transcript"
_OUTCOME: Final = "outcome"
_MAX_LINES: Final = 50_000
_MAX_PARAMETERS: Final = 32
_MAX_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSettings:
    """What decides how a card is read, beside its password: ``path`` says which one there was, not what it was."""

    profile: str
    read_at: datetime
    path: AccessPath
    pace_parameter_ids: frozenset[int]
    allow_bac: bool
    has_credentials: bool
    needed: frozenset[int] | None

    def to_document(self) -> dict[str, object]:
        """The first line."""
        return {
            "kind": _TRANSCRIPT,
            "format": _FORMAT,
            "profile": self.profile,
            "read_at": self.read_at.astimezone(UTC).isoformat(),
            "path": self.path.value,
            "pace_parameter_ids": sorted(self.pace_parameter_ids),
            "allow_bac": self.allow_bac,
            "has_credentials": self.has_credentials,
            "needed": None if self.needed is None else sorted(self.needed),
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Take the first line back.

        Raises:
            TranscriptError: it is another file, or of another version.
        """
        if document.get("kind") != _TRANSCRIPT or document.get("format") != _FORMAT:
            raise TranscriptError(f"the file is no transcript of format {_FORMAT}")
        fields = read_fields(
            document,
            "the first line",
            (
                "kind", "format", "profile", "read_at", "path", "pace_parameter_ids", "allow_bac",
                "has_credentials", "needed",
            ),
        )  # fmt: skip
        try:
            moment = datetime.fromisoformat(read_text(fields["read_at"], "read_at", 40))
            if moment.tzinfo is None:
                raise TranscriptError("read_at has no time zone")
            # The first and the last hours of the calendar are no time in UTC.
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise TranscriptError("read_at is not a time as ISO 8601 writes it") from error
        return cls(
            profile=read_text(fields["profile"], "profile", 256),
            read_at=moment,
            path=read_member(AccessPath, fields["path"], "the path"),
            pace_parameter_ids=_numbers(fields["pace_parameter_ids"], "pace_parameter_ids"),
            allow_bac=read_truth(fields["allow_bac"], "allow_bac"),
            has_credentials=read_truth(fields["has_credentials"], "has_credentials"),
            needed=None if fields["needed"] is None else _numbers(fields["needed"], "needed"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A recorded reading; ``outcome`` is what came of it, and ``judgement`` what was made of that, as codes only."""

    settings: ReadingSettings
    events: tuple[Event, ...]
    outcome: dict[str, Any]
    judgement: dict[str, Any] | None = None

    @classmethod
    def of(
        cls,
        record: RecordedConversation,
        snapshot: CardSnapshot,
        *,
        settings: ReadingSettings,
        report: Report | None = None,
    ) -> Self:
        """The transcript of a reading that is over."""
        return cls(
            settings=settings,
            events=record.events(snapshot),
            outcome=outcome_of(snapshot),
            judgement=None if report is None else _judgement(report),
        )

    def to_text(self) -> str:
        """JSON lines: the settings, the events, the outcome."""
        last = {"kind": _OUTCOME, "reading": self.outcome, "judgement": self.judgement}
        return "".join(
            f"{line}\n"
            for line in (
                json.dumps(self.settings.to_document()),
                *(event.to_line() for event in self.events),
                json.dumps(last, ensure_ascii=False),
            )
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Take a transcript back, exactly as its format says.

        Raises:
            TranscriptError: anything else.
        """
        if len(text) > MAX_TRANSCRIPT_CHARACTERS:
            raise TranscriptError(
                f"the transcript has {len(text)} characters, expected at most {MAX_TRANSCRIPT_CHARACTERS}"
            )
        lines = text.splitlines()
        if not 2 <= len(lines) <= _MAX_LINES:
            raise TranscriptError(
                f"the transcript has {len(lines)} lines, expected 2 to {_MAX_LINES}"
            )
        try:
            settings = ReadingSettings.from_document(read_line(lines[0]))
            last = read_fields(
                read_line(lines[-1]), "the last line", ("kind", "reading", "judgement")
            )
        except TranscriptError:
            raise
        except SnapshotError as error:
            raise TranscriptError(str(error)) from error
        judgement = last["judgement"]
        if judgement is not None:
            _check_judgement(judgement)
        if last["kind"] != _OUTCOME or not isinstance(last["reading"], dict):
            raise TranscriptError("the last line of the transcript is not its outcome")
        return cls(
            settings=settings,
            events=tuple(Event.from_line(line) for line in lines[1:-1]),
            outcome=last["reading"],
            judgement=judgement,
        )

    def replay(self, profile: CardProfile) -> CardSnapshot:
        """Read again, without the card; the snapshot has placeholders for contents.

        Raises:
            TranscriptError: the reading of today leaves the record (``transcript.diverged``), or ends otherwise.
        """
        conversation = ReplayedConversation(
            self.events, has_credentials=self.settings.has_credentials
        )
        snapshot = read_card(
            _NoReader(),
            password=_stand_in(self.settings.path),
            profile=profile,
            pace_parameter_ids=self.settings.pace_parameter_ids,
            now=self.settings.read_at,
            monotonic=conversation.monotonic,
            max_seconds=_MAX_SECONDS,
            allow_bac=self.settings.allow_bac,
            terminal=TerminalAccess(needed=self.settings.needed),
            conversation=conversation,
        )
        conversation.finish()
        again = json.loads(json.dumps(outcome_of(snapshot)))
        if again != self.outcome:
            names = sorted(
                name
                for name in again.keys() | self.outcome.keys()
                if again.get(name) != self.outcome.get(name)
            )
            raise TranscriptError(
                f"the reading ends otherwise than recorded in: {', '.join(names)[:100]}",
                code="transcript.diverged",
            )
        return snapshot


def outcome_of(snapshot: CardSnapshot) -> dict[str, Any]:
    """How far a reading came, in names and codes: no content, no key, no time."""
    terminal = snapshot.terminal
    return {
        "access": {"path": snapshot.access.path.value, "outcome": snapshot.access.outcome.value},
        "chip": snapshot.chip.outcome.value,
        "terminal": None if terminal is None else terminal.to_document(),
        "files": [
            {"name": item.name, "outcome": item.outcome.value, "code": item.code}
            | ({} if item.content is None else {"bytes": len(item.content)})
            for item in snapshot.files.values()
        ],
        "fallbacks": list(snapshot.fallbacks),
        "is_complete": snapshot.is_complete,
        "problem": None
        if snapshot.problem is None
        else {"phase": snapshot.problem.phase.value, "code": snapshot.problem.code},
        "apdus": snapshot.apdu_count,
    }


def _judgement(report: Report) -> dict[str, Any]:
    """Verdict and codes; sentences may hold dates and names, so they stay out."""
    return {
        "verdict": report.verdict.value,
        "assurance": report.assurance.value,
        "codes": list(report.codes),
        "notes": list(report.notes),
        "checks": [
            {
                "step": check.clause,
                "name": check.name.value,
                "state": check.state.value,
                "code": check.code,
            }
            for check in report.checks
        ],
    }


def _check_judgement(value: object) -> None:
    """Verdict and codes are shown as they stand, so they are checked for what they are."""
    try:
        found = read_fields(
            value, "the judgement", ("verdict", "assurance", "codes", "notes", "checks")
        )
        for name in ("verdict", "assurance"):
            read_text(found[name], name, MAX_CODE_CHARACTERS)
        for name in ("codes", "notes"):
            _check_codes(found[name], name)
    except SnapshotError as error:
        raise TranscriptError(str(error)) from error


def _check_codes(value: object, name: str) -> None:
    if not isinstance(value, list) or len(value) > _MAX_PARAMETERS:
        raise SnapshotError(f"{name} is not a list of at most {_MAX_PARAMETERS} codes")
    for code in value:
        read_text(code, "a code", MAX_CODE_CHARACTERS)


class _NoReader:
    """The place where no card is."""

    name = "transcript"

    def is_card_present(self) -> bool:
        """Never."""
        return False

    def connect(self) -> CardConnection:
        """Never used: a replay powers nothing."""
        raise TranscriptError("a replay asked for a reader")


def _stand_in(path: AccessPath) -> CardPassword:
    """A password that is none, for the way in that was taken."""
    digits = "0" * 6
    return CardPassword(
        path=path,
        secret=PacePassword.can(digits),
        information="" if path is AccessPath.PACE_MRZ else None,
    )


def _numbers(value: object, name: str) -> frozenset[int]:
    if not isinstance(value, list) or len(value) > _MAX_PARAMETERS:
        raise TranscriptError(f"{name} is not a list of at most {_MAX_PARAMETERS} numbers")
    return frozenset(read_number(item, name) for item in value)
