"""Puts the centre's desk for stations elsewhere together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from issuer.bootstrap import RegisterHome
from issuer.bootstrap_keys import derive_card_sealer, open_issuer_keystore
from issuer.bootstrap_station_exchange import (
    ExchangeRole,
    exchange_keys_of,
    has_exchange_keys,
)
from issuer.db.sealing import Sealer
from issuer.db.station_desk import SqlProductionLink
from issuer.db.stations import SqlStationBook
from issuer.domain.production_events import StationName
from issuer.services.station_ports import JobSeal, ProductionLink
from issuer.stations.desk import StationDesk
from issuer.stations.exchange_keys import KeystoreCalls
from pki.errors import KeystoreError
from pki.keys.keystore import AgreementKeystore

__all__ = ["DeskKeys", "installed_desk", "station_book_of", "station_desk_of"]

_Result = TypeVar("_Result")


@dataclass(slots=True, kw_only=True)
class DeskKeys:
    """The keystore for messages of stations: opened at the first one, in the one thread, and kept open."""

    opened: RegisterHome
    keys: ThreadPoolExecutor
    _keystore: AgreementKeystore | None = None

    @property
    def is_open(self) -> bool:
        """Whether the keystore is held open here, so that nobody else may open it."""
        return self._keystore is not None

    def call(self, work: Callable[[AgreementKeystore], _Result]) -> _Result:
        """See ``KeystoreCalls.call``."""
        return self.keys.submit(self._with_keystore, work).result()

    def close(self) -> None:
        """Close the keystore, if it is open."""
        self.keys.submit(self._close).result()

    def _with_keystore(self, work: Callable[[AgreementKeystore], _Result]) -> _Result:
        if self._keystore is None:
            self._keystore = open_issuer_keystore(self.opened.home, self.opened.settings)
        try:
            return work(self._keystore)
        except KeystoreError:
            # A token that was pulled is opened anew when it is back.
            self._close()
            raise

    def _close(self) -> None:
        if self._keystore is not None:
            self._keystore.close()
            self._keystore = None


def station_book_of(opened: RegisterHome) -> SqlStationBook:
    """The stations that the centre knows; no key is needed."""
    return SqlStationBook(opened.database, _now)


def station_desk_of(opened: RegisterHome, keystore: KeystoreCalls, sealer: Sealer) -> StationDesk:
    """The desk, over the database of a home and the centre's keys in its keystore.

    Raises:
        IssuerRefusedError: no certificates are installed (``exchange.not-installed``).
        PkiError: they cannot be read.
    """

    def link_of(name: StationName, seal: JobSeal) -> ProductionLink:
        return SqlProductionLink(
            opened.database, _now, sealer, station=name, seal=seal, is_elsewhere=True
        )

    return StationDesk(
        keys=exchange_keys_of(opened.home, keystore, ExchangeRole.CENTRE),
        book=station_book_of(opened),
        link_of=link_of,
        clock=_now,
    )


def installed_desk(opened: RegisterHome, keys: DeskKeys) -> StationDesk | None:
    """The desk of a serving process; ``None`` where no certificates are installed."""
    if not has_exchange_keys(opened.home, ExchangeRole.CENTRE):
        return None
    return station_desk_of(opened, keys, keys.call(derive_card_sealer))


def _now() -> datetime:
    return datetime.now(UTC)
