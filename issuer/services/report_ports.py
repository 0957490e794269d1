"""Ports of reports: how good registers are, by organisation, as they were counted last, here and in other instances."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from issuer.domain.instance_report import InstanceReportLine
from issuer.domain.instances import InstanceName
from issuer.domain.organisation import OrganisationCode
from issuer.domain.production_report import Progress
from issuer.domain.report import Measures
from issuer.services.browse_ports import Roots

__all__ = [
    "InstanceFigures",
    "KeptReport",
    "LineFigures",
    "LineSource",
    "ReportFigures",
    "ReportLine",
    "ReportLines",
    "ToldLines",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSource:
    """Whose figures a line holds.

    Attributes:
        instance: which instance counted the organisation itself.
        as_of: when; of a line in which others are merged, when the oldest of them was counted (aware UTC).
        merged: how many instances below are merged in it.
    """

    instance: str
    as_of: datetime
    merged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """One organisation with all below it.

    Attributes:
        below: how many are directly below.
        source: whose figures they are, in reports that are merged from several instances.
        production: how far production has come, in reports that are of it.
    """

    code: OrganisationCode
    name: str
    below: int
    measures: Measures
    production: Progress = field(default_factory=Progress)
    source: LineSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLines:
    """One page by code; ``end`` is ``None`` on the last one."""

    lines: tuple[ReportLine, ...]
    end: OrganisationCode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReport:
    """The report of an instance as it was told, without its lines.

    Attributes:
        via: whose bundle it came in.
        instance, organisation, place, counted_at, left_out, states_production: see ``InstanceReport``.
        sequence: the number of the bundle.
        taken_at: when that was taken (aware UTC).
    """

    via: InstanceName
    instance: InstanceName
    organisation: OrganisationCode
    place: tuple[OrganisationCode, ...]
    counted_at: datetime | None
    left_out: int
    sequence: int
    taken_at: datetime
    states_production: bool = False


class LineFigures(Protocol):
    """What was counted of the register, by organisation."""

    def line(self, code: OrganisationCode) -> ReportLine | None:
        """One open organisation; ``None`` where it was not there when it was counted last."""

    def lines(
        self,
        *,
        above: OrganisationCode | None,
        roots: Roots,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> ReportLines:
        """The open organisations directly below one; where none is named, those at which somebody's part begins."""


class ReportFigures(LineFigures, Protocol):
    """Figures of the whole register; counting reads every member once, looking reads what was counted."""

    def count(self, *, now: datetime) -> int:
        """Count everything anew; gives back of how many organisations. What was counted before stays until then."""

    def counted_at(self) -> datetime | None:
        """When it was counted last; ``None`` where it never was."""

    def walk(
        self, above: OrganisationCode | None, roots: Roots
    ) -> Iterator[tuple[int, ReportLine]]:
        """Every organisation from here down, each before those below it, with its depth from here; page by page."""


class ToldLines(Protocol):
    """What other instances counted of their registers, by organisation."""

    def line(self, report: KeptReport, code: OrganisationCode) -> ReportLine | None:
        """One organisation of a report."""

    def below(self, report: KeptReport, code: OrganisationCode) -> tuple[ReportLine, ...]:
        """The organisations directly below one, by code."""


class InstanceFigures(ToldLines, Protocol):
    """What other instances told of their registers."""

    def kept(self) -> tuple[KeptReport, ...]:
        """Every report, by whose bundle it came in and by instance."""

    def production(
        self, report: KeptReport, codes: Collection[OrganisationCode]
    ) -> Mapping[OrganisationCode, Progress]:
        """What a report says of the production of organisations; those of which it says nothing are left out."""

    def all_lines(self, report: KeptReport) -> tuple[InstanceReportLine, ...]:
        """Every organisation of a report, as it was stated."""

    def reports_with(self, code: OrganisationCode) -> tuple[KeptReport, ...]:
        """The reports that have a line of this organisation."""
