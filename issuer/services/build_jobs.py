"""Build what will be written to cards, many at once: everything that is read is read for all of them together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from card_layout.errors import CardDataError
from card_layout.profile import CardProfile
from issuer.domain.batch_proof import ProofLine
from issuer.domain.card import Card
from issuer.domain.card_files import CardFacts, add_years, build_card_data
from issuer.domain.card_job import CardJob
from issuer.domain.eligibility import STANDINGS_WITH_CARD
from issuer.domain.member import Member, MemberId
from issuer.domain.requests import CardRequest, RequestId, RequestState
from issuer.errors import IssuerRefusedError
from issuer.services.batch_ports import BatchRepository
from issuer.services.committee_names import CommitteeNames, NamesOnCard
from issuer.services.production_ports import CardLedger, Clock, JobToKeep, SigningFacts
from issuer.services.register_ports import PortraitStore, Register
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
class _Person:
    """What the register knows for one card; ``line_digest`` is what two people froze of it."""

    member: Member
    request: CardRequest
    names: NamesOnCard
    line_digest: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardBuilding:
    """Builds the files of cards, from the register, the chips' keys and the secrets that were drawn."""

    cards: CardLedger
    register: Register
    portraits: PortraitStore
    profile: CardProfile
    policy: CardPolicy
    clock: Clock
    names: CommitteeNames = field(default_factory=CommitteeNames)

    def build(self, cards: Sequence[Card]) -> Iterator[tuple[Card, JobToKeep | BuildRefusal]]:
        """Each card with what will be written to it, or with the reason why it cannot be made."""
        facts = self.cards.signing_facts([card.reference for card in cards])
        people = self._people(cards)
        for card in cards:
            try:
                job = self._build(
                    card, facts.get(card.reference), people.get((card.member_id, card.request_id))
                )
            except (IssuerRefusedError, PkiRefusedError, CardDataError, PkiDataError) as error:
                yield card, error
            else:
                yield card, job

    def _people(self, cards: Sequence[Card]) -> dict[tuple[MemberId, RequestId], _Person]:
        with self.register.reading() as transaction:
            members = {
                each.member_id: each
                for each in transaction.members.several([card.member_id for card in cards])
            }
            requests = transaction.requests.known([card.request_id for card in cards])
            digests = _line_digests(transaction.batches, cards)
            return {
                (card.member_id, card.request_id): _Person(
                    member=members[card.member_id],
                    request=requests[card.request_id],
                    names=self.names.of(
                        members[card.member_id].statement.organisation_code,
                        transaction.organisations,
                    ),
                    line_digest=digests.get(card.request_id),
                )
                for card in cards
                if card.member_id in members and card.request_id in requests
            }

    def _build(self, card: Card, facts: SigningFacts | None, person: _Person | None) -> JobToKeep:
        if card.profile != self.profile.name:
            raise IssuerRefusedError(
                f"the card is for profile {card.profile}, got {self.profile.name}",
                code="card.other-profile",
            )
        if facts is None or facts.chip_key is None:
            raise IssuerRefusedError("the chip's key is not known", code="chip.key-unknown")
        if person is None:
            raise IssuerRefusedError("the member is not in the register", code="member.unknown")
        line = _require_entitled(card, person)
        now = self.clock().replace(microsecond=0)
        valid_until = add_years(now.date(), self.policy.validity_years)
        data = build_card_data(
            self.profile,
            CardFacts(
                statement=line.statement,
                kind=line.kind,
                ordinal=line.ordinal,
                card_number=line.card_number,
                organisation_name=line.organisation_name,
                issuing_committee=line.issuing_committee,
                portrait=self.portraits.get(line.portrait),
                secrets=facts.secrets,
                chip_key=facts.chip_key,
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
            secrets=facts.secrets,
            mrz_information=data.mrz_information,
            contents=data.contents,
            chip_key=facts.chip_key,
        )
        return JobToKeep(job=job, valid_until=valid_until)


def _line_digests(batches: BatchRepository, cards: Sequence[Card]) -> dict[RequestId, bytes]:
    found: dict[RequestId, bytes] = {}
    for batch_id in {card.batch_id for card in cards if card.batch_id is not None}:
        found.update(
            batches.line_digests(
                batch_id, [card.request_id for card in cards if card.batch_id == batch_id]
            )
        )
    return found


def _require_entitled(card: Card, person: _Person) -> ProofLine:
    """The card as it is going to be: by a decided request, of a member who may have one, and as two people froze it.

    Raises:
        IssuerRefusedError: ``request.wrong-state``, ``card.member-not-entitled``, ``card.differs-from-proof``.
    """
    request, member = person.request, person.member
    if request.state is not RequestState.DECIDED or request.card_number is None:
        raise IssuerRefusedError(
            f"request {request.request_id} is {request.state}, expected a decided one",
            code="request.wrong-state",
        )
    if member.statement.standing not in STANDINGS_WITH_CARD:
        raise IssuerRefusedError(
            f"the member is {member.statement.standing} since the freeze, so no card is made",
            code="card.member-not-entitled",
            hint="membercard-issuer stock condemn SERIAL --reason ...",
        )
    line = ProofLine(
        request_id=request.request_id,
        card_number=request.card_number,
        kind=request.kind,
        ordinal=request.ordinal,
        statement=member.statement,
        portrait=member.portrait,
        organisation_name=person.names.organisation_name,
        issuing_committee=person.names.issuing_committee,
    )
    if card.batch_id is not None and line.digest != person.line_digest:
        raise IssuerRefusedError(
            "the member's record is not what two people froze any more",
            code="card.differs-from-proof",
            hint="membercard-issuer stock condemn SERIAL --reason ..., then a follow-up batch",
        )
    return line
