"""Sites, chips and movements of the stock, over the session of a register transaction."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import insert_rows, unindexed
from issuer.db.batch_tables import BatchRow
from issuer.db.chip_holds import release_hold
from issuer.db.chip_locks import lock_chips_with_cards
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_rows import Producer, condemn_rows, journal, locked_chip
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.db.stock_rows import IS_AWAY, changes_of_class, parts_of, standing_of
from issuer.db.stock_tables import DayCloseRow, StockMovementRow, StockSiteRow, StockStopRow
from issuer.db.stopped_cards import is_stopped
from issuer.domain.card import CardState
from issuer.domain.chip import ChipState, Serial
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.domain.stock_account import (
    HELD_AS_SAMPLE,
    HELD_AS_STOLEN,
    Site,
    SiteAccount,
    SiteCode,
    SiteKind,
    StockClass,
    class_of,
)
from issuer.domain.stock_acts import DayCloseState, Movement, MovementKind, StopState
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.stock_ports import ChipStanding

__all__ = ["SqlStockRepository"]

_Select = sa.Select[StockSiteRow, str]


class SqlStockRepository:
    """Implements ``StockRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def sites(self) -> tuple[Site, ...]:
        """See ``StockRepository.sites``."""
        return tuple(self._sites(lambda query: query.order_by(StockSiteRow.code)))

    def site(self, code: SiteCode) -> Site:
        """See ``StockRepository.site``."""
        for found in self._sites(lambda query: query.where(StockSiteRow.code == code)):
            return found
        raise IssuerDataError(f"there is no site {code}", code="stock.site-unknown")

    def locked_sites(self, codes: Collection[SiteCode]) -> Mapping[SiteCode, Site]:
        """See ``StockRepository.locked_sites``."""
        for code in sorted(codes):
            # Always in the same order, so that two transactions do not wait for each other.
            self._session.execute(
                sa.select(StockSiteRow.code).where(StockSiteRow.code == code).with_for_update()
            )
        return {code: self.site(code) for code in codes}

    def add_site(self, site: Site) -> None:
        """See ``StockRepository.add_site``."""
        if self._session.get(StockSiteRow, site.code) is not None:
            raise ConflictError(f"there is a site {site.code} already", code="stock.site-exists")
        organisation = None
        if site.organisation is not None:
            organisation = self._session.scalars(
                sa.select(OrganisationRow.id).where(OrganisationRow.code == site.organisation)
            ).one()
        self._session.add(
            StockSiteRow(
                code=site.code,
                kind=site.kind.value,
                name=site.name,
                organisation_id=organisation,
                opened_at=site.opened_at,
            )
        )
        self._session.flush()

    def receive(
        self,
        serials: Sequence[Serial],
        *,
        site: SiteCode,
        delivery: str,
        account: AccountName,
        at: datetime,
    ) -> int:
        """See ``StockRepository.receive``."""
        known: set[bytes] = set()
        for part in parts_of(serials):
            stopped = self._session.scalar(
                sa.select(StockStopRow.serial)
                .where(StockStopRow.serial.in_(part), StockStopRow.state != StopState.LIFTED.value)
                .limit(1)
            )
            if stopped is not None:
                raise IssuerRefusedError(
                    f"chip {stopped.hex().upper()} is on the stop list, so the delivery is not taken in",
                    code=HELD_AS_STOLEN,
                    hint="keep the box apart: another person lifts or confirms the stop",
                )
            known.update(
                self._session.scalars(sa.select(ChipRow.serial).where(ChipRow.serial.in_(part)))
            )
        new = [serial for serial in dict.fromkeys(serials) if serial not in known]
        if new:
            insert_rows(
                self._session,
                ChipRow,
                [
                    {
                        "serial": serial,
                        "state": ChipState.RECEIVED.value,
                        "delivery": delivery,
                        "received_at": at,
                        "site": site,
                    }
                    for serial in new
                ],
            )
            self._journal(new, "chip-received", account=account, at=at, detail=delivery)
            self._movement(
                MovementKind.DELIVERED, None, site, chips=len(new), account=account, at=at
            )
        return len(new)

    def standings(self, serials: Sequence[Serial]) -> Mapping[Serial, ChipStanding]:
        """See ``StockRepository.standings``."""
        found: dict[Serial, ChipStanding] = {}
        # Read behind the locks, not with them: a card may have gone on while its chip was waited for.
        lock_chips_with_cards(self._session, serials)
        for part in parts_of(serials):
            rows = self._session.execute(
                sa.select(ChipRow, CardRow, IS_AWAY)
                .outerjoin(CardRow, CardRow.serial == ChipRow.serial)
                .outerjoin(BatchRow, BatchRow.id == CardRow.batch_id)
                .where(ChipRow.serial.in_(part))
                .execution_options(populate_existing=True)
            )
            for chip, card, is_away in rows:
                found[Serial(chip.serial)] = standing_of(chip, card, is_away=is_away)
        return found

    def move(
        self,
        serials: Sequence[Serial],
        kind: MovementKind,
        *,
        source: SiteCode,
        target: SiteCode,
        account: AccountName,
        at: datetime,
    ) -> None:
        """See ``StockRepository.move``."""
        self._update(serials, {"site": target})
        self._journal(
            serials, f"chip-{kind.value}", account=account, at=at, detail=f"{source} to {target}"
        )
        self._movement(kind, source, target, chips=len(serials), account=account, at=at)

    def sample(
        self, serials: Sequence[Serial], *, remark: str, account: AccountName, at: datetime
    ) -> None:
        """See ``StockRepository.sample``."""
        self._update(serials, {"sampled_at": at, "held": HELD_AS_SAMPLE})
        self._journal(
            serials, "chip-sampled", account=account, at=at, code=HELD_AS_SAMPLE, detail=remark
        )

    def condemn(
        self,
        serial: Serial,
        *,
        code: str,
        detail: str,
        account: AccountName,
        at: datetime,
        is_safe: bool,
    ) -> None:
        """See ``StockRepository.condemn``."""
        condemn_rows(
            self._session,
            serial,
            code=code,
            detail=detail,
            at=at,
            is_chip_safe=is_safe,
            by=Producer(account=account),
        )
        self._session.flush()

    def release(self, serial: Serial, *, account: AccountName, at: datetime) -> None:
        """See ``StockRepository.release``."""
        row = locked_chip(self._session, serial)
        name = serial.hex().upper()
        if row.held is None:
            raise IssuerRefusedError(f"chip {name} is not held", code="chip.not-held")
        stopped_for = HELD_AS_STOLEN if is_stopped(self._session, serial) else row.held
        if stopped_for in (HELD_AS_SAMPLE, HELD_AS_STOLEN):
            raise IssuerRefusedError(
                f"chip {name} is held because of {stopped_for}, so looking at it releases nothing",
                code=stopped_for,
            )
        journal(
            self._session,
            "released",
            at=at,
            serial=serial,
            code=row.held,
            by=Producer(account=account),
        )
        release_hold(row)

    def account(self, site: SiteCode) -> SiteAccount:
        """See ``StockRepository.account``."""
        classes: dict[StockClass, int] = {}
        in_hand: dict[StockClass, int] = {}
        stolen = 0
        rows = self._session.execute(
            sa.select(
                ChipRow.state,
                CardRow.state,
                ChipRow.sampled_at.is_not(None),
                ChipRow.destroyed_at.is_not(None),
                ChipRow.is_stolen,
                IS_AWAY,
                sa.func.count(),
            )
            .outerjoin(CardRow, CardRow.serial == ChipRow.serial)
            .outerjoin(BatchRow, BatchRow.id == CardRow.batch_id)
            .where(ChipRow.site == site)
            .group_by(
                ChipRow.state,
                CardRow.state,
                ChipRow.sampled_at.is_not(None),
                ChipRow.destroyed_at.is_not(None),
                ChipRow.is_stolen,
                IS_AWAY,
            )
        )
        for chip, card, is_sample, is_destroyed, is_stolen, is_away, count in rows:
            if is_stolen:
                stolen += count
                continue
            card_state = None if card is None else CardState(card)
            stock_class = class_of(ChipState(chip), card_state, is_sample=bool(is_sample))
            classes[stock_class] = classes.get(stock_class, 0) + count
            if not is_destroyed and not (is_away and stock_class is StockClass.GOOD):
                in_hand[stock_class] = in_hand.get(stock_class, 0) + count
        received, last = self._session.execute(
            sa.select(
                sa.func.coalesce(
                    sa.func.sum(
                        sa.case(
                            (StockMovementRow.target == site, StockMovementRow.chips),
                            else_=-StockMovementRow.chips,
                        )
                    ),
                    0,
                ),
                sa.func.coalesce(sa.func.max(StockMovementRow.sequence), 0),
            ).where(sa.or_(StockMovementRow.source == site, StockMovementRow.target == site))
        ).one()
        return SiteAccount(
            site=site,
            received=int(received),
            classes=classes,
            in_hand=in_hand,
            stolen=stolen,
            last_movement=last,
        )

    def chips_up_to(self, site: SiteCode, most: int) -> int:
        """See ``StockRepository.chips_up_to``."""
        found = sa.select(ChipRow.state).where(ChipRow.site == site).limit(most).subquery()
        return self._session.scalar(sa.select(sa.func.count()).select_from(found)) or 0

    def serials_in_hand(self, site: SiteCode) -> Iterator[tuple[Serial, StockClass]]:
        """See ``StockRepository.serials_in_hand``."""
        rows = self._session.execute(
            sa.select(ChipRow.serial, ChipRow.state, CardRow.state, ChipRow.sampled_at, IS_AWAY)
            .outerjoin(CardRow, CardRow.serial == ChipRow.serial)
            .outerjoin(BatchRow, BatchRow.id == CardRow.batch_id)
            .where(
                ChipRow.site == site,
                ChipRow.destroyed_at.is_(None),
                ChipRow.is_stolen.is_(False),
            )
            .order_by(ChipRow.serial)
        )
        for serial, chip, card, sampled_at, is_away in rows:
            stock_class = class_of(
                ChipState(chip),
                None if card is None else CardState(card),
                is_sample=sampled_at is not None,
            )
            if not (is_away and stock_class is StockClass.GOOD):
                yield Serial(serial), stock_class

    def movements(
        self, site: SiteCode | None = None, *, limit: int, before: int | None = None
    ) -> tuple[Movement, ...]:
        """See ``StockRepository.movements``."""
        sequence = StockMovementRow.sequence
        query = sa.select(StockMovementRow).order_by(sequence.desc()).limit(limit)
        if before is not None:
            query = query.where(sequence < before)
        if site is not None:
            # The newest of either way, each by its own index: with OR all movements of the site are sorted.
            ways = [
                query.with_only_columns(sequence).where(way == site).subquery()
                for way in (StockMovementRow.source, StockMovementRow.target)
            ]
            query = query.where(
                sequence.in_(sa.union(*(sa.select(way.c.sequence) for way in ways)))
            )
        return tuple(
            Movement(
                sequence=row.sequence,
                at=row.at,
                account=AccountName(row.account),
                kind=MovementKind(row.kind),
                source=None if row.source is None else SiteCode(row.source),
                target=None if row.target is None else SiteCode(row.target),
                chips=row.chips,
            )
            for row in self._session.scalars(query)
        )

    def oldest_unclosed(self, site: SiteCode) -> datetime | None:
        """See ``StockRepository.oldest_unclosed``."""
        last = self._session.execute(
            sa.select(DayCloseRow.last_movement, DayCloseRow.counted_at)
            .where(DayCloseRow.site == site, DayCloseRow.state == DayCloseState.CLOSED.value)
            .order_by(DayCloseRow.counted_at.desc())
            .limit(1)
        ).one_or_none()
        movements = sa.select(sa.func.min(StockMovementRow.at)).where(
            sa.or_(StockMovementRow.source == site, StockMovementRow.target == site)
        )
        # Cards in the order in which they were issued, up to the first one of the site.
        finished = (
            sa.select(CardRow.issued_at)
            .join(ChipRow, ChipRow.serial == CardRow.serial)
            .where(unindexed(ChipRow.site.expression) == site, CardRow.issued_at.is_not(None))
            .order_by(CardRow.issued_at)
            .limit(1)
        )
        if last is not None:
            movements = movements.where(StockMovementRow.sequence > last.last_movement)
            finished = finished.where(CardRow.issued_at > last.counted_at)
        since = None if last is None else last.counted_at
        times = [
            each
            for query in (movements, finished, *changes_of_class(site, since=since))
            if (each := self._session.scalar(query)) is not None
        ]
        return min(times, default=None)

    def _sites(self, chosen: Callable[[_Select], _Select]) -> Iterator[Site]:
        rows = self._session.execute(
            chosen(
                sa.select(StockSiteRow, OrganisationRow.code).outerjoin(
                    OrganisationRow, OrganisationRow.id == StockSiteRow.organisation_id
                )
            )
        )
        for row, organisation in rows:
            yield Site(
                code=SiteCode(row.code),
                kind=SiteKind(row.kind),
                name=row.name,
                organisation=None if organisation is None else OrganisationCode(organisation),
                opened_at=row.opened_at,
            )

    def _update(self, serials: Sequence[Serial], values: Mapping[str, object]) -> None:
        for part in parts_of(serials):
            self._session.execute(
                sa.update(ChipRow)
                .where(ChipRow.serial.in_(part))
                .values(**values)
                .execution_options(synchronize_session=False)
            )
        # Rows that were looked at before are read anew.
        self._session.expire_all()

    def _journal(
        self,
        serials: Sequence[Serial],
        kind: str,
        *,
        account: AccountName,
        at: datetime,
        code: str | None = None,
        detail: str,
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

    def _movement(
        self,
        kind: MovementKind,
        source: SiteCode | None,
        target: SiteCode | None,
        *,
        chips: int,
        account: AccountName,
        at: datetime,
    ) -> None:
        insert_rows(
            self._session,
            StockMovementRow,
            [
                {
                    "at": at,
                    "account": account,
                    "kind": kind.value,
                    "source": source,
                    "target": target,
                    "chips": chips,
                }
            ],
        )
