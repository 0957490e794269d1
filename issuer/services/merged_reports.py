"""Use case: see how good the registers are and how far their production has come, with the instances below, in one report."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.instance_sources import (
    InstanceSource,
    SourceState,
    chosen_sources,
    instance_sources,
    states_of,
)
from issuer.services.merge_production import OwnProduction, ToldProduction
from issuer.services.merge_reports import MergedFigures
from issuer.services.places import Places
from issuer.services.production_reports import ProductionFigures
from issuer.services.register_ports import Register
from issuer.services.report_ports import InstanceFigures, ReportFigures, ReportLine
from issuer.services.reports import ReportForm

__all__ = ["MergedReport", "MergedReports", "MergedSubject", "SourceLine"]


class MergedSubject(StrEnum):
    """What a merged report is about."""

    QUALITY = "quality"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """One instance below, with what is to be known of its figures."""

    source: InstanceSource
    state: SourceState

    @property
    def left_out(self) -> int:
        """How many of its organisations are counted in those above them alone."""
        return 0 if self.source.kept is None else self.source.kept.left_out

    @property
    def states_production(self) -> bool:
        """Whether it tells how far production has come."""
        return self.source.states_production


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedReport:
    """A report of several registers.

    Attributes:
        own: this register's name among instances.
        counted_at: as of when its own figures are.
        sources: every instance below in the part that is shown, whether it has told anything or not.
        lines: the organisations, each with its depth from here; with production, where the report is of that.
        today: the day on which it is looked at.
        deadline: until when everybody has a card; ``None`` where the settings name no day.
    """

    own: str
    counted_at: datetime
    sources: tuple[SourceLine, ...]
    lines: Iterator[tuple[int, ReportLine]]
    today: date
    deadline: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedReports:
    """Looking at merged reports; ``own`` is this register's name, ``clock`` gives aware UTC."""

    register: Register
    figures: ReportFigures
    production: ProductionFigures
    instances: InstanceFigures
    own: str
    clock: Callable[[], datetime]
    deadline: date | None = None

    def show(
        self,
        *,
        actor: Actor,
        above: OrganisationCode | None,
        subject: MergedSubject = MergedSubject.QUALITY,
    ) -> MergedReport:
        """One level, with the organisation that it is below.

        Raises:
            IssuerRefusedError: ``right.missing``; ``report.not-counted``.
            IssuerDataError: there is no such organisation in the actor's part (``organisation.unknown``).
        """
        sources, merged, counted_at = self._open(actor, above, subject)
        lines = merged.level(above, actor.roots(Right.READ_REPORTS))
        return self._report(sources, counted_at, ((0, each) for each in lines))

    def export(
        self,
        *,
        actor: Actor,
        above: OrganisationCode | None,
        form: ReportForm,
        subject: MergedSubject = MergedSubject.QUALITY,
    ) -> MergedReport:
        """Everything from an organisation down, for a file; the export is recorded.

        Raises:
            IssuerRefusedError, IssuerDataError: as ``show``.
        """
        sources, merged, counted_at = self._open(actor, above, subject)
        with self.register.writing() as transaction:
            transaction.audit.append(
                AuditRecord(
                    at=self.clock(),
                    account=actor.account,
                    action="report.exported",
                    subject=AuditSubject.SERVICE,
                    subject_id="reports",
                    organisation=above,
                    details={
                        "form": form.value,
                        "report": subject.value,
                        "instances": len(sources),
                    },
                )
            )
        lines = merged.walk(above, actor.roots(Right.READ_REPORTS))
        return self._report(sources, counted_at, lines)

    def _report(
        self,
        sources: tuple[SourceLine, ...],
        counted_at: datetime,
        lines: Iterator[tuple[int, ReportLine]],
    ) -> MergedReport:
        return MergedReport(
            own=self.own,
            counted_at=counted_at,
            sources=sources,
            lines=lines,
            today=self.clock().date(),
            deadline=self.deadline,
        )

    def _open(
        self, actor: Actor, above: OrganisationCode | None, subject: MergedSubject
    ) -> tuple[tuple[SourceLine, ...], MergedFigures, datetime]:
        now = self.clock()
        if not actor.may_somewhere(Right.READ_REPORTS):
            actor.demand(Right.READ_REPORTS, place=(), now=now)
        with self.register.reading() as transaction:
            sources = instance_sources(transaction, self.instances)
        chosen = chosen_sources(sources)
        place = () if above is None else self._place_of(above, chosen)
        if above is not None and (not place or not actor.may(Right.READ_REPORTS, place=place)):
            # Whoever may not see it does not learn that it is there.
            raise IssuerDataError(
                f"organisation {above} is not in the register", code="organisation.unknown"
            )
        counted_at = self.figures.counted_at()
        if counted_at is None:
            raise IssuerRefusedError(
                "the register was not counted yet",
                code="report.not-counted",
                hint="membercard-issuer reports count",
            )
        states = states_of(sources, chosen, now=now)
        shown = tuple(
            SourceLine(source=each, state=states[each])
            for each in sources
            if actor.may(Right.READ_REPORTS, place=each.place)
            and (above is None or above in each.place or each.organisation in place)
        )
        return shown, self._merged(chosen, counted_at, subject), counted_at

    def _merged(
        self,
        chosen: Mapping[OrganisationCode, InstanceSource],
        counted_at: datetime,
        subject: MergedSubject,
    ) -> MergedFigures:
        if subject is MergedSubject.QUALITY:
            return MergedFigures(
                self.figures,
                self.instances,
                own=self.own,
                counted_at=counted_at,
                chosen=chosen,
                place_of=lambda code: self._place_of(code, chosen),
            )
        # Of whoever says nothing of production, what the nearest register above knows is counted.
        stating = {code: each for code, each in chosen.items() if each.states_production}
        return MergedFigures(
            OwnProduction(figures=self.figures, production=self.production),
            ToldProduction(instances=self.instances),
            own=self.own,
            counted_at=counted_at,
            chosen=stating,
            place_of=lambda code: self._place_of(code, chosen),
        )

    def _place_of(
        self, code: OrganisationCode, chosen: Mapping[OrganisationCode, InstanceSource]
    ) -> tuple[OrganisationCode, ...]:
        """Where an organisation is: in our tree, or in the part of the innermost instance that tells of it."""
        try:
            with self.register.reading() as transaction:
                return Places(transaction.organisations).of(code)
        except IssuerDataError:
            kept = set(self.instances.reports_with(code))
            telling = [each for each in chosen.values() if each.kept in kept]
            inner = max(telling, key=lambda each: len(each.place), default=None)
            if inner is None:
                return ()
            return inner.place if inner.organisation == code else (*inner.place, code)
