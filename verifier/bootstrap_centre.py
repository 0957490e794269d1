"""The composition root of the central service: its database, what it trusts, its files and its routes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from verifier.centre.errors import CentreError
from verifier.centre.inspections import InspectionDesk
from verifier.centre.journals import JournalDesk
from verifier.centre.period_keys import PeriodKeys
from verifier.centre.reports import Reports
from verifier.centre.terminals import TerminalGate, TerminalRegister
from verifier.centre_api.app import bounded_app, description_text
from verifier.centre_api.ports import CentreServices
from verifier.centre_api.serving import listen_on_address, listen_on_socket, serve_centre
from verifier.centre_db.base import CentreDatabase
from verifier.centre_db.journals import SqlJournalStore
from verifier.centre_db.reports import SqlReports
from verifier.centre_db.schema import check_migrations, require_current, upgrade
from verifier.centre_db.terminals import SqlTerminalRegister
from verifier.inspection.holder import read_portrait
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.portrait_decoding import PortraitDecoder
from verifier.trust.current import CurrentTrust

__all__ = [
    "CentrePlaces",
    "OpenCentre",
    "centre_app",
    "centre_description",
    "check_centre_database",
    "open_centre",
    "serve_at",
    "upgrade_centre",
]

_DECODERS: Final = 2
_DECODER_WAIT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CentrePlaces:
    """Where the service's things are: its database's URL, trust, published files, keys of periods; and its own address."""

    database_url: str
    trust: Path
    files: Path
    keys: Path
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCentre:
    """The centre's own records, open."""

    database: CentreDatabase
    register: TerminalRegister
    reports: Reports


@contextmanager
def open_centre(database_url: str) -> Iterator[OpenCentre]:
    """The records of a centre whose schema is this version's.

    Raises:
        CentreError: ``centre.database``, ``centre.database-url``, ``centre.database-driver``.
    """
    with closing(CentreDatabase(database_url)) as database:
        require_current(database)
        yield OpenCentre(
            database=database,
            register=SqlTerminalRegister(database),
            reports=SqlReports(database),
        )


def upgrade_centre(database_url: str) -> None:
    """Bring the database to this version's schema.

    Raises:
        CentreError: as ``open_centre``; ``centre.database-newer``.
    """
    with closing(CentreDatabase(database_url)) as database:
        upgrade(database)


def check_centre_database() -> None:
    """Compare the migrations with the tables in code.

    Raises:
        CentreError: ``centre.migrations-differ``.
    """
    check_migrations()


def centre_description() -> str:
    """The description of the API (OpenAPI 3.1)."""
    return description_text()


def centre_app(
    centre: OpenCentre, places: CentrePlaces, *, now: Callable[[], datetime] | None = None
) -> ASGIApp:
    """The application over an open centre.

    Raises:
        TrustError: the trust directory is broken.
    """
    clock = _utc_now if now is None else now
    trust = CurrentTrust(places.trust)
    decoders = threading.BoundedSemaphore(_DECODERS)

    def try_portrait(snapshot: CardSnapshot) -> CardSnapshot:
        image = read_portrait(snapshot)
        # Each picture takes a process: whoever sends many waits, and is told that his was not tried.
        if image is None or not decoders.acquire(timeout=_DECODER_WAIT_SECONDS):
            return snapshot
        try:
            with closing(PortraitDecoder()) as decoder:
                return replace(snapshot, portrait=decoder.try_portrait(image))
        finally:
            decoders.release()

    return bounded_app(
        CentreServices(
            address=places.address,
            gate=TerminalGate(
                anchors=lambda: trust.get().terminal_roots, register=centre.register, now=clock
            ),
            register=centre.register,
            desk=InspectionDesk(trust=trust.get, try_portrait=try_portrait, now=clock),
            journals=JournalDesk(
                store=SqlJournalStore(centre.database),
                keys=PeriodKeys(places.keys),
                keep_days=lambda: trust.get().trust.policy.journal_days,
                now=clock,
            ),
            trust=trust.get,
            files=places.files,
            check=lambda: require_current(centre.database),
            now=clock,
        )
    )


def serve_at(
    places: CentrePlaces,
    *,
    listen: tuple[str, int] | Path,
    on_ready: Callable[[str], None],
) -> None:
    """Serve on a loopback address or a Unix socket until SIGTERM or SIGINT.

    Raises:
        VerifierError: it cannot be started.
    """
    with open_centre(places.database_url) as centre:
        app = centre_app(centre, places)
        if not places.files.is_dir():
            raise CentreError(f"{places.files} is no directory", code="centre.files")
        if isinstance(listen, Path):
            listener, name = listen_on_socket(listen), str(listen)
        else:
            listener = listen_on_address(*listen)
            name = "http://{}:{}".format(*listener.getsockname()[:2])
        with listener:
            try:
                serve_centre(app, listener, on_ready=lambda: on_ready(name))
            finally:
                if isinstance(listen, Path):
                    listen.unlink(missing_ok=True)


def _utc_now() -> datetime:
    return datetime.now(UTC)
