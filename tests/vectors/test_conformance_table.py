"""docs/conformance.csv and docs/conformance.md say what is so: every id of the catalogues, and the suites' own rows."""

import csv
import importlib
import sys
from pathlib import Path
from types import ModuleType


def _generator(name: str) -> ModuleType:
    """A module of the vectors, which lie beside this file."""
    for folder in ("conformance", "lint"):
        path = str(Path(__file__).parent / folder)
        if path not in sys.path:
            sys.path.insert(0, path)
    return importlib.import_module(f"conformance_vectors.{name}")


table = _generator("table")
ANEW = "write it anew: python tests/vectors/conformance/write_table.py"


def test_the_table_is_that_of_the_suites() -> None:
    assert (table.DOCS / "conformance.csv").read_text("utf-8") == table.to_csv(table.all_rows()), (
        ANEW
    )


def test_the_page_is_made_from_the_table() -> None:
    rows = table.from_csv((table.DOCS / "conformance.csv").read_text("utf-8"))
    assert (table.DOCS / "conformance.md").read_text("utf-8") == table.to_markdown(rows), ANEW


def test_rows_stand_by_suite_and_id_and_each_once() -> None:
    rows = table.from_csv((table.DOCS / "conformance.csv").read_text("utf-8"))
    keys = [(row.suite, row.id) for row in rows]
    assert keys == sorted(set(keys))
    assert rows


def test_every_id_of_a_catalogue_has_its_row_and_no_other_has(shared_vectors: Path) -> None:
    listed: set[tuple[str, str]] = set()
    for path in sorted((shared_vectors / "conformance").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            listed |= {(item["suite"], item["id"]) for item in csv.DictReader(stream)}
    ours = {(row.suite, row.id) for row in table.all_rows()}
    suites = {suite for suite, _ in ours}
    assert ours == {key for key in listed if key[0] in suites}


def test_a_covered_row_names_a_file_of_tests_that_there_is() -> None:
    files = {row.vector.partition("::")[0] for row in table.all_rows() if row.vector}
    assert files
    assert [name for name in files if not (Path(__file__).parents[2] / name).is_file()] == []
