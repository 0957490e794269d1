"""Use case: the dossier of a card, for whoever has to know what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.card import CardReference
from issuer.domain.card_dossier import CardDossier
from issuer.domain.rights import Actor, Right
from issuer.services.places import place_of
from issuer.services.register_ports import Register

__all__ = ["DossierReading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierReading:
    """Everything that reading a dossier needs from the world; ``clock`` gives aware UTC."""

    register: Register
    clock: Callable[[], datetime]

    def read(self, reference: CardReference, *, actor: Actor) -> CardDossier:
        """One card's dossier; that it was read stands in the audit trail.

        Raises:
            IssuerRefusedError: ``right.missing`` (``cards.read``, where the member is recorded);
                ``card.unknown``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            dossier = transaction.card_dossiers.gather(reference, at=now)
            place = place_of(transaction.organisations, dossier.organisation)
            actor.demand(Right.READ_CARDS, place=place, now=now)
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="card.dossier-read",
                    subject=AuditSubject.CARD,
                    subject_id=reference.hex(),
                    organisation=dossier.organisation,
                )
            )
        return dossier
