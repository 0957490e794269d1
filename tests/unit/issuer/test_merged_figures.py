"""Figures of several registers in one report: every person is counted once, by the instance whose matter they are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from issuer.domain.bundle import Bundle
from issuer.domain.instance_report import (
    InstanceReport,
    InstanceReportLine,
    without_deepest_levels,
)
from issuer.domain.instances import InstanceName
from issuer.domain.organisation import OrganisationCode
from issuer.domain.production_report import Progress, Stage, StageCount
from issuer.domain.report import Measures
from issuer.domain.stock_figures import StockFigures
from issuer.errors import IssuerDataError
from issuer.exchange.bundle_file import bundle_from_bytes, bundle_to_bytes
from issuer.services.browse_ports import Roots
from issuer.services.instance_sources import InstanceSource, chosen_sources
from issuer.services.merge_reports import MergedFigures
from issuer.services.report_ports import KeptReport, ReportLine, ReportLines

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
Code = OrganisationCode


@dataclass
class Tree:
    """Organisations by number, each below an earlier one; 0 is the top."""

    parents: list[int]

    def code(self, number: int) -> OrganisationCode:
        return Code(f"O-{number:02}")

    def way(self, number: int) -> list[int]:
        found = [number]
        while found[0]:
            found.insert(0, self.parents[found[0]])
        return found

    def place(self, code: OrganisationCode) -> tuple[OrganisationCode, ...]:
        return tuple(self.code(each) for each in self.way(int(code[2:])))


class Lines:
    """Sums of one register over the organisations that it knows: our own figures, or a report's lines."""

    def __init__(self, tree: Tree, own: Mapping[int, Measures], top: int = 0) -> None:
        self.tree, self.top = tree, top
        self.sums = dict.fromkeys(own, Measures())
        for number, measures in own.items():
            for above in tree.way(number):
                if above in self.sums:
                    self.sums[above] += measures

    def reported(self) -> tuple[InstanceReportLine, ...]:
        return tuple(
            InstanceReportLine(
                code=self.tree.code(each),
                name=f"Name {each}",
                above=None if each == self.top else self.tree.code(self.tree.parents[each]),
                measures=self.sums[each],
            )
            for each in sorted(self.sums)
        )

    def counted_at(self) -> datetime:
        return NOW

    def line(self, code: OrganisationCode) -> ReportLine | None:
        number = int(code[2:])
        return self._line(number) if number in self.sums else None

    def lines(
        self,
        *,
        above: OrganisationCode | None,
        roots: Roots,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> ReportLines:
        assert roots is None
        assert behind is None
        return ReportLines(
            lines=tuple(
                self._line(each)
                for each in sorted(self.sums)
                if (
                    each == self.top
                    if above is None
                    else each != self.top and self.tree.parents[each] == int(above[2:])
                )
            )[:limit],
            end=None,
        )

    def _line(self, number: int) -> ReportLine:
        code = self.tree.code(number)
        below = [each for each in self.sums if each and self.tree.parents[each] == number]
        measures = self.sums[number]
        return ReportLine(
            code=code,
            name=code,
            below=len(below),
            measures=measures,
            production=_production(measures),
        )


class Told:
    """What instances told, in memory."""

    def __init__(self, lines: Mapping[OrganisationCode, Lines]) -> None:
        self._lines = lines

    def line(self, report: KeptReport, code: OrganisationCode) -> ReportLine | None:
        return self._lines[report.organisation].line(code)

    def below(self, report: KeptReport, code: OrganisationCode) -> tuple[ReportLine, ...]:
        return self._lines[report.organisation].lines(above=code, roots=None, limit=99).lines


@dataclass
class World:
    """A tree, whose members are counted truly by the instance that they belong to, and anyhow by those above it."""

    tree: Tree
    truth: dict[int, Measures]
    own: Lines
    told: dict[OrganisationCode, Lines]
    sources: tuple[InstanceSource, ...]

    def expected(self, number: int) -> Measures:
        found = Measures()
        for each, measures in self.truth.items():
            if number in self.tree.way(each):
                found += measures
        return found

    def merged(self) -> MergedFigures:
        return MergedFigures(
            self.own,  # type: ignore[arg-type]  # looked at, never counted
            Told(self.told),  # type: ignore[arg-type]  # as above
            own="nation",
            counted_at=NOW,
            chosen=chosen_sources(self.sources),
            place_of=self.tree.place,
        )


def _measures(members: int) -> Measures:
    return Measures(members=members, incomplete=members // 2, open_requests=members % 3)


def _production(measures: Measures) -> Progress:
    """Everybody has a card, and every other card was made anew: as many as there are members."""
    if not measures.members:
        return Progress()
    return Progress(
        stages={Stage.HANDED_OVER: StageCount(cards=measures.members)},
        rejects={} if not measures.incomplete else {"card.torn": measures.incomplete},
        stock=StockFigures(received=measures.members, good=measures.members),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    size = draw(st.integers(2, 9))
    tree = Tree(parents=[0] + [draw(st.integers(0, each - 1)) for each in range(1, size)])
    tops = draw(st.sets(st.integers(1, size - 1)))
    counts = st.integers(0, 50).map(_measures)
    truth: dict[int, Measures] = {}
    known: dict[int, dict[int, Measures]] = {base: {} for base in (0, *tops)}
    for number in range(size):
        bases = [each for each in tree.way(number) if each in known]
        truth[number] = draw(counts)
        for base in bases:
            is_nearest = base == bases[-1]
            # Somebody above may not know the organisation at all, or count other people in it.
            parent_known = number == base or tree.parents[number] in known[base]
            if is_nearest:
                known[base][number] = truth[number]
            elif parent_known and draw(st.booleans()):
                known[base][number] = draw(counts)
    told = {tree.code(each): Lines(tree, known[each], each) for each in tops}
    sources = tuple(
        InstanceSource(
            via=InstanceName(f"instance-{each}"),
            instance=InstanceName(f"instance-{each}"),
            organisation=tree.code(each),
            place=tree.place(tree.code(each)),
            is_enrolled=True,
            kept=KeptReport(
                via=InstanceName(f"instance-{each}"),
                instance=InstanceName(f"instance-{each}"),
                organisation=tree.code(each),
                place=tree.place(tree.code(each)),
                counted_at=NOW - timedelta(days=each),
                left_out=0,
                sequence=1,
                taken_at=NOW,
            ),
        )
        for each in sorted(tops)
    )
    return World(tree=tree, truth=truth, own=Lines(tree, known[0]), told=told, sources=sources)


@given(worlds())
def test_every_organisation_is_named_once_and_every_person_is_counted_once(world: World) -> None:
    walked = list(world.merged().walk(None, None))
    lines = [line for _, line in walked]
    assert sorted(each.code for each in lines) == [
        world.tree.code(each) for each in range(len(world.tree.parents))
    ]
    tops = {each.organisation for each in world.sources}
    for line in lines:
        number = int(line.code[2:])
        assert line.measures == world.expected(number), line
        assert line.production == _production(world.expected(number)), line
        nearest = [each for each in world.tree.place(line.code) if each in tops]
        assert line.source is not None
        assert line.source.instance == (f"instance-{int(nearest[-1][2:])}" if nearest else "nation")
        inside = [
            int(each[2:])
            for each in tops
            if each != line.code and line.code in world.tree.place(each)
        ]
        assert line.source.merged == len(inside)
        ages = [*inside, int(nearest[-1][2:]) if nearest else 0]
        assert line.source.as_of == NOW - timedelta(days=max(ages))


@given(worlds())
def test_a_level_shows_what_the_whole_walk_shows(world: World) -> None:
    merged = world.merged()
    by_code = {line.code: line for _, line in merged.walk(None, None)}
    for number in range(len(world.tree.parents)):
        shown = list(merged.level(world.tree.code(number), None))
        below = {
            world.tree.code(each)
            for each in range(1, len(world.tree.parents))
            if world.tree.parents[each] == number
        }
        assert {each.code for each in shown} >= {world.tree.code(number), *below}
        assert all(by_code[each.code] == each for each in shown)


def test_instances_that_state_to_be_in_each_other_are_left_out_of_nothing() -> None:
    tree = Tree(parents=[0, 0, 1])
    told = {
        tree.code(1): Lines(tree, {1: _measures(5)}, 1),
        tree.code(2): Lines(tree, {2: _measures(7)}, 2),
    }
    (first, second) = _two(tree)
    circle = (
        replace(first, place=(tree.code(0), tree.code(2), tree.code(1))),
        replace(second, place=(tree.code(0), tree.code(1), tree.code(2))),
    )
    world = World(
        tree=tree, truth={}, own=Lines(tree, {0: _measures(1)}), told=told, sources=circle
    )
    top, *others = [line for _, line in world.merged().walk(None, None)]
    assert top.measures.members == 13
    assert {each.code for each in others} == {tree.code(1), tree.code(2)}


def _two(tree: Tree) -> tuple[InstanceSource, ...]:
    return tuple(
        InstanceSource(
            via=InstanceName("one"),
            instance=InstanceName(f"instance-{each}"),
            organisation=tree.code(each),
            place=tree.place(tree.code(each)),
            is_enrolled=True,
            kept=KeptReport(
                via=InstanceName("one"),
                instance=InstanceName(f"instance-{each}"),
                organisation=tree.code(each),
                place=(),
                counted_at=NOW,
                left_out=0,
                sequence=1,
                taken_at=NOW,
            ),
        )
        for each in (1, 2)
    )


def _report(world: World) -> InstanceReport:
    return InstanceReport(
        instance=InstanceName("nation"),
        organisation=world.tree.code(0),
        place=(world.tree.code(0),),
        counted_at=NOW,
        lines=world.own.reported(),
    )


@given(worlds())
def test_a_bundle_carries_reports_as_they_were_stated(world: World) -> None:
    bundle = Bundle(
        sender=InstanceName("nation"),
        receiver=InstanceName("world"),
        sequence=1,
        created_at=NOW,
        reports=(
            _report(world),
            InstanceReport(
                instance=InstanceName("silent"), organisation=Code("O-1"), place=(Code("O-1"),),
                counted_at=None,
            ),
        ),
    )  # fmt: skip
    assert not bundle.is_empty
    assert bundle_from_bytes(bundle_to_bytes(bundle)) == bundle


def test_a_report_that_is_no_tree_or_counts_more_than_all_is_no_bundle() -> None:
    tree = Tree(parents=[0, 0])
    lines = Lines(tree, {0: _measures(4), 1: _measures(2)}).reported()
    sound = InstanceReport(
        instance=InstanceName("nation"),
        organisation=tree.code(0),
        place=(tree.code(0),),
        counted_at=NOW,
        lines=lines,
    )
    assert sound.is_sound
    lying = replace(lines[1], measures=Measures(members=1, stale=2))
    for changes in (
        {"counted_at": None},
        {"lines": ()},
        {"lines": lines[::-1]},
        {"lines": (*lines, lines[1])},
        {"lines": (lines[0], replace(lines[1], above=None))},
        {"lines": (lines[0], replace(lines[1], above=Code("O-99")))},
        {"lines": (lines[0], lying)},
        {"lines": (lines[0], replace(lines[1], name="Ủy\nban"))},
        {"lines": (lines[0], replace(lines[1], measures=Measures(members=-1)))},
        {"place": (tree.code(1),)},
        {"left_out": -1},
    ):
        bundle = Bundle(
            sender=InstanceName("nation"),
            receiver=InstanceName("world"),
            sequence=1,
            created_at=NOW,
            reports=(replace(sound, **changes),),  # type: ignore[arg-type]  # as in the report
        )
        # What no model can state is refused on the way out, and everything else by whoever reads it.
        with pytest.raises((IssuerDataError, ValidationError)) as refused:
            bundle_from_bytes(bundle_to_bytes(bundle))
        assert isinstance(refused.value, ValidationError) or (
            refused.value.code == "bundle.malformed"
        )


@given(worlds(), st.integers(1, 9))
def test_levels_that_do_not_fit_are_counted_above_and_said_to_be_left_out(
    world: World, most: int
) -> None:
    whole = _report(world)
    always = [world.tree.code(max(world.own.sums))]
    cut = without_deepest_levels(whole, most=most, always=always)
    assert cut.is_sound
    assert len(cut.lines) + cut.left_out == len(whole.lines)
    assert always[0] in {each.code for each in cut.lines}
    needed = len(world.tree.way(max(world.own.sums)))
    assert len(cut.lines) <= max(most, needed)
    assert cut.lines[0] == whole.lines[0]
