"""A station's real program under libfaketime: a clock that was set back begins no chip, and the same chip goes on once it is right."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from card_layout.atr import LifeCycle
from simulators.image import CardImage
from tests.integration.production.test_production_commands import Commands, commands, office
from tests.integration.test_clock_jumps import LIBRARIES, SLEEP

__all__ = ["commands", "office"]

PROGRAM: Final = Path(sys.executable).with_name("membercard-issuer")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not LIBRARIES, reason="libfaketime is not installed (Debian package faketime)"
    ),
]


def run_at(offset: str, office: Commands, number: int) -> tuple[int, Any]:
    """One chip at a station whose clock is so far from the true one; the status, and what it says of the visit."""
    (office.directory / "sitecustomize.py").write_text(SLEEP, "utf-8")
    told = {
        "PYTHONPATH": str(office.directory),
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME": offset,
        # Waiting is not what is to be wrong.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    done = subprocess.run(
        [
            PROGRAM, "--home", office.home, "station", "run", "--reader", f"sim:{office.image(number)}",
            "--count", "1", "--timeout", "0.5", "--format", "json",
        ],
        env=os.environ | told, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("offset", ["-3m", "-2h"])
def test_a_clock_that_was_set_back_is_refused_and_the_chip_goes_on_later(
    office: Commands, offset: str
) -> None:
    status, said = run_at("+0", office, 1)
    assert (status, said["done"]) == (0, 1), said
    status, said = run_at(offset, office, 2)
    assert (status, said["done"]) == (1, 0), said
    assert {visit["code"] for visit in said["visits"]} == {"station.clock-back"}
    assert CardImage.load(office.image(2)).state is LifeCycle.BLANK
    # Two minutes are what time servers correct.
    status, said = run_at("-1m", office, 2)
    assert (status, said["done"]) == (0, 1), said
    assert CardImage.load(office.image(2)).state is LifeCycle.INITIALISED
    times = [event["at"] for event in office.json("station", "journal")]
    assert times == sorted(times)


def test_a_clock_that_had_run_ahead_is_corrected_and_the_station_goes_on(office: Commands) -> None:
    status, said = run_at("+2h", office, 1)
    assert (status, said["done"]) == (0, 1), said
    status, said = run_at("+0", office, 2)
    assert {visit["code"] for visit in said["visits"]} == {"station.clock-back"}
    assert office.json("station", "clock", "show")["is_behind"]
    watch = f"{datetime.now(UTC).astimezone():%Y-%m-%d %H:%M}"
    assert office.run("station", "clock", "correct", "--watch", watch, "--reason", "battery") == 0
    status, said = run_at("+0", office, 2)
    assert (status, said["done"]) == (0, 1), said
    assert office.run("station", "close-day") == 0
