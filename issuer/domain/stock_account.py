"""The account of a site: every chip that came to it stands in exactly one class, always.

    received = good + spoiled + samples + left

``received`` comes from the movements (what was brought to the site less what went on from it, or was stolen); the
four classes come from what the records of chips and cards say. Nothing computes one side from the other, so a chip
that got lost between the two shows.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Final, NewType

from issuer.domain.card import CardState
from issuer.domain.chip import ChipState
from issuer.domain.organisation import OrganisationCode
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = [
    "FIRST_STORE",
    "HELD_AS_SAMPLE",
    "HELD_AS_STOLEN",
    "CountDifference",
    "Site",
    "SiteAccount",
    "SiteCode",
    "SiteKind",
    "StockClass",
    "StockCount",
    "class_of",
    "count_differences",
    "day_of",
    "parse_site_code",
    "parse_site_name",
    "require_balance",
]

SiteCode = NewType("SiteCode", str)
"""What a site is called in lists and commands: lower-case letters, digits and hyphens."""

FIRST_STORE: Final = SiteCode("store")
"""The store that every register begins with."""

HELD_AS_SAMPLE: Final = "chip.sample"
"""The code with which a sample is held: it never becomes a card."""

HELD_AS_STOLEN: Final = "chip.stolen"
"""The code with which a chip of the stop list is held, and later condemned."""

_SITE_CODE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SITE_NAME_CHARACTERS: Final = 100
_MAX_COUNT: Final = 100_000_000
_VIET_NAM: Final = timezone(timedelta(hours=7), "+07:00")


class SiteKind(enum.StrEnum):
    """What a site is for."""

    STORE = "store"
    STATION = "station"


class StockClass(enum.StrEnum):
    """Where a chip stands in the account."""

    GOOD = "good"
    SPOILED = "spoiled"
    SAMPLE = "samples"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place that answers for its chips.

    Attributes:
        organisation: to which organisation's part of the tree it belongs; ``None`` for the whole register.
    """

    code: SiteCode
    kind: SiteKind
    name: str
    organisation: OrganisationCode | None
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAccount:
    """What the records say of one site.

    Attributes:
        site: whose account.
        received: from the movements alone.
        classes: how many chips stand in each class, from the records of chips and cards alone.
        in_hand: how many of each class lie at the site to be counted; those that were destroyed, dispatched or
            handed over do not.
        stolen: how many went to the stop list from here; they are in no class.
        last_movement: the number of the last movement anywhere at the site; 0 before the first.
    """

    site: SiteCode
    received: int
    classes: Mapping[StockClass, int] = field(default_factory=dict)
    in_hand: Mapping[StockClass, int] = field(default_factory=dict)
    stolen: int = 0
    last_movement: int = 0

    def total(self, stock_class: StockClass) -> int:
        """How many chips stand in a class."""
        return self.classes.get(stock_class, 0)

    @property
    def figures(self) -> tuple[int, ...]:
        """Good, spoiled, samples and left, in this order."""
        return tuple(self.total(each) for each in StockClass)

    def to_count(self) -> "StockCount":
        """What a person must find at the site."""
        return StockCount(**{_FIELDS[each]: self.in_hand.get(each, 0) for each in StockClass})

    @property
    def is_balanced(self) -> bool:
        """Whether every chip that came stands in a class, and none that did not come."""
        return self.received == sum(self.classes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StockCount:
    """What a person counted at a site: finished cards that lie there, spoiled chips, samples, and blanks left."""

    finished: int
    spoiled: int
    samples: int
    left: int

    def __post_init__(self) -> None:
        for name in _FIELDS.values():
            if not 0 <= getattr(self, name) <= _MAX_COUNT:
                raise IssuerDataError(
                    f"got {getattr(self, name)} {name}, expected 0 to {_MAX_COUNT}",
                    code="stock.count-malformed",
                )

    def of(self, stock_class: StockClass) -> int:
        """How many of one class."""
        counted: int = getattr(self, _FIELDS[stock_class])
        return counted


_FIELDS: Final = {
    StockClass.GOOD: "finished",
    StockClass.SPOILED: "spoiled",
    StockClass.SAMPLE: "samples",
    StockClass.LEFT: "left",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CountDifference:
    """One class that was counted otherwise than the records say."""

    stock_class: StockClass
    counted: int
    expected: int


def class_of(chip: ChipState, card: CardState | None, *, is_sample: bool) -> StockClass:
    """The one class of a chip that was not stolen.

    Args:
        chip: the state of the chip.
        card: the state of the card that is bound to it, if any.
        is_sample: whether it was taken out as a sample.
    """
    if is_sample:
        return StockClass.SAMPLE
    if chip is ChipState.CONDEMNED or card is CardState.CONDEMNED:
        return StockClass.SPOILED
    if card in (CardState.ISSUED, CardState.HANDED_OVER):
        return StockClass.GOOD
    return StockClass.LEFT


def count_differences(account: SiteAccount, counted: StockCount) -> tuple[CountDifference, ...]:
    """Every class in which a count and the records differ."""
    expected = account.to_count()
    return tuple(
        CountDifference(stock_class=each, counted=counted.of(each), expected=expected.of(each))
        for each in StockClass
        if counted.of(each) != expected.of(each)
    )


def require_balance(account: SiteAccount) -> None:
    """The books of a site agree with each other.

    Raises:
        IssuerRefusedError: ``stock.out-of-balance``.
    """
    if not account.is_balanced:
        parts = " + ".join(f"{account.total(each)} {each.value}" for each in StockClass)
        raise IssuerRefusedError(
            f"site {account.site} received {account.received} chips, and the records have {parts}",
            code="stock.out-of-balance",
            hint="no count can close this day: compare the movements with the journal of the chips",
        )


def day_of(at: datetime) -> date:
    """The day in Viet Nam at a moment: a day of work ends at its midnight, not at that of UTC."""
    return at.astimezone(_VIET_NAM).date()


def parse_site_code(text: str) -> SiteCode:
    """A site's code as people write it.

    Raises:
        IssuerDataError: ``stock.site-malformed``.
    """
    if not _SITE_CODE.fullmatch(text):
        raise IssuerDataError(
            f"got site {text[:40]!r}, expected a lower-case letter and up to 31 letters, digits and hyphens",
            code="stock.site-malformed",
        )
    return SiteCode(text)


def parse_site_name(text: str) -> str:
    """A site's name: one line that can be shown.

    Raises:
        IssuerDataError: ``stock.site-malformed``.
    """
    name = text.strip()
    if not name or len(name) > _SITE_NAME_CHARACTERS or not name.isprintable():
        raise IssuerDataError(
            f"got a site name of {len(name)} characters, expected one line of 1 to {_SITE_NAME_CHARACTERS}",
            code="stock.site-malformed",
        )
    return name
