"""The ports of the terminal: what inspects a card for it, and what keeps a record of each inspection."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from verifier.inspection.explanation import Explanation
from verifier.inspection.report import Assurance, Report, Verdict
from verifier.services.card_password import CardPassword
from verifier.services.terminal_state import HolderAnswer, Progress

__all__ = [
    "Examined",
    "Examiner",
    "HolderRecord",
    "InspectionJournal",
    "InspectionRecord",
    "ProgressListener",
]

ProgressListener = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Examined:
    """One card, read and judged: what may be shown, and what is recorded."""

    report: Report
    explanation: Explanation
    purpose: str
    card: bytes | None = field(repr=False)
    """What tells cards apart, the same at every terminal; the journal keeps a keyed digest of it only."""
    chip: bytes | None = field(default=None, repr=False)
    """The key that the chip has proven, in the same way."""
    portrait: bytes | None = None
    """PNG; only of an accepted card."""


Examiner = Callable[[CardPassword, ProgressListener], Examined]
"""Reads and judges the card in the reader; whatever the card does, it gives a report.

Raises:
    VerifierError, CardError: this terminal could not do it; nothing is said about the card.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRecord:
    """What the journal keeps of one inspection: no name, no number, no portrait."""

    at: datetime
    purpose: str
    verdict: Verdict
    assurance: Assurance
    codes: tuple[str, ...]
    notes: tuple[str, ...]
    card: bytes | None = field(repr=False)
    """As in ``Examined``; it is replaced by its pseudonym before anything is stored."""
    chip: bytes | None = field(default=None, repr=False)
    """The same of the chip's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderRecord:
    """The clerk's answer to an inspection, by the number of its record."""

    at: datetime
    inspection: int
    answer: HolderAnswer


class InspectionJournal(Protocol):
    """Keeps records in the order in which they come."""

    def record(self, record: InspectionRecord | HolderRecord) -> int:
        """Keep it; gives its number once it is on disk.

        Raises:
            VerifierError: it could not be kept (``journal.*``).
        """
