"""A ceremony's transcript: hash-chained lines, on disk before each act, and what a witness can replay of them.

``ceremony.opened``     who, what for, with which program
``ceremony.resumed``    the work broke off; steps whose result was only in memory are done again
``step.begun``          the next step of the script
``step.refused``        something typed was refused; its code, never its text
``step.done``           what the step found, showed or made
``ceremony.closed``     nothing follows but the signature; this line's hash is the digest that witnesses write down
``ceremony.abandoned``  nothing follows: it was given up before its end, and why
``transcript.signed``   the journal signer's certificate and its signature over that digest
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from pki.ceremony.script import CeremonyKind, ScriptStep, script_of
from pki.ceremony.shares import Quorum, check_quorum
from pki.errors import PkiError, RecordError
from pki.record.journal import Fields, Journal, JournalEntry, JournalHead, Record, verify_journal

__all__ = [
    "ABANDONED",
    "CLOSED",
    "DONE",
    "OPENED",
    "SIGNED",
    "Opening",
    "Progress",
    "Transcript",
    "damaged",
    "read_transcript",
]

OPENED: Final = "ceremony.opened"
RESUMED: Final = "ceremony.resumed"
BEGUN: Final = "step.begun"
REFUSED: Final = "step.refused"
DONE: Final = "step.done"
CLOSED: Final = "ceremony.closed"
SIGNED: Final = "transcript.signed"
ABANDONED: Final = "ceremony.abandoned"

_FORMAT: Final = 1
_MAX_PEOPLE: Final = 32
_MAX_NAME_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What is settled before the first step.

    ``custodians`` are those who get sheets in this ceremony, none in one that only uses the root; ``wish`` holds what
    is to be made, as the ceremony's kind needs it.
    """

    ceremony: str
    kind: CeremonyKind
    is_rehearsal: bool
    administrator: str
    witnesses: tuple[str, ...]
    custodians: tuple[str, ...] = ()
    threshold: int = 0
    wish: dict[str, str] = field(default_factory=dict)

    def check(self) -> Self:
        """Itself, once its people can be a ceremony's.

        Raises:
            RecordError: ``ceremony.people-invalid``.
            PkiRefusedError: ``ceremony.quorum-invalid``.
        """
        people = (self.administrator, *self.witnesses, *self.custodians)
        for name in people:
            if not (
                2 <= len(name) <= _MAX_NAME_CHARACTERS
                and name.isprintable()
                and name == name.strip()
            ):
                raise RecordError(
                    f"a person's name has {len(name)} characters, expected 2 to {_MAX_NAME_CHARACTERS} printable ones",
                    code="ceremony.people-invalid",
                )
        if len({name.casefold() for name in people}) != len(people) or len(people) > _MAX_PEOPLE:
            raise RecordError(
                "the people of a ceremony are not all different",
                code="ceremony.people-invalid",
                hint="nobody is administrator, custodian and witness at once",
            )
        if not self.witnesses:
            raise RecordError("a ceremony has no witness", code="ceremony.people-invalid")
        if self.has_sheets:
            check_quorum(self.threshold, len(self.custodians))
        return self

    @property
    def has_sheets(self) -> bool:
        """Whether custodians get sheets in it."""
        return self.kind in {CeremonyKind.ROOT, CeremonyKind.RESHARE}

    @property
    def script(self) -> tuple[ScriptStep, ...]:
        """The steps."""
        return script_of(self.kind, custodians=self.custodians)

    def to_fields(self) -> Fields:
        """For the transcript's first line."""
        return {
            "format": _FORMAT,
            "ceremony": self.ceremony,
            "kind": self.kind.value,
            "rehearsal": int(self.is_rehearsal),
            "administrator": self.administrator,
            "witnesses": _list(self.witnesses),
            "custodians": _list(self.custodians),
            "threshold": self.threshold,
            "wish": json.dumps(self.wish, sort_keys=True, ensure_ascii=False),
        }

    @classmethod
    def from_entry(cls, entry: JournalEntry) -> Self:
        """From a transcript's first line.

        Raises:
            RecordError: ``ceremony.transcript-damaged``.
        """
        try:
            wish = json.loads(entry.text("wish"))
            if (
                entry.kind != OPENED
                or entry.number("format") != _FORMAT
                or not isinstance(wish, dict)
                or not all(isinstance(value, str) for value in wish.values())
            ):
                raise damaged("its first line opens no ceremony of format 1")
            return cls(
                ceremony=entry.text("ceremony"),
                kind=CeremonyKind(entry.text("kind")),
                is_rehearsal=bool(entry.number("rehearsal")),
                administrator=entry.text("administrator"),
                witnesses=_read_list(entry.text("witnesses")),
                custodians=_read_list(entry.text("custodians")),
                threshold=entry.number("threshold"),
                wish=wish,
            ).check()
        except (PkiError, ValueError, RecursionError) as error:
            raise damaged("its first line opens no ceremony of format 1") from error

    def quorum(self, identifier: int) -> Quorum:
        """The quorum that its sheets make."""
        return Quorum(
            ceremony=self.ceremony,
            identifier=identifier,
            threshold=self.threshold,
            custodians=self.custodians,
        )


