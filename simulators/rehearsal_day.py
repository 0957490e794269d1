"""A station's day: a sample and a spoiled chip, the close at the station, the count and the destruction by two."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from simulators.rehearsal_people import acting, log_in_again
from simulators.rehearsal_run import DEMO, Rehearsal

__all__ = ["SET_ASIDE", "close_day", "set_aside"]

SET_ASIDE = 2
"""One chip is a sample for good, one is spoiled."""

_PLACE = "set-aside"


def set_aside(demo: Rehearsal, home: str, *, station: str) -> tuple[str, ...]:
    """The last chips of the delivery become no cards: one is a sample, the other one fell to the ground; their serials."""
    with (DEMO / "cards" / "delivery.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[-SET_ASIDE:]
    (DEMO / _PLACE).mkdir()
    for row in rows:
        image = Path(row["image"])
        (DEMO / "cards" / image).rename(DEMO / _PLACE / image.name)
    sample, spoiled = (row["serial"] for row in rows)
    keeper = acting(home, "storekeeper")
    demo.run(*keeper, "stock", "sample", sample, "--site", station, "--purpose", "laboratory")
    demo.run(*keeper, "stock", "condemn", spoiled, "--reason", "fell to the ground")
    return sample, spoiled


def close_day(demo: Rehearsal, home: str, set_aside: Sequence[str], *, station: str) -> None:
    """What lies at the station is counted by one and confirmed by another; both see it destroyed afterwards."""
    keeper, controller = acting(home, "storekeeper"), acting(home, "controller")
    for each in ("storekeeper", "controller"):
        log_in_again(demo, home, each)
    site = ("--site", station)
    counted = json.loads(
        demo.run(
            *keeper, "stock", "day", "count", *site, "--left", "0", "--samples", "1", "--spoiled", "1",
            "--format", "json",
            quiet=True,
        )
    )  # fmt: skip
    demo.run(
        *controller, "stock", "day", "close", counted["count"], "--protocol", "demo/day.pdf"
    )  # fmt: skip
    demo.run(
        *keeper, "stock", "destruction", "propose", *set_aside, *site, "--manner", "shredded"
    )  # fmt: skip
    (waiting,) = json.loads(
        demo.run(*controller, "stock", "destruction", "list", "--format", "json", quiet=True)
    )
    demo.run(
        *controller, "stock", "destruction", "confirm", waiting["destruction"],
        "--chips", str(len(set_aside)), "--protocol", "demo/destruction.pdf",
    )  # fmt: skip
    demo.run(*keeper, "stock", "account")
