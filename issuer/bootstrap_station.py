"""Puts one station together: its journal, its way to the centre, and the workers over its readers."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from card_layout.profile import CardProfile
from card_layout.transport.connection import CardReader
from card_layout.transport.readers import open_reader
from issuer.bootstrap_production import ProductionHome, open_production_home
from issuer.bootstrap_station_exchange import ExchangeRole, centre_of, exchange_keys_of
from issuer.db.local_job_seal import LocalJobSeal
from issuer.db.station_desk import SqlProductionLink
from issuer.domain.batch import BatchId
from issuer.domain.chip import Serial
from issuer.domain.production_events import StationName, parse_station_name
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.personalisation.chip_keys import KeystoreThread, MasterKeyChipKeys
from issuer.personalisation.dialects import dialect_of, quality_control_of
from issuer.personalisation.sealed_keys import SealedChipKeysOfStation
from issuer.services.print_ports import PrintQueue
from issuer.services.production_ports import ChipKeys
from issuer.services.station import Station, StationTiming
from issuer.services.station_events import StationEvent
from issuer.services.station_ports import JobSeal, ProductionLink
from issuer.services.visit_chip import StationTask, Workbench
from issuer.stations.bundles import BundleProductionLink, StationBundles
from issuer.stations.controls import StationControls
from issuer.stations.day import StationDay
from issuer.stations.given_files import GivenFiles, GivenKind
from issuer.stations.journal import StationJournal
from issuer.stations.journal_ledger import JournalStationLedger
from issuer.stations.print_folder import FolderPrintQueue
from issuer.stations.remote_link import RemoteProductionLink
from issuer.stations.waiting_prints import WaitingPrints
from pki.bounded_files import read_bounded
from pki.certificates.profile import ProfileKind
from pki.certificates.service_certificates import check_service_certificate
from pki.signed.chip_keys import MAX_SEALED_BYTES

__all__ = [
    "JOURNAL_DIRECTORY",
    "OpenedStation",
    "open_journal",
    "open_readers",
    "open_station",
]

JOURNAL_DIRECTORY: Final = "stations"
"""Where the journals of stations lie within the home directory."""

_MAX_CERTIFICATE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedStation:
    """One station, ready to work."""

    production: ProductionHome
    name: StationName
    account: AccountName
    journal: StationJournal
    ledger: JournalStationLedger
    link: ProductionLink

    @property
    def profile(self) -> CardProfile:
        """What its cards are made to."""
        return self.production.profile

    @property
    def keystore(self) -> KeystoreThread:
        """The keystore of its home."""
        return self.production.keystore

    def prints(self) -> PrintQueue | None:
        """Where jobs of finished cards go; ``None`` where the settings name no folder.

        Raises:
            PkiError: the printer's certificate cannot be read, or is none.
        """
        settings = self.production.opened.settings.station
        if settings.print_folder is None or settings.printer_certificate is None:
            return None
        home = self.production.opened.home
        der = read_bounded(home / settings.printer_certificate, _MAX_CERTIFICATE_BYTES)
        check_service_certificate(der, kind=ProfileKind.STATION)
        return FolderPrintQueue(directory=home / settings.print_folder, certificate=der)

    def controls(self) -> StationControls:
        """What its operator does beside putting chips in."""
        return StationControls(journal=self.journal, ledger=self.ledger, prints=self.prints())

    def bundles(self) -> StationBundles:
        """The use case of a station whose messages are carried.

        Raises:
            IssuerRefusedError: it reaches production in another way (``station.not-offline``).
            PkiError: the centre's certificates cannot be read.
        """
        if self.link.answers_at_once:
            raise IssuerRefusedError(
                "this station reaches production directly",
                code="station.not-offline",
                hint='settings.toml, [station]: link = "bundle"',
            )
        home = self.production.opened.home
        return StationBundles(
            station=self.name,
            journal=self.journal,
            keys=exchange_keys_of(home, self.keystore, ExchangeRole.STATION),
            centre=centre_of(home),
            clock=_now,
        )

    def require_keys(self, files: Sequence[Path]) -> None:
        """A station elsewhere holds the keys of the chips that it was given, and no master key.

        Raises:
            IssuerRefusedError: it was given none, and the settings do not allow that (``station.keys-needed``).
        """
        settings = self.production.opened.settings.station
        if files or settings.link == "process" or settings.own_master_keys:
            return
        raise IssuerRefusedError(
            f"station {self.name} is elsewhere, and works with the sealed keys of its chips alone",
            code="station.keys-needed",
            hint="--keys FILE, from membercard-pki master-key wrap",
        )

    def batch_of(self, serial: Serial) -> BatchId | None:
        """The batch of the card on a chip that is in hand."""
        held = self.journal.chip(serial)
        return None if held is None else held.batch

    def waiting(self) -> int:
        """How many events the centre has not."""
        return self.journal.head.sequence - self.journal.handed_in

    def day(self) -> StationDay:
        """The use case that closes its day.

        Raises:
            PkiError: the printer's certificate cannot be read, or is none.
        """
        return StationDay(
            journal=self.journal,
            ledger=self.ledger,
            link=self.link,
            clock=_now,
            prints=self.prints(),
        )

    def waiting_prints(self) -> WaitingPrints:
        """The print jobs that were not handed over.

        Raises:
            PkiError: the printer's certificate cannot be read, or is none.
        """
        return WaitingPrints(journal=self.journal, ledger=self.ledger, prints=self.prints())

    def sealed_keys(self, files: Sequence[Path], *, batch: bytes | None) -> ChipKeys:
        """The keys of chips that the PKI sealed to this station; the files are destroyed when the day is closed.

        Raises:
            IssuerUnavailableError: a file cannot be read (``personalisation.keys-unavailable``); the journal is gone.
            IssuerRefusedError, PkiError: as ``SealedChipKeysOfStation.open``.
        """
        contents = [_read_keys(each) for each in files]
        keys = SealedChipKeysOfStation.open(contents, self.keystore, now=_now, batch=batch)
        GivenFiles(journal=self.journal, kind=GivenKind.KEYS).use(files, contents)
        return keys

    def station(
        self,
        readers: Sequence[CardReader],
        *,
        count: int | None,
        patience: float | None,
        on_event: Callable[[StationEvent], None],
        chip_keys: ChipKeys | None = None,
        task: StationTask = StationTask.RUN,
        hand_in: Callable[[], bool] | None = None,
        is_attended: bool = False,
    ) -> Station:
        """The workers over readers; chips' keys are derived here unless ``chip_keys`` are given.

        ``hand_in`` stands instead of the ledger's; ``is_attended`` as for ``Station``.
        """
        return Station(
            Workbench(
                task=task,
                profile=self.profile,
                ledger=self.ledger,
                chip_keys=chip_keys
                or MasterKeyChipKeys(self.keystore, lengths=self.profile.personalisation),
                dialect=dialect_of(self.profile),
                quality_control=quality_control_of(self.profile),
                trust_points=self.production.trust_points(),
                clock=_now,
                prints=self.prints(),
            ),
            readers,
            timing=StationTiming(patience=patience),
            count=count,
            on_event=on_event,
            hand_in=hand_in or self.ledger.hand_in,
            is_attended=is_attended,
        )


def _read_keys(path: Path) -> bytes:
    """At most one byte more than sealed keys may have, so that whoever reads it refuses what is longer."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_SEALED_BYTES + 1)
    except OSError as error:
        raise IssuerUnavailableError(
            f"sealed keys {path} cannot be read: {error.strerror}",
            code="personalisation.keys-unavailable",
        ) from error


