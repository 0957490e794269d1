"""Ports of reports: how good registers are, by organisation, as they were counted last, here and in other instances."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from issuer.domain.instance_report import InstanceReportLine
from issuer.domain.instances import InstanceName
from issuer.domain.organisation import OrganisationCode
from issuer.domain.report import Measures
from issuer.services.browse_ports import Roots

__all__ = [
    "InstanceFigures",
    "KeptReport",
    "LineSource",
    "ReportFigures",
    "ReportLine",
    "ReportLines",
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
    """One organisation with all below it; ``below`` says how many are directly below.

    ``source`` stands in reports that are merged from several instances.
    """

    code: OrganisationCode
    name: str
    below: int
    measures: Measures
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
        instance, organisation, place, counted_at, left_out: see ``InstanceReport``.
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


class ReportFigures(Protocol):
    """Figures of the whole register; counting reads every member once, looking reads what was counted."""

    def count(self, *, now: datetime) -> int:
        """Count everything anew; gives back of how many organisations. What was counted before stays until then."""

    def counted_at(self) -> datetime | None:
        """When it was counted last; ``None`` where it never was."""

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

    def walk(
        self, above: OrganisationCode | None, roots: Roots
    ) -> Iterator[tuple[int, ReportLine]]:
        """Every organisation from here down, each before those below it, with its depth from here; page by page."""


class InstanceFigures(Protocol):
    """What other instances told of their registers."""

    def kept(self) -> tuple[KeptReport, ...]:
        """Every report, by whose bundle it came in and by instance."""

    def line(self, report: KeptReport, code: OrganisationCode) -> ReportLine | None:
        """One organisation of a report."""

    def below(self, report: KeptReport, code: OrganisationCode) -> tuple[ReportLine, ...]:
        """The organisations directly below one, by code."""

    def all_lines(self, report: KeptReport) -> tuple[InstanceReportLine, ...]:
        """Every organisation of a report, as it was stated."""

    def reports_with(self, code: OrganisationCode) -> tuple[KeptReport, ...]:
        """The reports that have a line of this organisation."""
