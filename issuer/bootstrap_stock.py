"""Puts the use cases of the stock together."""

from dataclasses import dataclass
from datetime import UTC, datetime

from issuer.services.close_days import ClosingOfDays
from issuer.services.destroy_chips import DestructionOfChips
from issuer.services.register_ports import Register
from issuer.services.stock_desk import StockDesk
from issuer.services.stock_room import StockRoom
from issuer.services.stop_chips import StopList

__all__ = ["StockServices", "stock_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockServices:
    """All use cases of the stock over one register."""

    room: StockRoom
    days: ClosingOfDays
    destructions: DestructionOfChips
    stops: StopList


def stock_of(register: Register) -> StockServices:
    """The use cases of the stock over a register; no key is needed."""
    desk = StockDesk(register=register, clock=_now)
    return StockServices(
        room=StockRoom(desk=desk),
        days=ClosingOfDays(desk=desk),
        destructions=DestructionOfChips(desk=desk),
        stops=StopList(desk=desk),
    )


def _now() -> datetime:
    return datetime.now(UTC)
