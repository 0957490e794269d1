"""Use case: take members from a list into the register.

Rows are judged one by one and stored in chunks, each in one transaction. Every row ends taken, already present
or refused, so an import that broke off is simply repeated: what was taken is found present, and nothing is
doubled.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from issuer.domain.card_number import CardNumberScheme
from issuer.domain.list_row import Finding, ListRow
from issuer.domain.member import Member, MemberId, MemberStatement, PortraitDigest
from issuer.domain.member_list import JudgedRow, MemberColumn, judge_member_row
from issuer.domain.organisation import OrganisationTree
from issuer.errors import ConflictError, IssuerDataError
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.register_ports import (
    MemberNumbers,
    PortraitNormaliser,
    PortraitSource,
    PortraitStore,
    Register,
    RegisterTransaction,
)

__all__ = ["MemberImport"]

_ATTEMPTS = 3
"""How often a chunk is tried where somebody else takes one of its numbers between look and write."""

_NUMBER_COLUMNS: tuple[tuple[MemberColumn, str, Callable[[MemberStatement], str | None]], ...] = (
    (MemberColumn.CARD_NUMBER, "card-number", lambda statement: statement.card_number),
    (MemberColumn.RECORD_NUMBER, "record-number", lambda statement: statement.record_number),
    (MemberColumn.CITIZEN_NUMBER, "citizen-number", lambda statement: statement.citizen_number),
    (
        MemberColumn.EARLIER_CARD_NUMBER,
        "earlier-card-number",
        lambda statement: statement.earlier_card_number,
    ),
)
"""Columns whose values are unique, by the words of their codes; a member may have no earlier card."""

_IDENTIFYING = 3
"""The first columns of these together say who a member is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A row that keeps the rules of form and is the first in its list with its numbers."""

    row: JudgedRow
    picture: bytes = field(repr=False)
    source: PortraitDigest

    @property
    def numbers(self) -> MemberNumbers:
        statement = self.row.statement
        return MemberNumbers(
            card_number=statement.card_number,
            record_number=statement.record_number,
            citizen_number=statement.citizen_number,
            earlier_card_number=statement.earlier_card_number,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberImport:
    """Everything that an import needs from the world.

    Attributes:
        register: where members go.
        portraits: the pictures that came with the list.
        normaliser: makes card portraits of them.
        store: where card portraits are kept.
        scheme: how card numbers are built.
        clock: the present time (aware UTC).
        new_member_id: a fresh random identifier.
        chunk_rows: how many rows one transaction stores.
    """

    register: Register
    portraits: PortraitSource
    normaliser: PortraitNormaliser
    store: PortraitStore
    scheme: CardNumberScheme
    clock: Callable[[], datetime]
    new_member_id: Callable[[], MemberId]
    chunk_rows: int = 200

    def run(self, rows: Iterable[ListRow]) -> Iterator[RowOutcome]:
        """Take the rows; each outcome is given out after it has become durable, in the order of the rows.

        Raises:
            IssuerUnavailableError: the database or the portrait store does not answer; what was given out
                stays.
            ConflictError: others keep taking the same numbers at the same time.
        """
        with self.register.reading() as transaction:
            organisations = transaction.organisations.tree()
        seen = _NumbersOfList()
        iterator = iter(rows)
        while chunk := list(itertools.islice(iterator, self.chunk_rows)):
            yield from self._take(chunk, organisations, seen)

    def _take(
        self, chunk: Sequence[ListRow], organisations: OrganisationTree, seen: "_NumbersOfList"
    ) -> list[RowOutcome]:
        outcomes: dict[int, RowOutcome] = {}
        candidates: list[_Candidate] = []
        today = self.clock().date()
        for row in chunk:
            judged = judge_member_row(
                row, organisations=organisations, scheme=self.scheme, today=today
            )
            candidate = self._candidate(judged, seen) if isinstance(judged, JudgedRow) else judged
            if isinstance(candidate, _Candidate):
                candidates.append(candidate)
            else:
                outcomes[row.number] = _refused(row.number, candidate)
        for outcome in self._settle(candidates):
            outcomes[outcome.row] = outcome
        return [outcomes[row.number] for row in chunk]

    def _candidate(
        self, judged: JudgedRow, seen: "_NumbersOfList"
    ) -> _Candidate | tuple[Finding, ...]:
        """Look at the rows before, and at the picture's bytes."""
        repeated = seen.repeated(judged)
        if repeated:
            return repeated
        try:
            picture = self.portraits.read(judged.portrait_name)
        except IssuerDataError as error:
            return (_portrait_finding(judged.number, error),)
        seen.add(judged)
        return _Candidate(
            row=judged,
            picture=picture,
            source=PortraitDigest(hashlib.sha256(picture).digest()),
        )

    def _settle(self, candidates: Sequence[_Candidate]) -> list[RowOutcome]:
        """Compare with the register, then store what is new."""
        with self.register.reading() as transaction:
            outcomes, new = _compare(candidates, transaction)
        members: dict[int, Member] = {}
        for candidate in new:
            try:
                portrait = self.normaliser.normalise(candidate.picture)
            except IssuerDataError as error:
                number = candidate.row.number
                outcomes.append(_refused(number, (_portrait_finding(number, error),)))
                continue
            # The picture is durable before the row that names it.
            members[candidate.row.number] = Member(
                member_id=self.new_member_id(),
                statement=candidate.row.statement,
                portrait=self.store.put(portrait),
                portrait_source=candidate.source,
                recorded_at=self.clock(),
            )
        usable = [candidate for candidate in new if candidate.row.number in members]
        return outcomes + self._store(usable, members)

    def _store(
        self, candidates: Sequence[_Candidate], members: dict[int, Member]
    ) -> list[RowOutcome]:
        """One transaction that looks again and writes."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.register.writing() as transaction:
                    outcomes, new = _compare(candidates, transaction)
                    transaction.members.add([members[each.row.number] for each in new])
            except ConflictError:
                if attempt == _ATTEMPTS:
                    raise
                continue
            return outcomes + [
                RowOutcome(row=each.row.number, result=RowResult.TAKEN) for each in new
            ]
        return []


class _NumbersOfList:
    """Which row of this list holds which number first; only rows that could be taken count."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], int] = {}

    def add(self, judged: JudgedRow) -> None:
        for column, _, number_of in _NUMBER_COLUMNS:
            if (number := number_of(judged.statement)) is not None:
                self._rows[column, number] = judged.number

    def repeated(self, judged: JudgedRow) -> tuple[Finding, ...]:
        findings: list[Finding] = []
        for column, subject, number_of in _NUMBER_COLUMNS:
            number = number_of(judged.statement)
            if number is not None and (first := self._rows.get((column, number))) is not None:
                findings.append(
                    Finding(
                        row=judged.number,
                        column=column,
                        code=f"{subject}.repeated",
                        sentence=f"the same {subject.replace('-', ' ')} stands in row {first}",
                    )
                )
        return tuple(findings)


