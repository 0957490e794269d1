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


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """One row and its end; ``findings`` says why it was refused."""

    row: int
    result: RowResult
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """How many rows ended how."""

    taken: int = 0
    already_present: int = 0
    refused: int = 0

    def with_outcome(self, outcome: RowOutcome) -> "ImportSummary":
        """One row more."""
        result = outcome.result
        return ImportSummary(
            taken=self.taken + (result is RowResult.TAKEN),
            already_present=self.already_present + (result is RowResult.PRESENT),
            refused=self.refused + (result is RowResult.REFUSED),
        )
