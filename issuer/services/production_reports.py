"""Use case: see how far production has come, by organisation, within one's own part of the tree.

Counted with the register (``Reports.count``); looking reads the rows that it shows, and no card.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol

from issuer.domain.organisation import OrganisationCode
from issuer.domain.production_report import Progress
from issuer.domain.rights import Actor
from issuer.services.report_ports import LineSource, ReportLine
from issuer.services.reports import ReportForm, Reports

__all__ = ["ProductionFigures", "ProductionLine", "ProductionReport", "ProductionReports"]

_AT_ONCE: Final = 500


class ProductionFigures(Protocol):
    """What was counted last of cards, by organisation."""

    def of(self, codes: Collection[OrganisationCode]) -> Mapping[OrganisationCode, Progress]:
        """Each organisation with all below it; those of which nothing was counted are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionLine:
    """One organisation with all below it; ``below`` says how many are directly below.

    ``source`` stands in reports that are merged from several instances.
    """

    code: OrganisationCode
    name: str
    below: int
    progress: Progress
    source: LineSource | None = None

    @classmethod
    def of_merged(cls, line: ReportLine) -> "ProductionLine":
        """What a line of a merged report says of production."""
        return cls(
            code=line.code,
            name=line.name,
            below=line.below,
            progress=line.production,
            source=line.source,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionReport:
    """One level of the tree.

    Attributes:
        counted_at: when it was counted (aware UTC); ``None`` where nothing was counted yet.
        today: the day on which it is looked at.
        deadline: until when everybody has a card; ``None`` where the settings name no day.
        head: the organisation that the level is below.
        lines: the organisations of the level.
        end: behind which the next page begins; ``None`` on the last one.
    """

    counted_at: datetime | None
    today: date
    deadline: date | None
    head: ProductionLine | None
    lines: tuple[ProductionLine, ...]
    end: OrganisationCode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionReports:
    """Looking at production, with the rights and the tree of reports."""

    reports: Reports
    figures: ProductionFigures
    deadline: date | None

    def show(
        self,
        *,
        actor: Actor,
        above: OrganisationCode | None,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> ProductionReport:
        """One level, as it was counted last.

        Raises:
            IssuerRefusedError, IssuerDataError: as ``Reports.show``.
        """
        found = self.reports.show(actor=actor, above=above, limit=limit, behind=behind)
        heads = () if found.head is None else (found.head,)
        lines = self._lines([*heads, *found.page.lines])
        return ProductionReport(
            counted_at=found.counted_at,
            today=self.today(),
            deadline=self.deadline,
            head=lines[0] if heads else None,
            lines=lines[len(heads) :],
            end=found.page.end,
        )

    def export(
        self, *, actor: Actor, above: OrganisationCode | None, form: ReportForm
    ) -> tuple[datetime, Iterator[tuple[int, ProductionLine]]]:
        """Everything from an organisation down, for a file, and when it was counted; the export is recorded.

        Raises:
            IssuerRefusedError, IssuerDataError: as ``Reports.export``.
        """
        counted_at, lines = self.reports.export(actor=actor, above=above, form=form)
        return counted_at, self._walk(lines)

    def today(self) -> date:
        """The day of the clock (UTC)."""
        return self.reports.clock().date()

    def _walk(
        self, lines: Iterator[tuple[int, ReportLine]]
    ) -> Iterator[tuple[int, ProductionLine]]:
        part: list[tuple[int, ReportLine]] = []
        for each in lines:
            part.append(each)
            if len(part) == _AT_ONCE:
                yield from self._with_depths(part)
                part = []
        yield from self._with_depths(part)

    def _with_depths(
        self, part: list[tuple[int, ReportLine]]
    ) -> Iterator[tuple[int, ProductionLine]]:
        found = self._lines([line for _, line in part])
        return zip((depth for depth, _ in part), found, strict=True)

    def _lines(self, lines: list[ReportLine]) -> tuple[ProductionLine, ...]:
        progress = self.figures.of([each.code for each in lines])
        return tuple(
            ProductionLine(
                code=each.code,
                name=each.name,
                below=each.below,
                progress=progress.get(each.code, Progress()),
            )
            for each in lines
        )
