"""Card numbers: grant blocks, give numbers out of them once for ever, and know a restored database.

Giving out goes in this order, so that a number that anybody may have seen is never given out again:

1. Whoever gives out waits for the one row of the register that counts allotments.
2. The mark outside the database is read. It may be ahead of the register: a process ended between 4 and 5, or
   the database was restored from an older backup. All that the mark calls spent is passed over.
   It is never behind or missing: then it is not the mark of this database, and nothing is given out.
3. The lowest numbers are chosen that nobody holds.
4. The mark is written, and on disk: these numbers may be given out from now on.
5. The register keeps them, in the transaction that gives them to somebody.

A mark is made once, when a register gets its first block (:func:`begin_numbers`). A register that came out of a
backup never makes one: it cannot know what was given out since.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.card_number import CardNumber, CardNumberScheme
from issuer.domain.member import MemberId
from issuer.domain.number_blocks import (
    REGISTER_ID_BYTES,
    BlockId,
    NumberBlock,
    NumberMark,
    Span,
    card_number,
    take_free,
)
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.number_ports import (
    AllottedNumber,
    NumberMarkStore,
    NumberRepository,
    NumberState,
)
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = [
    "MarkComparison",
    "NumberAllotment",
    "NumberOffice",
    "NumbersAllotted",
    "begin_numbers",
    "check_block",
    "compare_mark",
    "current_mark",
]

_WINDOW_SLACK = 100
"""How many more numbers than wanted are looked at together: some may be held already."""

_MARK_HINT = "docs/backup.md, 'After restoring'; membercard-issuer numbers recover"


class MarkComparison(StrEnum):
    """How the mark stands to the register."""

    IN_STEP = "in-step"
    AHEAD = "ahead"
    """Numbers were marked that the register does not know: they are passed over."""
    BEHIND = "behind"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersAllotted:
    """What was given out, in the order of those who asked; shorter than their list where the blocks ran out.

    ``mark_was_ahead`` tells that numbers were passed over which the register does not know.
    """

    numbers: tuple[CardNumber, ...]
    mark_was_ahead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAllotment:
    """Gives out numbers within somebody's transaction."""

    marks: NumberMarkStore

    def allot(
        self,
        numbers: NumberRepository,
        committee: OrganisationCode,
        wanted: Sequence[tuple[RequestId, MemberId]],
        *,
        at: datetime,
    ) -> NumbersAllotted:
        """Numbers from the committee's blocks, one each, as far as there are any.

        Raises:
            IssuerRefusedError: ``numbers.mark-missing``, ``numbers.mark-behind``,
                ``numbers.mark-of-other-register``.
            IssuerDataError, IssuerUnavailableError: the mark cannot be read or written.
        """
        state = numbers.lock()
        if state is None or not wanted:
            return NumbersAllotted(numbers=())
        mark = self._mark_of(state)
        chosen: list[tuple[BlockId, int]] = []
        spent: list[tuple[BlockId, Span]] = []
        for block in numbers.blocks(committee):
            missing = len(wanted) - len(chosen)
            if not missing:
                break
            found, following = _choose(numbers, mark, block, missing)
            chosen += [(block.block_id, number) for number in found]
            if following > block.next:
                spent.append((block.block_id, Span(block.next, following)))
        if not spent:
            return NumbersAllotted(numbers=())
        following_mark = mark.with_spent(span for _, span in spent)
        self.marks.write(following_mark)
        numbers.store_state(
            NumberState(register_id=state.register_id, allotments=following_mark.allotments)
        )
        for block_id, span in spent:
            numbers.advance(block_id, span.end)
        kept = [
            AllottedNumber(
                number=card_number(number),
                block_id=block_id,
                request_id=request_id,
                member_id=member_id,
                at=at,
            )
            for (block_id, number), (request_id, member_id) in zip(chosen, wanted, strict=False)
        ]
        numbers.keep(kept)
        return NumbersAllotted(
            numbers=tuple(each.number for each in kept),
            mark_was_ahead=mark.allotments > state.allotments,
        )

    def _mark_of(self, state: NumberState) -> NumberMark:
        return current_mark(self.marks, state)


