"""Use case: the report of the stock, site by site: the books, what was destroyed, what is stopped, who closed last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.rights import Actor, Right
from issuer.domain.stock_account import FIRST_STORE, Site
from issuer.domain.stock_acts import DayClose
from issuer.domain.stock_figures import StockFigures
from issuer.services.register_ports import RegisterTransaction
from issuer.services.reports import ReportForm
from issuer.services.stock_desk import StockDesk
from issuer.services.stock_ports import SiteTally
from issuer.services.stock_room import SiteView, StockRoom

__all__ = ["SiteLine", "StockReport", "StockReports"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLine:
    """One site in the report.

    Attributes:
        view: the site with its account, and the close that it owes.
        tally: what was destroyed there, and what stands on the stop list.
        last_close: the count with which two people closed it last; ``None`` before the first.
    """

    view: SiteView
    tally: SiteTally
    last_close: DayClose | None

    @property
    def figures(self) -> StockFigures:
        """The figures of the account."""
        return StockFigures.of_account(self.view.account, destroyed=self.tally.destroyed)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReport:
    """The report.

    Attributes:
        made_at: when it was made (aware UTC).
        lines: the sites, by code.
        of_no_site: what stands on the stop list of chips that never came to any site; ``None`` for who sees a part.
    """

    made_at: datetime
    lines: tuple[SiteLine, ...]
    of_no_site: SiteTally | None

    @property
    def total(self) -> StockFigures:
        """All sites of the report together."""
        return sum((each.figures for each in self.lines), StockFigures())

    @property
    def reported(self) -> int:
        """How many chips on the stop list wait for a second person, those of no site among them."""
        stray = 0 if self.of_no_site is None else self.of_no_site.reported
        return stray + sum(each.tally.reported for each in self.lines)

    @property
    def confirmed(self) -> int:
        """How many chips stand on the stop list for good, those of no site among them."""
        stray = 0 if self.of_no_site is None else self.of_no_site.confirmed
        return stray + sum(each.tally.confirmed for each in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReports:
    """Makes reports of the sites that somebody sees."""

    desk: StockDesk
    room: StockRoom

    def show(self, *, actor: Actor, is_patient: bool = False) -> StockReport:
        """The report as it is now; whoever is patient has every chip counted, as ``StockRoom.accounts``.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        self._demand(actor)
        with self.desk.register.reading() as transaction:
            return self._made(transaction, actor, is_patient=is_patient)

    def export(self, *, actor: Actor, form: ReportForm, is_patient: bool = False) -> StockReport:
        """The report for a file; that it was taken is recorded.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        report = self.show(actor=actor, is_patient=is_patient)
        with self.desk.register.writing() as transaction:
            transaction.audit.append(
                AuditRecord(
                    at=report.made_at,
                    account=actor.account,
                    action="report.exported",
                    subject=AuditSubject.SERVICE,
                    subject_id="stock",
                    organisation=None,
                    details={"form": form.value, "sites": len(report.lines)},
                )
            )
        return report

    def _demand(self, actor: Actor) -> None:
        if not actor.may_somewhere(Right.READ_STOCK):
            actor.demand(Right.READ_STOCK, place=(), now=self.desk.clock())

    def _made(
        self, transaction: RegisterTransaction, actor: Actor, *, is_patient: bool
    ) -> StockReport:
        sites: Sequence[Site] = [
            each
            for each in transaction.stock.sites()
            if self.desk.may_read(transaction, actor, each)
        ]
        tallies = transaction.stock_acts.tallies()
        views = self.room.accounts_within(transaction, sites, is_patient=is_patient)
        return StockReport(
            made_at=self.desk.clock(),
            lines=tuple(
                SiteLine(
                    view=each,
                    tally=tallies.get(each.site.code, SiteTally()),
                    last_close=transaction.stock_acts.last_closed(each.site.code),
                )
                for each in views
            ),
            # As on the stop list: chips of no site are the matter of whoever watches over the first store.
            of_no_site=tallies.get(None, SiteTally())
            if any(each.code == FIRST_STORE for each in sites)
            else None,
        )
