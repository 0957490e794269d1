"""How far production has come: by stage, how long cards have stood there, and against a deadline. The only definitions.

A member who may have a card is *to exchange* while there is neither a card in force, nor one in the making, nor a
decided request; from the decision on it is the card that is counted. Cards that have ended count nowhere, and those that
were condemned are told apart by their reasons.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

__all__ = ["LONG", "VERY_LONG", "Progress", "Stage", "StageCount"]

LONG: Final = timedelta(days=7)
VERY_LONG: Final = timedelta(days=30)
"""How long a card stands in a stage before it is counted as standing long, and very long."""

_PER_MILLE: Final = 1000


class Stage(StrEnum):
    """How far one card has come."""

    TO_EXCHANGE = "to-exchange"
    DECIDED = "decided"
    BOUND = "bound"
    SIGNED = "signed"
    PRODUCING = "producing"
    """At a station: from the first APDU that may have reached the chip until it is finished."""

    ISSUED = "issued"
    DISPATCHED = "dispatched"
    HANDED_OVER = "handed-over"
    CONDEMNED = "condemned"

    @property
    def is_work(self) -> bool:
        """Whether a card is on its way in this stage, so that it matters how long it stands there."""
        return self not in _NO_WORK


_NO_WORK: Final = frozenset({Stage.TO_EXCHANGE, Stage.HANDED_OVER, Stage.CONDEMNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCount:
    """How many stand in a stage, and how many of them for longer than ``LONG`` and ``VERY_LONG``."""

    cards: int = 0
    long: int = 0
    very_long: int = 0

    def __add__(self, other: "StageCount") -> "StageCount":
        return StageCount(
            cards=self.cards + other.cards,
            long=self.long + other.long,
            very_long=self.very_long + other.very_long,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What was counted in an organisation and all below it.

    Attributes:
        stages: how many cards stand where.
        rejects: condemned cards by the code of the reason.
        blanks: chips that were condemned before they were a card, by the code of the reason, at the organisation of
            the site that answers for them; those of a site of the whole register count at its top.
    """

    stages: Mapping[Stage, StageCount] = field(default_factory=dict)
    rejects: Mapping[str, int] = field(default_factory=dict)
    blanks: Mapping[str, int] = field(default_factory=dict)

    def at(self, stage: Stage) -> StageCount:
        """One stage."""
        return self.stages.get(stage, StageCount())

    @property
    def reasons(self) -> Mapping[str, tuple[int, int]]:
        """By reason, how many cards and how many blanks; the most frequent first."""
        found = {
            each: (self.rejects.get(each, 0), self.blanks.get(each, 0))
            for each in {*self.rejects, *self.blanks}
        }
        return dict(sorted(found.items(), key=lambda pair: (-sum(pair[1]), pair[0])))

    @property
    def done(self) -> int:
        """Cards in their members' hands."""
        return self.at(Stage.HANDED_OVER).cards

    @property
    def left(self) -> int:
        """Cards that are still to be handed over."""
        return sum(
            self.at(each).cards
            for each in Stage
            if each not in (Stage.HANDED_OVER, Stage.CONDEMNED)
        )

    @property
    def per_mille(self) -> int | None:
        """The share that is done, in thousandths, rounded down; ``None`` where there is nothing to do."""
        of = self.done + self.left
        return None if of == 0 else self.done * _PER_MILLE // of

    def needed_a_day(self, deadline: date, *, today: date) -> int | None:
        """How many cards a day are left, today and the deadline counted; ``None`` where it has passed."""
        days = (deadline - today).days + 1
        return None if days < 1 else -(-self.left // days)
