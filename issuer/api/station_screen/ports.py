"""What a station's screen needs: given by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.card_number import CardNumber
from issuer.domain.production_events import StationName
from issuer.stations.operator import StationOperator
from issuer.stations.screen import StationScreen

__all__ = ["ScreenServices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenServices:
    """One station; ``display_number`` writes a card's number as it is printed, ``now`` is the clock."""

    name: StationName
    screen: StationScreen
    operator: StationOperator
    display_number: Callable[[CardNumber], str]
    now: Callable[[], datetime]
