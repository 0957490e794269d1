"""One report of several registers: what an instance counted stands in place of what the register above knows of it.

An organisation's figures are those of the nearest instance that it is in. Those above an instance lose what their own
register counted of the instance's organisation, and gain what the instance did: nobody is counted twice, and what no
instance has told is counted as this register knows it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Final

from issuer.domain.organisation import MAX_DEPTH, OrganisationCode
from issuer.domain.production_report import Progress
from issuer.domain.report import Measures
from issuer.services.browse_ports import Roots
from issuer.services.instance_sources import InstanceSource
from issuer.services.report_ports import LineFigures, LineSource, ReportLine, ToldLines

__all__ = ["MergedFigures"]

_PAGE: Final = 500

_Base = InstanceSource | None
"""Whose lines are looked at; ``None``: our own."""


@dataclass(slots=True)
class _Gain:
    """What an organisation gains by the instances below it."""

    measures: Measures = field(default_factory=Measures)
    production: Progress = field(default_factory=Progress)
    merged: int = 0
    oldest: datetime | None = None


class MergedFigures:
    """Our figures and those of the chosen instances; ``place_of`` gives an organisation's place in our tree."""

    def __init__(
        self,
        figures: LineFigures,
        instances: ToldLines,
        *,
        own: str,
        counted_at: datetime,
        chosen: Mapping[OrganisationCode, InstanceSource],
        place_of: Callable[[OrganisationCode], tuple[OrganisationCode, ...]],
    ) -> None:
        self._figures = figures
        self._instances = instances
        self._own = own
        self._counted_at = counted_at
        self._chosen = chosen
        self._place_of = place_of
        self._around = {code: self._nearest(each.place[:-1]) for code, each in chosen.items()}
        self._attach_circles()
        self._inside: dict[_Base, list[InstanceSource]] = {}
        for code, around in self._around.items():
            self._inside.setdefault(around, []).append(chosen[code])
        self._gains: dict[tuple[_Base, OrganisationCode], _Gain] = {}
        self._strays: dict[tuple[_Base, OrganisationCode | None], list[InstanceSource]] = {}
        self._merge(None)

    def walk(
        self, above: OrganisationCode | None, roots: Roots
    ) -> Iterator[tuple[int, ReportLine]]:
        """Every organisation from here down, each before those below it, with its depth from here."""
        levels = [self._start(above, roots)]
        while levels:
            found = next(levels[-1], None)
            if found is None:
                levels.pop()
                continue
            base, line = found
            yield len(levels) - 1, line
            if line.below and len(levels) < 2 * MAX_DEPTH:
                levels.append(self._below(base, line.code))

    def level(self, above: OrganisationCode | None, roots: Roots) -> Iterator[ReportLine]:
        """The organisation, where one is named, and those directly below it."""
        for base, line in self._start(above, roots):
            yield line
            if above is not None:
                yield from (each for _, each in self._below(base, line.code))

    def _start(
        self, above: OrganisationCode | None, roots: Roots
    ) -> Iterator[tuple[_Base, ReportLine]]:
        if above is None:
            for line in self._own_lines(None, roots):
                yield self._resolved(self._nearest(self._place_of(line.code)), line.code, line)
            for each in self._strays.get((None, None), []) if roots is None else ():
                yield self._whole(each)
            return
        base = self._nearest(self._place_of(above))
        ours = self._figures.line(above)
        if base is not None or ours is not None:
            found = self._raw(base, above) or ours
            if found is not None:
                yield self._resolved(base, above, found)

    def _below(self, base: _Base, code: OrganisationCode) -> Iterator[tuple[_Base, ReportLine]]:
        lines: Iterable[ReportLine] = (
            self._own_lines(code, None)
            if base is None
            else ()
            if base.kept is None
            else self._instances.below(base.kept, code)
        )
        for line in lines:
            inner = self._chosen.get(line.code)
            if inner is not None and self._around[line.code] == base:
                yield self._whole(inner)
            else:
                yield base, self._gained(base, line)
        for each in self._strays.get((base, code), []):
            yield self._whole(each)

    def _own_lines(self, above: OrganisationCode | None, roots: Roots) -> Iterator[ReportLine]:
        behind: OrganisationCode | None = None
        while True:
            page = self._figures.lines(above=above, roots=roots, limit=_PAGE, behind=behind)
            yield from page.lines
            if page.end is None:
                return
            behind = page.end

    def _resolved(
        self, base: _Base, code: OrganisationCode, ours: ReportLine
    ) -> tuple[_Base, ReportLine]:
        """A line by the instance that it is in; what that one did not tell of is as we know it."""
        found = self._raw(base, code)
        if found is None:
            return None, self._gained(None, ours)
        return base, self._gained(base, found)

    def _whole(self, source: InstanceSource) -> tuple[_Base, ReportLine]:
        found = self._raw(source, source.organisation)
        if found is None:
            found = ReportLine(
                code=source.organisation, name=source.organisation, below=0, measures=Measures()
            )
        return source, self._gained(source, found)

    def _raw(self, base: _Base, code: OrganisationCode) -> ReportLine | None:
        if base is None:
            return self._figures.line(code)
        return None if base.kept is None else self._instances.line(base.kept, code)

    def _gained(self, base: _Base, line: ReportLine) -> ReportLine:
        gain = self._gains.get((base, line.code), _Gain())
        as_of = self._counted_at
        if base is not None and base.counted_at is not None:
            as_of = base.counted_at
        return replace(
            line,
            below=line.below + len(self._strays.get((base, line.code), [])),
            measures=_none_negative(line.measures + gain.measures),
            production=(line.production + gain.production).without_negatives(),
            source=LineSource(
                instance=self._own if base is None else base.instance,
                as_of=as_of if gain.oldest is None else min(as_of, gain.oldest),
                merged=gain.merged,
            ),
        )

    def _nearest(self, place: tuple[OrganisationCode, ...]) -> _Base:
        """The instance that an organisation of this place is in."""
        return next((self._chosen[code] for code in reversed(place) if code in self._chosen), None)

    def _attach_circles(self) -> None:
        """Instances that state to be in each other are ours: nothing is left out of the report."""
        for code in self._around:
            seen = {code}
            at = self._around[code]
            while at is not None:
                if at.organisation in seen:
                    self._around[code] = None
                    break
                seen.add(at.organisation)
                at = self._around[at.organisation]

    def _merge(self, base: _Base) -> None:
        """Take the instances inside one into its lines, the innermost first."""
        for inner in sorted(self._inside.get(base, []), key=lambda each: each.organisation):
            self._merge(inner)
            _, line = self._whole(inner)
            before = self._raw(base, inner.organisation)
            change = line.measures - (Measures() if before is None else before.measures)
            change_of_production = line.production - (
                Progress() if before is None else before.production
            )
            source = line.source
            if before is None:
                at = next(
                    (
                        code
                        for code in reversed(inner.place[:-1])
                        if self._raw(base, code) is not None
                    ),
                    None if base is None else base.organisation,
                )
                self._strays.setdefault((base, at), []).append(inner)
            for code in inner.place[:-1]:
                gain = self._gains.setdefault((base, code), _Gain())
                gain.measures = gain.measures + change
                gain.production = gain.production + change_of_production
                if source is not None:
                    gain.merged += source.merged + 1
                    gain.oldest = (
                        source.as_of if gain.oldest is None else min(gain.oldest, source.as_of)
                    )


def _none_negative(measures: Measures) -> Measures:
    """Nobody counts fewer than none: trees that changed between two countings may leave a difference."""
    return Measures(**{name: max(0, count) for name, count in asdict(measures).items()})
