"""The use cases of finished cards that the console and the API reach, in one hand."""

from dataclasses import dataclass

from issuer.services.card_acts import CardActs
from issuer.services.card_dossiers import DossierReading
from issuer.services.find_cards import CardFinding

__all__ = ["CardServices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardServices:
    """Finding a card, its dossier, and what is done with it."""

    finding: CardFinding
    dossiers: DossierReading
    acts: CardActs