def open_readers(names: Sequence[str]) -> tuple[CardReader, ...]:
    """Readers by their names or parts of them, each once.

    Raises:
        NoCardError: there is no such reader (``transport.no-reader``).
        TransportError: the PC/SC service failed.
    """
    found = {reader.name: reader for reader in map(open_reader, names)}
    return tuple(found.values())


@contextlib.contextmanager
def open_station(
    home: Path,
    *,
    account: AccountName,
    name: StationName | None = None,
    batch: BatchId | None = None,
    allow_development_cards: bool = False,
) -> Iterator[OpenedStation]:
    """The station of a home directory; journal, database and keystore are closed at the end.

    Raises:
        IssuerRefusedError, IssuerUnavailableError, KeystoreError, CardDataError: as ``open_production_home`` and
            ``StationJournal.open``.
    """
    with open_production_home(home, allow_development_cards=allow_development_cards) as production:
        station = name or parse_station_name(production.opened.settings.station.name)
        with contextlib.closing(open_journal(home, station, account=account)) as journal:
            link, seal = _link(production, station, journal)
            yield OpenedStation(
                production=production,
                name=station,
                account=account,
                journal=journal,
                ledger=JournalStationLedger(journal, link, seal, batch=batch),
                link=link,
            )


def _link(
    production: ProductionHome, station: StationName, journal: StationJournal
) -> tuple[ProductionLink, JobSeal]:
    """The way to the centre that the settings name; only the first one touches the home's database."""
    settings = production.opened.settings.station
    home = production.opened.home
    if settings.link == "process":
        seal = LocalJobSeal(sealer=production.vault.sealer)
        return (
            SqlProductionLink(
                production.opened.database, _now, production.vault, station=station, seal=seal
            ),
            seal,
        )
    keys = exchange_keys_of(home, production.keystore, ExchangeRole.STATION)
    _require_own_name(keys.own.name, station)
    envelope = keys.job_seal(keys.own)
    if settings.link == "bundle" or settings.api_url is None:
        return BundleProductionLink(journal=journal), envelope
    # What speaks HTTP is loaded where it is spoken: a station's memory is bounded.
    from issuer.stations.https_transport import https_transport  # noqa: PLC0415

    return (
        RemoteProductionLink(
            station=station,
            keys=keys,
            centre=centre_of(home),
            transport=https_transport(
                settings.api_url,
                # As all paths of the station's settings, it is looked for from the home.
                authorities=None
                if settings.api_authorities is None
                else home / settings.api_authorities,
            ),
            clock=_now,
        ),
        envelope,
    )


def _require_own_name(certified: str, station: StationName) -> None:
    if certified != station:
        raise IssuerRefusedError(
            f"the station's certificates are of {certified!r}, and the settings call it {station}",
            code="station.other-name",
        )


def open_journal(home: Path, station: StationName, *, account: AccountName) -> StationJournal:
    """The journal of a station.

    Raises:
        IssuerRefusedError, IssuerUnavailableError: as ``StationJournal.open``.
    """
    directory = home / JOURNAL_DIRECTORY
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{directory} cannot be made: {error.strerror}", code="station.journal-unavailable"
        ) from error
    return StationJournal.open(
        directory / f"{station}.sqlite", station=station, account=account, clock=_now
    )


def _now() -> datetime:
    return datetime.now(UTC)
