"""Puts the screen of a station together: its state, its operator, and the page that is served beside the workers."""

import contextlib
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from issuer.api.station_screen.app import create_screen_app
from issuer.api.station_screen.pairing import ScreenPairing
from issuer.api.station_screen.ports import ScreenServices
from issuer.api.station_screen.serving import screen_listener, serving_screen
from issuer.api.station_screen.streams import ScreenStreams
from issuer.bootstrap_station import JOURNAL_DIRECTORY, OpenedStation
from issuer.domain.batch import BatchId
from issuer.domain.chip import Serial
from issuer.domain.production_events import StationName
from issuer.errors import IssuerDataError, IssuerError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.station import Station
from issuer.services.station_events import StationEvent, StationReport
from issuer.stations.operator import StationOperator
from issuer.stations.screen import StationScreen
from pki.bounded_files import read_bounded
from pki.durable import replace_file
from pki.errors import PkiError

__all__ = ["RunningScreen", "page_address", "parse_listen", "running_screen"]

_MAX_PORT: Final = 65_535
_MAX_ADDRESS_BYTES: Final = 512


@dataclass(slots=True, kw_only=True)
class RunningScreen:
    """A screen that is served; ``station`` is set once its workers are there."""

    screen: StationScreen
    operator: StationOperator
    batch_of: Callable[[Serial], BatchId | None]
    station: Station | None = None

    def show(self, event: StationEvent) -> None:
        """Take an event of a worker."""
        progress = event.progress
        if progress is not None and progress.card_number and progress.serial and not progress.done:
            self.screen.note_batch(self.batch_of(progress.serial))
        self.screen.show(event)

    def hand_in(self) -> bool:
        """Tell the centre what happened, and the screen whether it answered."""
        has_all = self.operator.controls.ledger.hand_in()
        self.screen.note_hand_in(has_all=has_all)
        return has_all

    def run(self, station: Station) -> StationReport:
        """Let the workers work; how they ended is the last that the screen shows.

        Raises:
            IssuerError, PkiError: as ``Station.run``.
        """
        self.station = station
        try:
            report = station.run()
        except (IssuerError, PkiError) as error:
            self.screen.end(fault=(error.code, str(error)))
            raise
        self.screen.end()
        return report


@contextlib.contextmanager
def running_screen(
    opened: OpenedStation,
    readers: tuple[str, ...],
    *,
    listen: tuple[str, int],
    announce: Callable[[str], None],
) -> Iterator[RunningScreen]:
    """Serve the screen of a station while the block runs.

    Args:
        opened: the station.
        readers: the names by which its readers tell of themselves.
        listen: the loopback address and port; port 0 lets the system choose.
        announce: is given the one-time address of the page.

    Raises:
        IssuerRefusedError: the port is taken (``screen.port-taken``).
        IssuerUnavailableError: the address cannot be left for ``station page`` (``screen.address-unwritable``).
    """
    host, port = listen
    listener = screen_listener(host, port)
    with contextlib.closing(listener):
        port = listener.getsockname()[1]
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        page_file = _page_file(opened.production.opened.home, opened.name)
        addresses: list[str] = []

        def publish(token: str) -> None:
            addresses[:] = [f"http://{authority}/pair/{token}"]
            _leave_address(page_file, addresses[0])

        running = _put_together(opened, readers)
        streams = ScreenStreams(running.screen)
        app = create_screen_app(
            ScreenServices(
                name=opened.name,
                screen=running.screen,
                operator=running.operator,
                display_number=opened.production.opened.scheme.display,
                now=_now,
            ),
            pairing=ScreenPairing(publish, port=port),
            streams=streams,
            authorities=frozenset({authority, f"localhost:{port}"}),
        )
        try:
            with serving_screen(app, listener, on_exit=streams.close):
                announce(addresses[0])
                yield running
        finally:
            page_file.unlink(missing_ok=True)


def page_address(home: Path, station: StationName) -> str:
    """The one-time address that a running station left.

    Raises:
        IssuerRefusedError: no screen is served (``screen.not-running``).
        PkiError: it cannot be read.
    """
    path = _page_file(home, station)
    if not path.exists():
        raise IssuerRefusedError(
            f"station {station} serves no screen",
            code="screen.not-running",
            hint="membercard-issuer station run --screen --reader READER",
        )
    return read_bounded(path, _MAX_ADDRESS_BYTES).decode("ascii", "replace").strip()


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port of ``--listen``.

    Raises:
        IssuerDataError: it is no loopback address with a port (``screen.listen``).
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        address, number = ipaddress.ip_address(host), int(port)
    except ValueError as error:
        raise _no_listen(text) from error
    if not address.is_loopback or not port.isdecimal() or not 0 <= number <= _MAX_PORT:
        raise _no_listen(text)
    return str(address), number


def _put_together(opened: OpenedStation, readers: tuple[str, ...]) -> RunningScreen:
    day = opened.day()
    screen = StationScreen(
        readers,
        clock=_now,
        answers_at_once=opened.link.answers_at_once,
        waiting=opened.waiting,
        today=day.today(),
    )
    held: list[RunningScreen] = []
    operator = StationOperator(
        account=opened.account,
        screen=screen,
        controls=opened.controls(),
        day=day,
        station_of=lambda: held[0].station,
    )
    screen.note_batch(opened.ledger.batch)
    held.append(RunningScreen(screen=screen, operator=operator, batch_of=opened.batch_of))
    return held[0]


def _page_file(home: Path, station: StationName) -> Path:
    return home / JOURNAL_DIRECTORY / f"{station}.page"


def _leave_address(path: Path, address: str) -> None:
    try:
        # Whoever may read it may open the page: the station's own user alone.
        replace_file(path, f"{address}\n".encode("ascii"), mode=0o600)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be written: {error.strerror}", code="screen.address-unwritable"
        ) from error


def _no_listen(text: str) -> IssuerDataError:
    return IssuerDataError(
        f"got --listen {text[:60]!r}, expected a loopback address and a port",
        code="screen.listen",
        hint="as 127.0.0.1:24841: the page is for this computer only",
    )


def _now() -> datetime:
    return datetime.now(UTC)
