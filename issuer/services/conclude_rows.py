"""What becomes of the rows of one chunk, as the register stands when it is stored."""

from dataclasses import dataclass, field

from issuer.domain.list_row import Finding
from issuer.domain.member import Member, MemberId
from issuer.errors import ConflictError
from issuer.services.compare_rows import Candidate, Comparison
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.import_ports import DoubtState, ImportChunk, QuestionableContent
from issuer.services.register_ports import RegisterTransaction, SealedMembers

__all__ = ["SettledRows", "conclude", "refused"]


@dataclass(slots=True, kw_only=True)
class SettledRows:
    """What is known of a chunk before it is stored.

    Attributes:
        rows: their numbers.
        outcomes: of rows that are refused for what they are themselves.
        holding: rows that keep the rules of form, the first of their list with their numbers.
        known: those whom the register knows by a number.
        compared: what it says of all of them.
        new: the others, their pictures looked at.
        portraits: the pictures of these, by row.
        members: those of them whom nobody has to look at, by row.
        sealed: the same, ready to be stored.
    """

    rows: list[int]
    outcomes: dict[int, RowOutcome] = field(default_factory=dict)
    holding: set[int] = field(default_factory=set)
    known: list[Candidate] = field(default_factory=list)
    new: list[Candidate] = field(default_factory=list)
    portraits: dict[int, bytes] = field(default_factory=dict, repr=False)
    members: dict[int, Member] = field(default_factory=dict)
    sealed: SealedMembers = field(default_factory=SealedMembers)
    compared: Comparison = field(default_factory=Comparison)
    has_checked_faces: bool = True


def conclude(
    settled: SettledRows, compared: Comparison, transaction: RegisterTransaction
) -> tuple[ImportChunk, SealedMembers]:
    """What becomes of the chunk's rows, as the register stands in the transaction that stores it."""
    outcomes = dict(settled.outcomes)
    taken: set[MemberId] = set()
    for outcome in compared.outcomes:
        outcomes[outcome.row] = outcome
    doubtful = list(compared.variants)
    for candidate in compared.new:
        number = candidate.row.number
        if number in settled.members and not candidate.doubts:
            taken.add(settled.members[number].member_id)
            outcomes[number] = RowOutcome(row=number, result=RowResult.TAKEN)
        elif number in settled.portraits:
            doubtful.append(candidate)
        else:
            raise ConflictError("the register lost a member while their row was compared")
    contents = {
        candidate.row.number: QuestionableContent(
            cells=candidate.cells,
            portrait=settled.portraits.get(candidate.row.number, b""),
            source=candidate.source,
        )
        for candidate in doubtful
    }
    decided = transaction.imports.decided_before(contents)
    for candidate in doubtful:
        number = candidate.row.number
        if decided.get(number) is DoubtState.REFUSED:
            contents.pop(number)
            outcomes[number] = refused(number, (_refused_before(number),))
        elif decided.get(number) is DoubtState.ACCEPTED and candidate in compared.variants:
            contents.pop(number)
            outcomes[number] = RowOutcome(row=number, result=RowResult.PRESENT)
        else:
            outcomes[number] = RowOutcome(
                row=number, result=RowResult.QUESTIONABLE, findings=candidate.doubts
            )
    return (
        ImportChunk(
            outcomes=[outcomes[number] for number in settled.rows],
            holding=frozenset(settled.holding),
            contents=contents,
            organisations={
                candidate.row.number: candidate.row.statement.organisation_code
                for candidate in doubtful
            },
            likenesses={candidate.row.number: candidate.likeness for candidate in doubtful},
            persons={
                candidate.row.number: candidate.row.statement.citizen_number
                for candidate in (*settled.known, *settled.new)
                if outcomes[candidate.row.number].result is not RowResult.REFUSED
            },
            has_checked_faces=settled.has_checked_faces,
        ),
        settled.sealed.only(taken),
    )


def _refused_before(row: int) -> Finding:
    return Finding(
        row=row,
        column="",
        code="row.refused-before",
        sentence="a person refused this very row when it came in an earlier list",
    )


def refused(row: int, findings: tuple[Finding, ...]) -> RowOutcome:
    """The end of a row with something wrong."""
    return RowOutcome(row=row, result=RowResult.REFUSED, findings=findings)
