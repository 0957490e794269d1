"""The centre's desk for stations elsewhere: their reports are opened, judged and followed, and answered with orders."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from issuer.domain.production_events import JournalHead, StationName
from issuer.errors import CROSSED, IssuerDataError, IssuerError, IssuerRefusedError
from issuer.services.production_ports import Clock
from issuer.services.station_ports import (
    ClaimedChip,
    HandInReceipt,
    JobSeal,
    ProductionLink,
)
from issuer.stations.exchange_keys import ExchangeKeys, Peer
from issuer.stations.messages import Refusal, StationOrder, StationReport, message_digest
from pki.signed.sealed_message import MessagePurpose

__all__ = ["CLOCK_LEEWAY", "EnrolledStation", "StationBook", "StationDesk"]

CLOCK_LEEWAY: Final = timedelta(minutes=10)
"""So far the clock of a station may be from the centre's: over the network, and behind the order that it takes."""

_MAX_TEXT: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledStation:
    """A station elsewhere, as the centre knows it."""

    name: StationName
    peer: Peer
    head: JournalHead
    created_at: datetime
    heard_at: datetime | None = None
    dismissed_at: datetime | None = None


class StationBook(Protocol):
    """The stations that the centre knows."""

    def by_signer(self, certificate: bytes) -> EnrolledStation | None:
        """The station that signs with this certificate."""

    def get(self, name: StationName) -> EnrolledStation:
        """The station of this name.

        Raises:
            IssuerRefusedError: there is none elsewhere (``station.unknown``).
        """


LinkOf = Callable[[StationName, JobSeal], ProductionLink]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationDesk:
    """Answers stations; ``link_of`` is the way into production for one of them."""

    keys: ExchangeKeys
    book: StationBook
    link_of: LinkOf
    clock: Clock

    def answer(self, sealed: bytes) -> bytes:
        """Follow a report that came over the network, and seal the answer to whoever signed it.

        Raises:
            PkiError: it is no sealed message, or its signature or certificate does not hold.
            IssuerDataError: it is in no form of a report.
            IssuerRefusedError: nobody known signed it (``station.unknown``), the station is dismissed
                (``station.dismissed``), or its clock is wrong (``station.clock-wrong``).
        """
        station, report = self._open(sealed)
        now = self.clock()
        if abs(report.at - now) > CLOCK_LEEWAY:
            raise IssuerRefusedError(
                f"the report says {report.at:%Y-%m-%d %H:%M:%S}Z, and here it is {now:%Y-%m-%d %H:%M:%S}Z",
                code="station.clock-wrong",
                hint="set the clock of the station",
            )
        receipt: HandInReceipt | None = None
        chips: tuple[ClaimedChip, ...] = ()
        refusal: Refusal | None = None
        left: int | None = None
        try:
            receipt = self._follow(station, report)
            chips = self._claim(station, report)
            left = self._greeted(station, report)
        except (IssuerRefusedError, IssuerDataError) as error:
            if error.code == CROSSED:
                # Nothing is refused: the station is told nothing, and asks again.
                raise
            refusal = _refusal_of(error)
        order = StationOrder(
            station=station.name,
            at=now,
            answers=message_digest(sealed),
            receipt=receipt,
            chips=chips,
            refusal=refusal,
            left=left,
        )
        return self._seal(station, order)

    def accept(
        self, sealed: bytes, *, demand: Callable[[StationName], None]
    ) -> tuple[EnrolledStation, HandInReceipt | None]:
        """Follow a report that was carried; taking the same again changes nothing.

        ``demand`` raises where whoever brings it has no right at the station that signed it.

        Raises:
            PkiError, IssuerDataError, IssuerRefusedError: as ``answer``, and what the centre refuses of it.
        """
        station, report = self._open(sealed)
        demand(station.name)
        return station, self._follow(station, report)

    def _open(self, sealed: bytes) -> tuple[EnrolledStation, StationReport]:
        opened = self.keys.open(sealed, purpose=MessagePurpose.RESULT_BUNDLE)
        station = self.book.by_signer(opened.signer_certificate)
        if station is None:
            raise IssuerRefusedError(
                "the message is signed by no station that is known here", code="station.unknown"
            )
        if station.dismissed_at is not None:
            raise IssuerRefusedError(
                f"station {station.name} was dismissed at {station.dismissed_at:%Y-%m-%d %H:%M:%S}Z",
                code="station.dismissed",
            )
        self.keys.require_signed_by(opened, station.peer, is_station=True)
        report = StationReport.from_bytes(opened.content)
        if report.station != station.name:
            raise IssuerRefusedError(
                f"the report is of station {report.station}, but {station.name} signed it",
                code="station.other-signer",
            )
        return station, report

    def _follow(self, station: EnrolledStation, report: StationReport) -> HandInReceipt | None:
        link = self.link_of(station.name, self.keys.job_seal(station.peer))
        receipt = None
        if report.events:
            receipt = link.hand_in(report.events, head=report.head)
        for day in report.days:
            link.close_day(day)
        return receipt

    def _claim(self, station: EnrolledStation, report: StationReport) -> tuple[ClaimedChip, ...]:
        if report.wanted is None:
            return ()
        link = self.link_of(station.name, self.keys.job_seal(station.peer))
        claimed = link.claim(report.wanted, batch=report.batch, known=report.head)
        return () if claimed is None else (claimed,)

    def _greeted(self, station: EnrolledStation, report: StationReport) -> int | None:
        if report.presence is None:
            return None
        link = self.link_of(station.name, self.keys.job_seal(station.peer))
        return link.greet(report.presence, batch=report.batch, known=report.head)

    def _seal(self, station: EnrolledStation, order: StationOrder) -> bytes:
        return self.keys.seal(
            order.to_bytes(), purpose=MessagePurpose.JOB_BUNDLE, peer=station.peer
        )


def _refusal_of(error: IssuerError) -> Refusal:
    return Refusal(code=error.code, text=str(error)[:_MAX_TEXT])
