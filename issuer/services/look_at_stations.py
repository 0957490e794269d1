"""Use case: the stations, as the office sees them now."""

from dataclasses import dataclass

from issuer.domain.rights import Actor, Right
from issuer.domain.station_enrolment import StationProposal
from issuer.domain.station_standing import StationStanding
from issuer.errors import IssuerRefusedError
from issuer.services.production_ports import Clock
from issuer.services.register_ports import Register

__all__ = ["LookingAtStations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingAtStations:
    """Stations belong to the whole register: whoever reads the stock anywhere sees them all."""

    register: Register
    clock: Clock

    def show(self, *, actor: Actor) -> tuple[StationStanding, ...]:
        """Every station, by name.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        self._demand(actor)
        with self.register.reading() as transaction:
            return transaction.stations.standings(now=self.clock())

    def proposals(self, *, actor: Actor) -> tuple[StationProposal, ...]:
        """The stations that wait for a second person, by name.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        self._demand(actor)
        with self.register.reading() as transaction:
            return transaction.stations.proposals()

    def _demand(self, actor: Actor) -> None:
        if not actor.may_somewhere(Right.READ_STOCK):
            raise IssuerRefusedError(
                f"account {actor.account} has the right {Right.READ_STOCK} nowhere",
                code="right.missing",
            )
