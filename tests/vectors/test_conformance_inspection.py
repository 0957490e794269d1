"""Every case of the inspection systems' catalogue that we have a vector for: one card, one fault, the verdict owed."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _vectors(name: str) -> ModuleType:
    """A module of the vectors, which lie beside this file; they use the drafts of the lint's."""
    for folder in ("conformance", "lint"):
        path = str(Path(__file__).parent / folder)
        if path not in sys.path:
            sys.path.insert(0, path)
    return importlib.import_module(f"conformance_vectors.{name}")


suite = _vectors("inspection_suite")
table = _vectors("table")
bench = _vectors("bench")

RUN: set[str] = set()
"""The vectors that were run; one that fails is not among them."""


def test_the_right_card_is_accepted() -> None:
    report = bench.CardDraft().inspect()
    assert report.codes == ()
    assert report.verdict.value == "accepted"


@pytest.mark.parametrize("case", sorted(suite.CASES))
def test_the_verdict_is_the_one_owed(case: str) -> None:
    suite.CASES[case].run()
    RUN.add(case)


@pytest.mark.parametrize("case", sorted(suite.BY_LEAVE))
def test_what_is_taken_by_leave_is_refused_without(case: str) -> None:
    report = suite.CASES[case].card().having(policy=bench.POLICY).inspect()
    assert report.codes[0].startswith("security-object.")
    assert report.verdict.value == "refused"


def test_every_covered_id_has_a_vector_that_was_run() -> None:
    rows = table.from_csv((table.DOCS / "conformance.csv").read_text("utf-8"))
    for row in rows:
        if row.suite != suite.SUITE or row.state is not table.State.COVERED:
            continue
        assert row.vector == table.vector_name(suite.FILE, suite.TEST, row.id)
        assert row.id in suite.CASES, f"{row.id} is covered by a vector that does not exist"
        if row.id not in RUN:
            # Only some of the tests were asked for: what was not run yet is run now.
            suite.CASES[row.id].run()


def test_every_vector_has_its_own_reason() -> None:
    reasons = [case.reason for case in suite.CASES.values()]
    assert len(set(reasons)) == len(reasons)


def test_what_is_open_has_no_vector_and_everything_without_one_says_why() -> None:
    without = {row.id for row in suite.ROWS if not row.vector}
    assert without == set(suite.OPEN) | set(suite.NOT_APPLICABLE)


def test_a_chip_that_waits_for_the_odd_instruction_is_no_easy_one() -> None:
    reading_cases = _vectors("reading_cases")
    card = bench.CardDraft(chip=reading_cases.CardThatWantsTheOddInstruction)
    assert "access.secure-messaging" in card.inspect().codes
