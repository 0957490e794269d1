"""What an operator does at a station: the acts of its screen, each the same use case as on the command line."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from issuer.domain.chip import Serial
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from issuer.services.station import Station
from issuer.services.station_ports import DayRecord
from issuer.stations.controls import StationControls
from issuer.stations.day import StationDay
from issuer.stations.screen import StationScreen

__all__ = ["RejectReason", "StationOperator"]


class RejectReason(enum.StrEnum):
    """Why a finished card is given up; the word stands in the journal."""

    MISPRINTED = "misprinted"
    MIXED_UP = "mixed-up"
    SCRATCHED = "scratched"
    BENT = "bent"
    CHIP_SILENT = "chip-silent"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationOperator:
    """The acts of whoever stands at the station, in the name of the account with which it was started.

    Attributes:
        station_of: the workers; ``None`` until they are there.
        patience: how many seconds the close of a day waits for a chip in hand.
    """

    account: AccountName
    screen: StationScreen
    controls: StationControls
    day: StationDay
    station_of: Callable[[], Station | None]
    patience: float = 3.0

    def suspend_or_resume(self) -> bool:
        """Let no chip be begun, or let the workers go on; whether it is suspended now.

        Raises:
            IssuerRefusedError: ``station.not-running``.
        """
        station = self._station()
        if station.is_suspended:
            station.resume()
        else:
            station.suspend()
        self.screen.note_suspended(is_suspended=station.is_suspended)
        return station.is_suspended

    def go_on(self, reader: int) -> None:
        """Let a reader work again on which chip after chip was rejected; it counts from 0.

        Raises:
            IssuerRefusedError: ``station.not-running``, ``station.no-such-reader``, ``station.reader-works``.
        """
        panels = self.screen.state.panels
        if not 0 <= reader < len(panels):
            raise IssuerRefusedError(
                f"got reader {reader + 1}, expected 1 to {len(panels)}",
                code="station.no-such-reader",
            )
        if not self._station().go_on(panels[reader].reader):
            raise IssuerRefusedError(
                f"reader {reader + 1} has not stopped", code="station.reader-works"
            )

    def reject(self, serial: Serial, *, reason: RejectReason) -> None:
        """Give up a chip: condemned, revoked, to be destroyed; its member gets another card.

        Raises:
            IssuerRefusedError: a worker is on it (``station.chip-in-work``); and as ``StationControls.reject``.
            IssuerUnavailableError: the journal is gone.
        """
        if serial in self.screen.state.in_work:
            raise IssuerRefusedError(
                f"chip {serial.hex().upper()} is being worked on", code="station.chip-in-work"
            )
        self.controls.reject(serial, reason=reason.value)
        self.screen.note_rejected(serial)
        self.hand_in()

    def print_again(self, serial: Serial) -> int:
        """Hand the print job of a finished card over once more; which copy it is.

        Raises:
            IssuerRefusedError, IssuerUnavailableError: as ``StationControls.print_again``.
        """
        copy = self.controls.print_again(serial)
        self.hand_in()
        return copy

    def close_day(self) -> DayRecord:
        """Suspend the station, then close its day; it stays suspended.

        Raises:
            IssuerRefusedError: a chip is in hand still (``station.chip-in-work``): once more when it is finished; and as
                ``StationDay.close``.
            IssuerUnavailableError: the journal is gone.
        """
        station = self._station()
        station.suspend()
        self.screen.note_suspended(is_suspended=True)
        if not station.wait_until_quiet(self.patience):
            raise IssuerRefusedError(
                "a chip is being worked on: no other is begun, close the day when it is finished",
                code="station.chip-in-work",
            )
        record = self.day.close(account=self.account)
        self.screen.note_day_closed(record)
        return record

    def stop(self) -> None:
        """End the station after the chips in hand.

        Raises:
            IssuerRefusedError: ``station.not-running``.
        """
        self._station().stop()

    def hand_in(self) -> None:
        """Tell the centre, and the screen whether it answered."""
        self.screen.note_hand_in(has_all=self.controls.ledger.hand_in())

    def _station(self) -> Station:
        station = self.station_of()
        if station is None:
            raise IssuerRefusedError(
                "the station is not running yet", code="station.not-running", hint="wait a moment"
            )
        return station
