"""How a benchmark is measured: a value and its baseline in interleaved rounds of one run, medians, one ratio.

Absolute times mean little on a shared machine; the ratio of two things timed side by side holds.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

__all__ = [
    "Announce",
    "Record",
    "compare",
    "compare_pairs",
    "compare_rates",
    "counted",
    "cpu_seconds",
    "wall_seconds",
]

Announce = Callable[[str], None]
"""Takes one line about what is being measured: its progress, or why it is left out."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One line of bench/results.json; ``ratio`` = ``value`` / ``baseline``."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
    better: Literal["lower", "higher"]
    goal: float | None
    """The ratio to reach, or ``None`` where there is none."""

    @property
    def is_reached(self) -> bool | None:
        """Whether the goal is met, ``None`` where there is none."""
        if self.goal is None:
            return None
        return self.ratio <= self.goal if self.better == "lower" else self.ratio >= self.goal

    def to_json(self) -> dict[str, object]:
        """The record as it stands in the file."""
        return asdict(self)


def wall_seconds(work: Callable[[], object]) -> float:
    """Seconds on the clock for one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this thread for one call."""
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


def compare(
    name: str,
    *,
    value: Callable[[], float],
    baseline: Callable[[], float],
    unit: str,
    goal: float | None,
    better: Literal["lower", "higher"] = "lower",
    rounds: int = 15,
) -> Record:
    """Take both measures in turn, ``rounds`` times after one warm-up, and keep the medians.

    The ratio is the median of the ratios round by round, so that drift of the machine cancels out.
    """
    value()
    baseline()
    # What the bench itself holds is no work of the product's collector.
    gc.collect()
    gc.freeze()
    pairs = [(value(), baseline()) for _ in range(rounds)]
    return compare_pairs(name, pairs, unit=unit, goal=goal, better=better)


def compare_pairs(
    name: str,
    pairs: Sequence[tuple[float, float]],
    *,
    goal: float | None,
    unit: str = "s",
    better: Literal["lower", "higher"] = "lower",
) -> Record:
    """The medians of what rounds gave, value and baseline; the ratio is the median of the ratios round by round."""
    return Record(
        name=name,
        value=statistics.median(first for first, _ in pairs),
        unit=unit,
        baseline=statistics.median(second for _, second in pairs),
        ratio=statistics.median(first / second for first, second in pairs),
        better=better,
        goal=goal,
    )


def compare_rates(
    name: str,
    *,
    value: Callable[[], float],
    baseline: Callable[[], float],
    goal: float | None,
    rounds: int = 15,
) -> Record:
    """As ``compare``, of how often something can be done in a second: more is better."""
    times = compare(name, value=value, baseline=baseline, unit="1/s", goal=None, rounds=rounds)
    return Record(
        name=name,
        value=1 / times.value,
        unit="1/s",
        baseline=1 / times.baseline,
        ratio=1 / times.ratio,
        better="higher",
        goal=goal,
    )


def counted(name: str, *, value: int, baseline: int, unit: str, goal: float | None) -> Record:
    """A record of two counts, which need no rounds."""
    return Record(
        name=name,
        value=value,
        unit=unit,
        baseline=baseline,
        ratio=value / baseline,
        better="lower",
        goal=goal,
    )
