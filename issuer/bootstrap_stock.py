"""Puts the use cases of the stock together."""

from datetime import UTC, datetime

from issuer.services.close_days import ClosingOfDays
from issuer.services.destroy_chips import DestructionOfChips
from issuer.services.production_ports import Clock
from issuer.services.register_ports import Register
from issuer.services.stock_desk import StockDesk
from issuer.services.stock_reports import StockReports
from issuer.services.stock_room import StockRoom
from issuer.services.stock_services import StockServices
from issuer.services.stop_chips import StopList

__all__ = ["stock_of"]


def _now() -> datetime:
    return datetime.now(UTC)


def stock_of(register: Register, *, clock: Clock = _now) -> StockServices:
    """The use cases of the stock over a register; no key is needed."""
    desk = StockDesk(register=register, clock=clock)
    room = StockRoom(desk=desk)
    return StockServices(
        room=room,
        days=ClosingOfDays(desk=desk),
        destructions=DestructionOfChips(desk=desk),
        stops=StopList(desk=desk),
        reports=StockReports(desk=desk, room=room),
    )
