"""All use cases of the stock in one hand."""

from dataclasses import dataclass

from issuer.services.close_days import ClosingOfDays
from issuer.services.destroy_chips import DestructionOfChips
from issuer.services.stock_reports import StockReports
from issuer.services.stock_room import StockRoom
from issuer.services.stop_chips import StopList

__all__ = ["StockServices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockServices:
    """All use cases of the stock over one register."""

    room: StockRoom
    days: ClosingOfDays
    destructions: DestructionOfChips
    stops: StopList
    reports: StockReports
