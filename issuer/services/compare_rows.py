"""Compares the rows of a list with each other and with the register."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import attrgetter

from issuer.domain.data_subjects import RetiredNumber, numbers_to_retire
from issuer.domain.list_row import Cell, Finding
from issuer.domain.member import Member, MemberStatement, PortraitDigest
from issuer.domain.member_list import JudgedRow, MemberColumn
from issuer.domain.organisation import OrganisationCode, OrganisationTree
from issuer.domain.rights import Actor, Right
from issuer.domain.vietnamese_text import likeness, spelling
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.import_ports import Likeness
from issuer.services.register_ports import MemberNumbers, RegisterTransaction

__all__ = [
    "Candidate",
    "Comparison",
    "RowsOfList",
    "compare",
    "place_of",
    "reachable",
    "with_likenesses",
]

_NUMBER_COLUMNS: tuple[tuple[MemberColumn, str], ...] = (
    (MemberColumn.RECORD_NUMBER, "record-number"),
    (MemberColumn.CITIZEN_NUMBER, "citizen-number"),
    (MemberColumn.EARLIER_CARD_NUMBER, "earlier-card-number"),
)
"""Columns whose values are unique, by the words of their codes; a member may have no earlier card."""

_numbers_of: Callable[[MemberStatement], tuple[str | None, ...]] = attrgetter(
    *(column.value for column, _ in _NUMBER_COLUMNS)
)
"""The values of these columns, which a statement calls as the list does."""

_IDENTIFYING = 2
"""The first columns of these together say who a member is."""

_ALIKE_IN_LIST = "member.alike-in-list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A row that keeps the rules of form and is the first in its list with its numbers.

    Attributes:
        row: its values.
        cells: as they came, by column.
        picture: the bytes that its portrait was handed in as.
        source: their digest.
        likeness: by which the register may know somebody who is likely to be the same person.
        doubts: what a person has to look at.
    """

    row: JudgedRow
    cells: Mapping[str, Cell] = field(repr=False)
    picture: bytes = field(repr=False)
    source: PortraitDigest
    likeness: Likeness = field(init=False)
    doubts: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        """Make the likeness, for which the register is asked more than once."""
        statement = self.row.statement
        likeness_of_row = Likeness(full_name=statement.name.full, birth_date=statement.birth_date)
        object.__setattr__(self, "likeness", likeness_of_row)

    @property
    def numbers(self) -> MemberNumbers:
        """By which the register may know the member."""
        statement = self.row.statement
        return MemberNumbers(
            record_number=statement.record_number,
            citizen_number=statement.citizen_number,
            earlier_card_number=statement.earlier_card_number,
        )

    def with_doubts(self, doubts: Iterable[Finding]) -> "Candidate":
        """The same with more to look at; nothing is said twice."""
        together = tuple(dict.fromkeys(chain(self.doubts, doubts)))
        return self if together == self.doubts else replace(self, doubts=together)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the register says of candidates.

    Attributes:
        outcomes: of those whom it holds or contradicts.
        variants: those whom it holds with a name whose tone marks only stand elsewhere.
        new: those whom it does not know; with a doubt where it knows somebody alike.
    """

    outcomes: tuple[RowOutcome, ...] = ()
    variants: tuple[Candidate, ...] = ()
    new: tuple[Candidate, ...] = ()


class RowsOfList:
    """Which row of this list is the first with which number, name and date of birth.

    Only rows that keep the rules of form count, and whose picture is there. Numbers and likenesses are kept as
    hashes of 64 bits, so that a list of the largest province takes little memory; that two of them meet is not to
    be expected in thousands of millions of rows.
    """

    def __init__(self) -> None:
        self._numbers: tuple[dict[int, int], ...] = tuple({} for _ in _NUMBER_COLUMNS)
        self._likenesses: dict[int, int] = {}

    def add(self, judged: JudgedRow) -> tuple[Finding, ...]:
        """Keep this row in mind; a doubt where an earlier one has the same folded name and date of birth."""
        statement = judged.statement
        for first_rows, number in zip(self._numbers, _numbers_of(statement), strict=True):
            if number is not None:
                first_rows[hash(number)] = judged.number
        key = hash((likeness(statement.name.full), statement.birth_date))
        first = self._likenesses.setdefault(key, judged.number)
        if first == judged.number:
            return ()
        return (
            Finding(
                row=judged.number,
                column=MemberColumn.FULL_NAME,
                code=_ALIKE_IN_LIST,
                sentence=f"row {first} has the same name but for its marks, and the same date of birth",
            ),
        )

    def repeated(self, judged: JudgedRow) -> tuple[Finding, ...]:
        """A finding for each number that an earlier row has."""
        return tuple(
            Finding(
                row=judged.number,
                column=column,
                code=f"{subject}.repeated",
                sentence=f"the same {subject.replace('-', ' ')} stands in row {first}",
            )
            for (column, subject), first_rows, number in zip(
                _NUMBER_COLUMNS, self._numbers, _numbers_of(judged.statement), strict=True
            )
            if number is not None and (first := first_rows.get(hash(number))) is not None
        )


def compare(candidates: Sequence[Candidate], transaction: RegisterTransaction) -> Comparison:
    """Which candidates the register holds or contradicts, which are new, and whom it knows somebody alike of."""
    holders = transaction.members.holders_of([candidate.numbers for candidate in candidates])
    by_number: dict[tuple[MemberColumn, str | None], Member] = {
        (column, number): member
        for member in holders
        for (column, _), number in zip(_NUMBER_COLUMNS, _numbers_of(member.statement), strict=True)
        if number is not None
    }
    given_out = transaction.numbers.given_out(
        [number for each in candidates if (number := each.row.statement.earlier_card_number)]
    )
    retired = _with_retired_numbers(candidates, transaction)
    outcomes: list[RowOutcome] = []
    variants: list[Candidate] = []
    unknown: list[Candidate] = []
    for candidate in candidates:
        statement = candidate.row.statement
        found = (
            [
                by_number.get((column, number))
                for (column, _), number in zip(_NUMBER_COLUMNS, _numbers_of(statement), strict=True)
            ]
            if by_number
            else []
        )
        if candidate.row.number in retired:
            outcomes.append(retired[candidate.row.number])
        elif not any(found) and statement.earlier_card_number in given_out:
            outcomes.append(_given_out(candidate))
        elif not any(found):
            unknown.append(candidate)
        elif (judged := _judge_against(candidate, found)) is None:
            variants.append(candidate.with_doubts((_tone_marks(candidate),)))
        else:
            outcomes.append(judged)
    return Comparison(
        outcomes=tuple(outcomes),
        variants=tuple(variants),
        new=tuple(with_likenesses(unknown, transaction)),
    )


def place_of(
    organisations: OrganisationTree, code: OrganisationCode
) -> tuple[OrganisationCode, ...]:
    """The organisation with all above it, from the root down; empty where the register has none."""
    if code not in organisations:
        return ()
    return tuple(reversed([each.code for each in organisations.path(code)]))


def reachable(
    actor: Actor, right: Right, transaction: RegisterTransaction
) -> frozenset[OrganisationCode] | None:
    """The organisations within the actor's part of the tree; ``None`` where that is the whole register."""
    roots = actor.roots(right)
    return None if roots is None else transaction.organisations.below(roots)


