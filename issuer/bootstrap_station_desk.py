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
    exchange_root_of,
    has_exchange_keys,
    peer_of,
)
from issuer.db.card_vault import CardVault
from issuer.db.station_desk import SqlProductionLink
from issuer.db.stations import SqlStationBook
from issuer.domain.instances import ExchangeCertificates
from issuer.domain.production_events import StationName
from issuer.errors import IssuerRefusedError
from issuer.services.enrol_stations import StationEnrolment
from issuer.services.station_ports import JobSeal, ProductionLink
from issuer.services.stock_desk import StockDesk
from issuer.stations.desk import StationDesk
from issuer.stations.exchange_keys import KeystoreCalls, judge_peer
from issuer.stations.orders import StationOrders
from pki.errors import KeystoreError
from pki.keys.keystore import AgreementKeystore

__all__ = [
    "DeskKeys",
    "installed_desk",
    "station_book_of",
    "station_desk_of",
    "station_enrolment_of",
    "station_orders_of",
]

_Result = TypeVar("_Result")


@dataclass(slots=True, kw_only=True)
class DeskKeys:
    """The keystore of a program that serves: whatever is done with it is done in the one thread.

    For messages of stations it is opened at the first one and kept open.
    """

    opened: RegisterHome
    keys: ThreadPoolExecutor
    _keystore: AgreementKeystore | None = None

    def call(self, work: Callable[[AgreementKeystore], _Result]) -> _Result:
        """See ``KeystoreCalls.call``."""
        return self.keys.submit(self._with_keystore, work).result()

    def borrow(self, work: Callable[[AgreementKeystore], _Result]) -> _Result:
        """As ``call``, but a keystore that is not open yet is closed again."""
        return self.keys.submit(self._for_the_moment, work).result()

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

    def _for_the_moment(self, work: Callable[[AgreementKeystore], _Result]) -> _Result:
        was_open = self._keystore is not None
        try:
            return self._with_keystore(work)
        finally:
            if not was_open:
                self._close()

    def _close(self) -> None:
        if self._keystore is not None:
            self._keystore.close()
            self._keystore = None


def station_book_of(opened: RegisterHome) -> SqlStationBook:
    """The stations that the centre knows; no key is needed."""
    return SqlStationBook(opened.database, _now)


def station_desk_of(opened: RegisterHome, keystore: KeystoreCalls, vault: CardVault) -> StationDesk:
    """The desk, over the database of a home and the centre's keys in its keystore.

    Raises:
        IssuerRefusedError: no certificates are installed (``exchange.not-installed``).
        PkiError: they cannot be read.
    """

    def link_of(name: StationName, seal: JobSeal) -> ProductionLink:
        return SqlProductionLink(
            opened.database, _now, vault, station=name, seal=seal, is_elsewhere=True
        )

    return StationDesk(
        keys=exchange_keys_of(opened.home, keystore, ExchangeRole.CENTRE),
        book=station_book_of(opened),
        link_of=link_of,
        clock=_now,
    )


def station_orders_of(opened: RegisterHome, keystore: KeystoreCalls) -> StationOrders:
    """The use case that gives chips to stations elsewhere; the register is open with the keys of production.

    Raises:
        IssuerRefusedError: no certificates are installed (``exchange.not-installed``).
        PkiError: they cannot be read.
    """
    return StationOrders(
        stock=StockDesk(register=opened.register, clock=_now),
        book=station_book_of(opened),
        keys=exchange_keys_of(opened.home, keystore, ExchangeRole.CENTRE),
    )


def station_enrolment_of(opened: RegisterHome) -> StationEnrolment:
    """The use case by which two people make a station known; no key is needed, but the root of all certificates.

    Raises:
        IssuerRefusedError: no certificates are installed (``exchange.not-installed``).
        PkiError: they cannot be read.
    """
    root = exchange_root_of(opened.home)

    def judge(name: StationName, certificates: ExchangeCertificates) -> None:
        peer = peer_of(signer=certificates.signer, certificate=certificates.receiver)
        if peer.name != name:
            raise IssuerRefusedError(
                f"the certificates are of {peer.name!r}, expected {name}", code="station.other-name"
            )
        judge_peer(peer, root=root, is_station=True, now=_now())

    return StationEnrolment(register=opened.register, judge=judge, clock=_now)


def installed_desk(opened: RegisterHome, keys: DeskKeys) -> StationDesk | None:
    """The desk of a serving process; ``None`` where no certificates are installed."""
    if not has_exchange_keys(opened.home, ExchangeRole.CENTRE):
        return None
    vault = CardVault(sealer=keys.call(derive_card_sealer), portraits=opened.portraits)
    return station_desk_of(opened, keys, vault)


def _now() -> datetime:
    return datetime.now(UTC)
