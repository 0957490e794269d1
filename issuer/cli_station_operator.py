"""An operator before the screen of a station: what they see, and what their keys do."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from issuer.cli_context import standard_output
from issuer.domain.chip import Serial
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.station import Station, StationEvent
from issuer.station_display import plain_display, silent_display
from issuer.stations.controls import StationControls
from issuer.stations.keyboard import listening_to_keys
from issuer.stations.keys import KeyLine, Wish, WishKind
from issuer.stations.panel_display import panel_display

__all__ = ["OperatorDesk"]

_REASON = "rejected at the station"


@dataclass(slots=True, kw_only=True)
class OperatorDesk:
    """Screen and keyboard of one station; ``station`` is set once its workers are there.

    ``waiting`` says how many events the centre has not.
    """

    controls: StationControls
    names: tuple[str, ...]
    waiting: Callable[[], int]
    station: Station | None = None
    _said: str = ""
    _keys: KeyLine = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._keys = KeyLine(len(self.names), self._last_done)

    @contextlib.contextmanager
    def display(self, *, is_silent: bool) -> Iterator[Callable[[StationEvent], None]]:
        """Whatever suits where the output goes; keys are heard on a terminal only."""
        if is_silent:
            with silent_display() as on_event:
                yield on_event
            return
        console = standard_output()
        if not console.is_terminal:
            with plain_display() as on_event:
                yield on_event
            return
        with (
            panel_display(self.names, console=console, footer=self.footer) as on_event,
            listening_to_keys(self.press),
        ):
            yield on_event

    def footer(self) -> str:
        """What the last key did, and what the next may be."""
        suspended = self.station is not None and self.station.is_suspended
        waiting = self.waiting()
        parts = (
            "SUSPENDED" if suspended else "",
            f"{waiting} events wait for the centre" if waiting else "",
            self._said,
            self._keys.prompt,
        )
        return "   ".join(part for part in parts if part)

    def press(self, key: str) -> None:
        """Take one key, and do what is complete with it; what is refused is said on the screen."""
        with self._lock:
            wish = self._keys.press(key)
            if wish is None or self.station is None:
                return
            try:
                self._said = self._do(wish, self.station)
            except (IssuerRefusedError, IssuerUnavailableError) as error:
                self._said = f"{error} [{error.code}]"

    def _do(self, wish: Wish, station: Station) -> str:
        if wish.kind is WishKind.SUSPEND_OR_RESUME:
            if station.is_suspended:
                station.resume()
                return "goes on"
            station.suspend()
            return "begins no chip"
        if wish.kind is WishKind.STOP:
            station.stop()
            return "ends after the chips in hand"
        if wish.serial is None:
            return "no card was made on this reader"
        text = wish.serial.hex().upper()
        if wish.kind is WishKind.REJECT:
            self.controls.reject(wish.serial, reason=_REASON)
            return f"{text} is rejected: put it aside to be destroyed"
        return f"{text}: copy {self.controls.print_again(wish.serial)} is printed"

    def _last_done(self, reader: int) -> Serial | None:
        return None if self.station is None else self.station.last_done(reader)
