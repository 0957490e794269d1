"""Closes of days, destructions and the stop list, over the session of a register transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import insert_rows
from issuer.db.chip_holds import lift_stop, release_hold, stop_chip
from issuer.db.production_rows import Producer, journal, locked_chip
from issuer.db.production_tables import CardEventRow, ChipRow
from issuer.db.stock_rows import parts_of
from issuer.db.stock_tables import (
    DayCloseRow,
    DestructionChipRow,
    DestructionRow,
    StockMovementRow,
    StockStopRow,
)
from issuer.db.stock_tallies import tallies_of_sites
from issuer.db.stopped_cards import condemn_stopped, judge_card, report_card
from issuer.domain.chip import ChipState, Serial
from issuer.domain.rights import AccountName
from issuer.domain.stock_account import HELD_AS_STOLEN, SiteCode, StockCount
from issuer.domain.stock_acts import (
    DayClose,
    DayCloseId,
    DayCloseState,
    Destruction,
    DestructionId,
    DestructionState,
    MovementKind,
    Stop,
    StopReason,
    StopState,
)
from issuer.errors import IssuerDataError
from issuer.services.stock_ports import ActPosition, SiteTally, StopPosition

__all__ = ["SqlStockActRepository"]


class SqlStockActRepository:
    """Implements ``StockActRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def store_close(self, close: DayClose) -> None:
        """See ``StockActRepository.store_close``."""
        self._session.merge(
            DayCloseRow(
                id=close.close_id,
                site=close.site,
                day=close.day,
                state=close.state.value,
                counted_finished=close.counted.finished,
                counted_spoiled=close.counted.spoiled,
                counted_samples=close.counted.samples,
                counted_left=close.counted.left,
                expected_finished=close.expected.finished,
                expected_spoiled=close.expected.spoiled,
                expected_samples=close.expected.samples,
                expected_left=close.expected.left,
                received=close.received,
                good=close.good,
                spoiled=close.spoiled,
                samples=close.samples,
                left_over=close.left,
                last_movement=close.last_movement,
                counted_by=close.counted_by,
                counted_at=close.counted_at,
                closed_by=close.closed_by,
                closed_at=close.closed_at,
            )
        )
        self._session.flush()

    def close(self, close_id: DayCloseId) -> DayClose:
        """See ``StockActRepository.close``."""
        row = self._session.get(DayCloseRow, close_id)
        if row is None:
            raise IssuerDataError(f"there is no count {close_id}", code="stock.count-unknown")
        return _close(row)

    def closes(
        self, sites: Collection[SiteCode], *, limit: int, behind: ActPosition | None = None
    ) -> tuple[DayClose, ...]:
        """See ``StockActRepository.closes``."""
        query = (
            sa.select(DayCloseRow)
            .where(DayCloseRow.site.in_(sorted(sites)))
            .order_by(DayCloseRow.counted_at.desc(), DayCloseRow.id.desc())
            .limit(limit)
        )
        if behind is not None:
            query = query.where(
                sa.tuple_(DayCloseRow.counted_at, DayCloseRow.id)
                < sa.tuple_(
                    sa.literal(behind.at, DayCloseRow.counted_at.type),
                    sa.literal(behind.act_id, DayCloseRow.id.type),
                )
            )
        return tuple(_close(row) for row in self._session.scalars(query))

    def last_closed(self, site: SiteCode) -> DayClose | None:
        """See ``StockActRepository.last_closed``."""
        row = self._session.scalars(
            sa.select(DayCloseRow)
            .where(DayCloseRow.site == site, DayCloseRow.state == DayCloseState.CLOSED.value)
            .order_by(DayCloseRow.counted_at.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else _close(row)

    def stolen(self, site: SiteCode) -> int:
        """See ``StockActRepository.stolen``."""
        query = (
            sa.select(sa.func.count())
            .select_from(StockStopRow)
            .where(StockStopRow.site == site, StockStopRow.state == StopState.CONFIRMED.value)
        )
        return self._session.scalar(query) or 0

    def tallies(self) -> Mapping[SiteCode | None, SiteTally]:
        """See ``StockActRepository.tallies``."""
        return tallies_of_sites(self._session)

    def note_missing(
        self, serials: Sequence[Serial], *, site: SiteCode, account: AccountName, at: datetime
    ) -> None:
        """See ``StockActRepository.note_missing``."""
        self._journal(
            serials,
            "count-missing",
            account=account,
            at=at,
            code="stock.count-differs",
            detail=site,
        )

    def store_destruction(
        self, destruction: Destruction, serials: Sequence[Serial] | None = None
    ) -> None:
        """See ``StockActRepository.store_destruction``."""
        self._session.merge(
            DestructionRow(
                id=destruction.destruction_id,
                site=destruction.site,
                state=destruction.state.value,
                manner=destruction.manner,
                chips=destruction.chips,
                digest=destruction.digest,
                first_witness=destruction.first_witness,
                first_at=destruction.first_at,
                second_witness=destruction.second_witness,
                second_at=destruction.second_at,
            )
        )
        self._session.flush()
        if serials is not None:
            insert_rows(
                self._session,
                DestructionChipRow,
                [
                    {"destruction_id": destruction.destruction_id, "serial": serial}
                    for serial in serials
                ],
            )

    def destruction(self, destruction_id: DestructionId) -> tuple[Destruction, tuple[Serial, ...]]:
        """See ``StockActRepository.destruction``."""
        row = self._session.get(DestructionRow, destruction_id, with_for_update=True)
        if row is None:
            raise IssuerDataError(
                f"there is no destruction {destruction_id}", code="stock.destruction-unknown"
            )
        serials = self._session.scalars(
            sa.select(DestructionChipRow.serial)
            .where(DestructionChipRow.destruction_id == destruction_id)
            .order_by(DestructionChipRow.serial)
        )
        return _destruction(row), tuple(Serial(each) for each in serials)

    def destructions(
        self, sites: Collection[SiteCode], *, limit: int, behind: ActPosition | None = None
    ) -> tuple[Destruction, ...]:
        """See ``StockActRepository.destructions``."""
        query = (
            sa.select(DestructionRow)
            .where(DestructionRow.site.in_(sorted(sites)))
            .order_by(DestructionRow.first_at.desc(), DestructionRow.id.desc())
            .limit(limit)
        )
        if behind is not None:
            query = query.where(
                sa.tuple_(DestructionRow.first_at, DestructionRow.id)
                < sa.tuple_(
                    sa.literal(behind.at, DestructionRow.first_at.type),
                    sa.literal(behind.act_id, DestructionRow.id.type),
                )
            )
        return tuple(_destruction(row) for row in self._session.scalars(query))

    def waiting_for_destruction(self, serials: Sequence[Serial]) -> frozenset[Serial]:
        """See ``StockActRepository.waiting_for_destruction``."""
        found: set[Serial] = set()
        for part in parts_of(serials):
            found.update(
                Serial(each)
                for each in self._session.scalars(
                    sa.select(DestructionChipRow.serial)
                    .join(DestructionRow, DestructionRow.id == DestructionChipRow.destruction_id)
                    .where(
                        DestructionChipRow.serial.in_(part),
                        DestructionRow.state == DestructionState.WITNESSED.value,
                    )
                )
            )
        return frozenset(found)

    def mark_destroyed(
        self, serials: Sequence[Serial], *, account: AccountName, at: datetime
    ) -> None:
        """See ``StockActRepository.mark_destroyed``."""
        for part in parts_of(serials):
            self._session.execute(
                sa.update(ChipRow)
                .where(ChipRow.serial.in_(part))
                .values(destroyed_at=at)
                .execution_options(synchronize_session=False)
            )
        self._session.expire_all()
        self._journal(serials, "destroyed", account=account, at=at, code=None, detail=None)

    def store_stop(self, stop: Stop) -> None:
        """See ``StockActRepository.store_stop``."""
        row = self._live_stop(stop.serial)
        if row is None:
            row = StockStopRow(serial=stop.serial)
            self._session.add(row)
        row.reason = stop.reason.value
        row.state = stop.state.value
        row.site = stop.site
        row.reported_by = stop.reported_by
        row.reported_at = stop.reported_at
        row.concluded_by = stop.concluded_by
        row.concluded_at = stop.concluded_at
        self._session.flush()
        at = stop.concluded_at or stop.reported_at
        by = Producer(account=stop.concluded_by or stop.reported_by)
        journal(
            self._session,
            f"stop-{stop.state.value}",
            at=at,
            serial=stop.serial,
            code=HELD_AS_STOLEN,
            detail=stop.reason.value,
            by=by,
        )
        if stop.site is not None:
            self._follow(row, stop, stop.site, at, by)
        self._session.flush()

    def _follow(
        self, row: StockStopRow, stop: Stop, site: SiteCode, at: datetime, by: Producer
    ) -> None:
        """What becomes of a chip of the stock, and of the card on it."""
        chip = locked_chip(self._session, stop.serial)
        if stop.state is StopState.REPORTED:
            stop_chip(chip)
            report_card(self._session, row, at=at)
        elif stop.state is StopState.LIFTED:
            lift_stop(chip)
            judge_card(self._session, row, at=at)
        else:
            if ChipState(chip.state) is not ChipState.CONDEMNED:
                condemn_stopped(self._session, row, at=at, by=by)
            release_hold(chip)
            chip.condemned_for = HELD_AS_STOLEN
            chip.is_stolen = True
            judge_card(self._session, row, at=at)
            self._session.add(
                StockMovementRow(
                    at=at,
                    account=stop.concluded_by,
                    kind=MovementKind.STOLEN.value,
                    source=site,
                    target=None,
                    chips=1,
                )
            )

    def stop(self, serial: Serial) -> Stop:
        """See ``StockActRepository.stop``."""
        row = self._live_stop(serial)
        if row is None:
            raise IssuerDataError(
                f"chip {serial.hex().upper()} is not on the stop list", code="stop.unknown"
            )
        return _stop(row)

    def stopped(self, serials: Sequence[Serial]) -> frozenset[Serial]:
        """See ``StockActRepository.stopped``."""
        found: set[Serial] = set()
        for part in parts_of(serials):
            found.update(
                Serial(each)
                for each in self._session.scalars(
                    sa.select(StockStopRow.serial).where(
                        StockStopRow.serial.in_(part),
                        StockStopRow.state != StopState.LIFTED.value,
                    )
                )
            )
        return frozenset(found)

    def stops(
        self,
        sites: Collection[SiteCode],
        *,
        with_unknown: bool,
        states: Sequence[StopState] = (),
        limit: int,
        behind: StopPosition | None = None,
    ) -> tuple[Stop, ...]:
        """See ``StockActRepository.stops``."""
        of_sites: sa.ColumnElement[bool] = StockStopRow.site.in_(sorted(sites))
        if with_unknown:
            of_sites = of_sites | StockStopRow.site.is_(None)
        query = (
            sa.select(StockStopRow)
            .where(of_sites)
            .order_by(StockStopRow.reported_at.desc(), StockStopRow.serial.desc())
            .limit(limit)
        )
        if states:
            query = query.where(StockStopRow.state.in_([each.value for each in states]))
        if behind is not None:
            query = query.where(
                sa.tuple_(StockStopRow.reported_at, StockStopRow.serial)
                < sa.tuple_(
                    sa.literal(behind.at, StockStopRow.reported_at.type),
                    sa.literal(behind.serial, StockStopRow.serial.type),
                )
            )
        return tuple(_stop(row) for row in self._session.scalars(query))

    def _live_stop(self, serial: Serial) -> StockStopRow | None:
        return self._session.scalar(
            sa.select(StockStopRow)
            .where(StockStopRow.serial == serial, StockStopRow.state != StopState.LIFTED.value)
            .with_for_update()
        )

    def _journal(
        self,
        serials: Sequence[Serial],
        kind: str,
        *,
        account: AccountName,
        at: datetime,
        code: str | None,
        detail: str | None,
    ) -> None:
        insert_rows(
            self._session,
            CardEventRow,
            [
                {
                    "at": at,
                    "kind": kind,
                    "serial": serial,
                    "code": code,
                    "detail": detail,
                    "account": account,
                }
                for serial in serials
            ],
        )


def _close(row: DayCloseRow) -> DayClose:
    return DayClose(
        close_id=DayCloseId(row.id),
        site=SiteCode(row.site),
        day=row.day,
        state=DayCloseState(row.state),
        counted=StockCount(
            finished=row.counted_finished,
            spoiled=row.counted_spoiled,
            samples=row.counted_samples,
            left=row.counted_left,
        ),
        expected=StockCount(
            finished=row.expected_finished,
            spoiled=row.expected_spoiled,
            samples=row.expected_samples,
            left=row.expected_left,
        ),
        received=row.received,
        good=row.good,
        spoiled=row.spoiled,
        samples=row.samples,
        left=row.left_over,
        last_movement=row.last_movement,
        counted_by=AccountName(row.counted_by),
        counted_at=row.counted_at,
        closed_by=None if row.closed_by is None else AccountName(row.closed_by),
        closed_at=row.closed_at,
    )


def _destruction(row: DestructionRow) -> Destruction:
    return Destruction(
        destruction_id=DestructionId(row.id),
        site=SiteCode(row.site),
        state=DestructionState(row.state),
        manner=row.manner,
        chips=row.chips,
        digest=row.digest,
        first_witness=AccountName(row.first_witness),
        first_at=row.first_at,
        second_witness=None if row.second_witness is None else AccountName(row.second_witness),
        second_at=row.second_at,
    )


def _stop(row: StockStopRow) -> Stop:
    return Stop(
        serial=Serial(row.serial),
        reason=StopReason(row.reason),
        state=StopState(row.state),
        site=None if row.site is None else SiteCode(row.site),
        reported_by=AccountName(row.reported_by),
        reported_at=row.reported_at,
        concluded_by=None if row.concluded_by is None else AccountName(row.concluded_by),
        concluded_at=row.concluded_at,
    )
