"""What an operator does beside putting chips in: the card that was just made is rejected, or printed again."""

from dataclasses import dataclass
from typing import Final

from issuer.domain.chip import Serial
from issuer.domain.production_events import ProductionEventKind
from issuer.domain.stock_acts import parse_remark
from issuer.errors import IssuerRefusedError
from issuer.services.print_ports import PrintQueue
from issuer.services.visit_chip import PRINTED
from issuer.stations.journal import StationJournal
from issuer.stations.journal_day import events_of_today
from issuer.stations.journal_ledger import JournalStationLedger

__all__ = ["REJECTED", "StationControls"]

REJECTED = "card.rejected-by-operator"
_PASSED: Final = "card.passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationControls:
    """The acts of one station's operator."""

    journal: StationJournal
    ledger: JournalStationLedger
    prints: PrintQueue | None = None

    def reject(self, serial: Serial, *, reason: str) -> None:
        """Give up a chip that the station has in hand, begun or finished today; its member gets another card.

        Raises:
            IssuerDataError: the reason is no line of text, or too long (``stock.remark-malformed``).
            IssuerRefusedError: the station has no such chip (``station.not-claimed``), or it is condemned already;
                quality control has passed the card (``card.passed``), which the centre says as soon as it is asked.
            IssuerUnavailableError: the journal is gone.
        """
        why = parse_remark(reason, what="the reason")
        before = self.journal.head.sequence
        self.ledger.condemn(serial, code=REJECTED, detail=why)
        # Where the centre answers, the operator hears now that the card goes another way.
        self.ledger.hand_in()
        for each in self.journal.rejections():
            if each.serial == serial and each.sequence > before and each.code == _PASSED:
                raise IssuerRefusedError(
                    "quality control has passed the card, so it is not rejected here: it is reported as damaged",
                    code=_PASSED,
                    hint=f"membercard-issuer cards report {serial.hex().upper()} --reason damaged; "
                    "another person confirms",
                )

    def print_again(self, serial: Serial) -> int:
        """Hand the print job of a finished card over once more; which copy it is.

        Raises:
            IssuerRefusedError: there is no finished card on the chip (``print.nothing``), or nothing prints
                (``print.no-queue``).
            IssuerUnavailableError: ``print.unavailable``, or the journal is gone.
        """
        if self.prints is None:
            raise IssuerRefusedError(
                "no printer is set for this station",
                code="print.no-queue",
                hint="settings.toml, [station]: print_folder and printer_certificate",
            )
        held = self.journal.chip(serial)
        card = None if held is None else held.record.card
        if card is None or card.issued_at is None:
            raise IssuerRefusedError(
                f"chip {serial.hex().upper()} is no card that was finished here today",
                code="print.nothing",
            )
        copy = self._copies(serial) + 1
        self.prints.hand_over(self.ledger.load_job(card.reference), copy=copy)
        self.ledger.note(
            f"copy {copy}", serial=serial, code=PRINTED, detail="by the operator's wish"
        )
        return copy

    def _copies(self, serial: Serial) -> int:
        """How often the job was handed over already."""
        return sum(
            event.kind is ProductionEventKind.NOTED
            and event.serial == serial
            and event.code == PRINTED
            for event in events_of_today(self.journal)
        )
