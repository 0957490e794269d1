"""The interpreter's pace while many rows are at work."""

import gc
import sys
from collections.abc import Iterator

import pytest

from issuer.services.interpreter_pace import paced_for_many_rows


def pace() -> tuple[tuple[int, int, int], float]:
    return gc.get_threshold(), round(sys.getswitchinterval(), 6)


@pytest.fixture
def usual() -> Iterator[tuple[tuple[int, int, int], float]]:
    before = pace()
    gc.set_threshold(701, 11, 12)
    sys.setswitchinterval(0.004)
    yield pace()
    gc.set_threshold(*before[0])
    sys.setswitchinterval(before[1])


def test_the_pace_lasts_as_long_as_the_last_of_its_blocks(
    usual: tuple[tuple[int, int, int], float],
) -> None:
    with paced_for_many_rows():
        with paced_for_many_rows():
            inner = pace()
        assert pace() == inner != usual
        assert gc.isenabled()
        assert inner[0][0] > usual[0][0]
        assert inner[1] < usual[1]
    assert pace() == usual


def test_the_pace_is_the_usual_one_again_after_a_failure(
    usual: tuple[tuple[int, int, int], float],
) -> None:
    with pytest.raises(ZeroDivisionError), paced_for_many_rows():
        raise ZeroDivisionError
    assert pace() == usual


def test_whoever_looks_rarely_already_is_not_made_to_look_more_often(
    usual: tuple[tuple[int, int, int], float],
) -> None:
    del usual
    gc.set_threshold(1_000_000, 11, 12)
    sys.setswitchinterval(0.0001)
    with paced_for_many_rows():
        assert gc.get_threshold() == (1_000_000, 11, 12)
        assert sys.getswitchinterval() == pytest.approx(0.0001, abs=1e-5)
    assert gc.get_threshold() == (1_000_000, 11, 12)
