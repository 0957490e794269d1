"""Use case: the stations of one's own part of the tree, as the office sees them now."""

from dataclasses import dataclass

from issuer.domain.production_events import StationName
from issuer.domain.rights import Actor
from issuer.domain.station_enrolment import StationProposal
from issuer.domain.station_standing import StationStanding
from issuer.domain.stock_account import SiteCode
from issuer.services.stock_room import StockRoom

__all__ = ["LookingAtStations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingAtStations:
    """A station is a place of the stock: whoever reads the stock there sees it."""

    room: StockRoom

    def show(
        self, *, actor: Actor, limit: int | None = None, behind: StationName | None = None
    ) -> tuple[StationStanding, ...]:
        """The stations that the actor sees, by name: all of them, or so many behind one."""
        sites = self.room.sites_shown(actor=actor)
        with self.room.desk.register.reading() as transaction:
            found = transaction.stations.standings(now=self.room.desk.clock())
        shown = [
            each
            for each in found
            if (behind is None or each.name > behind)
            and (sites is None or SiteCode(each.name) in sites)
        ]
        return tuple(shown[:limit])

    def proposals(self, *, actor: Actor) -> tuple[StationProposal, ...]:
        """Those that wait for a second person, by name."""
        sites = self.room.sites_shown(actor=actor)
        with self.room.desk.register.reading() as transaction:
            found = transaction.stations.proposals()
        return tuple(each for each in found if sites is None or SiteCode(each.name) in sites)
