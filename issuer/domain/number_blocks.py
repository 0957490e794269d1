"""Blocks of card numbers: granted to a committee, given out from the lowest upwards, each number once for ever.

What may have been given out is known twice: in the register, and in a mark that lies outside its database and is
written before each allotment. A database that was restored from an older backup is behind the mark; then everything
below the mark counts as given out.
"""

import enum
import json
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NewType, Self

from issuer.domain.card_number import CardNumber
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = [
    "MAX_BLOCKS",
    "MAX_MARK_BYTES",
    "REGISTER_ID_BYTES",
    "BlockId",
    "BlockSupply",
    "NumberBlock",
    "NumberMark",
    "Span",
    "card_number",
    "judge_supply",
    "supply_of",
    "take_free",
]

BlockId = NewType("BlockId", uuid.UUID)
"""Drawn at random when a block is granted."""

MAX_BLOCKS: Final = 10_000
"""How many spans a mark holds at most: three times as many as there are communes."""

MAX_MARK_BYTES: Final = 1 << 20
REGISTER_ID_BYTES: Final = 16

_NEAR_SHARE: Final = 10
"""A supply is near its end where a tenth of all that was granted is left, or less."""

_FORMAT: Final = 1
_BEYOND: Final = 10**8


class BlockSupply(enum.StrEnum):
    """How much a committee's blocks still hold."""

    ENOUGH = "enough"
    NEAR_EXHAUSTED = "numbers.near-exhausted"
    EXHAUSTED = "numbers.exhausted"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Card numbers from ``first`` up to, not including, ``end``, as whole numbers."""

    first: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.end <= _BEYOND:
            raise IssuerDataError(
                f"span of numbers from {self.first} to {self.end}, expected one within 0 to {_BEYOND}",
                code="numbers.span",
            )

    def overlaps(self, other: "Span") -> bool:
        """Whether some number is in both."""
        return self.first < other.end and other.first < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberBlock:
    """One block.

    Attributes:
        block_id: the register's own key.
        committee: to whom it was granted.
        first, last: its lowest and highest number.
        next: the lowest number that may be free; beyond ``last`` where nothing is.
        granted_at, granted_by: when and by whom (aware UTC).
        held_by: the instance that gives its numbers out; ``None`` where that is us.
    """

    block_id: BlockId
    committee: OrganisationCode
    first: CardNumber
    last: CardNumber
    next: int
    granted_at: datetime
    granted_by: AccountName
    held_by: str | None = None

    @property
    def span(self) -> Span:
        """All its numbers."""
        return Span(int(self.first), int(self.last) + 1)

    @property
    def left(self) -> int:
        """How many numbers were not looked at yet; some of them may turn out to be held already."""
        return self.span.end - self.next


def supply_of(blocks: Iterable[NumberBlock]) -> BlockSupply:
    """How much is left of blocks."""
    left = granted = 0
    for block in blocks:
        if block.held_by is not None:
            continue
        left += block.left
        granted += block.span.end - block.span.first
    return judge_supply(left, granted)


def judge_supply(left: int, granted: int) -> BlockSupply:
    """What so many numbers that are left are, of all that were granted."""
    if not left:
        return BlockSupply.EXHAUSTED
    return BlockSupply.NEAR_EXHAUSTED if left * _NEAR_SHARE <= granted else BlockSupply.ENOUGH


def card_number(value: int) -> CardNumber:
    """The eight digits of a whole number."""
    return CardNumber(f"{value:08}")


def take_free(start: int, end: int, count: int, *, taken: Collection[int]) -> tuple[list[int], int]:
    """The lowest ``count`` free numbers from ``start`` up to ``end``, or fewer; and where to go on after them."""
    found: list[int] = []
    position = start
    while position < end and len(found) < count:
        if position not in taken:
            found.append(position)
        position += 1
    return found, position


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberMark:
    """What may have been given out, as it is kept outside the database.

    Attributes:
        register_id: of which register, 16 bytes.
        allotments: how often numbers were given out, counting from 1.
        spent: spans of numbers, in order and apart from each other, of which each may have been given out.
    """

    register_id: bytes
    allotments: int = 0
    spent: tuple[Span, ...] = field(default=())

    def __post_init__(self) -> None:
        if (
            len(self.register_id) != REGISTER_ID_BYTES
            or self.allotments < 0
            or len(self.spent) > MAX_BLOCKS
        ):
            raise IssuerDataError(
                "the mark of card numbers is not one", code="numbers.mark-malformed"
            )
        if any(
            low.end >= high.first for low, high in zip(self.spent, self.spent[1:], strict=False)
        ):
            raise IssuerDataError(
                "spans of the mark of card numbers touch or are not in order",
                code="numbers.mark-malformed",
            )

    def with_spent(self, spans: Iterable[Span]) -> Self:
        """The mark after one more allotment: these spans are spent, too."""
        return type(self)(
            register_id=self.register_id,
            allotments=self.allotments + 1,
            spent=_merged((*self.spent, *spans)),
        )

    def next_unspent(self, within: Span) -> Span | None:
        """The lowest numbers in a row that are in no spent span; ``None`` where all are spent."""
        first, end = within.first, within.end
        for span in self.spent:
            if span.end <= first:
                continue
            if span.first > first:
                end = min(end, span.first)
                break
            first = span.end
        return Span(first, end) if first < end else None

    def require_same_register(self, register_id: bytes) -> None:
        """Refuse another register's mark.

        Raises:
            IssuerRefusedError: ``numbers.mark-of-other-register``.
        """
        if register_id != self.register_id:
            raise IssuerRefusedError(
                f"the mark of card numbers belongs to register {self.register_id.hex()}, "
                f"expected {register_id.hex()}",
                code="numbers.mark-of-other-register",
                hint="the database or the folder of the mark is another office's",
            )

    def to_bytes(self) -> bytes:
        """The file."""
        document = {
            "format": _FORMAT,
            "register": self.register_id.hex(),
            "allotments": self.allotments,
            "spent": [[each.first, each.end] for each in self.spent],
        }
        return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a file in the one encoding that ``to_bytes`` writes.

        Raises:
            IssuerDataError: ``numbers.mark-malformed``.
        """
        try:
            found = json.loads(content if len(content) <= MAX_MARK_BYTES else b"")
            mark = cls(
                register_id=bytes.fromhex(found["register"]),
                allotments=_whole(found["allotments"]),
                spent=tuple(Span(_whole(first), _whole(end)) for first, end in found["spent"]),
            )
        except (IssuerDataError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise _malformed(content) from error
        if mark.to_bytes() != content:
            raise _malformed(content)
        return mark


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("not a whole number")
    return value


def _malformed(content: bytes) -> IssuerDataError:
    return IssuerDataError(
        f"the mark of card numbers has {len(content)} bytes that are not one",
        code="numbers.mark-malformed",
    )


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.first <= merged[-1].end:
            merged[-1] = Span(merged[-1].first, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)
