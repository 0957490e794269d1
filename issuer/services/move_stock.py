"""How chips go from one site to another, within a transaction: by the stock's hand, or with an order to a station."""

from collections.abc import Sequence
from datetime import datetime

from issuer.domain.chip import Serial
from issuer.domain.rights import Actor, Right
from issuer.domain.stock_account import Site, SiteCode, SiteKind, StockClass, day_of
from issuer.domain.stock_acts import MovementKind
from issuer.errors import IssuerRefusedError
from issuer.services.register_ports import RegisterTransaction
from issuer.services.stock_desk import StockDesk, digest_of, in_hand_at, site_record

__all__ = ["move_chips", "not_blank", "require_in_no_station"]


def move_chips(
    desk: StockDesk,
    transaction: RegisterTransaction,
    serials: Sequence[Serial],
    kind: MovementKind,
    *,
    source: SiteCode,
    target: SiteCode,
    actor: Actor,
) -> None:
    """Give chips out of a store or take them back from a station, all or none.

    Raises:
        IssuerDataError: ``stock.site-unknown``.
        IssuerRefusedError: as ``in_hand_at`` and ``require_in_no_station``; ``right.missing``; ``stock.way``;
            ``stock.not-blank``; ``stock.day-not-closed``.
    """
    now = desk.clock()
    sites = transaction.stock.locked_sites({source, target})
    for site in sites.values():
        desk.demand(transaction, actor, Right.WRITE_STOCK, site)
    _require_way(kind, sites[source], sites[target])
    standings = in_hand_at(transaction, serials, source)
    require_in_no_station(transaction, serials)
    if kind is MovementKind.ISSUED:
        for standing in standings.values():
            if standing.stock_class is not StockClass.LEFT:
                raise not_blank(standing.serial, "only blanks are given out")
        for site in sites.values():
            _require_days_closed(transaction, site, now)
    transaction.stock.move(
        serials, kind, source=source, target=target, account=actor.account, at=now
    )
    transaction.audit.append(
        site_record(
            kind.value,
            sites[source],
            actor=actor,
            at=now,
            details={"to": target, "chips": len(serials), "serials": digest_of(serials).hex()},
        )
    )


def require_in_no_station(transaction: RegisterTransaction, serials: Sequence[Serial]) -> None:
    """No station has the chips in hand: what it did with them may not be known here yet.

    Raises:
        IssuerRefusedError: ``chip.claimed``: with the first one that a station has.
    """
    for serial, station in sorted(transaction.stations.in_hands(serials).items()):
        raise IssuerRefusedError(
            f"chip {serial.hex().upper()} is in the hands of station {station}",
            code="chip.claimed",
            hint="finish it or reject it at the station, or close its day",
        )


def _require_way(kind: MovementKind, source: Site, target: Site) -> None:
    is_out_of_store = source.kind is SiteKind.STORE
    is_back = source.kind is SiteKind.STATION and target.kind is SiteKind.STORE
    if source.code == target.code or not (
        is_out_of_store if kind is MovementKind.ISSUED else is_back
    ):
        raise IssuerRefusedError(
            f"chips are not {kind.value} from {source.kind} {source.code} to {target.kind} {target.code}",
            code="stock.way",
            hint="issue out of a store, take back from a station to a store",
        )


def _require_days_closed(transaction: RegisterTransaction, site: Site, now: datetime) -> None:
    oldest = transaction.stock.oldest_unclosed(site.code)
    if oldest is not None and day_of(oldest) < day_of(now):
        raise IssuerRefusedError(
            f"site {site.code} has not closed {day_of(oldest).isoformat()}, so it issues and gets nothing",
            code="stock.day-not-closed",
            hint="stock day count, then stock day close by another person",
        )


def not_blank(serial: Serial, why: str) -> IssuerRefusedError:
    """What is no blank any more is not given out, and is no sample."""
    return IssuerRefusedError(
        f"chip {serial.hex().upper()} is not blank: {why}", code="stock.not-blank"
    )