class Progress:
    """How far a transcript is; ``apply`` refuses whatever the script does not allow next."""

    def __init__(self) -> None:
        self.opening: Opening | None = None
        self.results: dict[str, JournalEntry] = {}
        self.begun: ScriptStep | None = None
        self.void_sets: list[int] = []
        """Sets of sheets that were being handed out when the work broke off: to be torn up."""

        self.closed: JournalEntry | None = None
        self.signed: JournalEntry | None = None
        self.abandoned: JournalEntry | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be done."""
        return self.signed is not None or self.abandoned is not None

    @property
    def script(self) -> tuple[ScriptStep, ...]:
        """The steps of this ceremony."""
        return () if self.opening is None else self.opening.script

    @property
    def next_step(self) -> ScriptStep | None:
        """The first step that is not done; ``None`` at the end."""
        return next((step for step in self.script if step.identifier not in self.results), None)

    def apply(self, entry: JournalEntry) -> None:
        """Take one line in.

        Raises:
            RecordError: ``ceremony.transcript-damaged``, ``ceremony.out-of-order``.
        """
        if self.opening is None:
            self.opening = Opening.from_entry(entry)
            return
        if self.abandoned is not None:
            raise _out_of_order(entry, "nothing follows the end")
        if self.closed is not None:
            if entry.kind != SIGNED or self.signed is not None:
                raise _out_of_order(entry, "the signature alone follows the closing")
            self.signed = entry
            return
        apply = {
            RESUMED: self._resume,
            BEGUN: self._begin,
            REFUSED: self._refuse,
            DONE: self._finish,
            ABANDONED: self._abandon,
            CLOSED: self._close,
        }.get(entry.kind)
        if apply is None:
            raise _out_of_order(entry, "a transcript has no such line")
        apply(entry)

    def _resume(self, _: JournalEntry) -> None:
        self.begun = None
        for identifier in self._lost():
            lost = self.results.pop(identifier, None)
            if identifier == "shares" and lost is not None:
                self.void_sets.append(lost.number("identifier"))

    def _refuse(self, entry: JournalEntry) -> None:
        if self.begun is None:
            raise _out_of_order(entry, "no step has begun")

    def _finish(self, entry: JournalEntry) -> None:
        if self.begun is None or entry.text("step") != self.begun.identifier:
            raise _out_of_order(entry, "the step had not begun")
        self.results[self.begun.identifier] = entry
        self.begun = None

    def _abandon(self, entry: JournalEntry) -> None:
        self.abandoned = entry

    def _close(self, entry: JournalEntry) -> None:
        if self.next_step is not None or self.begun is not None:
            raise _out_of_order(entry, "a step is missing")
        self.closed = entry

    def _begin(self, entry: JournalEntry) -> None:
        step = self.next_step
        if self.begun is not None or step is None or entry.text("step") != step.identifier:
            expected = "the end" if step is None else step.identifier
            raise _out_of_order(entry, f"expected {expected}")
        number = [item.identifier for item in self.script].index(step.identifier) + 1
        if entry.number("number") != number:
            raise _out_of_order(entry, f"expected number {number}")
        self.begun = step

    def _lost(self) -> set[str]:
        """What was only in memory when the work broke off: a secret being handed out, an opened root."""
        identifiers = [step.identifier for step in self.script]
        sheets = {item for item in identifiers if item == "shares" or item.startswith("sheet-")}
        lost: set[str] = set()
        if not sheets <= self.results.keys():
            lost |= sheets
        if any(step.needs_root and step.identifier not in self.results for step in self.script):
            lost |= {"activation", "new-activation"}
        return lost


class Transcript:
    """A transcript that is being written."""

    def __init__(self, journal: Journal, progress: Progress, now: Callable[[], datetime]) -> None:
        self._journal = journal
        self._now = now
        self.progress = progress

    @classmethod
    def begin(cls, path: Path, opening: Opening, *, now: Callable[[], datetime]) -> Self:
        """A new one.

        Raises:
            RecordError: it cannot be written.
        """
        return cls._open(path, now=now, first=(OPENED, opening.to_fields()))

    @classmethod
    def resume(cls, path: Path, *, now: Callable[[], datetime]) -> Self:
        """One that broke off: what was only in memory will be done again.

        Raises:
            RecordError: ``ceremony.transcript-damaged``, ``ceremony.out-of-order``, ``record.damaged``.
        """
        return cls._open(path, now=now, first=(RESUMED, {}))

    @classmethod
    def _open(cls, path: Path, *, now: Callable[[], datetime], first: tuple[str, Fields]) -> Self:
        progress = Progress()
        transcript = cls(Journal.open(path, replay=progress.apply), progress, now)
        try:
            # Behind the closing nothing is resumed: only the signature is missing.
            if progress.closed is None and not progress.is_over:
                transcript.write(*first)
        except BaseException:
            transcript.close()
            raise
        return transcript

    @property
    def head(self) -> JournalHead:
        """How far it goes."""
        return self._journal.head

    def write(self, kind: str, fields: Fields) -> JournalEntry:
        """One line, on the disk when this returns.

        Raises:
            RecordError: it cannot be written, or does not belong here.
        """
        entry = self._journal.append(Record(kind=kind, time=self._now(), fields=fields))
        self.progress.apply(entry)
        return entry

    def begin_step(self, step: ScriptStep) -> None:
        """The next step begins."""
        number = [item.identifier for item in self.progress.script].index(step.identifier) + 1
        self.write(BEGUN, {"step": step.identifier, "number": number})

    def refuse(self, step: ScriptStep, code: str) -> None:
        """Something typed was refused."""
        self.write(REFUSED, {"step": step.identifier, "code": code})

    def finish_step(self, step: ScriptStep, results: Fields) -> None:
        """The step is done."""
        self.write(DONE, {**results, "step": step.identifier})

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()


def read_transcript(path: Path, *, allow_torn: bool = False) -> tuple[Progress, JournalHead]:
    """A transcript, every line checked against the one before and against the script.

    Raises:
        RecordError: ``ceremony.transcript-damaged``, ``ceremony.out-of-order``, ``record.damaged``.
    """
    progress = Progress()
    head = verify_journal(path, replay=progress.apply)
    if not allow_torn and (head.torn_bytes or progress.opening is None):
        raise damaged("its last line is torn, or it is empty")
    return progress, head


def damaged(reason: str) -> RecordError:
    """A transcript that is none."""
    return RecordError(f"the transcript is damaged: {reason}", code="ceremony.transcript-damaged")


def _out_of_order(entry: JournalEntry, reason: str) -> RecordError:
    return RecordError(
        f"line {entry.sequence} of the transcript ({entry.kind[:40]}) is out of order: {reason}",
        code="ceremony.out-of-order",
    )


def _list(names: Sequence[str]) -> str:
    return "\n".join(names)


def _read_list(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()