def _with_retired_numbers(
    candidates: Sequence[Candidate], transaction: RegisterTransaction
) -> Mapping[int, RowOutcome]:
    """The refusals of those who have a number of somebody whose record was deleted, by row."""
    rows: dict[RetiredNumber, int] = {}

    def numbers() -> Iterator[RetiredNumber]:
        for candidate in candidates:
            for number in numbers_to_retire(candidate.row.statement):
                rows[number] = candidate.row.number
                yield number

    return {
        rows[found]: RowOutcome(
            row=rows[found],
            result=RowResult.REFUSED,
            findings=(
                Finding(
                    row=rows[found],
                    column=found.kind.replace("-", "_"),
                    code="number.retired",
                    sentence=f"the {found.kind.replace('-', ' ')} was that of somebody whose record was deleted",
                ),
            ),
        )
        for found in transaction.subjects.retired(numbers())
    }


def with_likenesses(
    candidates: Sequence[Candidate], transaction: RegisterTransaction
) -> Sequence[Candidate]:
    """The candidates, with a doubt where the register has somebody alike."""
    # A row whose likeness stands in its own list is doubted for that; where chunks are cut must not matter.
    asked = [
        candidate
        for candidate in candidates
        if all(doubt.code != _ALIKE_IN_LIST for doubt in candidate.doubts)
    ]
    known = {
        (likeness(member.statement.name.full), member.statement.birth_date)
        for member in transaction.members.alike([candidate.likeness for candidate in asked])
    }
    if not known:
        return candidates
    wanted = {
        candidate.row.number
        for candidate in asked
        if (likeness(candidate.row.statement.name.full), candidate.row.statement.birth_date)
        in known
    }
    return [
        candidate.with_doubts((_alike_in_register(candidate),))
        if candidate.row.number in wanted
        else candidate
        for candidate in candidates
    ]


