"""Use case: say which keys are a station's. One person proposes its certificates, another one confirms them."""

from collections.abc import Callable
from dataclasses import dataclass

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.instances import ExchangeCertificates
from issuer.domain.production_events import StationName
from issuer.domain.rights import Actor, Right
from issuer.domain.station_enrolment import StationProposal
from issuer.errors import IssuerRefusedError
from issuer.services.production_ports import Clock
from issuer.services.register_ports import Register

__all__ = ["StationEnrolment"]

JudgeOfCertificates = Callable[[StationName, ExchangeCertificates], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationEnrolment:
    """Enrols stations elsewhere.

    Attributes:
        judge: lets only pass certificates that were issued to this name for their purposes, and hold now.
        clock: gives aware UTC.
    """

    register: Register
    judge: JudgeOfCertificates
    clock: Clock

    def propose(
        self, name: StationName, certificates: ExchangeCertificates, *, actor: Actor
    ) -> StationProposal:
        """Propose a station, or new certificates for one; what is known of it counts until another person confirms.

        Raises:
            IssuerRefusedError: ``right.missing``, ``station.other-name``.
            PkiError: the certificates are none of a station, or do not hold.
            ConflictError: a station of this home is called so (``station.name-taken``).
        """
        now = self.clock()
        actor.demand(Right.OPERATE_SERVICE, place=(), now=now)
        self.judge(name, certificates)
        proposal = StationProposal(
            name=name, certificates=certificates, proposed_by=actor.account, proposed_at=now
        )
        with self.register.writing() as transaction:
            transaction.stations.require_place_for(name)
            transaction.stations.store_proposal(proposal)
            transaction.audit.append(self._record("proposed", proposal, actor))
        return proposal

    def confirm(self, name: StationName, *, fingerprint: str, actor: Actor) -> StationProposal:
        """Know the station from now on; one that was dismissed is known again, one with new keys goes on with them.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.same-person``, ``station.not-proposed``,
                ``station.other-fingerprint``.
            PkiError, ConflictError: as ``propose``.
        """
        now = self.clock()
        actor.demand(Right.OPERATE_SERVICE, place=(), now=now)
        with self.register.writing() as transaction:
            transaction.stations.require_place_for(name)
            proposal = transaction.stations.proposal(name)
            if proposal is None:
                raise IssuerRefusedError(
                    f"nobody proposed station {name}",
                    code="station.not-proposed",
                    hint="membercard-issuer stations propose",
                )
            proposal.require_confirmable(actor.account, fingerprint)
            self.judge(name, proposal.certificates)
            transaction.stations.enrol(proposal, confirmed_by=actor.account, at=now)
            transaction.audit.append(self._record("enrolled", proposal, actor))
        return proposal

    def _record(self, action: str, proposal: StationProposal, actor: Actor) -> AuditRecord:
        return AuditRecord(
            at=self.clock(),
            account=actor.account,
            action=f"station.{action}",
            subject=AuditSubject.STATION,
            subject_id=proposal.name,
            details={"fingerprint": proposal.certificates.fingerprint},
        )
