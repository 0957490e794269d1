"""A benchmark that fills a database past the product breaks with its tables: a few cards tell in time."""

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.publishing_status import fill

_CARDS = 1_000


def test_the_cards_of_the_benchmark_are_published(tmp_path: Path) -> None:
    fill(tmp_path, _CARDS)
    words = [sys.executable, "-m", "tests.benchmarks.publishing_status", str(tmp_path)]
    run = subprocess.run(words, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    # Both times and the memory; and the list of each time.
    assert len([int(each) for each in run.stdout.split()]) == 3
    assert len({path.name for path in (tmp_path / "status").rglob("*") if path.is_file()}) >= 2
