"""Reports of inspections: how many, with which verdicts, by whatever they are counted by."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Final, Protocol

__all__ = ["AlarmLine", "CountedBy", "InspectionCount", "Reports", "to_csv"]

_COLUMNS: Final = ("inspections", "accepted", "refused", "unreadable")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@unique
class CountedBy(StrEnum):
    """What a report counts by."""

    ORGANISATION = "organisation"
    TERMINAL = "terminal"
    CODE = "code"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionCount:
    """One line of a report; ``key`` is the organisation's code, the terminal's holder, a code, or a day in UTC."""

    key: str
    inspections: int
    accepted: int
    refused: int
    unreadable: int

    def to_document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "key": self.key,
            "inspections": self.inspections,
            "accepted": self.accepted,
            "refused": self.refused,
            "unreadable": self.unreadable,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmLine:
    """One alarm as it is kept."""

    number: int
    code: str
    at: datetime
    holder: str
    organisation: str
    details: dict[str, object]

    def to_document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "number": self.number,
            "code": self.code,
            "at": self.at.isoformat(),
            "terminal": self.holder,
            "organisation": self.organisation,
            "details": self.details,
        }


class Reports(Protocol):
    """What the centre can be asked about."""

    def counts(
        self, by: CountedBy, *, begin: datetime | None, end: datetime | None
    ) -> list[InspectionCount]:
        """A report, in the order of its keys."""

    def alarms(self, *, behind: int, limit: int) -> list[AlarmLine]:
        """Alarms behind a number, the oldest first."""


def to_csv(by: CountedBy, lines: Iterable[InspectionCount]) -> str:
    """The report as comma-separated values (RFC 4180); no cell is ever a formula of a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow((by.value, *_COLUMNS))
    for line in lines:
        key = f"'{line.key}" if line.key.startswith(_FORMULA) else line.key
        writer.writerow((key, line.inspections, line.accepted, line.refused, line.unreadable))
    return text.getvalue()
