"""The table of conformance: one row for every id of a catalogue, as docs/conformance.csv and as docs/conformance.md.

Each suite is a module beside this one that has SUITE (the catalogue's name), ROWS (one `Row` an id) and TITLE. The
catalogues' own titles are their owners' and are not repeated here; ``reason`` says in our words what a vector shows.
"""

import csv
import importlib
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import StrEnum, unique
from pathlib import Path

DOCS = Path(__file__).parents[4] / "docs"
COLUMNS = ("suite", "id", "state", "vector", "reason")
SUITE_MODULES = ("chip_suite", "inspection_suite")
"""The modules with the suites, by their names in this package."""


@unique
class State(StrEnum):
    """How a case of a catalogue stands."""

    COVERED = "covered"
    NOT_APPLICABLE = "not-applicable"
    OPEN = "open"


@dataclass(frozen=True, kw_only=True, order=True)
class Row:
    """One id: ``vector`` is the test that runs it, empty unless it is covered."""

    suite: str
    id: str
    state: State
    vector: str
    reason: str

    def __post_init__(self) -> None:
        if bool(self.vector) != (self.state is State.COVERED):
            raise ValueError(f"{self.id} is {self.state}, got vector {self.vector!r}")
        if not self.reason:
            raise ValueError(f"{self.id} has no reason")


def vector_name(file: str, test: str, case: str) -> str:
    """A vector by the name under which pytest runs it alone."""
    return f"tests/vectors/{file}::{test}[{case}]"


def all_rows() -> tuple[Row, ...]:
    """The rows of all suites, by suite and id."""
    rows: list[Row] = []
    for name in SUITE_MODULES:
        rows += importlib.import_module(f"conformance_vectors.{name}").ROWS
    return tuple(sorted(rows))


def to_csv(rows: Iterable[Row]) -> str:
    """docs/conformance.csv."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(row) for row in rows)
    return stream.getvalue()


def from_csv(text: str) -> tuple[Row, ...]:
    """The rows of docs/conformance.csv; a state that is none, or other columns, raise."""
    reader = csv.DictReader(io.StringIO(text))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ValueError(f"got columns {reader.fieldnames}, expected {COLUMNS}")
    return tuple(
        Row(
            suite=item["suite"],
            id=item["id"],
            state=State(item["state"]),
            vector=item["vector"],
            reason=item["reason"],
        )
        for item in reader
    )


def to_markdown(rows: Iterable[Row]) -> str:
    """docs/conformance.md: made from the rows of docs/conformance.csv, and from nothing else."""
    known = tuple(rows)
    lines = [*_HEAD, *_counts(known)]
    for suite in sorted({row.suite for row in known}):
        lines += [
            "",
            f"## {suite}",
            "",
            "| id | state | what the vector shows, or why there is none |",
        ]
        lines.append("|---|---|---|")
        lines += [
            f"| `{row.id}` | {row.state} | {row.reason.replace('|', chr(92) + '|')} |"
            for row in known
            if row.suite == suite
        ]
    return "\n".join(lines) + "\n"


_HEAD = (
    "# Conformance with the published catalogues of test cases",
    "",
    "Every id of BSI TR-03105 part 5.1 (inspection systems) and part 3.2 (chips), and how it stands here. The titles and texts are",
    "their owner's and are not repeated; where no text was at hand, the title and the standard decided. The last column says",
    "what our vector shows.",
    "",
    "- *covered*: a vector of our own stands under the id and is run by every `make test`; a test fails where it does not exist or was",
    "  not run. `docs/conformance.csv` names it in the column `vector`; `pytest 'VECTOR'` runs it alone.",
    "- *not-applicable*: what the case tests is not a thing that this program does; the reason says what.",
    "- *open*: there is no vector yet.",
    "",
    "This page is made from `docs/conformance.csv`, which `python tests/vectors/conformance/write_table.py` writes with it.",
    "",
)


def _counts(rows: tuple[Row, ...]) -> list[str]:
    lines = ["| catalogue | ids | covered | not-applicable | open |", "|---|---|---|---|---|"]
    for suite in sorted({row.suite for row in rows}):
        found = Counter(row.state for row in rows if row.suite == suite)
        lines.append(
            f"| {suite} | {found.total()} | {found[State.COVERED]} "
            f"| {found[State.NOT_APPLICABLE]} | {found[State.OPEN]} |"
        )
    return lines
