"""The centre's side of stations in the database: chips are given out, events are taken in order, days are closed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.audit import SqlAuditTrail
from issuer.db.base import Database
from issuer.db.card_vault import CardVault
from issuer.db.chip_holds import hold_chip
from issuer.db.production_rows import (
    EVENT_REJECTED,
    Producer,
    condemn_rows,
    journal,
    locked_card,
    locked_chip,
    move_card,
    move_chip,
    require_not_passed,
)
from issuer.db.production_tables import CardRow, ChipRow
from issuer.db.station_claims import claim_chip
from issuer.db.station_days import keep_day
from issuer.db.station_heads import (
    journal_back,
    keep_chains,
    reach,
    require_same_journal,
    was_reached,
)
from issuer.db.station_presence import cards_left, count_events, keep_presence
from issuer.db.station_rejections import keep_rejection, rejected_of
from issuer.db.station_tables import StationClaimRow, StationRow
from issuer.db.stock_tables import StockStopRow
from issuer.db.stopped_cards import lock_stops, report_card
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.batch import BatchId
from issuer.domain.card import CardEvent, CardReference
from issuer.domain.chip import ChipEvent, ChipState, Serial
from issuer.domain.chip_key_strength import require_strong_key
from issuer.domain.production_errors import CardRejectedError, TransitionError
from issuer.domain.production_events import (
    CHAIN_START,
    JournalHead,
    ProductionEvent,
    ProductionEventKind,
    StationName,
    key_origin_of,
)
from issuer.domain.rights import AccountName
from issuer.domain.stock_account import HELD_AS_STOLEN
from issuer.errors import CROSSED, ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.production_ports import Clock
from issuer.services.station_ports import (
    ClaimedChip,
    DayRecord,
    HandInReceipt,
    JobSeal,
    RejectedEvent,
    StationPresence,
)

__all__ = ["SqlProductionLink"]

_CARD_EVENTS = {
    ProductionEventKind.PERSONALISATION_BEGUN: CardEvent.PERSONALISATION_BEGUN,
    ProductionEventKind.PERSONALISED: CardEvent.PERSONALISED,
    ProductionEventKind.LOCK_INTENDED: CardEvent.LOCK_INTENDED,
    ProductionEventKind.ISSUED: CardEvent.ISSUED,
}
_EVENTS_AT_ONCE = 500
_IS_HELD = "chip.held"
"""Why nothing but the end of a chip is followed; what holds it says more."""
_BAD_KEYS = frozenset({"chip.key-not-unique", "chip.key-weak"})
"""A chip with such a key is good for nothing; what else contradicts the records is looked at by a person."""
_OF_HELD_CHIPS = frozenset(
    {
        ProductionEventKind.HELD,
        ProductionEventKind.CONDEMNED,
        ProductionEventKind.TERMINATED,
    }
)
"""What may happen to a chip at which a person has to look first; nothing else may."""
_OVER = frozenset(
    {
        ProductionEventKind.INITIALISED,
        ProductionEventKind.ISSUED,
        ProductionEventKind.CONDEMNED,
        ProductionEventKind.TERMINATED,
    }
)
"""After these the chip may be given to another station."""


class SqlProductionLink:
    """Implements ``ProductionLink`` for one station over the database; a station elsewhere reaches the same one."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        vault: CardVault,
        *,
        station: StationName,
        seal: JobSeal,
        is_elsewhere: bool = False,
    ) -> None:
        """``is_elsewhere``: the station signs what it says, and is known by its certificates."""
        self._database = database
        self._clock = clock
        self._vault = vault
        self._station = station
        self._seal = seal
        self._is_elsewhere = is_elsewhere

    @property
    def answers_at_once(self) -> bool:
        """See ``ProductionLink.answers_at_once``."""
        return True

    @property
    def events_at_once(self) -> int:
        """See ``ProductionLink.events_at_once``."""
        return _EVENTS_AT_ONCE

    def claim(
        self, serial: Serial, *, batch: BatchId | None, known: JournalHead
    ) -> ClaimedChip | None:
        """See ``ProductionLink.claim``."""
        with self._database.writing() as session:
            require_same_journal(self._station_row(session), known)
            return claim_chip(
                session,
                serial,
                station=self._station,
                batch=batch,
                vault=lambda: self._vault,
                seal=self._seal,
                at=self._clock(),
            )

    def greet(
        self, presence: StationPresence, *, batch: BatchId | None, known: JournalHead
    ) -> int | None:
        """See ``ProductionLink.greet``."""
        with self._database.writing() as session:
            station = self._station_row(session)
            require_same_journal(station, known)
            keep_presence(station, presence, at=self._clock())
            return None if batch is None else cards_left(session, batch)

    def hand_in(self, events: Sequence[ProductionEvent], *, head: JournalHead) -> HandInReceipt:
        """See ``ProductionLink.hand_in``."""
        with self._database.writing() as session:
            station = self._station_row(session)
            if head.sequence < station.sequence:
                return self._told_before(session, station, events, head)
            new = [event for event in events if event.sequence > station.sequence]
            reached = JournalHead(sequence=station.sequence, chain=station.chain)
            # The answer to an earlier hand-in may have been lost on its way.
            known = [event for event in events if event.sequence <= station.sequence]
            rejected = rejected_of(session, self._station, known)
            followed: list[ProductionEvent] = []
            now = self._clock()
            stops = lock_stops(session, {each.serial for each in new if each.serial is not None})
            chains: list[bytes] = []
            for event in new:
                reached = reach(self._station, reached, event)
                chains.append(reached.chain)
                code = self._follow(session, event, now)
                if code is None:
                    followed.append(event)
                    code = self._stop(session, stops, event, now)
                if code is not None:
                    rejected.append(
                        RejectedEvent(sequence=event.sequence, serial=event.serial, code=code)
                    )
            if reached != head:
                raise journal_back(self._station, station.sequence, head.sequence)
            station.sequence, station.chain = reached.sequence, reached.chain
            station.heard_at = station.handed_in_at = now
            count_events(station, followed, at=now)
            if new:
                if self._is_elsewhere:
                    keep_chains(session, station, chains)
                self._audit(
                    session,
                    "station.events-taken",
                    new[-1].account,
                    now,
                    {
                        "first": new[0].sequence,
                        "last": reached.sequence,
                        "chain": reached.chain.hex(),
                        "rejected": sum(each.sequence >= new[0].sequence for each in rejected),
                    },
                )
            return HandInReceipt(through=reached.sequence, rejected=tuple(rejected))

    def _told_before(
        self,
        session: Session,
        station: StationRow,
        events: Sequence[ProductionEvent],
        head: JournalHead,
    ) -> HandInReceipt:
        """What a report is answered that was carried here behind a newer one: there is nothing new in it.

        Raises:
            IssuerRefusedError: the journal that the centre has never stood there (``station.journal-back``).
        """
        if not was_reached(session, station, head):
            raise journal_back(self._station, station.sequence, head.sequence)
        rejected = rejected_of(session, self._station, events)
        return HandInReceipt(through=station.sequence, rejected=tuple(rejected))

    def close_day(self, record: DayRecord) -> None:
        """See ``ProductionLink.close_day``."""
        now = self._clock()
        with self._database.writing() as session:
            closed = keep_day(session, self._station_row(session), record, at=now)
            if closed is not None:
                action, details = closed
                self._audit(session, action, record.closed_by, now, details)

    def _station_row(self, session: Session) -> StationRow:
        row = session.get(StationRow, self._station, with_for_update=True)
        if row is None:
            row = StationRow(
                name=self._station,
                created_at=self._clock(),
                sequence=0,
                chain=CHAIN_START,
                last_order=0,
            )
            session.add(row)
            session.flush()
        if (row.signing_certificate is not None) != self._is_elsewhere:
            raise IssuerRefusedError(
                f"station {self._station} is {'here' if self._is_elsewhere else 'elsewhere'}",
                code="station.name-taken",
                hint="call this station something else",
            )
        if row.dismissed_at is not None:
            raise IssuerRefusedError(
                f"station {self._station} was dismissed at {row.dismissed_at:%Y-%m-%d %H:%M:%S}Z",
                code="station.dismissed",
                hint="a computer that takes its place gets another name and a site of its own (docs/operations.md)",
            )
        return row

    def _follow(self, session: Session, event: ProductionEvent, now: datetime) -> str | None:
        """Do in the records what the event says; the code of why it cannot be, where it cannot."""
        # A clock that runs ahead must not write into the future.
        at = min(event.at, now)
        if event.kind is ProductionEventKind.NOTED:
            self._journal(session, event, at)
            return None
        serial = event.serial or Serial(b"")
        claim = session.get(StationClaimRow, serial)
        if claim is None or claim.station != self._station:
            self._put_aside(session, event, at, "station.not-claimed")
            return "station.not-claimed"
        try:
            if event.kind not in _OF_HELD_CHIPS:
                _require_not_held(locked_chip(session, serial))
            self._move(session, serial, event, at)
        except (TransitionError, CardRejectedError, ConflictError, IssuerDataError) as error:
            if error.code == CROSSED:
                # It says nothing about the event, and the transaction is over.
                raise
            self._put_aside(session, event, at, error.code)
            return error.code
        if event.kind in _OVER:
            claim.released_at = now
        return None

    def _stop(
        self,
        session: Session,
        stops: Mapping[Serial, StockStopRow],
        event: ProductionEvent,
        now: datetime,
    ) -> str | None:
        """The records went along with a chip of the stop list; its card is worthless, and the station goes on no more."""
        stop = None if event.serial is None else stops.get(event.serial)
        if stop is None or event.kind is ProductionEventKind.NOTED:
            return None
        report_card(session, stop, at=now)
        self._put_aside(session, event, min(event.at, now), HELD_AS_STOLEN)
        return HELD_AS_STOLEN

    def _move(self, session: Session, serial: Serial, event: ProductionEvent, at: datetime) -> None:
        if event.kind in _CARD_EVENTS:
            self._move_card(session, serial, event, at)
        elif event.kind is ProductionEventKind.CONDEMNED:
            require_not_passed(session, serial)
            condemn_rows(
                session,
                serial,
                code=event.code or "card.rejected",
                detail=event.detail or "",
                at=at,
                is_chip_safe=True,
                by=Producer(station=self._station, account=event.account),
            )
        elif event.kind is ProductionEventKind.HELD:
            hold_chip(locked_chip(session, serial), event.code or "chip.held")
            self._journal(session, event, at)
        elif event.kind is ProductionEventKind.TERMINATED:
            self._journal(session, event, at)
        else:
            self._move_chip(session, serial, event, at)

    def _move_chip(
        self, session: Session, serial: Serial, event: ProductionEvent, at: datetime
    ) -> None:
        row = locked_chip(session, serial)
        who = Producer(station=self._station, account=event.account)
        if event.kind is ProductionEventKind.INITIALISATION_BEGUN:
            row.key_curve = row.key_point = None
            move_chip(session, row, ChipEvent.INITIALISATION_BEGUN, at, by=who)
        elif event.kind is ProductionEventKind.INITIALISED:
            if row.key_point is None:
                raise TransitionError("the chip made no key, so it is not initialised")
            move_chip(session, row, ChipEvent.INITIALISED, at, by=who)
        elif event.public_key is not None:
            # A station of another version, or of somebody else's making, may not have looked.
            require_strong_key(serial, event.public_key)
            other = session.scalar(
                sa.select(ChipRow.serial).where(
                    ChipRow.key_point == event.public_key.point, ChipRow.serial != serial
                )
            )
            if other is not None:
                raise ConflictError(
                    f"chip {serial.hex().upper()} made the key of chip {other.hex().upper()}",
                    code="chip.key-not-unique",
                )
            move_chip(
                session, row, ChipEvent.KEY_RECORDED, at, code=key_origin_of(event).value, by=who
            )
            row.key_curve = event.public_key.curve.oid
            row.key_point = event.public_key.point

    def _move_card(
        self, session: Session, serial: Serial, event: ProductionEvent, at: datetime
    ) -> None:
        row = session.scalar(sa.select(CardRow).where(CardRow.serial == serial))
        if row is None or row.reference != event.reference:
            raise TransitionError("the chip has not this card")
        row = locked_card(session, CardReference(row.reference))
        move_card(
            session,
            row,
            _CARD_EVENTS[event.kind],
            at,
            by=Producer(station=self._station, account=event.account),
        )
        if event.kind is ProductionEventKind.ISSUED:
            row.issued_at = at

    def _put_aside(self, session: Session, event: ProductionEvent, at: datetime, code: str) -> None:
        """Keep stations from the chip; what contradicts our records is looked at by a person."""
        serial = event.serial or Serial(b"")
        chip = session.get(ChipRow, serial, with_for_update=True)
        known = chip is not None
        if chip is not None and chip.state != ChipState.CONDEMNED.value:
            if code in _BAD_KEYS:
                condemn_rows(
                    session,
                    serial,
                    code=code,
                    detail="",
                    at=at,
                    is_chip_safe=True,
                    by=Producer(station=self._station, account=event.account),
                )
            elif code != _IS_HELD:
                hold_chip(chip, code)
        keep_rejection(session, self._station, event, code)
        journal(
            session,
            EVENT_REJECTED,
            at=at,
            serial=serial if known else None,
            reference=event.reference if known else None,
            code=code,
            detail=f"event {event.sequence} of station {self._station}: {event.kind}",
            by=Producer(station=self._station, account=event.account),
        )

    def _journal(self, session: Session, event: ProductionEvent, at: datetime) -> None:
        journal(
            session,
            event.kind.value,
            at=at,
            serial=event.serial,
            reference=event.reference,
            code=event.code,
            detail=event.detail,
            by=Producer(station=self._station, account=event.account),
        )

    def _audit(
        self,
        session: Session,
        action: str,
        account: str,
        now: datetime,
        details: dict[str, str | int | None],
    ) -> None:
        SqlAuditTrail(session).append(
            AuditRecord(
                at=now,
                account=AccountName(account),
                action=action,
                subject=AuditSubject.STATION,
                subject_id=self._station,
                details=details,
            )
        )


def _require_not_held(chip: ChipRow) -> None:
    """A station goes on with no chip at which a person has to look first."""
    if chip.held is not None and chip.held != HELD_AS_STOLEN:
        raise TransitionError(f"the chip is held because of {chip.held}", code=_IS_HELD)
