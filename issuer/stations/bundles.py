"""A station that is on no network: its report goes out as a file, an order comes in as one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from issuer.domain.batch import BatchId
from issuer.domain.chip import Serial
from issuer.domain.production_events import JournalHead, ProductionEvent, StationName
from issuer.domain.stock_account import HELD_AS_STOLEN
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.production_ports import Clock
from issuer.services.station_ports import (
    ClaimedChip,
    DayRecord,
    HandInReceipt,
    RejectedEvent,
    StationPresence,
)
from issuer.stations.desk import CLOCK_LEEWAY
from issuer.stations.exchange_keys import ExchangeKeys, Peer
from issuer.stations.given_files import GivenFiles, GivenKind
from issuer.stations.journal import StationJournal
from issuer.stations.messages import StationOrder, StationReport
from issuer.stations.record_text import days_from_text, days_to_text
from issuer.stations.remote_link import open_order
from pki.signed.sealed_message import MessagePurpose

__all__ = ["LAST_ORDER_AT", "BundleProductionLink", "StationBundles", "TakenOrder"]

_DAYS: Final = "closed-days"
_LAST_ORDER: Final = "last-order"
LAST_ORDER_AT: Final = "last-order-at"
"""The fact of the journal that says when the centre wrote the newest order that was taken."""

_MAX_EVENTS: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleProductionLink:
    """Implements ``ProductionLink``: what the station may work on came with an order, what happened goes with a report."""

    journal: StationJournal

    @property
    def answers_at_once(self) -> bool:
        """See ``ProductionLink.answers_at_once``."""
        return False

    @property
    def events_at_once(self) -> int:
        """See ``ProductionLink.events_at_once``."""
        return 1

    def claim(
        self, serial: Serial, *, batch: BatchId | None, known: JournalHead
    ) -> ClaimedChip | None:
        """See ``ProductionLink.claim``: there is nobody to ask.

        Raises:
            IssuerRefusedError: ``station.not-in-bundle``.
        """
        del batch, known
        raise IssuerRefusedError(
            f"chip {serial.hex().upper()} is in no order that this station was given",
            code="station.not-in-bundle",
            hint="membercard-issuer station bundle in ORDER",
        )

    def greet(
        self, presence: StationPresence, *, batch: BatchId | None, known: JournalHead
    ) -> int | None:
        """See ``ProductionLink.greet``: there is nobody to greet."""
        del presence, known
        return None if batch is None else self.journal.cards_left(batch)

    def hand_in(self, events: Sequence[ProductionEvent], *, head: JournalHead) -> HandInReceipt:
        """See ``ProductionLink.hand_in``: events wait for the next report.

        Raises:
            IssuerUnavailableError: ``station.offline``.
        """
        del events, head
        raise IssuerUnavailableError(
            "the station hands in by files",
            code="station.offline",
            hint="membercard-issuer station bundle out REPORT",
        )

    def close_day(self, record: DayRecord) -> None:
        """See ``ProductionLink.close_day``: the record goes with the next reports, until the centre has it."""
        known = days_from_text(self.journal.fact(_DAYS) or "[]")
        kept = [
            day
            for day in known
            if day.head.sequence > self.journal.handed_in and day.head != record.head
        ]
        self.journal.remember(_DAYS, days_to_text([*kept, record]))


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOrder:
    """What an order brought: chips with and without something to write, or stopped; and how far the centre has the journal."""

    number: int
    chips: int
    jobs: int
    left_alone: int
    stopped: int
    through: int
    rejected: tuple[RejectedEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationBundles:
    """Writes reports and takes orders for one station."""

    station: StationName
    journal: StationJournal
    keys: ExchangeKeys
    centre: Peer
    clock: Clock

    def report(self) -> tuple[bytes, int]:
        """The sealed report, and how many events are in it; it may be made and carried as often as one likes.

        Raises:
            PkiError: a key or certificate cannot be used.
        """
        events, head = self.journal.pending(limit=_MAX_EVENTS)
        # A day goes with the report that holds its last event.
        days = tuple(
            day
            for day in days_from_text(self.journal.fact(_DAYS) or "[]")
            if day.head.sequence <= head.sequence
        )
        report = StationReport(
            station=self.station, at=self.clock(), events=events, head=head, days=days
        )
        sealed = self.keys.seal(
            report.to_bytes(), purpose=MessagePurpose.RESULT_BUNDLE, peer=self.centre
        )
        return sealed, len(events)

    def take(self, sealed: bytes, *, file: Path | None = None) -> TakenOrder:
        """Take an order, once and in its order; ``file`` is where it lies, and ends with the day.

        A chip that the station has in hand, or of which the centre does not know everything, is left as it is here: the
        station knows better.

        Raises:
            PkiError, IssuerDataError: it is no order of the centre for this station.
            IssuerRefusedError: it was taken already, or a later one was (``station.order-repeated``); the clock was set
                back (``station.clock-back``), or is behind the centre's (``station.clock-wrong``).
        """
        self.journal.time.require_sound()
        order = open_order(sealed, keys=self.keys, centre=self.centre, station=self.station)
        if file is not None:
            # Also one that was taken before: a copy of it opens as well.
            GivenFiles(journal=self.journal, kind=GivenKind.ORDERS).use([file], [sealed])
        now = self.clock()
        if now < order.at - CLOCK_LEEWAY:
            # It was written before it was carried here, so it is this clock that is behind.
            raise IssuerRefusedError(
                f"the order was written at {order.at:%Y-%m-%d %H:%M:%S}Z, and here it is {now:%Y-%m-%d %H:%M:%S}Z",
                code="station.clock-wrong",
                hint="set the clock of this station",
            )
        last = int(self.journal.fact(_LAST_ORDER) or 0)
        if order.number <= last:
            raise IssuerRefusedError(
                f"the order has number {order.number}, and {last} was taken already",
                code="station.order-repeated",
            )
        receipt = order.receipt or HandInReceipt(through=0)
        rejected: tuple[RejectedEvent, ...] = ()
        if receipt.through >= self.journal.handed_in:
            rejected = self.journal.record_handed_in(receipt)
        pending = self.journal.pending_serials()
        fresh = [each for each in order.chips if self._is_fresh(each, pending)]
        stopped = [each for each in order.chips if _is_stopped(each)]
        self.journal.take([*fresh, *stopped])
        self.journal.remember(_LAST_ORDER, str(order.number))
        self.journal.remember(LAST_ORDER_AT, order.at.isoformat())
        return _taken(order, fresh, stopped, replace(receipt, rejected=rejected))

    def _is_fresh(self, claimed: ClaimedChip, pending: Collection[Serial]) -> bool:
        serial = claimed.record.chip.serial
        held = self.journal.chip(serial)
        return (
            claimed.is_claimed and serial not in pending and (held is None or not held.is_claimed)
        )


def _is_stopped(claimed: ClaimedChip) -> bool:
    """Whether the station goes on with a chip no more, whatever it knows of it that the centre does not."""
    return not claimed.is_claimed and claimed.record.chip.held == HELD_AS_STOLEN


def _taken(
    order: StationOrder,
    fresh: Sequence[ClaimedChip],
    stopped: Sequence[ClaimedChip],
    receipt: HandInReceipt,
) -> TakenOrder:
    return TakenOrder(
        number=order.number,
        chips=len(fresh),
        jobs=sum(each.sealed_job is not None for each in fresh),
        left_alone=len(order.chips) - len(fresh) - len(stopped),
        stopped=len(stopped),
        through=receipt.through,
        rejected=receipt.rejected,
    )
