"""Production in the reports of several registers: how it is written, what is refused, and that it is counted once."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.bundle import Bundle
from issuer.domain.instance_report import InstanceReport, InstanceReportLine, with_fewer_reasons
from issuer.domain.instances import InstanceName
from issuer.domain.organisation import OrganisationCode
from issuer.domain.production_report import OTHER_REASONS, Progress, Stage, StageCount
from issuer.domain.report import Measures
from issuer.domain.stock_figures import StockFigures
from issuer.errors import IssuerDataError
from issuer.exchange import bundle_file
from issuer.exchange.bundle_file import bundle_from_bytes, bundle_to_bytes, reports_digest
from issuer.services.browse_ports import Roots
from issuer.services.instance_sources import InstanceSource
from issuer.services.merge_production import OwnProduction, ToldProduction
from issuer.services.merge_reports import MergedFigures
from issuer.services.report_ports import KeptReport, ReportLine, ReportLines

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
Code = OrganisationCode
COUNTS = st.integers(0, 10**6)


@st.composite
def stage_counts(draw: st.DrawFn) -> StageCount:
    cards = draw(st.integers(1, 10**6))
    long = draw(st.integers(0, cards))
    return StageCount(cards=cards, long=long, very_long=draw(st.integers(0, long)))


def reasons() -> st.SearchStrategy[dict[str, int]]:
    names = st.sampled_from(
        ["card.torn", "station.key-check", "chip.stolen", "card.condemned-by-person"]
    )
    return st.dictionaries(names, st.integers(1, 10**6))


def progresses() -> st.SearchStrategy[Progress]:
    return st.builds(
        Progress,
        stages=st.dictionaries(st.sampled_from(Stage), stage_counts()),
        rejects=reasons(),
        blanks=reasons(),
        stock=st.lists(COUNTS, min_size=7, max_size=7).map(StockFigures.of),
    )


def line(number: int, progress: Progress | None) -> InstanceReportLine:
    return InstanceReportLine(
        code=Code(f"O-{number}"),
        name=f"Đảng ủy {number}",
        above=None if number == 0 else Code("O-0"),
        measures=Measures(members=number),
        production=progress,
    )


def bundle_of(*told: Progress | None) -> Bundle:
    report = InstanceReport(
        instance=InstanceName("tinh"),
        organisation=Code("O-0"),
        place=(Code("O-0"),),
        counted_at=NOW,
        lines=tuple(line(number, progress) for number, progress in enumerate(told)),
    )
    return Bundle(
        sender=InstanceName("tinh"), receiver=InstanceName("trung-uong"), sequence=1, created_at=NOW,
        reports=(report,),
    )  # fmt: skip


@given(st.lists(progresses(), min_size=1, max_size=4))
def test_a_bundle_carries_production_as_it_was_stated(told: list[Progress]) -> None:
    bundle = bundle_of(*told)
    assert bundle_from_bytes(bundle_to_bytes(bundle)) == bundle


def test_a_bundle_that_says_nothing_of_production_is_as_it_was_before_there_was_any() -> None:
    silent, told = bundle_of(None, None), bundle_of(Progress(), Progress())
    document = _document(bundle_to_bytes(silent))
    assert document["format"] == 1
    assert set(document["reports"][0]["lines"][0]) == {"code", "name", "above", "counts"}
    read = bundle_from_bytes(bundle_to_bytes(silent))
    assert [each.states_production for each in read.reports] == [False]
    # To state that there is nothing is to state something: it is told, though the rest was told before.
    assert _document(bundle_to_bytes(told))["format"] == 2
    assert bundle_from_bytes(bundle_to_bytes(told)).reports[0].states_production
    assert reports_digest(silent.reports) != reports_digest(told.reports)


_Change = Callable[[dict[str, Any], dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda document, _: document.update(format=1),
        lambda document, _: document.update(format=3),
        lambda _, told: told["stages"].pop(),
        lambda _, told: told["stages"].append(0),
        lambda _, told: told["stages"].__setitem__(0, -1),
        lambda _, told: told["stages"].__setitem__(0, 10**9 + 1),
        lambda _, told: told["stages"].__setitem__(0, True),
        lambda _, told: told["stages"].__setitem__(0, 1.0),
        # More stand long than stand there.
        lambda _, told: told["stages"].__setitem__(1, 99),
        lambda _, told: told["reasons"].update({"Họ tên: Nguyễn Văn A": [1, 0]}),
        lambda _, told: told["reasons"].update({"x" * 81: [1, 0]}),
        lambda _, told: told["reasons"].update({"card.torn": [1]}),
        lambda _, told: told["reasons"].update({"card.torn": [0, 0]}),
        lambda _, told: told["reasons"].update({f"a.{each:03}": [1, 0] for each in range(201)}),
        # Not in the order in which it is written.
        lambda _, told: told.update(reasons={"b.b": [1, 0], "a.a": [1, 0]}),
        lambda _, told: told["stock"].pop(),
        lambda _, told: told.update(members=["Nguyễn Văn A"]),
        lambda _, told: told.pop("stock"),
        lambda document, _: document["reports"][0]["lines"][1].pop("production"),
        lambda document, _: document["reports"][0]["lines"][1].update(production=None),
    ],
)
def test_production_in_any_other_form_is_refused(change: _Change) -> None:
    progress = Progress(
        stages={Stage.DECIDED: StageCount(cards=3)}, stock=StockFigures(received=2, left=2)
    )
    content = bundle_to_bytes(bundle_of(progress, progress))
    document = _document(content)
    assert bundle_from_bytes(_with_document(content, document)) == bundle_of(progress, progress)
    change(document, document["reports"][0]["lines"][0]["production"])
    with pytest.raises(IssuerDataError) as refused:
        bundle_from_bytes(_with_document(content, document))
    assert refused.value.code == "bundle.malformed"
    assert "Nguyễn" not in str(refused.value)


def test_a_bundle_that_tells_too_many_reasons_apart_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundle_file, "MAX_REPORT_REASONS", 3)
    two = Progress(rejects={"card.torn": 1}, blanks={"card.torn": 2, "chip.stolen": 1})
    content = bundle_to_bytes(bundle_of(two, two))
    with pytest.raises(IssuerDataError, match="too many reasons"):
        bundle_from_bytes(content)


@given(progresses(), st.integers(1, 5))
def test_reasons_that_do_not_fit_are_counted_together(told: Progress, most: int) -> None:
    (report,) = bundle_of(told).reports
    (cut,) = (each.production for each in with_fewer_reasons(report, most=most).lines)
    assert cut is not None
    assert len(cut.reasons) <= most + 1
    for counts, kept in ((told.rejects, cut.rejects), (told.blanks, cut.blanks)):
        assert sum(kept.values()) == sum(counts.values())
        assert all(kept[each] == counts[each] for each in kept if each != OTHER_REASONS)
    # Those that are told apart are the most frequent ones.
    left_out = [sum(each) for name, each in told.reasons.items() if name not in cut.reasons]
    named = [sum(each) for name, each in cut.reasons.items() if name != OTHER_REASONS]
    assert not left_out or min(named) >= max(left_out)
    assert replace(cut, rejects={}, blanks={}) == replace(told, rejects={}, blanks={})


@given(progresses(), progresses())
def test_what_is_added_is_taken_away_again(one: Progress, other: Progress) -> None:
    assert one + other - other == one
    assert one + (other - one) == other
    assert (one - (one + other)).without_negatives() == Progress()


def _document(content: bytes) -> dict[str, Any]:
    file = bundle_file.asn1.decode_der(bundle_file._BundleFile, content)
    found: dict[str, Any] = json.loads(file.document)
    return found


def _with_document(content: bytes, document: dict[str, Any]) -> bytes:
    file = bundle_file.asn1.decode_der(bundle_file._BundleFile, content)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return bundle_file.asn1.encode_der(
        bundle_file._BundleFile(version=file.version, document=text, attachments=file.attachments)
    )


@dataclass
class Books:
    """Cards that are counted in organisations of a tree, and what a register knows of them, each with all below it."""

    parents: Mapping[OrganisationCode, OrganisationCode | None]
    cards: Mapping[OrganisationCode, int]

    def way(self, code: OrganisationCode) -> tuple[OrganisationCode, ...]:
        found: list[OrganisationCode] = []
        at: OrganisationCode | None = code
        while at is not None:
            found.insert(0, at)
            at = self.parents[at]
        return tuple(found)

    def of(self, codes: Collection[OrganisationCode]) -> dict[OrganisationCode, Progress]:
        return {each: _handed_over(self._sum(each)) for each in codes if each in self.cards}

    def line(self, code: OrganisationCode) -> ReportLine | None:
        if code not in self.cards:
            return None
        below = [each for each in self.cards if self.parents[each] == code]
        return ReportLine(code=code, name=code, below=len(below), measures=Measures())

    def lines(
        self,
        *,
        above: OrganisationCode | None,
        roots: Roots,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> ReportLines:
        assert (roots, behind) == (None, None)
        found = [self.line(each) for each in sorted(self.cards) if self.parents[each] == above]
        return ReportLines(lines=tuple(each for each in found if each)[:limit], end=None)

    def _sum(self, code: OrganisationCode) -> int:
        return sum(count for each, count in self.cards.items() if code in self.way(each))


@dataclass
class Told:
    """What instances told, in memory."""

    books: Mapping[OrganisationCode, Books]

    def line(self, report: KeptReport, code: OrganisationCode) -> ReportLine | None:
        return self.books[report.organisation].line(code)

    def below(self, report: KeptReport, code: OrganisationCode) -> tuple[ReportLine, ...]:
        return self.books[report.organisation].lines(above=code, roots=None, limit=99).lines

    def production(
        self, report: KeptReport, codes: Collection[OrganisationCode]
    ) -> dict[OrganisationCode, Progress]:
        return self.books[report.organisation].of(codes)


def _handed_over(cards: int) -> Progress:
    if not cards:
        return Progress()
    return Progress(
        stages={Stage.HANDED_OVER: StageCount(cards=cards)},
        rejects={"card.torn": cards},
        stock=StockFigures(received=cards, good=cards),
    )


def test_what_an_instance_produced_stands_in_place_of_what_those_above_know() -> None:
    nation, province, commune = Code("N"), Code("P"), Code("X")
    parents = {nation: None, province: nation, commune: province}
    own = Books(parents, {nation: 1, province: 20, commune: 4})
    told = {
        province: Books(parents, {province: 300, commune: 60}),
        commune: Books(parents, {commune: 7000}),
    }

    def merged(*stating: OrganisationCode) -> dict[OrganisationCode, tuple[int, str]]:
        figures = MergedFigures(
            OwnProduction(figures=own, production=own),
            ToldProduction(instances=Told(told)),  # type: ignore[arg-type]  # its lines alone are looked at
            own="nation",
            counted_at=NOW,
            chosen={each: _source(each, own.way(each)) for each in stating},
            place_of=own.way,
        )
        lines = [found for _, found in figures.walk(None, None)]
        for each in lines:
            assert each.production == _handed_over(each.production.done)
        return {
            each.code: (each.production.done, "" if each.source is None else each.source.instance)
            for each in lines
        }

    assert merged() == {nation: (25, "nation"), province: (24, "nation"), commune: (4, "nation")}
    assert merged(province) == {nation: (361, "nation"), province: (360, "P"), commune: (60, "P")}
    assert merged(province, commune) == {
        nation: (7301, "nation"), province: (7300, "P"), commune: (7000, "X"),
    }  # fmt: skip
    # The province says nothing of production: of it what the nation knows is counted, of its commune what that told.
    assert merged(commune) == {
        nation: (7021, "nation"), province: (7020, "nation"), commune: (7000, "X"),
    }  # fmt: skip


def _source(code: OrganisationCode, place: tuple[OrganisationCode, ...]) -> InstanceSource:
    name = InstanceName(code)
    kept = KeptReport(
        via=name, instance=name, organisation=code, place=place, counted_at=NOW, left_out=0,
        sequence=1, taken_at=NOW, states_production=True,
    )  # fmt: skip
    return InstanceSource(
        via=name, instance=name, organisation=code, place=place, is_enrolled=True, kept=kept
    )