def current_mark(marks: NumberMarkStore, state: NumberState) -> NumberMark:
    """The mark, once it is known to be that of the register, and not behind it.

    Raises:
        IssuerRefusedError: ``numbers.mark-missing``, ``numbers.mark-behind``, ``numbers.mark-of-other-register``.
        IssuerDataError, IssuerUnavailableError: it cannot be read.
    """
    mark = marks.read()
    if mark is None:
        raise IssuerRefusedError(
            f"the mark of card numbers is missing; the register knows of {state.allotments} allotments",
            code="numbers.mark-missing",
            hint=_MARK_HINT,
        )
    if compare_mark(state, mark) is MarkComparison.BEHIND:
        raise IssuerRefusedError(
            "the mark of card numbers is behind the register: it knows "
            f"{mark.allotments} allotments, expected at least {state.allotments}",
            code="numbers.mark-behind",
            hint=_MARK_HINT,
        )
    return mark


def begin_numbers(
    numbers: NumberRepository, marks: NumberMarkStore, random_bytes: Callable[[int], bytes]
) -> NumberState:
    """The register's count of allotments, behind the lock of everybody who allots; it begins with the first block.

    Where a mark is there before the first block, the database was made anew beside it, or is a backup of before: its
    numbers stay spent.

    Raises:
        IssuerDataError, IssuerUnavailableError: the mark cannot be read or written.
    """
    state = numbers.lock()
    if state is not None and numbers.blocks():
        return state
    mark = marks.read()
    if mark is None:
        if state is not None:
            # A restored register, and its marks are lost: it may be granted blocks, and gives nothing out of them.
            return state
        mark = NumberMark(register_id=random_bytes(REGISTER_ID_BYTES))
        marks.write(mark)
    begun = NumberState(register_id=mark.register_id, allotments=0)
    numbers.store_state(begun)
    return begun


