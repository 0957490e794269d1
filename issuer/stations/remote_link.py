"""The way of a station to a centre elsewhere: each question is signed and sealed, and so is the answer that names it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from issuer.domain.batch import BatchId
from issuer.domain.chip import Serial
from issuer.domain.production_events import JournalHead, ProductionEvent, StationName
from issuer.errors import (
    IssuerDataError,
    IssuerError,
    IssuerRefusedError,
    IssuerUnavailableError,
)
from issuer.services.production_ports import Clock
from issuer.services.station_ports import (
    ClaimedChip,
    DayRecord,
    HandInReceipt,
    StationPresence,
)
from issuer.stations.exchange_keys import ExchangeKeys, Peer
from issuer.stations.messages import StationOrder, StationReport, message_digest
from pki.errors import KeystoreError, PkiError
from pki.signed.sealed_message import MessagePurpose

__all__ = ["RemoteProductionLink", "open_order"]

_EVENTS_A_MESSAGE = 64
"""An answer to so many comes within the time that a station waits."""

_DESTROYED_A_MESSAGE = 500
"""The names of so many cards fit into one request of the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteProductionLink:
    """Implements ``ProductionLink``; ``transport`` brings a message to the centre and gives back its answer."""

    station: StationName
    keys: ExchangeKeys
    centre: Peer
    transport: Callable[[bytes], bytes]
    clock: Clock

    @property
    def answers_at_once(self) -> bool:
        """See ``ProductionLink.answers_at_once``."""
        return True

    def claim(
        self, serial: Serial, *, batch: BatchId | None, known: JournalHead
    ) -> ClaimedChip | None:
        """See ``ProductionLink.claim``."""
        order = self._ask(self._report(wanted=serial, batch=batch, head=known))
        if len(order.chips) > 1 or any(each.record.chip.serial != serial for each in order.chips):
            raise _invalid("it is about other chips")
        return order.chips[0] if order.chips else None

    def greet(
        self, presence: StationPresence, *, batch: BatchId | None, known: JournalHead
    ) -> int | None:
        """See ``ProductionLink.greet``."""
        return self._ask(self._report(presence=presence, batch=batch, head=known)).left

    def hand_in(self, events: Sequence[ProductionEvent], *, head: JournalHead) -> HandInReceipt:
        """See ``ProductionLink.hand_in``."""
        receipt = self._ask(self._report(events=tuple(events), head=head)).receipt
        if receipt is None:
            raise _invalid("it does not say what was taken")
        return receipt

    def close_day(self, record: DayRecord) -> None:
        """See ``ProductionLink.close_day``; what was destroyed is told in parts that fit into a request."""
        for start in range(0, max(1, len(record.destroyed)), _DESTROYED_A_MESSAGE):
            part = record.destroyed[start : start + _DESTROYED_A_MESSAGE]
            self._ask(self._report(days=(replace(record, destroyed=part),)))

    @property
    def events_at_once(self) -> int:
        """See ``ProductionLink.events_at_once``."""
        return _EVENTS_A_MESSAGE

    def _report(
        self,
        *,
        events: tuple[ProductionEvent, ...] = (),
        head: JournalHead | None = None,
        wanted: Serial | None = None,
        batch: BatchId | None = None,
        days: tuple[DayRecord, ...] = (),
        presence: StationPresence | None = None,
    ) -> StationReport:
        report = StationReport(
            station=self.station,
            at=self.clock(),
            events=events,
            wanted=wanted,
            batch=batch,
            days=days,
            presence=presence,
        )
        return report if head is None else replace(report, head=head)

    def _ask(self, report: StationReport) -> StationOrder:
        sealed = self.keys.seal(
            report.to_bytes(), purpose=MessagePurpose.RESULT_BUNDLE, peer=self.centre
        )
        answer = self.transport(sealed)
        try:
            order = open_order(answer, keys=self.keys, centre=self.centre, station=self.station)
        except KeystoreError:
            raise
        except (PkiError, IssuerError) as error:
            # Whoever stands between can give rubbish for an answer, but cannot make the station believe it.
            raise _invalid(str(error)) from error
        if order.answers != message_digest(sealed):
            raise _invalid("it answers another message")
        if order.refusal is not None:
            raise IssuerRefusedError(order.refusal.text, code=order.refusal.code)
        return order


def open_order(
    sealed: bytes, *, keys: ExchangeKeys, centre: Peer, station: StationName
) -> StationOrder:
    """What the centre says to this station.

    Raises:
        PkiError: it cannot be opened, or its signature or certificate does not hold.
        IssuerDataError: it is in no form of an order.
        IssuerRefusedError: another signed it, or it is for another station (``station.other-signer``).
    """
    opened = keys.open(sealed, purpose=MessagePurpose.JOB_BUNDLE)
    keys.require_signed_by(opened, centre, is_station=False)
    order = StationOrder.from_bytes(opened.content)
    if order.station != station:
        raise IssuerDataError(
            f"the order is for station {order.station}, expected {station}",
            code="station.other-order",
        )
    return order


def _invalid(reason: str) -> IssuerUnavailableError:
    return IssuerUnavailableError(
        f"the centre's answer cannot be used: {reason}", code="station.answer-invalid"
    )
