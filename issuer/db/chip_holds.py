"""What holds a chip, in its row: the one way in which that changes."""

from issuer.db.production_tables import ChipRow
from issuer.domain.chip_hold import ChipHold

__all__ = ["condemn_hold", "hold_chip", "lift_stop", "release_hold", "stop_chip"]


def hold_chip(row: ChipRow, code: str) -> None:
    """Keep stations from a locked row's chip; what the stop list or a sample says of it stays."""
    _store(row, _hold_of(row).held_for(code))


def stop_chip(row: ChipRow) -> None:
    """The stop list holds the chip."""
    _store(row, _hold_of(row).stopped())


def lift_stop(row: ChipRow) -> None:
    """The stop list does not hold it any more; what held it besides does."""
    _store(row, _hold_of(row).lifted())


def condemn_hold(row: ChipRow) -> None:
    """The chip is condemned: nothing but the stop list holds it."""
    _store(row, _hold_of(row).condemned())


def release_hold(row: ChipRow) -> None:
    """Nothing holds the chip; whoever calls has judged that it may be so."""
    _store(row, ChipHold())


def _hold_of(row: ChipRow) -> ChipHold:
    return ChipHold(code=row.held, below=row.held_below)


def _store(row: ChipRow, hold: ChipHold) -> None:
    row.held, row.held_below = hold.code, hold.below