def check_block(
    transaction: RegisterTransaction,
    scheme: CardNumberScheme,
    committee: OrganisationCode,
    *,
    first: CardNumber,
    last: CardNumber,
) -> None:
    """Whether a committee may have the numbers from ``first`` to ``last``.

    Raises:
        IssuerRefusedError: they begin with another committee's digits (``numbers.other-committee``).
        IssuerDataError: ``numbers.range``, ``organisation.unknown``.
    """
    if scheme.committee_number(first) != scheme.committee_number(last) or first > last:
        raise IssuerDataError(
            f"the block goes from {scheme.display(first)} to {scheme.display(last)}, "
            "expected numbers of one committee, the lower first",
            code="numbers.range",
        )
    place = Places(transaction.organisations).of(committee)
    expected = next(
        (
            number
            for code in reversed(place)
            if (number := transaction.organisations.get(code).committee_number) is not None
        ),
        None,
    )
    if expected != scheme.committee_number(first):
        raise IssuerRefusedError(
            f"numbers of committee {committee} begin with {expected}, got {scheme.display(first)}",
            code="numbers.other-committee",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberOffice:
    """Grants blocks, and looks after the mark; ``clock`` gives aware UTC."""

    register: Register
    marks: NumberMarkStore
    scheme: CardNumberScheme
    clock: Callable[[], datetime]
    new_block_id: Callable[[], BlockId]
    random_bytes: Callable[[int], bytes]

    def grant(
        self, committee: OrganisationCode, *, first: CardNumber, last: CardNumber, actor: Actor
    ) -> NumberBlock:
        """Grant a committee the numbers from ``first`` to ``last``.

        Raises:
            IssuerRefusedError: ``right.missing``; the numbers begin with another committee's digits
                (``numbers.other-committee``).
            IssuerDataError: ``numbers.range``, ``organisation.unknown``.
            ConflictError: ``numbers.block-overlaps``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            place = Places(transaction.organisations).of(committee)
            actor.demand(Right.ALLOT_NUMBERS, place=place, now=now)
            check_block(transaction, self.scheme, committee, first=first, last=last)
            begin_numbers(transaction.numbers, self.marks, self.random_bytes)
            block = NumberBlock(
                block_id=self.new_block_id(),
                committee=committee,
                first=first,
                last=last,
                next=int(first),
                granted_at=now,
                granted_by=actor.account,
            )
            transaction.numbers.grant(block)
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="numbers.granted",
                    subject=AuditSubject.NUMBER_BLOCK,
                    subject_id=block.block_id.hex,
                    organisation=committee,
                    details={"first": block.first, "last": block.last},
                )
            )
        return block

    def compare(self) -> MarkComparison:
        """How the mark stands to the register: what a start asks for.

        Raises:
            IssuerRefusedError: ``numbers.mark-of-other-register``.
            IssuerDataError, IssuerUnavailableError: the mark cannot be read.
        """
        with self.register.reading() as transaction:
            state = transaction.numbers.state()
        # The mark is written before the register commits, so it is read later: then it is never behind.
        mark = self.marks.read()
        return MarkComparison.IN_STEP if state is None else compare_mark(state, mark)

    def recover(self, *, skip: int, actor: Actor) -> int:
        """Write a new mark where it was lost: ``skip`` more numbers of every block count as given out.

        ``skip`` is to be more than can have been given out since the backup of the database was made. Gives back
        how many numbers are left in all blocks.

        Raises:
            IssuerRefusedError: ``right.missing``; there is no block yet (``numbers.none-granted``).
            IssuerDataError: ``skip`` is none (``numbers.range``).
        """
        if skip < 1:
            # A mark is lost with whatever was given out last: to skip nothing is to say that nothing was.
            raise IssuerDataError(
                f"got {skip} numbers to skip, expected 1 or more", code="numbers.range"
            )
        now = self.clock()
        with self.register.writing() as transaction:
            actor.demand(Right.ALLOT_NUMBERS, place=(), now=now)
            state = transaction.numbers.lock()
            if state is None:
                raise IssuerRefusedError(
                    "no block of card numbers was granted", code="numbers.none-granted"
                )
            known = self._readable_mark(state)
            blocks = transaction.numbers.blocks()
            reached = {block.block_id: min(block.span.end, block.next + skip) for block in blocks}
            spans = [
                Span(block.span.first, reached[block.block_id])
                for block in blocks
                if reached[block.block_id] > block.span.first
            ]
            mark = known.with_spent(spans)
            self.marks.write(mark)
            transaction.numbers.store_state(
                NumberState(register_id=state.register_id, allotments=mark.allotments)
            )
            for block_id, following in reached.items():
                transaction.numbers.advance(block_id, following)
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="numbers.recovered",
                    subject=AuditSubject.SERVICE,
                    subject_id="numbers",
                    details={"skipped": skip, "blocks": len(blocks)},
                )
            )
            return sum(block.left for block in transaction.numbers.blocks())

    def _readable_mark(self, state: NumberState) -> NumberMark:
        """What can be kept of the old mark, at least as far on as the register."""
        try:
            found = self.marks.read()
        except IssuerDataError:
            found = None
        if found is None or found.register_id != state.register_id:
            return NumberMark(register_id=state.register_id, allotments=state.allotments)
        return NumberMark(
            register_id=found.register_id,
            allotments=max(found.allotments, state.allotments),
            spent=found.spent,
        )


def compare_mark(state: NumberState, mark: NumberMark | None) -> MarkComparison:
    """How a mark stands to what the register counted.

    Raises:
        IssuerRefusedError: ``numbers.mark-of-other-register``.
    """
    if mark is None:
        return MarkComparison.MISSING
    mark.require_same_register(state.register_id)
    if mark.allotments == state.allotments:
        return MarkComparison.IN_STEP
    return MarkComparison.AHEAD if mark.allotments > state.allotments else MarkComparison.BEHIND


def _choose(
    numbers: NumberRepository, mark: NumberMark, block: NumberBlock, count: int
) -> tuple[list[int], int]:
    """The lowest free numbers of a block, and the number behind the last one that was looked at."""
    found: list[int] = []
    position = block.next
    while len(found) < count and position < block.span.end:
        free = mark.next_unspent(Span(position, block.span.end))
        if free is None:
            return found, block.span.end
        missing = count - len(found)
        window = Span(free.first, min(free.end, free.first + missing + _WINDOW_SLACK))
        more, position = take_free(
            window.first, window.end, missing, taken=numbers.taken_within(window)
        )
        found += more
    return found, position
