"""Puts the centre's desk for stations elsewhere together."""

from datetime import UTC, datetime

from issuer.bootstrap import RegisterHome
from issuer.bootstrap_station_exchange import ExchangeRole, exchange_keys_of
from issuer.db.sealing import Sealer
from issuer.db.station_desk import SqlProductionLink
from issuer.db.stations import SqlStationBook
from issuer.domain.production_events import StationName
from issuer.services.station_ports import JobSeal, ProductionLink
from issuer.stations.desk import StationDesk
from issuer.stations.exchange_keys import KeystoreCalls

__all__ = ["station_book_of", "station_desk_of"]


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


def _now() -> datetime:
    return datetime.now(UTC)
