"""What became of the rows of a list."""

import enum
from dataclasses import dataclass

from issuer.domain.list_row import Finding

__all__ = ["ImportSummary", "RowOutcome", "RowResult"]


class RowResult(enum.Enum):
    """The end of one row."""

    TAKEN = "taken"
    PRESENT = "already-present"
    REFUSED = "refused"
    QUESTIONABLE = "questionable"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """One row and its end; ``findings`` says why it was refused, or what a person has to look at."""

    row: int
    result: RowResult
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """How many rows ended how."""

    taken: int = 0
    already_present: int = 0
    refused: int = 0
    questionable: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.taken + self.already_present + self.refused + self.questionable

    def with_outcome(self, outcome: RowOutcome) -> "ImportSummary":
        """One row more."""
        result = outcome.result
        return ImportSummary(
            taken=self.taken + (result is RowResult.TAKEN),
            already_present=self.already_present + (result is RowResult.PRESENT),
            refused=self.refused + (result is RowResult.REFUSED),
            questionable=self.questionable + (result is RowResult.QUESTIONABLE),
        )

    def with_results(self, results: "list[RowResult]") -> "ImportSummary":
        """Many rows more."""
        return ImportSummary(
            taken=self.taken + results.count(RowResult.TAKEN),
            already_present=self.already_present + results.count(RowResult.PRESENT),
            refused=self.refused + results.count(RowResult.REFUSED),
            questionable=self.questionable + results.count(RowResult.QUESTIONABLE),
        )
