"""Use case: see how good the register is, by organisation, within one's own part of the tree."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.operation_ports import Operation
from issuer.services.operations import Progress
from issuer.services.places import place_of
from issuer.services.register_ports import Register
from issuer.services.report_ports import ReportFigures, ReportLine, ReportLines

__all__ = ["Report", "ReportCounting", "ReportForm", "Reports"]

_AT_MOST_EVERY: Final = timedelta(seconds=60)
"""Counting reads the whole register: who asks again sooner gets what was just counted."""


class ReportForm(StrEnum):
    """The kinds of files that reports are taken as."""

    XLSX = "xlsx"
    PDF = "pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One level of the tree.

    Attributes:
        counted_at: when it was counted (aware UTC); ``None`` where nothing was counted yet.
        head: the organisation that the level is below.
        page: the organisations of the level.
    """

    counted_at: datetime | None
    head: ReportLine | None
    page: ReportLines


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Looking at reports; ``clock`` gives aware UTC."""

    register: Register
    figures: ReportFigures
    clock: Callable[[], datetime]

    def show(
        self,
        *,
        actor: Actor,
        above: OrganisationCode | None,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> Report:
        """One level, as it was counted last; nobody's data is in it.

        Raises:
            IssuerRefusedError: ``right.missing``.
            IssuerDataError: there is no such organisation in the actor's part (``organisation.unknown``).
        """
        self._demand(actor, above)
        return Report(
            counted_at=self.figures.counted_at(),
            head=None if above is None else self.figures.line(above),
            page=self.figures.lines(
                above=above,
                roots=actor.roots(Right.READ_REPORTS),
                limit=limit,
                behind=behind,
            ),
        )

    def export(
        self, *, actor: Actor, above: OrganisationCode | None, form: ReportForm
    ) -> tuple[datetime, Iterator[tuple[int, ReportLine]]]:
        """Everything from an organisation down, for a file, and when it was counted; the export is recorded.

        Raises:
            IssuerRefusedError: ``right.missing``; ``report.not-counted``.
            IssuerDataError: as ``show``.
        """
        self._demand(actor, above)
        counted_at = self.figures.counted_at()
        if counted_at is None:
            raise IssuerRefusedError(
                "the register was not counted yet",
                code="report.not-counted",
                hint="membercard-issuer reports count",
            )
        self._record(actor.account, "report.exported", above, {"form": form.value})
        return counted_at, self.figures.walk(above, actor.roots(Right.READ_REPORTS))

    def count(self, *, actor: Actor) -> datetime:
        """Count the whole register anew, unless it was just counted; gives back as of when the figures are.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        self._demand(actor, None)
        return self.count_for(actor.account)

    def count_for(self, account: AccountName) -> datetime:
        """As ``count``, for somebody whose right was looked at when they asked."""
        now = self.clock()
        known = self.figures.counted_at()
        if known is not None and timedelta(0) <= now - known < _AT_MOST_EVERY:
            return known
        organisations = self.figures.count(now=now)
        self._record(account, "report.counted", None, {"organisations": organisations})
        return now

    def _demand(self, actor: Actor, above: OrganisationCode | None) -> None:
        if above is None:
            if not actor.may_somewhere(Right.READ_REPORTS):
                actor.demand(Right.READ_REPORTS, place=(), now=self.clock())
            return
        with self.register.reading() as transaction:
            place = place_of(transaction.organisations, above)
        if not actor.may(Right.READ_REPORTS, place=place):
            # Whoever may not see it does not learn that it is there.
            raise IssuerDataError(
                f"organisation {above} is not in the register", code="organisation.unknown"
            )

    def _record(
        self,
        account: AccountName,
        action: str,
        organisation: OrganisationCode | None,
        details: Mapping[str, str | int | None],
    ) -> None:
        with self.register.writing() as transaction:
            transaction.audit.append(
                AuditRecord(
                    at=self.clock(),
                    account=account,
                    action=action,
                    subject=AuditSubject.SERVICE,
                    subject_id="reports",
                    organisation=organisation,
                    details=details,
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCounting:
    """Counting as an operation."""

    reports: Reports

    def __call__(self, operation: Operation, progress: Progress) -> Mapping[str, int]:
        """Count; how many members there are is left to the report."""
        progress(done=0, total=None)
        self.reports.count_for(operation.account)
        return {}
