"""What an instance told of its production, as one text a line of its report: read with the line, never searched."""

import json

from issuer.domain.production_report import Progress, Stage, StageCount
from issuer.domain.stock_figures import StockFigures

__all__ = ["told_production", "told_text"]


def told_text(progress: Progress) -> str:
    """The text of one line."""
    return json.dumps(
        {
            "stages": {each.value: count.counts for each, count in progress.stages.items()},
            "reasons": progress.reasons,
            "stock": progress.stock.counts,
        }
    )


def told_production(text: str) -> Progress:
    """What ``told_text`` has written."""
    found = json.loads(text)
    reasons: dict[str, tuple[int, int]] = found["reasons"]
    return Progress(
        stages={Stage(each): StageCount.of(count) for each, count in found["stages"].items()},
        rejects={each: cards for each, (cards, _) in reasons.items() if cards},
        blanks={each: blanks for each, (_, blanks) in reasons.items() if blanks},
        stock=StockFigures.of(found["stock"]),
    )