def _judge_against(candidate: Candidate, found: Sequence[Member | None]) -> RowOutcome | None:
    """One member with all identifying numbers is the same one, who must be stated alike; any other is somebody else.

    ``None`` where the same one is stated alike but for where the tone marks of the name stand.
    """
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
        if columns == [MemberColumn.FULL_NAME] and _is_tone_mark_variant(candidate, holder):
            return None
        sentence = f"the register states this member with another {', '.join(columns)}"
        finding = Finding(
            row=row.number, column=columns[0], code="member.differs", sentence=sentence
        )
        return RowOutcome(row=row.number, result=RowResult.REFUSED, findings=(finding,))
    return RowOutcome(
        row=row.number,
        result=RowResult.REFUSED,
        findings=tuple(
            Finding(
                row=row.number,
                column=column,
                code=f"{subject}.taken",
                sentence=f"another member of the register has this {subject.replace('-', ' ')}",
            )
            for (column, subject), member in zip(_NUMBER_COLUMNS, others, strict=True)
            if member is not None
        ),
    )


def _given_out(candidate: Candidate) -> RowOutcome:
    """The number of the earlier card is one that a decision here gave to another member."""
    finding = Finding(
        row=candidate.row.number,
        column=MemberColumn.EARLIER_CARD_NUMBER,
        code="earlier-card-number.taken",
        sentence="another member of the register has this earlier card number",
    )
    return RowOutcome(row=candidate.row.number, result=RowResult.REFUSED, findings=(finding,))


def _is_tone_mark_variant(candidate: Candidate, holder: Member) -> bool:
    ours, theirs = candidate.row.statement.name, holder.statement.name
    return all(
        spelling(one) == spelling(other)
        for one, other in (
            (ours.full, theirs.full),
            (ours.primary, theirs.primary),
            (ours.secondary, theirs.secondary),
        )
    )


def _differing_columns(candidate: Candidate, holder: Member) -> list[str]:
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


def _tone_marks(candidate: Candidate) -> Finding:
    return Finding(
        row=candidate.row.number,
        column=MemberColumn.FULL_NAME,
        code="name.tone-marks",
        sentence="the register has this member with tone marks on other letters of the name",
    )


def _alike_in_register(candidate: Candidate) -> Finding:
    return Finding(
        row=candidate.row.number,
        column=MemberColumn.FULL_NAME,
        code="member.alike",
        sentence="the register has somebody with the same name but for its marks, and the same date of birth",
    )
