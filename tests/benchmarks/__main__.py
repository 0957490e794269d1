"""`make bench`: measure, print a table, write bench/results.json; PARTS="stations batches" measures these modules alone."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.batches import measure_batches
from tests.benchmarks.browsing import measure_browsing
from tests.benchmarks.conversing import measure_conversing
from tests.benchmarks.importing import measure_importing
from tests.benchmarks.inspecting import measure_inspecting
from tests.benchmarks.judging_service import measure_judging_service
from tests.benchmarks.measure import Announce, Record
from tests.benchmarks.personalising import measure_personalising
from tests.benchmarks.publishing_status import measure_publishing
from tests.benchmarks.signing import measure_signing
from tests.benchmarks.signing_service import measure_signing_service
from tests.benchmarks.stations import measure_stations
from tests.benchmarks.status_lists import measure_status
from tests.benchmarks.terminal import measure_terminal
from tests.benchmarks.transport import measure_transport

_TABLE_WIDTH = 120
RESULTS = Path("bench/results.json")
MEASURES: tuple[Callable[[Announce], Iterator[Record]], ...] = (
    measure_signing,
    measure_inspecting,
    measure_conversing,
    measure_personalising,
    measure_stations,
    measure_status,
    measure_publishing,
    measure_transport,
    measure_signing_service,
    measure_batches,
    measure_importing,
    measure_browsing,
    measure_terminal,
    measure_judging_service,
)


def main() -> int:
    """Run all measures in turn; the outcome is a table, never a pass or a fail."""
    # Where it goes to a file, the table is as wide as it needs to be.
    console = Console() if sys.stdout.isatty() else Console(width=_TABLE_WIDTH)
    records: list[Record] = []
    parts = {measure.__module__.rpartition(".")[2]: measure for measure in MEASURES}
    wanted = sys.argv[1:] or list(parts)
    if unknown := [name for name in wanted if name not in parts]:
        console.print(f"error: no part is called {unknown[0]}, expected of: {' '.join(parts)}")
        return 64

    def announce(line: str) -> None:
        console.print(f"  {line}", highlight=False, style="dim")

    for name in wanted:
        for record in parts[name](announce):
            records.append(record)
            console.print(f"{record.name}: {record.ratio:.3g}", highlight=False)
    table = Table(title="Ratio = value / baseline, medians of interleaved rounds of this run")
    for column in ("name", "value", "baseline", "unit", "ratio", "goal", ""):
        table.add_column(
            column, no_wrap=True, justify="left" if column in {"name", "unit", ""} else "right"
        )
    for record in records:
        goal = (
            ""
            if record.goal is None
            else f"{'<=' if record.better == 'lower' else '>='} {record.goal:g}"
        )
        met = {None: "", True: "reached", False: "not reached"}[record.is_reached]
        table.add_row(
            record.name,
            f"{record.value:.4g}",
            f"{record.baseline:.4g}",
            record.unit,
            f"{record.ratio:.3g}",
            goal,
            met,
        )
    console.print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps([record.to_json() for record in records], indent=2) + "\n", "utf-8"
    )
    console.print(f"written to {RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
