"""The station's process is killed at every command: before it, while the card acts, and after; each card ends as one card."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.integration.production.killed_station import Kill, KillableStation, Moment
from tests.integration.production.test_tear_at_every_apdu import (
    INITIALISE_APDUS,
    PERSONALISE_APDUS,
)

CYCLES = 300


@pytest.fixture
def blank(workshop: Any, tmp_path: Path) -> KillableStation:
    workshop.add_members(1)
    workshop.receive(1, site="left")
    station = KillableStation(workshop, tmp_path)
    station.save()
    return station


@pytest.fixture
def signed(blank: KillableStation) -> KillableStation:
    assert blank.visit() == INITIALISE_APDUS
    blank.workshop.bind_and_sign()
    blank.save()
    return blank


def every_kill(apdus: int) -> list[Kill]:
    return [Kill(at=at, moment=moment) for at in range(1, apdus + 1) for moment in Moment]


def survive(station: KillableStation, *kills: Kill) -> None:
    for kill in kills:
        station.visit(kill)
    station.visit()


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(every_kill(INITIALISE_APDUS)[::13], id="sample"),
        pytest.param(every_kill(INITIALISE_APDUS), id="all", marks=pytest.mark.slow),
    ],
)
def test_a_station_killed_while_it_initialises(blank: KillableStation, kills: list[Kill]) -> None:
    assert kills
    for kill in kills:
        blank.restore()
        survive(blank, kill)
        blank.require_initialised()


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(every_kill(PERSONALISE_APDUS)[::29], id="sample"),
        pytest.param(every_kill(PERSONALISE_APDUS), id="all", marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(1800)
def test_a_station_killed_while_it_personalises(signed: KillableStation, kills: list[Kill]) -> None:
    assert kills
    for kill in kills:
        signed.restore()
        survive(signed, kill)
        signed.require_issued()


@pytest.mark.parametrize(
    "cycles",
    [2, pytest.param(CYCLES - 3 * (INITIALISE_APDUS + PERSONALISE_APDUS), marks=pytest.mark.slow)],
)
@pytest.mark.timeout(1800)
def test_a_station_killed_again_and_again_at_any_time(signed: KillableStation, cycles: int) -> None:
    assert cycles > 0
    source = random.Random(7)
    for _ in range(cycles):
        signed.restore()
        survive(
            signed,
            *(
                Kill(
                    at=source.randint(1, PERSONALISE_APDUS),
                    moment=source.choice(list(Moment)),
                    # So long a commit takes: the kill may strike in the middle of one.
                    delay=source.random() * 0.01,
                )
                for _ in range(3)
            ),
        )
        signed.require_issued()
