"""What the centre gives a station that is on no network: chips out of a store, and what is written to cards."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.batch import BatchId
from issuer.domain.chip import Serial
from issuer.domain.production_events import StationName
from issuer.domain.rights import Actor, Right
from issuer.domain.stock_account import FIRST_STORE, SiteCode
from issuer.domain.stock_acts import MovementKind
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.move_stock import move_chips
from issuer.services.places import place_of
from issuer.services.register_ports import RegisterTransaction
from issuer.services.station_ports import ClaimedChip, HandInReceipt
from issuer.services.stock_desk import StockDesk
from issuer.stations.desk import StationBook
from issuer.stations.exchange_keys import ExchangeKeys
from issuer.stations.messages import StationOrder
from pki.signed.sealed_message import MessagePurpose

__all__ = ["MAX_CHIPS_IN_AN_ORDER", "GivenOrder", "StationOrders", "WantedChips"]

MAX_CHIPS_IN_AN_ORDER: Final = 500

_MAX_REJECTIONS: Final = 1000
"""The newest are told with each order, because one may be lost; what a station knows already it leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedChips:
    """What an order is to hold.

    Attributes:
        chips: these, whatever is to be done with them.
        blanks: so many blanks beside them: first those that lie at the station, then out of the store.
        is_signed: all chips at the station whose card is signed and begun by nobody, as many as have room.
        is_again: what the station has by our books and has not told of, the newest first: its order may have been lost.
        batch: of those two, the ones of this batch only.
        store: out of which blanks come.
    """

    chips: Sequence[Serial] = ()
    blanks: int = 0
    is_signed: bool = False
    is_again: bool = False
    batch: BatchId | None = None
    store: SiteCode = FIRST_STORE


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenOrder:
    """A sealed order, what is in it, how many chips left the store for it, and how many it stops at the station."""

    sealed: bytes = field(repr=False)
    number: int
    chips: tuple[ClaimedChip, ...]
    issued: int
    stopped: int = 0

    @property
    def jobs(self) -> int:
        """How many of the chips have a card to write."""
        return sum(each.sealed_job is not None for each in self.chips)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationOrders:
    """Gives chips to stations elsewhere.

    One transaction holds the movement of the stock, the station's claim on each chip, the number of the order and the
    record of all that: a chip that is on its way is never in the books of the store.
    """

    stock: StockDesk
    book: StationBook
    keys: ExchangeKeys

    def give(self, name: StationName, wanted: WantedChips, *, actor: Actor) -> GivenOrder:
        """The order, signed and sealed to the station; a chip with which there is nothing to do is left out.

        Asked for the same chips again it gives them again, and moves none.

        Raises:
            IssuerRefusedError: the station is unknown or dismissed; ``right.missing``: to take chips out of the store
                (``stock.write``), or to give what is written to cards (``cards.produce``); another station has a chip
                (``station.claimed-elsewhere``); it is neither at the station nor in the store (``chip.elsewhere``);
                what stands in the way of a movement (``move_chips``).
            IssuerDataError: ``stock.site-unknown``, ``stock.serials-malformed``: more chips than an order holds.
            PkiError: a key or certificate cannot be used.
        """
        if len(wanted.chips) + wanted.blanks > MAX_CHIPS_IN_AN_ORDER:
            raise IssuerDataError(
                f"got {len(wanted.chips) + wanted.blanks} chips, expected at most {MAX_CHIPS_IN_AN_ORDER}",
                code="stock.serials-malformed",
            )
        station = self.book.get(name)
        site = SiteCode(name)
        now = self.stock.clock()
        seal = self.keys.job_seal(station.peer)
        with self.stock.register.writing() as transaction:
            transaction.stations.lock(name)
            transaction.stock.locked_sites({site, wanted.store})
            chosen = _chosen(transaction, wanted, name, site)
            issued = _in_store(transaction, chosen, wanted.store)
            if issued:
                move_chips(
                    self.stock,
                    transaction,
                    issued,
                    MovementKind.ISSUED,
                    source=wanted.store,
                    target=site,
                    actor=actor,
                )
            claimed = [
                transaction.stations.claim(
                    serial, station=name, batch=wanted.batch, seal=seal, at=now
                )
                for serial in chosen
            ]
            chips = tuple(each for each in claimed if each is not None and each.is_claimed)
            self._demand(transaction, chips, site, actor)
            stopped = transaction.stations.stopped_in_hands(name)
            number = transaction.stations.next_order(name)
            order = StationOrder(
                station=name,
                at=now,
                number=number,
                receipt=HandInReceipt(
                    through=station.head.sequence,
                    rejected=transaction.stations.rejections(name, limit=_MAX_REJECTIONS),
                ),
                chips=(*chips, *stopped),
            )
            sealed = self.keys.seal(
                order.to_bytes(), purpose=MessagePurpose.JOB_BUNDLE, peer=station.peer
            )
            given = GivenOrder(
                sealed=sealed, number=number, chips=chips, issued=len(issued), stopped=len(stopped)
            )
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="station.ordered",
                    subject=AuditSubject.STATION,
                    subject_id=name,
                    details={
                        "order": number,
                        "chips": len(chips),
                        "jobs": given.jobs,
                        "issued": len(issued),
                        "stopped": len(stopped),
                    },
                )
            )
        return given

    def _demand(
        self,
        transaction: RegisterTransaction,
        chips: Sequence[ClaimedChip],
        site: SiteCode,
        actor: Actor,
    ) -> None:
        """What is written to cards is given by production alone; blanks, by whoever keeps the station's stock, too."""
        place = place_of(transaction.organisations, transaction.stock.site(site).organisation)
        if any(each.sealed_job for each in chips) or not actor.may(Right.WRITE_STOCK, place=place):
            actor.demand(Right.PRODUCE_CARDS, place=place, now=self.stock.clock())


def _chosen(
    transaction: RegisterTransaction, wanted: WantedChips, name: StationName, site: SiteCode
) -> tuple[Serial, ...]:
    """The chips of the order, each once."""
    chosen = dict.fromkeys(wanted.chips)
    if wanted.is_again:
        room = MAX_CHIPS_IN_AN_ORDER - len(chosen) - wanted.blanks
        chosen |= dict.fromkeys(
            transaction.stations.in_hands_of(name, batch=wanted.batch, limit=room)
        )
    if wanted.is_signed:
        room = MAX_CHIPS_IN_AN_ORDER - len(chosen) - wanted.blanks
        chosen |= dict.fromkeys(
            transaction.stations.free_signed(site, batch=wanted.batch, limit=room)
        )
    blanks: dict[Serial, None] = {}
    for place in (site, wanted.store):
        if len(blanks) < wanted.blanks:
            free = transaction.stations.free_blanks(place, limit=MAX_CHIPS_IN_AN_ORDER)
            blanks |= dict.fromkeys(each for each in free if each not in chosen)
    return (*chosen, *list(blanks)[: wanted.blanks])


def _in_store(
    transaction: RegisterTransaction, serials: Sequence[Serial], store: SiteCode
) -> tuple[Serial, ...]:
    """Those of the chips that the store has; they are locked.

    Raises:
        IssuerRefusedError: one is in no stock (``chip.not-in-stock``).
    """
    standings = transaction.stock.standings(serials)
    for serial in serials:
        if serial not in standings:
            raise IssuerRefusedError(
                f"chip {serial.hex().upper()} is not in the stock ledger", code="chip.not-in-stock"
            )
    return tuple(sorted(each for each in serials if standings[each].site == store))
