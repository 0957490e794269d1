"""Ports of card numbers: the blocks in the register, and the mark outside it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberId
from issuer.domain.number_blocks import BlockId, BlockSupply, NumberBlock, NumberMark, Span
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId

__all__ = ["AllottedNumber", "NumberMarkStore", "NumberRepository", "NumberState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberState:
    """What the register itself says of its allotments: which register it is (16 bytes), and how many there were."""

    register_id: bytes
    allotments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllottedNumber:
    """One number that was given out, for ever."""

    number: CardNumber = field(repr=False)
    block_id: BlockId
    request_id: RequestId
    member_id: MemberId
    at: datetime


class NumberRepository(Protocol):
    """The blocks and the numbers given out, within one transaction."""

    def lock(self) -> NumberState | None:
        """Wait until nobody else allots or grants, and keep others waiting; ``None`` before the first block."""

    def state(self) -> NumberState | None:
        """The same without waiting, to look at."""

    def store_state(self, state: NumberState) -> None:
        """Begin or go on counting, or become the register of a mark; only behind ``lock``."""

    def blocks(self, committee: OrganisationCode | None = None) -> tuple[NumberBlock, ...]:
        """The blocks of a committee, or all, in the order in which they were granted."""

    def page(
        self,
        *,
        roots: Collection[OrganisationCode] | None,
        limit: int,
        behind: CardNumber | None = None,
    ) -> tuple[tuple[NumberBlock, str], ...]:
        """Blocks in the order of their numbers, each with its committee's name.

        Args:
            roots: of which parts of the tree; ``None`` for the whole register.
            limit: at most so many.
            behind: the lowest number of the last block that was seen.
        """

    def supplies(
        self, committees: Collection[OrganisationCode]
    ) -> Mapping[OrganisationCode, BlockSupply]:
        """How much each of these has left in all of its blocks that are given out here."""

    def grant(self, block: NumberBlock) -> None:
        """Keep a new block.

        Raises:
            ConflictError: it overlaps another one (``numbers.block-overlaps``).
        """

    def taken_within(self, span: Span) -> frozenset[int]:
        """The numbers of a span that were given out, or that members hold from elsewhere."""

    def advance(self, block_id: BlockId, following: int) -> None:
        """The lowest number of the block that may be free is ``following`` from now on."""

    def keep(self, numbers: Sequence[AllottedNumber]) -> None:
        """Keep what was given out.

        Raises:
            ConflictError: one of them was given out before (``numbers.given-out-already``).
        """

    def given_out(self, numbers: Collection[CardNumber]) -> frozenset[CardNumber]:
        """Which of these were given out here; no allotment goes on until this transaction ends."""

    def count_given_out(self) -> int:
        """How many there are."""


class NumberMarkStore(Protocol):
    """Where the mark lies: outside the database and outside its backups."""

    def read(self) -> NumberMark | None:
        """The mark; ``None`` where there is none.

        Raises:
            IssuerDataError: it is not one (``numbers.mark-malformed``).
            IssuerUnavailableError: it cannot be read (``numbers.mark-unavailable``).
        """

    def write(self, mark: NumberMark) -> None:
        """Keep the mark: it is on disk when this returns.

        Raises:
            IssuerUnavailableError: it cannot be written (``numbers.mark-unavailable``).
        """