def _compare(
    candidates: Sequence[_Candidate], transaction: RegisterTransaction
) -> tuple[list[RowOutcome], list[_Candidate]]:
    """Which candidates the register already holds or contradicts, and which are new."""
    holders = transaction.members.holders_of([candidate.numbers for candidate in candidates])
    by_number = {
        (column, number_of(member.statement)): member
        for member in holders
        for column, _, number_of in _NUMBER_COLUMNS
        if number_of(member.statement) is not None
    }
    outcomes: list[RowOutcome] = []
    new: list[_Candidate] = []
    for candidate in candidates:
        statement = candidate.row.statement
        found = [
            by_number.get((column, number_of(statement)))
            for column, _, number_of in _NUMBER_COLUMNS
        ]
        if not any(found):
            new.append(candidate)
        else:
            outcomes.append(_judge_against(candidate, found))
    return outcomes, new


def _judge_against(candidate: _Candidate, found: Sequence[Member | None]) -> RowOutcome:
    """One member with all identifying numbers is the same one, who must be stated alike; any other is somebody else."""
    row = candidate.row
    holder = found[0]
    is_same = holder is not None and all(
        each is not None and each.member_id == holder.member_id for each in found[:_IDENTIFYING]
    )
    others = [None if is_same and member == holder else member for member in found]
    if holder is not None and is_same and not any(others):
        if holder.statement == row.statement and holder.portrait_source == candidate.source:
            return RowOutcome(row=row.number, result=RowResult.PRESENT)
        columns = _differing_columns(candidate, holder)
        sentence = f"the register states this member with another {', '.join(columns)}"
        return _refused(
            row.number,
            tuple(
                Finding(row=row.number, column=column, code="member.differs", sentence=sentence)
                for column in columns[:1]
            ),
        )
    return _refused(
        row.number,
        tuple(
            Finding(
                row=row.number,
                column=column,
                code=f"{subject}.taken",
                sentence=f"another member of the register has this {subject.replace('-', ' ')}",
            )
            for (column, subject, _), member in zip(_NUMBER_COLUMNS, others, strict=True)
            if member is not None
        ),
    )


def _differing_columns(candidate: _Candidate, holder: Member) -> list[str]:
    stated, known = candidate.row.statement, holder.statement
    pairs = (
        (MemberColumn.FULL_NAME, stated.name, known.name),
        (MemberColumn.BIRTH_DATE, stated.birth_date, known.birth_date),
        (MemberColumn.SEX, stated.sex, known.sex),
        (MemberColumn.PLACE_OF_BIRTH, stated.place_of_birth, known.place_of_birth),
        (MemberColumn.HOME_TOWN, stated.home_town, known.home_town),
        (MemberColumn.ETHNIC_GROUP, stated.ethnic_group, known.ethnic_group),
        (MemberColumn.ADMISSION_DATE, stated.admission_date, known.admission_date),
        (MemberColumn.RECOGNITION_DATE, stated.recognition_date, known.recognition_date),
        (MemberColumn.ORGANISATION_CODE, stated.organisation_code, known.organisation_code),
        (MemberColumn.KIND, stated.kind, known.kind),
        (MemberColumn.ORDINAL, stated.ordinal, known.ordinal),
        (
            MemberColumn.EARLIER_CARD_NUMBER,
            stated.earlier_card_number,
            known.earlier_card_number,
        ),
        (MemberColumn.RESIDENCE, stated.residence, known.residence),
        (MemberColumn.PHONE, stated.phone, known.phone),
        (MemberColumn.STANDING, stated.standing, known.standing),
        (MemberColumn.STANDING_SINCE, stated.standing_since, known.standing_since),
        (MemberColumn.SERVED_IN, stated.served_in, known.served_in),
        (MemberColumn.PORTRAIT, candidate.source, holder.portrait_source),
    )
    return [column.value for column, ours, theirs in pairs if ours != theirs]


def _portrait_finding(row: int, error: IssuerDataError) -> Finding:
    return Finding(row=row, column=MemberColumn.PORTRAIT, code=error.code, sentence=str(error))


def _refused(row: int, findings: tuple[Finding, ...]) -> RowOutcome:
    return RowOutcome(row=row, result=RowResult.REFUSED, findings=findings)
