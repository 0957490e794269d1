"""How a station runs before its operator: on a terminal, or with a screen in the browser; and where its page is."""

import contextlib
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import typer
from rich.markup import escape

from card_layout.transport.connection import CardReader
from issuer.bootstrap_station import OpenedStation
from issuer.cli_context import command_context, standard_error, standard_output
from issuer.cli_rights import OWN_STATION, needs
from issuer.cli_station_operator import OperatorDesk
from issuer.domain.production_events import parse_station_name
from issuer.domain.rights import Right
from issuer.errors import IssuerUnavailableError
from issuer.services.production_ports import ChipKeys
from issuer.services.station import Station
from issuer.services.station_events import StationEvent, StationReport
from issuer.services.station_ports import StationPresence
from issuer.services.visit_chip import StationTask
from issuer.settings import load_settings
from issuer.station_display import plain_display, silent_display
from issuer.stations.herald import StationHerald
from pki.errors import PkiError

__all__ = ["DEFAULT_LISTEN", "ScreenOption", "StationWork", "station_page_app"]

DEFAULT_LISTEN: Final = "127.0.0.1:24841"

station_page_app = typer.Typer(rich_markup_mode=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenOption:
    """Where the page of a station's screen is served, and whether it is opened in this user's browser."""

    listen: str
    is_opened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StationWork:
    """One run of a station, until its count, its patience or its operator ends it."""

    opened: OpenedStation
    task: StationTask
    readers: Sequence[CardReader]
    count: int | None
    patience: float | None
    chip_keys: ChipKeys | None

    def run(self, *, is_silent: bool) -> StationReport:
        """Before a terminal, with its keys; or with a line a chip where there is none."""
        desk = OperatorDesk(
            controls=self.opened.controls(),
            names=tuple(reader.name for reader in self.readers),
            waiting=self.opened.waiting,
        )
        with desk.display(is_silent=is_silent) as on_event:
            station = desk.station = self._station(on_event)
            herald = StationHerald(
                self.opened.ledger.greet,
                presence=lambda: self._presence(station),
                batch=lambda: self.opened.ledger.batch,
            )
            self._introduce()
            with herald.heralding():
                return station.run()

    def run_with_screen(self, option: ScreenOption, *, is_silent: bool) -> StationReport:
        """Before a page in the browser, and with a line a chip."""
        # The web framework is loaded for a station with a screen alone.
        from issuer.bootstrap_station_screen import (  # noqa: PLC0415 - as said
            parse_listen,
            running_screen,
        )

        def announce(address: str) -> None:
            standard_error().print(f"page: {escape(address)}")
            if option.is_opened:
                webbrowser.open(address)

        names = tuple(reader.name for reader in self.readers)
        with (
            running_screen(
                self.opened, names, listen=parse_listen(option.listen), announce=announce
            ) as screen,
            silent_display() if is_silent else plain_display() as tell,
        ):

            def on_event(event: StationEvent) -> None:
                screen.show(event)
                tell(event)

            station = self._station(on_event, hand_in=screen.hand_in, is_attended=True)
            herald = StationHerald(
                self.opened.ledger.greet,
                presence=lambda: self._presence(station),
                batch=lambda: screen.screen.state.batch,
                on_answer=screen.screen.note_answer,
                on_silence=screen.screen.note_silence,
            )
            self._introduce()
            with herald.heralding():
                return screen.run(station)

    def _introduce(self) -> None:
        """Before the first chip: a centre that does not work with this station or its journal says so now.

        Where nobody answers, the station goes on with what it has. Jobs that the printer has not, it gets now.
        """
        with contextlib.suppress(IssuerUnavailableError, PkiError):
            self.opened.ledger.greet(StationPresence(readers=()), None)
        try:
            self.opened.waiting_prints().hand_over()
        except IssuerUnavailableError as error:
            # A printer that is away stops no station; the jobs wait until the next start, or the end of the day.
            standard_error().print(f"warning: {error} [{error.code}]", markup=False)

    def _presence(self, station: Station) -> StationPresence:
        return StationPresence(
            readers=tuple(reader.name for reader in self.readers),
            is_suspended=station.is_suspended,
        )

    def _station(
        self,
        on_event: Callable[[StationEvent], None],
        *,
        hand_in: Callable[[], bool] | None = None,
        is_attended: bool = False,
    ) -> Station:
        return self.opened.station(
            self.readers,
            task=self.task,
            count=self.count,
            patience=self.patience,
            on_event=on_event,
            chip_keys=self.chip_keys,
            hand_in=hand_in,
            is_attended=is_attended,
        )


@station_page_app.command(
    "page",
    epilog="""\b
Examples:
  membercard-issuer --home office station page
  membercard-issuer --home office station page --open
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def page_command(
    context: typer.Context,
    *,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open it in this user's browser.")
    ] = False,
) -> None:
    """Print the address that opens the screen of the running station, once."""
    from issuer.bootstrap_station_screen import page_address  # noqa: PLC0415 - as said above

    home = command_context(context).home
    address = page_address(home, parse_station_name(load_settings(home).station.name))
    standard_output().print(escape(address))
    if open_page:
        webbrowser.open(address)
