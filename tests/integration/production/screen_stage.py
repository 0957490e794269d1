"""A station with its screen under test: readers into which the test puts virtual cards, the page served on loopback."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from card_layout.errors import NoCardError
from card_layout.transport.connection import CardReader
from issuer.api.station_screen.app import create_screen_app
from issuer.api.station_screen.pairing import ScreenPairing
from issuer.api.station_screen.ports import ScreenServices
from issuer.api.station_screen.serving import screen_listener, serving_screen
from issuer.api.station_screen.streams import ScreenStreams
from issuer.bootstrap_station_screen import RunningScreen
from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.production_events import StationName
from issuer.services.print_ports import PrintQueue
from issuer.services.station import Station, StationTiming
from issuer.services.visit_chip import StationTask
from issuer.stations.controls import StationControls
from issuer.stations.operator import StationOperator
from issuer.stations.screen import StationScreen
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.faults import Fault
from tests.integration.production.station_stage import ANNA, StationUnderTest


class Tray:
    """A reader into which a card is put, and out of which it is taken; one that is torn is out, too."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._reader: SimulatedReader | None = None
        self._connection: Any = None

    def put(self, card: VirtualCard, *faults: Fault) -> None:
        self._reader = SimulatedReader(card, faults=faults)

    def take(self) -> None:
        self._reader = self._connection = None

    def is_card_present(self) -> bool:
        if self._connection is not None and self._connection.is_torn:
            self.take()
        return self._reader is not None

    def connect(self) -> Any:
        reader = self._reader
        if reader is None:
            raise NoCardError("the tray is empty")
        self._connection = reader.connect()
        return self._connection


class ScreenStage:
    """One station with a screen; its workers run while ``working`` lasts."""

    def __init__(
        self,
        workshop: Any,
        station: StationUnderTest,
        *names: str,
        readers: Sequence[CardReader] = (),
        prints: PrintQueue | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.trays = tuple(Tray(name) for name in names)
        self._readers: tuple[CardReader, ...] = (*self.trays, *readers)
        self.under_test = station
        self.clock = clock
        self._workshop = workshop
        day = station.day()
        self.screen = StationScreen(
            tuple(reader.name for reader in self._readers),
            clock=clock,
            answers_at_once=station.link.answers_at_once,
            waiting=lambda: station.journal.head.sequence - station.journal.handed_in,
            today=day.today(),
        )
        self.operator = StationOperator(
            account=ANNA,
            screen=self.screen,
            controls=StationControls(journal=station.journal, ledger=station.ledger, prints=prints),
            day=day,
            station_of=lambda: self.running.station,
            patience=1.0,
        )
        self.running = RunningScreen(
            screen=self.screen, operator=self.operator, batch_of=lambda _serial: None
        )

    @contextlib.contextmanager
    def working(self) -> Iterator[Station]:
        station = Station(
            self._workshop.bench(StationTask.RUN, self.under_test.ledger),
            self._readers,
            timing=StationTiming(poll=0.005, retry=0.2),
            on_event=self.running.show,
            hand_in=self.running.hand_in,
            is_attended=True,
        )
        thread = threading.Thread(target=self.running.run, args=(station,))
        thread.start()
        try:
            yield station
        finally:
            station.stop()
            thread.join()

    def services(self) -> ScreenServices:
        return ScreenServices(
            name=StationName("station-1"),
            screen=self.screen,
            operator=self.operator,
            display_number=CommitteeBlockScheme().display,
            now=self.clock,
        )

    @contextlib.contextmanager
    def served(self) -> Iterator[list[str]]:
        """The addresses that pair a browser, the newest last."""
        addresses: list[str] = []
        listener = screen_listener("127.0.0.1", 0)
        port = listener.getsockname()[1]
        streams = ScreenStreams(self.screen)
        app = create_screen_app(
            self.services(),
            pairing=ScreenPairing(
                lambda token: addresses.append(f"http://127.0.0.1:{port}/pair/{token}"), port=port
            ),
            streams=streams,
            authorities=frozenset({f"127.0.0.1:{port}", f"localhost:{port}"}),
        )
        with serving_screen(app, listener, on_exit=streams.close):
            yield addresses
