"""Use case: close the day of a site: one person counts, another confirms, and the books must agree with both."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from issuer.domain.chip import Serial
from issuer.domain.rights import Actor, Right
from issuer.domain.stock_account import (
    CountDifference,
    SiteAccount,
    SiteCode,
    StockClass,
    StockCount,
    count_differences,
    day_of,
    require_balance,
)
from issuer.domain.stock_acts import DayClose, DayCloseId, DayCloseState
from issuer.errors import ConflictError, IssuerDataError
from issuer.services.register_ports import RegisterTransaction
from issuer.services.stock_desk import MAX_SERIALS, StockDesk, digest_of, site_record
from issuer.services.stock_ports import ActPosition

__all__ = ["NAMED_SERIALS", "ClosingOfDays", "CountOutcome"]

NAMED_SERIALS: Final = 1000
"""How many missing chips one count names; more are a matter for the list of the site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountOutcome:
    """What came of a count.

    Attributes:
        close: the count as it was kept; it can be confirmed where its state is *counted*.
        differences: the classes in which it differs.
        missing: chips that should lie at the site and were not scanned, at most ``NAMED_SERIALS``.
        unexpected: chips that were scanned and should not lie there, at most as many.
        missing_count: how many are missing by serial; ``None`` where none was scanned.
    """

    close: DayClose
    differences: tuple[CountDifference, ...]
    missing: tuple[Serial, ...] = ()
    unexpected: tuple[Serial, ...] = ()
    missing_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingOfDays:
    """Counts, and closes what was counted rightly."""

    desk: StockDesk
    new_id: Callable[[], uuid.UUID] = uuid.uuid4

    def count(
        self,
        site: SiteCode,
        counted: StockCount,
        *,
        actor: Actor,
        scanned: Sequence[Serial] = (),
    ) -> CountOutcome:
        """Record what the storekeeper found; a count that differs is kept too, and closes nothing.

        Args:
            site: where.
            counted: how many of each class lie there.
            actor: who counted; needs ``stock.write`` at the site.
            scanned: the serials of all chips that lie there, where they were scanned: then what is missing is named.

        Raises:
            IssuerDataError: ``stock.site-unknown``, ``stock.serials-malformed``.
            IssuerRefusedError: ``right.missing``; ``stock.out-of-balance``.
        """
        if len(scanned) > MAX_SERIALS or len(set(scanned)) != len(scanned):
            raise IssuerDataError(
                f"got {len(scanned)} scanned serials of {len(set(scanned))} chips,"
                f" expected at most {MAX_SERIALS}, each once",
                code="stock.serials-malformed",
            )
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            place = transaction.stock.locked_sites([site])[site]
            self.desk.demand(transaction, actor, Right.WRITE_STOCK, place)
            account = transaction.stock.account(site)
            require_balance(account)
            differences = count_differences(account, counted)
            missing, unexpected = _compare(transaction, site, scanned)
            is_right = not differences and not missing and not unexpected
            close = DayClose(
                close_id=DayCloseId(self.new_id()),
                site=site,
                day=day_of(now),
                state=DayCloseState.COUNTED if is_right else DayCloseState.DIFFERS,
                counted=counted,
                expected=account.to_count(),
                received=account.received,
                good=account.total(StockClass.GOOD),
                spoiled=account.total(StockClass.SPOILED),
                samples=account.total(StockClass.SAMPLE),
                left=account.total(StockClass.LEFT),
                last_movement=account.last_movement,
                counted_by=actor.account,
                counted_at=now,
            )
            transaction.stock_acts.store_close(close)
            transaction.stock_acts.note_missing(
                missing[:NAMED_SERIALS], site=site, account=actor.account, at=now
            )
            transaction.audit.append(
                site_record(
                    "counted",
                    place,
                    actor=actor,
                    at=now,
                    details={
                        "count": close.close_id.hex,
                        "state": close.state.value,
                        **{f"{each.value}-counted": counted.of(each) for each in StockClass},
                        **{
                            f"{each.value}-expected": close.expected.of(each) for each in StockClass
                        },
                        "missing": len(missing),
                        "unexpected": len(unexpected),
                        "scanned": digest_of(scanned).hex() if scanned else None,
                    },
                )
            )
        return CountOutcome(
            close=close,
            differences=differences,
            missing=missing[:NAMED_SERIALS],
            unexpected=unexpected[:NAMED_SERIALS],
            missing_count=len(missing) if scanned else None,
        )

    def close(self, close_id: DayCloseId, *, actor: Actor) -> DayClose:
        """Confirm a count that agreed, as the second person; nothing may have moved at the site since.

        Raises:
            IssuerDataError: ``stock.count-unknown``.
            IssuerRefusedError: ``right.*``, ``stock.count-differs``, ``stock.out-of-balance``.
            ConflictError: ``stock.day-closed``, ``stock.moved-since-count``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            site = transaction.stock_acts.close(close_id).site
            place = transaction.stock.locked_sites([site])[site]
            self.desk.demand(transaction, actor, Right.CLOSE_DAYS, place)
            # Behind the lock: somebody may have closed it meanwhile.
            closed = transaction.stock_acts.close(close_id).closed(actor.account, now)
            account = transaction.stock.account(site)
            require_balance(account)
            if _has_moved(account, closed):
                raise ConflictError(
                    f"something moved at site {site} since it was counted",
                    code="stock.moved-since-count",
                    hint="let the stations rest, and count again",
                )
            transaction.stock_acts.store_close(closed)
            transaction.audit.append(
                site_record(
                    "day-closed",
                    place,
                    actor=actor,
                    at=now,
                    details={
                        "count": close_id.hex,
                        "day": closed.day.isoformat(),
                        "received": closed.received,
                        "good": closed.good,
                        "spoiled": closed.spoiled,
                        "samples": closed.samples,
                        "left": closed.left,
                    },
                )
            )
        return closed

    def show(self, close_id: DayCloseId, *, actor: Actor) -> DayClose:
        """One count.

        Raises:
            IssuerDataError: ``stock.count-unknown``.
            IssuerRefusedError: ``right.missing``.
        """
        with self.desk.register.reading() as transaction:
            found = transaction.stock_acts.close(close_id)
            self.desk.demand(
                transaction, actor, Right.READ_STOCK, transaction.stock.site(found.site)
            )
            return found

    def newest(
        self,
        *,
        actor: Actor,
        limit: int,
        site: SiteCode | None = None,
        behind: ActPosition | None = None,
    ) -> tuple[DayClose, ...]:
        """The newest counts of the sites that the actor sees, or of one."""
        with self.desk.register.reading() as transaction:
            seen = self.desk.readable(transaction, actor)
            wanted = seen if site is None else seen & {site}
            return transaction.stock_acts.closes(wanted, limit=limit, behind=behind)


def _has_moved(account: SiteAccount, close: DayClose) -> bool:
    return (
        account.last_movement != close.last_movement
        or account.to_count() != close.expected
        or (
            account.total(StockClass.GOOD),
            account.total(StockClass.SPOILED),
            account.total(StockClass.SAMPLE),
            account.total(StockClass.LEFT),
        )
        != (close.good, close.spoiled, close.samples, close.left)
    )


def _compare(
    transaction: RegisterTransaction, site: SiteCode, scanned: Sequence[Serial]
) -> tuple[tuple[Serial, ...], tuple[Serial, ...]]:
    """Chips that were not scanned, and chips that should not have been there."""
    if not scanned:
        return (), ()
    unexpected = set(scanned)
    missing: list[Serial] = []
    for serial, _ in transaction.stock.serials_in_hand(site):
        if serial in unexpected:
            unexpected.discard(serial)
        else:
            missing.append(serial)
    return tuple(missing), tuple(sorted(unexpected))
