"""Figures of chips that are added up over sites: of a part of the tree, or of all of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from issuer.domain.stock_account import SiteAccount, StockClass

__all__ = ["StockFigures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockFigures:
    """What the books of some sites say together.

    Attributes:
        received: what came to the sites less what went on from them.
        good, spoiled, samples, left: the classes; together they are what was received, or the books disagree.
        destroyed: how many of the spoiled chips and samples were destroyed before two witnesses.
        stolen: how many went to the stop list for good; they are in no class.
    """

    received: int = 0
    good: int = 0
    spoiled: int = 0
    samples: int = 0
    left: int = 0
    destroyed: int = 0
    stolen: int = 0

    @classmethod
    def of(cls, counts: Iterable[int]) -> "StockFigures":
        """From their counts, in the order of the fields."""
        received, good, spoiled, samples, left, destroyed, stolen = counts
        return cls(
            received=received,
            good=good,
            spoiled=spoiled,
            samples=samples,
            left=left,
            destroyed=destroyed,
            stolen=stolen,
        )

    @classmethod
    def of_account(cls, account: SiteAccount, *, destroyed: int) -> "StockFigures":
        """The figures of one site; what was destroyed there is told by the destructions."""
        return cls(
            received=account.received,
            good=account.total(StockClass.GOOD),
            spoiled=account.total(StockClass.SPOILED),
            samples=account.total(StockClass.SAMPLE),
            left=account.total(StockClass.LEFT),
            destroyed=destroyed,
            stolen=account.stolen,
        )

    @property
    def is_balanced(self) -> bool:
        """Whether every chip that came stands in a class, and none that did not come."""
        return self.received == self.good + self.spoiled + self.samples + self.left

    @property
    def counts(self) -> tuple[int, ...]:
        """Their counts, in the order of the fields."""
        return (
            self.received, self.good, self.spoiled, self.samples, self.left, self.destroyed, self.stolen,
        )  # fmt: skip

    def __add__(self, other: "StockFigures") -> "StockFigures":
        return StockFigures.of(map(int.__add__, self.counts, other.counts))

    def __sub__(self, other: "StockFigures") -> "StockFigures":
        """What is to be added to ``other`` to make this; its counts may be negative."""
        return StockFigures.of(map(int.__sub__, self.counts, other.counts))

    def without_negatives(self) -> "StockFigures":
        """The same, with none where there would be fewer."""
        return StockFigures.of(max(0, each) for each in self.counts)
