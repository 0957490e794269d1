"""Port of reports: how good the register is, by organisation, as it was counted last."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from issuer.domain.organisation import OrganisationCode
from issuer.domain.report import Measures
from issuer.services.browse_ports import Roots

__all__ = ["ReportFigures", "ReportLine", "ReportLines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """One organisation with all below it; ``below`` says how many are directly below."""

    code: OrganisationCode
    name: str
    below: int
    measures: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLines:
    """One page by code; ``end`` is ``None`` on the last one."""

    lines: tuple[ReportLine, ...]
    end: OrganisationCode | None


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
