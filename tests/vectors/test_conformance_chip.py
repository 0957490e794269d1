"""Every case of the chips' catalogue that we have a vector for, against the virtual card; each begins with a new card."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _vectors(name: str) -> ModuleType:
    """A module of the vectors, which lie beside this file."""
    path = str(Path(__file__).parent / "conformance")
    if path not in sys.path:
        sys.path.insert(0, path)
    return importlib.import_module(f"conformance_vectors.{name}")


suite = _vectors("chip_suite")
table = _vectors("table")

RUN: set[str] = set()
"""The vectors that were run; one that fails is not among them."""


@pytest.mark.parametrize("case", sorted(suite.CASES))
def test_the_chip_does_what_the_case_asks(case: str) -> None:
    suite.CASES[case].run()
    RUN.add(case)


def test_every_covered_id_of_a_chip_has_a_vector_that_was_run() -> None:
    rows = table.from_csv((table.DOCS / "conformance.csv").read_text("utf-8"))
    covered = [row for row in rows if row.suite == suite.SUITE and row.state is table.State.COVERED]
    assert {row.id for row in covered} == set(suite.CASES)
    for row in covered:
        assert row.vector == table.vector_name(suite.FILE, suite.TEST, row.id)
        if row.id not in RUN:
            # Only some of the tests were asked for: what was not run yet is run now.
            suite.CASES[row.id].run()


def test_every_vector_of_a_chip_has_its_own_reason() -> None:
    reasons = [case.shows for case in suite.CASES.values()]
    assert len(set(reasons)) == len(reasons)
