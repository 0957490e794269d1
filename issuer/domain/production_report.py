"""How far production has come: by stage, how long cards have stood there, and against a deadline. The only definitions.

A member who may have a card is *to exchange* while there is neither a card in force, nor one in the making, nor a
decided request; from the decision on it is the card that is counted. Cards that have ended count nowhere, and those that
were condemned are told apart by their reasons.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from issuer.domain.stock_figures import StockFigures

__all__ = ["LONG", "OTHER_REASONS", "VERY_LONG", "Progress", "Stage", "StageCount"]

LONG: Final = timedelta(days=7)
VERY_LONG: Final = timedelta(days=30)
"""How long a card stands in a stage before it is counted as standing long, and very long."""

OTHER_REASONS: Final = "report.other-reasons"
"""What stands for reasons that a bundle has no room to tell apart."""

_PER_MILLE: Final = 1000


_Key = TypeVar("_Key", bound=str)
_Value = TypeVar("_Value")


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

    @classmethod
    def of(cls, counts: Iterable[int]) -> "StageCount":
        """From the three counts, in this order."""
        cards, long, very_long = counts
        return cls(cards=cards, long=long, very_long=very_long)

    @property
    def counts(self) -> tuple[int, int, int]:
        """The three counts, in the order of the fields."""
        return self.cards, self.long, self.very_long

    def __add__(self, other: "StageCount") -> "StageCount":
        return StageCount(
            cards=self.cards + other.cards,
            long=self.long + other.long,
            very_long=self.very_long + other.very_long,
        )

    def __sub__(self, other: "StageCount") -> "StageCount":
        """What is to be added to ``other`` to make this; its counts may be negative."""
        return StageCount(
            cards=self.cards - other.cards,
            long=self.long - other.long,
            very_long=self.very_long - other.very_long,
        )

    def without_negatives(self) -> "StageCount":
        """The same, with none where there would be fewer."""
        return StageCount.of(max(0, each) for each in self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What was counted in an organisation and all below it.

    Attributes:
        stages: how many cards stand where.
        rejects: condemned cards by the code of the reason.
        blanks: chips that were condemned before they were a card, by the code of the reason, at the organisation of
            the site that answers for them; those of a site of the whole register count at its top.
        stock: the books of the sites, at the same organisations as ``blanks``.
    """

    stages: Mapping[Stage, StageCount] = field(default_factory=dict)
    rejects: Mapping[str, int] = field(default_factory=dict)
    blanks: Mapping[str, int] = field(default_factory=dict)
    stock: StockFigures = field(default_factory=StockFigures)

    def __add__(self, other: "Progress") -> "Progress":
        return Progress(
            stages=_both(self.stages, other.stages, StageCount(), StageCount.__add__),
            rejects=_both(self.rejects, other.rejects, 0, int.__add__),
            blanks=_both(self.blanks, other.blanks, 0, int.__add__),
            stock=self.stock + other.stock,
        )

    def __sub__(self, other: "Progress") -> "Progress":
        """What is to be added to ``other`` to make this; its counts may be negative."""
        return Progress(
            stages=_both(self.stages, other.stages, StageCount(), StageCount.__sub__),
            rejects=_both(self.rejects, other.rejects, 0, int.__sub__),
            blanks=_both(self.blanks, other.blanks, 0, int.__sub__),
            stock=self.stock - other.stock,
        )

    def without_negatives(self) -> "Progress":
        """The same, with none where there would be fewer."""
        stages = {stage: count.without_negatives() for stage, count in self.stages.items()}
        return Progress(
            stages={stage: count for stage, count in stages.items() if count != StageCount()},
            rejects={each: count for each, count in self.rejects.items() if count > 0},
            blanks={each: count for each, count in self.blanks.items() if count > 0},
            stock=self.stock.without_negatives(),
        )

    def with_most_reasons(self, most: int) -> "Progress":
        """The same with so many reasons told apart, the most frequent ones, and the others as ``OTHER_REASONS``."""
        told = [each for each in self.reasons if each != OTHER_REASONS][:most]

        def folded(counts: Mapping[str, int]) -> dict[str, int]:
            kept = {each: count for each, count in counts.items() if each in told}
            rest = sum(counts.values()) - sum(kept.values())
            return kept | ({OTHER_REASONS: rest} if rest else {})

        return replace(self, rejects=folded(self.rejects), blanks=folded(self.blanks))

    @property
    def is_of_a_producer(self) -> bool:
        """Whether there was ever a chip or a card; members and requests alone are no production."""
        stages = self.stages.keys() - {Stage.TO_EXCHANGE, Stage.DECIDED}
        return bool(stages or self.rejects or self.blanks or self.stock != StockFigures())

    @property
    def is_possible(self) -> bool:
        """Whether no more cards stand long in a stage than stand there."""
        return all(each.very_long <= each.long <= each.cards for each in self.stages.values())

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


def _both(
    ours: Mapping[_Key, _Value],
    theirs: Mapping[_Key, _Value],
    nothing: _Value,
    join: Callable[[_Value, _Value], _Value],
) -> dict[_Key, _Value]:
    """Both together, key by key; what makes nothing is left out."""
    found = {
        each: join(ours.get(each, nothing), theirs.get(each, nothing)) for each in {*ours, *theirs}
    }
    return {each: value for each, value in found.items() if value != nothing}
