"""Build what will be written to cards, many at once: everything that is read is read for all of them together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from card_layout.errors import CardDataError
from card_layout.profile import CardProfile
from issuer.domain.batch_proof import ProofLine
from issuer.domain.card import CardReference
from issuer.domain.card_files import CardFacts, add_years, build_card_data
from issuer.domain.card_job import CardJob
from issuer.domain.eligibility import STANDINGS_WITH_CARD
from issuer.domain.requests import RequestState
from issuer.errors import IssuerRefusedError
from issuer.services.committee_names import CommitteeNames
from issuer.services.production_ports import Clock
from issuer.services.proof_ports import PersonOfCard
from issuer.services.register_ports import PortraitStore, Register
from issuer.services.signing_values import CardToSign, JobToKeep, KeptPicture
from pki.errors import PkiDataError, PkiRefusedError

__all__ = ["BuildRefusal", "CardBuilding", "CardPolicy"]

BuildRefusal = IssuerRefusedError | PkiRefusedError | CardDataError | PkiDataError
"""What is wrong with one card, and does not stop the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPolicy:
    """What is decided for all cards alike."""

    validity_years: int
    personalisation_system: str
    trust_points: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CardBuilding:
    """Builds the files of cards, from the register, the chips' keys and the secrets that were drawn."""

    register: Register
    portraits: PortraitStore
    profile: CardProfile
    policy: CardPolicy
    clock: Clock
    names: CommitteeNames = field(default_factory=CommitteeNames)

    def build(
        self, cards: Sequence[CardToSign]
    ) -> Iterator[tuple[CardToSign, JobToKeep | BuildRefusal]]:
        """Each card with what will be written to it, or with the reason why it cannot be made."""
        people = self._people(cards)
        now = self.clock().replace(microsecond=0)
        for card in cards:
            try:
                job = self._build(card, people.get(card.reference), now)
            except (IssuerRefusedError, PkiRefusedError, CardDataError, PkiDataError) as error:
                yield card, error
            else:
                yield card, job

    def _people(self, cards: Sequence[CardToSign]) -> Mapping[CardReference, PersonOfCard]:
        if not cards:
            return {}
        with self.register.reading() as transaction:
            return transaction.proofs.of_cards(
                [card.reference for card in cards], self.names.within(transaction.organisations)
            )

    def _build(self, card: CardToSign, person: PersonOfCard | None, now: datetime) -> JobToKeep:
        if card.profile != self.profile.name:
            raise IssuerRefusedError(
                f"the card is for profile {card.profile}, got {self.profile.name}",
                code="card.other-profile",
            )
        if card.chip_key is None:
            raise IssuerRefusedError("the chip's key is not known", code="chip.key-unknown")
        if person is None:
            raise IssuerRefusedError("the member is not in the register", code="member.unknown")
        line = _require_entitled(person)
        valid_until = add_years(now.date(), self.policy.validity_years)
        picture = KeptPicture(digest=line.portrait, image=self.portraits.get(line.portrait))
        data = build_card_data(
            self.profile,
            CardFacts(
                line=line,
                portrait=picture.image,
                secrets=card.secrets,
                chip_key=card.chip_key,
                valid_from=now.date(),
                valid_until=valid_until,
                personalised_at=now,
                personalisation_system=self.policy.personalisation_system,
                trust_points=self.policy.trust_points,
            ),
        )
        job = CardJob(
            reference=card.reference,
            serial=card.serial,
            profile=card.profile,
            secrets=card.secrets,
            mrz_information=data.mrz_information,
            contents=data.contents,
            chip_key=card.chip_key,
        )
        return JobToKeep(job=job, valid_until=valid_until, picture=picture)


def _require_entitled(person: PersonOfCard) -> ProofLine:
    """The card as it is going to be: by a decided request, of a member who may have one, and as two people froze it.

    Raises:
        IssuerRefusedError: ``request.wrong-state``, ``card.member-not-entitled``, ``card.differs-from-proof``.
    """
    line = person.line
    if person.state is not RequestState.DECIDED or line is None:
        raise IssuerRefusedError(
            f"the card's request is {person.state}, expected a decided one",
            code="request.wrong-state",
        )
    if person.standing not in STANDINGS_WITH_CARD:
        raise IssuerRefusedError(
            f"the member is {person.standing} since the freeze, so no card is made",
            code="card.member-not-entitled",
            hint="membercard-issuer stock condemn SERIAL --reason ...",
        )
    if person.differs_from_proof:
        raise IssuerRefusedError(
            "the member's record is not what two people froze any more",
            code="card.differs-from-proof",
            hint="membercard-issuer stock condemn SERIAL --reason ..., then a follow-up batch",
        )
    return line
