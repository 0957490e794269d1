"""Port of the batches: what their use cases need from the database."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from issuer.domain.batch import (
    Acknowledgement,
    Batch,
    BatchEvent,
    BatchId,
    BatchState,
    BatchTally,
)
from issuer.domain.card import CardReference, CardState
from issuer.domain.card_number import CardNumber
from issuer.domain.card_validity import EndReason
from issuer.domain.chip import Serial
from issuer.domain.decisions import DecisionId
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId
from issuer.domain.status_allotment import StatusListRoom
from issuer.domain.stock_account import SiteCode
from issuer.services.production_ports import NewCard
from issuer.services.status_ports import StatusMarkStore

__all__ = [
    "BatchLine",
    "BatchPage",
    "BatchPosition",
    "BatchQuestion",
    "BatchRepository",
    "CardUnderControl",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchQuestion:
    """Which batches are asked for; what is ``None`` does not narrow.

    Attributes:
        states: in one of these states.
        below: whose receiver is one of these organisations or below one.
        decision_id: of this decision.
    """

    states: Collection[BatchState] | None = None
    below: Collection[OrganisationCode] | None = None
    decision_id: DecisionId | None = None


@dataclass(frozen=True, slots=True)
class BatchPosition:
    """Where a page ends: the next one begins behind it (keyset pages)."""

    created_at: datetime
    batch_id: BatchId


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    """One page, the newest batches first; ``end`` is ``None`` on the last one."""

    batches: tuple[Batch, ...]
    end: BatchPosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLine:
    """One request of a batch with its card, as lists and papers need it; it holds nothing about the person.

    Attributes:
        position: its place: on the proof sheet, once a freeze was proposed.
        request_id, member_id: whose card.
        organisation: where the member is recorded.
        card_number: what the card shows.
        line_digest: what was proposed of it (``ProofLine.digest``); ``None`` before that.
        is_live: whether this batch still holds the request: a later batch makes a condemned card anew.
        reference, serial, state: the card; ``None`` before the freeze.
        condemned_for: the code of the reason.
        produced_by, passed_by: who made it, and who passed it.
        box: the number of the box it lies in.
        received_at, handed_over_at, handed_over_to: where it is.
        ended_for, report: why it ended before anybody got it, or what was reported of it and nobody has judged.
    """

    position: int
    request_id: RequestId
    member_id: MemberId
    organisation: OrganisationCode
    card_number: CardNumber = field(repr=False)
    line_digest: bytes | None = field(default=None, repr=False)
    is_live: bool = True
    reference: CardReference | None = None
    serial: Serial | None = None
    state: CardState | None = None
    condemned_for: str | None = None
    produced_by: str | None = None
    passed_by: str | None = None
    box: int | None = None
    received_at: datetime | None = None
    handed_over_at: datetime | None = None
    handed_over_to: str | None = None
    ended_for: EndReason | None = None
    report: EndReason | None = None

    @property
    def may_arrive(self) -> bool:
        """Whether it lies in a box that its receiver has not counted in, or would, if it turned up."""
        return (
            self.box is not None
            and self.state is CardState.ISSUED
            and self.ended_for is None
            and self.received_at is None
        )

    @property
    def may_be_handed_over(self) -> bool:
        """Whether nothing is known here that keeps it from its member, who has not got it."""
        return self.state is CardState.ISSUED and self.ended_for is None and self.report is None

    @property
    def is_awaited(self) -> bool:
        """Whether its receiver misses it, and nobody has said that it is gone."""
        return self.may_arrive and self.report not in (EndReason.LOST, EndReason.STOLEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardUnderControl:
    """A card that quality control looks at.

    ``hands`` are the accounts by which something was done to it or its chip; ``held`` is for what its chip is held.
    """

    reference: CardReference
    serial: Serial
    state: CardState
    produced_by: str | None
    passed_by: str | None
    hands: frozenset[str]
    held: str | None = None


class BatchRepository(Protocol):
    """The batches, within one transaction."""

    def add(self, batch: Batch, event: BatchEvent) -> None:
        """Keep a new batch, with the first event of its time line."""

    def get(self, batch_id: BatchId) -> Batch:
        """One batch.

        Raises:
            IssuerRefusedError: there is none (``batch.unknown``).
        """

    def locked(self, batch_id: BatchId) -> Batch:
        """One batch, as it stays until this transaction changes it.

        Raises:
            IssuerRefusedError: there is none (``batch.unknown``).
        """

    def store(self, batch: Batch, event: BatchEvent) -> None:
        """Keep a batch one version on, with what happened.

        Raises:
            ConflictError: it is not at the version before (``batch.changed-meanwhile``).
        """

    def page(
        self, question: BatchQuestion, *, limit: int, behind: BatchPosition | None = None
    ) -> BatchPage:
        """Batches, the newest first."""

    def events(self, batch_id: BatchId) -> tuple[BatchEvent, ...]:
        """What happened to a batch, in order."""

    def tallies(self, batch_ids: Collection[BatchId]) -> Mapping[BatchId, BatchTally]:
        """How many requests and cards of each of these batches are where."""

    def fill(self, batch: Batch, *, limit: int) -> int:
        """Put requests into the batch, in the register's order, behind those that it holds; how many.

        They are decided by its decision, their members are recorded at or below its receiver and may have a card,
        and no batch holds them: of another batch those are free whose card was condemned.

        Raises:
            ConflictError: another batch took one of them meanwhile (``batch.changed-meanwhile``).
        """

    def waiting(self, batch: Batch) -> int:
        """How many more requests could be put into it."""

    def take_out(self, batch_id: BatchId, request_ids: Collection[RequestId] | None = None) -> int:
        """Take these requests, or all, out of a batch that has no cards yet; how many it held."""

    def drop_ineligible(self, batch_id: BatchId) -> tuple[RequestId, ...]:
        """Take out those that are not decided any more, or whose member may not have a card any more."""

    def free_chips(self, count: int, *, sites: Collection[SiteCode]) -> tuple[Serial, ...]:
        """At most so many initialised chips of these sites to which nothing was ever bound; nobody else binds them meanwhile."""

    def room(
        self,
        *,
        size: int,
        draw_list_id: Callable[[], bytes],
        marks: StatusMarkStore,
        at: datetime,
    ) -> StatusListRoom:
        """A status list that has room, which nobody else fills meanwhile; a new one where none has."""

    def bind(self, cards: Sequence[NewCard], *, account: str, at: datetime) -> tuple[int, ...]:
        """Keep those of these cards that repeat no number that was ever drawn; the places of those that do.

        Raises:
            ConflictError: a request or chip has a card already (``card.already-bound``).
        """

    def lines(
        self,
        batch_id: BatchId,
        *,
        limit: int,
        behind: int | None = None,
        below_organisation: OrganisationCode | None = None,
    ) -> tuple[BatchLine, ...]:
        """The requests of a batch with their cards, by position; of members of a part of the tree only, if wished."""

    def under_control(
        self, batch_id: BatchId, serials: Collection[Serial]
    ) -> Mapping[Serial, CardUnderControl]:
        """Those of the batch's cards that are on these chips, as they stay until this transaction changes them."""

    def pass_cards(
        self, references: Collection[CardReference], *, account: str, at: datetime
    ) -> None:
        """Say of these cards that quality control passed them.

        Raises:
            ConflictError: whoever made one passes it (the database sees to it).
        """

    def good_cards(self, batch_id: BatchId, *, lock: bool = False) -> tuple[BatchLine, ...]:
        """The lines whose card is issued and passed and may still be handed over, by organisation and position.

        A card that has ended, or was reported lost or stolen, is none of them.
        """

    def boxed_cards(self, batch_id: BatchId, *, lock: bool = False) -> tuple[BatchLine, ...]:
        """The lines whose card was put into a box, whatever became of it, by box and position.

        ``lock``: all cards of the batch stay as they are until this transaction changes them.
        """

    def boxed_counts(self, batch_id: BatchId) -> Mapping[OrganisationCode, int]:
        """How many of those cards are for members of each organisation; those with none are left out."""

    def put_in_boxes(
        self, cards: Sequence[tuple[BatchLine, int]], *, account: str, at: datetime
    ) -> None:
        """Say in which box each card lies."""

    def record_received(self, lines: Sequence[BatchLine], *, account: str, at: datetime) -> None:
        """Say of these cards that their receiver has them."""

    def acknowledge(
        self,
        reference: CardReference,
        acknowledgement: Acknowledgement,
        *,
        account: str,
        at: datetime,
    ) -> None:
        """Keep who signed for a card."""

    def acknowledgements(
        self, references: Collection[CardReference]
    ) -> Mapping[CardReference, Acknowledgement]:
        """Who signed for these cards, as far as they were handed over."""

    def settle(self, batch_id: BatchId, *, account: str, at: datetime) -> None:
        """Let the batch go on where its cards have come so far."""
