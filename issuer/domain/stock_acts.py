"""What is done with chips of the stock: movements, closes of a day, destructions, and the stop list."""

import enum
import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, NewType

from issuer.domain.chip import Serial
from issuer.domain.rights import AccountName, two_different_people
from issuer.domain.stock_account import SiteAccount, SiteCode, StockClass, StockCount
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError

__all__ = [
    "MAX_REMARK_CHARACTERS",
    "DayClose",
    "DayCloseId",
    "DayCloseState",
    "Destruction",
    "DestructionId",
    "DestructionState",
    "Movement",
    "MovementKind",
    "Stop",
    "StopReason",
    "StopState",
    "parse_remark",
]

DayCloseId = NewType("DayCloseId", uuid.UUID)
DestructionId = NewType("DestructionId", uuid.UUID)

MAX_REMARK_CHARACTERS: Final = 200


class MovementKind(enum.StrEnum):
    """Why chips came to a site or went from one."""

    DELIVERED = "delivered"
    ISSUED = "issued"
    RETURNED = "returned"
    STOLEN = "stolen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One movement of some chips; ``sequence`` counts from 1 over all of them.

    Attributes:
        source: where from; ``None`` for a delivery.
        target: where to; ``None`` for what was stolen.
    """

    sequence: int
    at: datetime
    account: AccountName
    kind: MovementKind
    source: SiteCode | None
    target: SiteCode | None
    chips: int


class DayCloseState(enum.StrEnum):
    """How far the close of a day has come."""

    DIFFERS = "differs"
    COUNTED = "counted"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayClose:
    """One count of a site and, where it agreed, its confirmation by a second person.

    Attributes:
        day: the day that it closes, in Viet Nam.
        received, good, spoiled, samples, left: the account as the records had it.
        counted: what the storekeeper found.
        expected: what they should have found.
        missing: how many serials were expected and not scanned, where serials were scanned.
        last_movement: the last movement that the account knows.
    """

    close_id: DayCloseId
    site: SiteCode
    day: date
    state: DayCloseState
    counted: StockCount
    expected: StockCount
    received: int
    good: int
    spoiled: int
    samples: int
    left: int
    last_movement: int
    counted_by: AccountName
    counted_at: datetime
    closed_by: AccountName | None = None
    closed_at: datetime | None = None

    def account(self, *, stolen: int) -> SiteAccount:
        """The account of the site as it was counted; ``stolen`` is told by the stop list."""
        figures = (self.good, self.spoiled, self.samples, self.left)
        return SiteAccount(
            site=self.site,
            received=self.received,
            classes=dict(zip(StockClass, figures, strict=True)),
            in_hand={each: self.expected.of(each) for each in StockClass},
            stolen=stolen,
            last_movement=self.last_movement,
        )

    def closed(self, account: AccountName, at: datetime) -> "DayClose":
        """The same, confirmed.

        Raises:
            IssuerRefusedError: ``stock.count-differs``, ``stock.day-closed``, ``right.same-person``.
        """
        if self.state is DayCloseState.DIFFERS:
            raise IssuerRefusedError(
                f"the count of site {self.site} differs from the records",
                code="stock.count-differs",
                hint="look for what is missing, and count again",
            )
        if self.state is DayCloseState.CLOSED:
            raise ConflictError(
                f"site {self.site} was closed with this count", code="stock.day-closed"
            )
        two_different_people(self.counted_by, account, act="to close a day")
        return replace(self, state=DayCloseState.CLOSED, closed_by=account, closed_at=at)


class DestructionState(enum.StrEnum):
    """How far a destruction has come."""

    WITNESSED = "witnessed"
    DESTROYED = "destroyed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destruction:
    """Some chips that were destroyed before two witnesses.

    Attributes:
        digest: SHA-256 over the serials in their order: the second witness states that they saw the same chips.
    """

    destruction_id: DestructionId
    site: SiteCode
    state: DestructionState
    manner: str
    chips: int
    digest: bytes
    first_witness: AccountName
    first_at: datetime
    second_witness: AccountName | None = None
    second_at: datetime | None = None

    def destroyed(self, account: AccountName, at: datetime) -> "Destruction":
        """The same, with its second witness.

        Raises:
            IssuerRefusedError: ``right.same-person``.
            ConflictError: ``stock.destruction-concluded``.
        """
        self.require_open()
        two_different_people(self.first_witness, account, act="to destroy chips")
        return replace(self, state=DestructionState.DESTROYED, second_witness=account, second_at=at)

    def withdrawn(self) -> "Destruction":
        """The same, not carried out.

        Raises:
            ConflictError: ``stock.destruction-concluded``.
        """
        self.require_open()
        return replace(self, state=DestructionState.WITHDRAWN)

    def require_open(self) -> None:
        """It waits for its second witness.

        Raises:
            ConflictError: ``stock.destruction-concluded``.
        """
        if self.state is not DestructionState.WITNESSED:
            raise ConflictError(
                f"the destruction is {self.state} already", code="stock.destruction-concluded"
            )


class StopReason(enum.StrEnum):
    """Why a chip is on the stop list."""

    STOLEN = "stolen"
    MISSING = "missing"


class StopState(enum.StrEnum):
    """How far a line of the stop list has come; stations refuse the chip in the first two."""

    REPORTED = "reported"
    CONFIRMED = "confirmed"
    LIFTED = "lifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One line of the stop list.

    Attributes:
        site: where the chip was; ``None`` where it never came to the stock.
    """

    serial: Serial
    reason: StopReason
    state: StopState
    site: SiteCode | None
    reported_by: AccountName
    reported_at: datetime
    concluded_by: AccountName | None = None
    concluded_at: datetime | None = None

    def concluded(self, state: StopState, account: AccountName, at: datetime) -> "Stop":
        """The same, confirmed or lifted by another person than who reported it.

        Raises:
            IssuerRefusedError: ``right.same-person``.
            ConflictError: ``stop.concluded``.
        """
        if self.state is not StopState.REPORTED:
            raise ConflictError(
                f"chip {self.serial.hex().upper()} is {self.state} on the stop list already",
                code="stop.concluded",
            )
        two_different_people(self.reported_by, account, act="to conclude a report of theft")
        return replace(self, state=state, concluded_by=account, concluded_at=at)


def parse_remark(text: str, *, what: str) -> str:
    """A line that a person wrote.

    Raises:
        IssuerDataError: ``stock.remark-malformed``.
    """
    remark = text.strip()
    if not remark or len(remark) > MAX_REMARK_CHARACTERS or not remark.isprintable():
        raise IssuerDataError(
            f"got {len(remark)} characters as {what}, expected one line of 1 to {MAX_REMARK_CHARACTERS}",
            code="stock.remark-malformed",
        )
    return remark
