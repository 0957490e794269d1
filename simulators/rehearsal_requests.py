"""From members to a decision on their cards: each step by another person, the decision by two."""

import json
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image, ImageDraw

from simulators.rehearsal_people import acting, begin_work
from simulators.rehearsal_run import DEMO, Rehearsal

__all__ = ["DECISION_PEOPLE", "decide_on_cards"]

DECISION_PEOPLE = {
    "endorser": ["endorser"],
    "decider": ["decider"],
    "second-decider": ["decider"],
}
"""Beside the clerk, who drafts and proposes."""

_COMMITTEE = "GD"
_NUMBERS = ("98.000001", "98.000999")


def decide_on_cards(demo: Rehearsal, home: str, *, clerk: str, quiet: bool = False) -> str:
    """Every member who may have a card gets one decided; members who held one keep their number.

    Gives back the decision's identifier.
    """
    demo.run(
        *acting(home, "admin"), "numbers", "grant", _COMMITTEE,
        "--from", _NUMBERS[0], "--to", _NUMBERS[1],
        quiet=quiet,
    )  # fmt: skip
    proposing = acting(home, clerk)
    for kind in ("exchange", "new-issue"):
        demo.run(*proposing, "requests", "draft", "--kind", kind, "--all", quiet=quiet)
    demo.run(*proposing, "requests", "propose", "--all", quiet=quiet)
    endorsing = begin_work(demo, home, "endorser", quiet=quiet)
    demo.run(*endorsing, "requests", "endorse", "--all", quiet=quiet)
    demo.run(*endorsing, "requests", "compile", "--all", quiet=quiet)
    deciding = begin_work(demo, home, "decider", quiet=quiet)
    demo.run(
        *deciding, "decisions", "create", "--number", "12-QD/TU", "--date", _today(),
        "--committee", _COMMITTEE, "--document", str(_document()), "--all",
        quiet=quiet,
    )  # fmt: skip
    listed = demo.run(*deciding, "decisions", "list", "--format", "json", quiet=True)
    (decision,) = json.loads(listed)
    second = begin_work(demo, home, "second-decider", quiet=quiet)
    decision_id = str(decision["decision_id"])
    demo.run(*second, "decisions", "confirm", decision_id, quiet=quiet)
    return decision_id


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _document() -> Path:
    """The decision as the committee would have signed it: here a page with a title."""
    path = DEMO / "decision.pdf"
    page = Image.new("RGB", (595, 842), "white")
    ImageDraw.Draw(page).text((60, 80), "12-QD/TU: decision on membership cards (sample)", "black")
    page.save(path, "PDF")
    return path
