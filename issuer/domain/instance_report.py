"""What one instance's register counted of its part of the tree (``issuer.domain.report``): figures, and nobody's data.

A report travels upward with the bundles, together with those of the instances below its sender, each as its own
instance stated it: whoever is above merges all of them, and can say of each figure whose it is and as of when.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from issuer.domain.instances import InstanceName
from issuer.domain.organisation import MAX_DEPTH, OrganisationCode
from issuer.domain.production_report import Progress
from issuer.domain.report import Measures

__all__ = [
    "MAX_REASONS_OF_LINE",
    "MAX_REPORTS",
    "MAX_REPORT_LINES",
    "MAX_REPORT_REASONS",
    "InstanceReport",
    "InstanceReportLine",
    "with_fewer_reasons",
    "without_deepest_levels",
]

MAX_REPORTS: Final = 5000
"""How many instances' reports one bundle holds: more than there are communes in any province."""

MAX_REPORT_LINES: Final = 20_000
"""How many organisations' figures one bundle holds; the deepest levels stay away where there are more."""

MAX_REASONS_OF_LINE: Final = 200
"""How many reasons of rejects one organisation's figures tell apart: more than there are codes for them."""

MAX_REPORT_REASONS: Final = 60_000
"""How many reasons of rejects one bundle tells apart, counted once for each organisation that has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReportLine:
    """One organisation with all below it.

    Attributes:
        above: the organisation above it; ``None`` for the instance's own.
        production: how far its production has come; ``None`` where the instance says nothing of production.
    """

    code: OrganisationCode
    name: str
    above: OrganisationCode | None
    measures: Measures
    production: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReport:
    """The report of one instance.

    Attributes:
        instance: whose it is.
        organisation: the organisation that it is the register of.
        place: the way from the root of the tree down to it.
        counted_at: as of when (aware UTC); ``None`` where the instance has told nothing.
        left_out: how many organisations are counted in those above them, and have no line of their own.
        lines: each organisation behind the one above it, the instance's own first; none where nothing was told.
    """

    instance: InstanceName
    organisation: OrganisationCode
    place: tuple[OrganisationCode, ...]
    counted_at: datetime | None
    left_out: int = 0
    lines: tuple[InstanceReportLine, ...] = ()

    @property
    def states_production(self) -> bool:
        """Whether it says how far production has come."""
        return any(each.production is not None for each in self.lines)

    @property
    def reasons(self) -> int:
        """How many reasons of rejects its lines tell apart."""
        return sum(
            len(each.production.reasons) for each in self.lines if each.production is not None
        )

    @property
    def is_sound(self) -> bool:
        """Whether the lines are a tree below the instance's organisation, and nobody counts more than all.

        Production is stated of all of them, or of none.
        """
        if not self.place or self.place[-1] != self.organisation or len(self.place) > MAX_DEPTH:
            return False
        if self.counted_at is None:
            return not self.lines and not self.left_out
        stated = self.states_production
        depths: dict[OrganisationCode, int] = {}
        for each in self.lines:
            if (each.production is not None) != stated:
                return False
            if each.above is None:
                depth = len(self.place) if not depths else MAX_DEPTH + 1
            else:
                depth = depths.get(each.above, MAX_DEPTH) + 1
            if each.code in depths or depth > MAX_DEPTH or not _is_possible(each):
                return False
            depths[each.code] = depth
        return bool(self.lines) and self.lines[0].code == self.organisation


def without_deepest_levels(
    report: InstanceReport, *, most: int, always: Collection[OrganisationCode]
) -> InstanceReport:
    """The report with at most so many lines, where ``always`` and all above these are no more than that.

    What is ``always`` there are the organisations of instances below: what they state takes the place of these lines.
    """
    if len(report.lines) <= most:
        return report
    above = {each.code: each.above for each in report.lines}
    kept: set[OrganisationCode] = set()
    for code in (report.organisation, *always):
        at: OrganisationCode | None = code if code in above else None
        while at is not None:
            kept.add(at)
            at = above[at]
    depths: dict[OrganisationCode, int] = {}
    levels: dict[int, set[OrganisationCode]] = {}
    for each in report.lines:
        depth = 0 if each.above is None else depths[each.above] + 1
        depths[each.code] = depth
        levels.setdefault(depth, set()).add(each.code)
    for depth in sorted(levels):
        if len(kept | levels[depth]) > most:
            break
        kept |= levels[depth]
    lines = tuple(each for each in report.lines if each.code in kept)
    return replace(report, lines=lines, left_out=report.left_out + len(report.lines) - len(lines))


def with_fewer_reasons(report: InstanceReport, *, most: int) -> InstanceReport:
    """The report with at most so many reasons of rejects a line, and one more that stands for the others."""
    return replace(
        report,
        lines=tuple(
            each
            if each.production is None
            else replace(each, production=each.production.with_most_reasons(most))
            for each in report.lines
        ),
    )


def _is_possible(line: InstanceReportLine) -> bool:
    measures = line.measures
    if line.production is not None and not line.production.is_possible:
        return False
    return (
        max(measures.incomplete, measures.stale, measures.duplicates + measures.look_alikes)
        <= measures.members
        and measures.ageing_requests <= measures.open_requests
    )
