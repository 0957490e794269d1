"""Use case: what this register and the instances below it counted, as it is told upward."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from issuer.domain.instance_report import (
    MAX_REASONS_OF_LINE,
    MAX_REPORT_LINES,
    MAX_REPORT_REASONS,
    MAX_REPORTS,
    InstanceReport,
    InstanceReportLine,
    with_fewer_reasons,
    without_deepest_levels,
)
from issuer.domain.instances import InstanceName, Side
from issuer.domain.organisation import OrganisationCode
from issuer.domain.production_report import Progress
from issuer.errors import IssuerRefusedError
from issuer.services.bundle_ports import OwnInstance
from issuer.services.instance_sources import InstanceSource, chosen_sources, instance_sources
from issuer.services.places import place_of
from issuer.services.production_reports import ProductionFigures
from issuer.services.register_ports import Register
from issuer.services.report_ports import InstanceFigures, ReportFigures

__all__ = ["ReportStating"]

_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStating:
    """States reports for bundles; nothing is counted for it, and each says as of when it is.

    ``most_lines`` is how many organisations all reports together name, beside those that instances are of, and
    ``most_reasons`` how many reasons of rejects they tell apart, beside one that stands for the others.
    """

    register: Register
    figures: ReportFigures
    production: ProductionFigures
    instances: InstanceFigures
    most_lines: int = MAX_REPORT_LINES * 3 // 4
    most_reasons: int = MAX_REPORT_REASONS // 2

    def stated(self, to: InstanceName, own: OwnInstance) -> tuple[InstanceReport, ...]:
        """What an instance is told: nothing unless it is above, and nothing before anything was counted.

        Raises:
            IssuerRefusedError: more instances than a bundle names (``report.too-many-instances``).
        """
        with self.register.reading() as transaction:
            receiver = transaction.exchange.find_instance(to)
            if receiver is None or receiver.side is not Side.ABOVE:
                return ()
            place = tuple(place_of(transaction.organisations, own.organisation))
            sources = instance_sources(transaction, self.instances)
        chosen = chosen_sources(sources)
        told: dict[OrganisationCode, InstanceSource] = dict(chosen)
        for each in sources:
            told.setdefault(each.organisation, each)
        ours = self._own(own, place)
        if ours.counted_at is None and not chosen:
            return ()
        fitting = self._fitting([ours, *(self._of(told[code]) for code in sorted(told))])
        reports = self._with_reasons(tuple(fitting))
        lines = sum(len(each.lines) for each in reports)
        if len(reports) > MAX_REPORTS or lines > MAX_REPORT_LINES:
            raise IssuerRefusedError(
                f"{len(reports)} instances are to be told of, with {lines} organisations, expected at most "
                f"{MAX_REPORTS} and {MAX_REPORT_LINES}",
                code="report.too-many-instances",
                hint="another instance between them and the one above",
            )
        return reports

    def _own(self, own: OwnInstance, place: tuple[OrganisationCode, ...]) -> InstanceReport:
        counted_at = self.figures.counted_at()
        lines: list[InstanceReportLine] = []
        above: list[OrganisationCode] = []
        for depth, line in self.figures.walk(own.organisation, None):
            del above[depth:]
            lines.append(
                InstanceReportLine(
                    code=line.code,
                    name=line.name,
                    above=above[-1] if above else None,
                    measures=line.measures,
                )
            )
            above.append(line.code)
        return InstanceReport(
            instance=own.name,
            organisation=own.organisation,
            place=place,
            # An organisation that came into the register later was not counted.
            counted_at=counted_at if lines else None,
            lines=self._with_production(lines),
        )

    def _with_production(self, lines: list[InstanceReportLine]) -> tuple[InstanceReportLine, ...]:
        """The lines with what was counted of production; without it, where there was never a chip or a card.

        Whoever produces for this register knows its cards, and would be contradicted by one that knows of none.
        """
        found: dict[OrganisationCode, Progress] = {}
        for start in range(0, len(lines), _AT_ONCE):
            part = lines[start : start + _AT_ONCE]
            found.update(self.production.of([each.code for each in part]))
        if not lines or not found.get(lines[0].code, Progress()).is_of_a_producer:
            return tuple(lines)
        return tuple(replace(each, production=found.get(each.code, Progress())) for each in lines)

    def _with_reasons(self, reports: tuple[InstanceReport, ...]) -> tuple[InstanceReport, ...]:
        """The reports as they are or, where they tell too many reasons apart, each line with its share of them."""
        share = MAX_REASONS_OF_LINE - 1
        if sum(each.reasons for each in reports) > self.most_reasons:
            share = min(share, self.most_reasons // sum(len(each.lines) for each in reports))
        return tuple(with_fewer_reasons(each, most=share) for each in reports)

    def _of(self, source: InstanceSource) -> InstanceReport:
        kept = source.kept
        return InstanceReport(
            instance=source.instance,
            organisation=source.organisation,
            place=source.place,
            counted_at=source.counted_at,
            left_out=0 if kept is None else kept.left_out,
            lines=() if kept is None else self.instances.all_lines(kept),
        )

    def _fitting(self, reports: list[InstanceReport]) -> Iterator[InstanceReport]:
        """Each report as it is, or with so many of its lines as is its share."""
        lines = sum(len(each.lines) for each in reports)
        places = [each.place for each in reports]
        for each in reports:
            if lines <= self.most_lines:
                yield each
                continue
            share = len(each.lines) * self.most_lines // lines
            inside = [code for place in places if each.organisation in place for code in place]
            yield without_deepest_levels(each, most=share, always=inside)
