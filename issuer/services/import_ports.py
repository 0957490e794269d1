"""Port of imports: how far each has come, what became of its rows, and what waits for a person.

Of rows that are refused only the findings are kept, which hold no personal data. A questionable row is kept sealed
until a person has decided; then its content goes.
"""

import enum
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NewType, Protocol

from issuer.domain.list_row import Cell, Finding
from issuer.domain.member import MemberId, PortraitDigest
from issuer.domain.organisation import OrganisationCode
from issuer.domain.record_number import CitizenNumber
from issuer.domain.rights import AccountName
from issuer.services.import_outcome import ImportSummary, RowOutcome

__all__ = [
    "DoubtDecision",
    "DoubtPage",
    "DoubtState",
    "ImportChunk",
    "ImportLedger",
    "ImportNumber",
    "ImportRecord",
    "Likeness",
    "QuestionableContent",
    "QuestionableRow",
    "RowReference",
]

ImportNumber = NewType("ImportNumber", int)
"""Counts imports; says nothing about anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRecord:
    """One import.

    Attributes:
        number: its own.
        list_digest: SHA-256 over the file's digest and how it is read: the same list, read alike.
        account: who began it.
        started_at: when; the rules that ask for today's date ask for this day, however long it takes.
        finished_at: when its last row had ended; ``None`` before.
        row_count: how many rows the list has at most.
        last_row: the last row that has ended, by its number in the list; 0 before the first.
        summary: how many rows ended how.
        has_checked_faces: ``False`` where some portrait's faces were not counted.
    """

    number: ImportNumber
    list_digest: bytes
    account: AccountName
    started_at: datetime
    finished_at: datetime | None
    row_count: int
    last_row: int
    summary: ImportSummary
    has_checked_faces: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionableContent:
    """What a questionable row states, kept until it is decided.

    Attributes:
        cells: by our columns.
        portrait: the normalised picture.
        source: the digest of the picture as it was handed in.
    """

    cells: Mapping[str, Cell] = field(repr=False)
    portrait: bytes = field(repr=False)
    source: PortraitDigest


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """By what two records of one person are likely to be alike."""

    full_name: str = field(repr=False)
    birth_date: date = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportChunk:
    """Rows that end together, in one transaction with what they change.

    Attributes:
        outcomes: in the order of the rows.
        holding: those rows whose numbers no later row of the list may have.
        contents: what the questionable ones state, by row.
        organisations: to which organisation each questionable one belongs.
        likenesses: by what each questionable one resembles a member of the register.
        persons: the citizen numbers of rows that are taken, present or questionable: what waits of the same person
            from an earlier list is replaced by them.
    """

    outcomes: Sequence[RowOutcome]
    holding: frozenset[int]
    contents: Mapping[int, QuestionableContent] = field(default_factory=dict, repr=False)
    organisations: Mapping[int, OrganisationCode] = field(default_factory=dict)
    likenesses: Mapping[int, Likeness] = field(default_factory=dict, repr=False)
    persons: Mapping[int, CitizenNumber] = field(default_factory=dict, repr=False)
    has_checked_faces: bool = True


class DoubtState(enum.StrEnum):
    """How far a questionable row has come."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    REPLACED = "replaced"
    """The same row came again in a later list and waits there."""


@dataclass(frozen=True, slots=True, order=True)
class RowReference:
    """One row of one import; written ``12:345``."""

    number: ImportNumber
    row: int

    def __str__(self) -> str:
        return f"{self.number}:{self.row}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtDecision:
    """Who decided on a questionable row, how, when and why; ``member_id`` where a member came of it."""

    state: DoubtState
    by: AccountName
    at: datetime
    reason: str = field(repr=False)
    member_id: MemberId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionableRow:
    """A row on which a person decides, or has decided."""

    reference: RowReference
    organisation: OrganisationCode
    state: DoubtState
    findings: tuple[Finding, ...]
    decision: DoubtDecision | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtPage:
    """One page of questionable rows; ``end`` is ``None`` on the last one."""

    rows: tuple[QuestionableRow, ...]
    end: RowReference | None


class ImportLedger(Protocol):
    """The imports within one transaction of the register."""

    def unfinished(self, list_digest: bytes) -> ImportRecord | None:
        """The import of this list that has begun and not ended."""

    def begin(
        self, *, list_digest: bytes, account: AccountName, at: datetime, row_count: int
    ) -> ImportRecord:
        """A new one.

        Raises:
            ConflictError: somebody else begins an import of the same list.
        """

    def get(self, number: ImportNumber) -> ImportRecord:
        """One import.

        Raises:
            IssuerRefusedError: ``import.unknown``.
        """

    def all(self, *, limit: int) -> tuple[ImportRecord, ...]:
        """The latest ones, the last one first."""

    def store(self, record: ImportRecord, chunk: ImportChunk) -> ImportRecord:
        """Note what became of the next rows.

        A questionable row that waits elsewhere already is replaced there, and so is what waits of a person of whom a
        newer row has come in.

        Raises:
            ConflictError: the import has gone on elsewhere since ``record`` was read.
        """

    def finish(self, record: ImportRecord, *, at: datetime) -> ImportRecord:
        """The last row has ended.

        Raises:
            ConflictError: as ``store``.
        """

    def outcomes(self, number: ImportNumber) -> Iterator[RowOutcome]:
        """What became of every row that has ended, in the order of the rows."""

    def holding(self, number: ImportNumber) -> Iterator[int]:
        """The rows whose numbers no later row may have."""

    def decided_before(
        self, contents: Mapping[int, QuestionableContent]
    ) -> Mapping[int, DoubtState]:
        """How a person decided on those rows that came in an earlier list just so; the last decision counts."""

    def doubts(
        self,
        *,
        limit: int,
        behind: RowReference | None = None,
        number: ImportNumber | None = None,
        state: DoubtState | None = DoubtState.WAITING,
        organisations: Collection[OrganisationCode] | None = None,
    ) -> DoubtPage:
        """Questionable rows by import and row; of these organisations where they are given."""

    def doubt(self, reference: RowReference) -> QuestionableRow:
        """One questionable row.

        Raises:
            IssuerRefusedError: ``questionable.unknown``.
        """

    def content(self, reference: RowReference) -> QuestionableContent:
        """What it states, while nobody has decided.

        Raises:
            IssuerRefusedError: it was decided (``questionable.decided``).
        """

    def decide(self, reference: RowReference, decision: DoubtDecision) -> None:
        """Note the decision and forget the content.

        Raises:
            ConflictError: somebody decided meanwhile.
        """
