"""Figures of chips that are added up over sites: of a part of the tree, or of all of it."""

from dataclasses import dataclass, fields

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

    @property
    def is_balanced(self) -> bool:
        """Whether every chip that came stands in a class, and none that did not come."""
        return self.received == self.good + self.spoiled + self.samples + self.left

    def __add__(self, other: "StockFigures") -> "StockFigures":
        return StockFigures(
            **{
                each.name: getattr(self, each.name) + getattr(other, each.name)
                for each in fields(self)
            }
        )

    def __sub__(self, other: "StockFigures") -> "StockFigures":
        """What is to be added to ``other`` to make this; its counts may be negative."""
        return StockFigures(
            **{
                each.name: getattr(self, each.name) - getattr(other, each.name)
                for each in fields(self)
            }
        )
