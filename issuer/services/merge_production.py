"""Lines with what was counted of production, here and in other instances: what ``MergedFigures`` merges."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from issuer.domain.organisation import OrganisationCode
from issuer.domain.production_report import Progress
from issuer.services.browse_ports import Roots
from issuer.services.production_reports import ProductionFigures
from issuer.services.report_ports import (
    InstanceFigures,
    KeptReport,
    LineFigures,
    ReportLine,
    ReportLines,
)

__all__ = ["OwnProduction", "ToldProduction"]

_Found = Callable[[Collection[OrganisationCode]], Mapping[OrganisationCode, Progress]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProduction:
    """This register's lines with its production; implements ``LineFigures``."""

    figures: LineFigures
    production: ProductionFigures

    def line(self, code: OrganisationCode) -> ReportLine | None:
        """See ``LineFigures.line``."""
        found = self.figures.line(code)
        return None if found is None else _with_production([found], self.production.of)[0]

    def lines(
        self,
        *,
        above: OrganisationCode | None,
        roots: Roots,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> ReportLines:
        """See ``LineFigures.lines``."""
        found = self.figures.lines(above=above, roots=roots, limit=limit, behind=behind)
        return replace(found, lines=_with_production(found.lines, self.production.of))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldProduction:
    """The lines of other instances with their production; implements ``ToldLines``."""

    instances: InstanceFigures

    def line(self, report: KeptReport, code: OrganisationCode) -> ReportLine | None:
        """See ``ToldLines.line``."""
        found = self.instances.line(report, code)
        return None if found is None else self._told(report, [found])[0]

    def below(self, report: KeptReport, code: OrganisationCode) -> tuple[ReportLine, ...]:
        """See ``ToldLines.below``."""
        return self._told(report, self.instances.below(report, code))

    def _told(self, report: KeptReport, lines: Iterable[ReportLine]) -> tuple[ReportLine, ...]:
        return _with_production(lines, lambda codes: self.instances.production(report, codes))


def _with_production(lines: Iterable[ReportLine], found: _Found) -> tuple[ReportLine, ...]:
    held = tuple(lines)
    progress = found([each.code for each in held])
    return tuple(replace(each, production=progress.get(each.code, Progress())) for each in held)
