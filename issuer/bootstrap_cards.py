"""Puts the use cases of finished cards together."""

from datetime import UTC, datetime

from issuer.domain.card_number import CardNumberScheme
from issuer.services.card_acts import CardActs
from issuer.services.card_dossiers import DossierReading
from issuer.services.card_lifecycle import CardLifecycle
from issuer.services.card_services import CardServices
from issuer.services.find_cards import CardFinding
from issuer.services.production_ports import Clock
from issuer.services.register_ports import Register

__all__ = ["cards_of"]


def _now() -> datetime:
    return datetime.now(UTC)


def cards_of(register: Register, scheme: CardNumberScheme, *, clock: Clock = _now) -> CardServices:
    """The use cases of finished cards over a register; no key is needed."""
    return CardServices(
        finding=CardFinding(register=register, scheme=scheme),
        dossiers=DossierReading(register=register, clock=clock),
        acts=CardActs(register=register, lifecycle=CardLifecycle(register=register, clock=clock)),
    )
