"""Port of the proofs: what will stand on the cards of a batch, as the register's database holds it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from issuer.domain.batch import BatchId
from issuer.domain.batch_proof import ProofLine
from issuer.domain.card import CardReference
from issuer.domain.member import MemberId, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId, RequestState
from issuer.services.committee_names import NamesOnCard

__all__ = ["CardDue", "NamesOf", "PersonOfCard", "ProofRepository"]

NamesOf = Callable[[OrganisationCode], NamesOnCard]
"""The names of committees for a member recorded there."""


class CardDue(NamedTuple):
    """A request of a batch whose card is to be made, as far as the freeze needs it; ten thousand are made in a row.

    Attributes:
        request_id, member_id, ordinal: which card.
        line_digest: of its line (``ProofLine.digest``).
        record_digest: of all that the line was made of, byte for byte as it is stored: where it is the same again, the
            line is.
    """

    request_id: RequestId
    member_id: MemberId
    ordinal: int
    line_digest: bytes
    record_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonOfCard:
    """What the register knows of a card that is to be signed.

    Attributes:
        state: of the request.
        standing: of the member.
        line: the card as it is going to be; ``None`` where the request has no number.
        differs_from_proof: two people froze it, and not as it is.
    """

    state: RequestState
    standing: Standing
    line: ProofLine | None = field(repr=False)
    differs_from_proof: bool


class ProofRepository(Protocol):
    """The lines of proofs, within one transaction."""

    def cards_due(self, batch_id: BatchId, names: NamesOf) -> tuple[CardDue, ...]:
        """What is to be made, in the register's order of members; the requests stay as they are until the end.

        Every record is read. One that is stored byte for byte as it was when its line was kept need not be opened: its
        line is the one that was kept.

        Raises:
            IssuerUnavailableError: the register's keys do not open a member (``register.seal-broken``).
            IssuerDataError: ``organisation.unknown``.
        """

    def keep(self, batch_id: BatchId, cards: Sequence[CardDue]) -> None:
        """Keep the order and the digests of what was proposed."""

    def part(
        self, batch_id: BatchId, names: NamesOf, *, first: int, count: int
    ) -> tuple[tuple[MemberId, ProofLine], ...]:
        """The lines of what is to be made from place ``first`` on (1 is the first), at most so many.

        Raises:
            IssuerUnavailableError, IssuerDataError: as ``cards_due``.
        """

    def of_cards(
        self, references: Sequence[CardReference], names: NamesOf
    ) -> Mapping[CardReference, PersonOfCard]:
        """What is known of each of these cards; of a member whose record was deleted, nothing.

        Raises:
            IssuerUnavailableError, IssuerDataError: as ``cards_due``.
        """
