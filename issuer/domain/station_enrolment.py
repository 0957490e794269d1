"""A station elsewhere is known by two people's word: one proposes its certificates, another one confirms them.

Whoever is taken for a station gets what is written to cards, so that one person alone must not make anybody one.
"""

from dataclasses import dataclass
from datetime import datetime

from issuer.domain.instances import ExchangeCertificates
from issuer.domain.production_events import StationName
from issuer.domain.rights import AccountName, two_different_people
from issuer.errors import IssuerRefusedError

__all__ = ["StationProposal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationProposal:
    """The certificates by which somebody wants a station to be known; until they are confirmed nothing changes."""

    name: StationName
    certificates: ExchangeCertificates
    proposed_by: AccountName
    proposed_at: datetime

    def require_confirmable(self, account: AccountName, fingerprint: str) -> None:
        """Somebody else confirms it, with the fingerprint that the people at the station read out.

        Raises:
            IssuerRefusedError: ``right.same-person``, ``station.other-fingerprint``.
        """
        two_different_people(self.proposed_by, account, act="to enrol a station")
        found = self.certificates.fingerprint
        if fingerprint.strip().lower() != found:
            raise IssuerRefusedError(
                f"the certificates of station {self.name} have fingerprint {found}, got another one",
                code="station.other-fingerprint",
                hint="ask at the station: keys install-exchange shows it there",
            )
