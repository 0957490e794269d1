"""What was destroyed at each site, and what of it stands on the stop list: counted from the acts, not from the chips."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.stock_tables import DestructionRow, StockStopRow
from issuer.domain.stock_account import SiteCode
from issuer.domain.stock_acts import DestructionState, StopState
from issuer.services.stock_ports import SiteTally

__all__ = ["tallies_of_sites"]


def tallies_of_sites(session: Session) -> Mapping[SiteCode | None, SiteTally]:
    """See ``StockActRepository.tallies``."""
    destroyed = {
        site: int(chips)
        for site, chips in session.execute(
            sa.select(DestructionRow.site, sa.func.sum(DestructionRow.chips))
            .where(DestructionRow.state == DestructionState.DESTROYED.value)
            .group_by(DestructionRow.site)
        )
    }
    stopped = {
        (site, StopState(state)): count
        for site, state, count in session.execute(
            sa.select(StockStopRow.site, StockStopRow.state, sa.func.count())
            .where(StockStopRow.state != StopState.LIFTED.value)
            .group_by(StockStopRow.site, StockStopRow.state)
        )
    }
    return {
        None if site is None else SiteCode(site): SiteTally(
            destroyed=0 if site is None else destroyed.get(site, 0),
            reported=stopped.get((site, StopState.REPORTED), 0),
            confirmed=stopped.get((site, StopState.CONFIRMED), 0),
        )
        for site in {*destroyed, *(site for site, _ in stopped)}
    }
