"""Port of the stations that the centre knows, and of what it gives them, within one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from issuer.domain.batch import BatchId
from issuer.domain.chip import Serial
from issuer.domain.production_events import StationName
from issuer.domain.rights import AccountName
from issuer.domain.station_enrolment import StationProposal
from issuer.domain.station_standing import StationStanding
from issuer.domain.stock_account import SiteCode
from issuer.services.station_ports import ClaimedChip, JobSeal, RejectedEvent

__all__ = ["StationRepository"]


class StationRepository(Protocol):
    """Stations, who proposed them, and the chips that they have in hand."""

    def require_place_for(self, name: StationName) -> None:
        """The name may be a station's elsewhere.

        Raises:
            ConflictError: a station of this home is called so (``station.name-taken``).
        """

    def proposal(self, name: StationName) -> StationProposal | None:
        """What waits for its second person, which nobody else changes before the transaction ends."""

    def proposals(self) -> tuple[StationProposal, ...]:
        """All that wait, by name."""

    def store_proposal(self, proposal: StationProposal) -> None:
        """Keep a proposal; an earlier one for the same name is replaced."""

    def enrol(self, proposal: StationProposal, *, confirmed_by: AccountName, at: datetime) -> None:
        """Know the station by these certificates from now on, dismissed or not; nothing waits any more."""

    def lock(self, name: StationName) -> None:
        """Nobody else gives this station anything, or hears it, before the transaction ends.

        Raises:
            IssuerRefusedError: there is none elsewhere (``station.unknown``), or it was dismissed
                (``station.dismissed``).
        """

    def free_blanks(self, site: SiteCode, *, limit: int) -> tuple[Serial, ...]:
        """Blank chips at a site that are not held and in no station's hands, by serial."""

    def free_signed(
        self, site: SiteCode, *, batch: BatchId | None, limit: int
    ) -> tuple[Serial, ...]:
        """Chips at a site whose card is signed, not held and in no station's hands, by serial; of a batch, if wished."""

    def claim(
        self,
        serial: Serial,
        *,
        station: StationName,
        batch: BatchId | None,
        seal: JobSeal,
        at: datetime,
    ) -> ClaimedChip | None:
        """As ``ProductionLink.claim``; the transaction writes down that the chip is the station's."""

    def stopped_in_hands(self, name: StationName) -> tuple[ClaimedChip, ...]:
        """What the station has of the stop list: none of it is claimed any more, and nothing is to be written to it."""

    def rejections(self, name: StationName, *, limit: int) -> tuple[RejectedEvent, ...]:
        """What was rejected of the station's events last, in their order."""

    def next_order(self, name: StationName) -> int:
        """The number of the next order that is carried to it; it is given once."""

    def standings(self, *, now: datetime) -> tuple[StationStanding, ...]:
        """Every station as the office sees it, by name."""

    def in_hands_of(
        self, name: StationName, *, batch: BatchId | None, limit: int
    ) -> tuple[Serial, ...]:
        """Chips that the station has and with which it may go on, the newest first; of a batch, if wished."""

    def in_hands(self, serials: Sequence[Serial]) -> dict[Serial, StationName]:
        """Those of the chips that a station has, and which."""
