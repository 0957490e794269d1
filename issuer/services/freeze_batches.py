"""Use case: freeze a batch. One person proposes it, another one confirms the same proof; then members get chips.

1. The proposal leaves out whose member may not have a card any more, and keeps a digest of every line.
2. Whoever confirms types the digest that stands on the proof sheet in their hands.
3. Everything is read again: where a single line differs from what was proposed, nothing is frozen.
4. Each request is bound to an initialised chip, with its reference, secrets and status index, in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from issuer.domain.batch import (
    Batch,
    BatchEventKind,
    BatchId,
    FreezeProposal,
    check_proof_text,
)
from issuer.domain.batch_proof import proof_digest
from issuer.domain.card import REFERENCE_BYTES, CardReference
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.requests import RequestId
from issuer.domain.rights import Actor, Right, two_different_people
from issuer.domain.status_allotment import (
    LIST_ID_BYTES,
    LIST_SIZE,
    RandomBytes,
    StatusIndex,
    StatusListRoom,
    draw_index,
)
from issuer.domain.stock_account import Site, SiteCode
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.batch_desk import (
    BatchDesk,
    batch_event,
    batch_record,
    demand_at,
)
from issuer.services.chip_sites import chosen_sites, sites_to_choose_from
from issuer.services.committee_names import CommitteeNames
from issuer.services.interpreter_pace import paced_for_many_rows
from issuer.services.production_ports import NewCard
from issuer.services.proof_ports import CardDue
from issuer.services.register_ports import RegisterTransaction
from issuer.services.status_ports import StatusMarkStore

__all__ = ["BatchFreezing", "FreezeProposed", "Frozen"]

_SITES_RECORDED = 20
"""So many sites stand in a sentence or a record; nobody names more."""

_MAX_DRAWS = 100
"""A number is drawn among very many, so a hundred draws in a row that all repeat mean a broken source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeProposed:
    """The batch as it is proposed now, and which requests were left out: their members may have no card any more."""

    batch: Batch
    left_out: tuple[RequestId, ...]
    chips_missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """The frozen batch, and how many cards were bound."""

    batch: Batch
    bound: int


@dataclass(slots=True, kw_only=True)
class _Draws:
    """What is drawn for the cards of a batch; an index is taken once it was drawn."""

    random_bytes: RandomBytes
    room: StatusListRoom
    taken: set[int] = field(init=False)

    def __post_init__(self) -> None:
        self.taken = set(self.room.taken)

    @property
    def is_used_up(self) -> bool:
        return len(self.taken) == self.room.size

    def again(self, card: NewCard) -> NewCard:
        """The card with another reference and other secrets; its index is its own already."""
        return replace(
            card,
            reference=CardReference(self.random_bytes(REFERENCE_BYTES)),
            secrets=CardSecrets.draw(self.random_bytes),
        )

    def index(self) -> StatusIndex:
        found = draw_index(self.random_bytes, size=self.room.size, taken=self.taken)
        self.taken.add(found)
        return StatusIndex(list_id=self.room.list_id, index=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFreezing:
    """Freezes batches.

    Attributes:
        desk: register and clock.
        profile: the name of the card profile.
        random_bytes: a source for what is drawn.
        marks: where drawn indices are marked outside the database.
        list_size: how many positions a new status list has.
    """

    desk: BatchDesk
    profile: str
    random_bytes: RandomBytes
    marks: StatusMarkStore
    list_size: int = LIST_SIZE

    def propose(
        self, batch_id: BatchId, *, actor: Actor, sites: Sequence[SiteCode] = ()
    ) -> FreezeProposed:
        """Keep what is to be frozen, for another person to confirm; chips are counted as ``confirm`` would take them.

        Raises:
            IssuerDataError: ``stock.site-unknown``.
            IssuerRefusedError: ``right.missing``, ``batch.unknown``; the batch is not open (``batch.wrong-state``) or
                holds nothing (``batch.empty``).
        """
        now = self.desk.clock()
        with paced_for_many_rows(), self.desk.register.writing() as transaction:
            batch = transaction.batches.locked(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.FREEZE_BATCHES)
            # Only an open batch can lose requests.
            batch.after(BatchEventKind.FREEZE_PROPOSED)
            left_out = transaction.batches.drop_ineligible(batch_id)
            due = _cards_due(transaction, batch_id)
            proposal = FreezeProposal(
                proof=proof_digest(batch_id, self.profile, (card.line_digest for card in due)),
                cards=len(due),
                proposed_by=actor.account,
                proposed_at=now,
            )
            proposed = batch.proposed(proposal)
            transaction.proofs.keep(batch_id, due)
            places = chosen_sites(self.desk, transaction, batch.receiver, sites, actor=actor)
            chips = len(transaction.batches.free_chips(len(due), sites=places))
            transaction.batches.store(
                proposed,
                batch_event(BatchEventKind.FREEZE_PROPOSED, actor, now, count=len(due)),
            )
            transaction.audit.append(
                batch_record(
                    proposed,
                    "freeze-proposed",
                    actor,
                    now,
                    cards=len(due),
                    left_out=len(left_out),
                    proof=proposal.proof.hex(),
                )
            )
        return FreezeProposed(batch=proposed, left_out=left_out, chips_missing=len(due) - chips)

    def sites(self, batch_id: BatchId, *, actor: Actor) -> tuple[Site, ...]:
        """The sites whose chips may be named for the batch, by code.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``.
        """
        with self.desk.register.reading() as transaction:
            batch = transaction.batches.get(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.FREEZE_BATCHES)
            return sites_to_choose_from(transaction, batch.receiver, actor=actor)

    def take_back(self, batch_id: BatchId, *, actor: Actor) -> Batch:
        """Open the batch again: something on the proof sheet is wrong.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``, ``batch.wrong-state``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = transaction.batches.locked(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.FREEZE_BATCHES)
            after = batch.taken_back()
            transaction.batches.store(after, batch_event(BatchEventKind.TAKEN_BACK, actor, now))
            transaction.audit.append(batch_record(after, "freeze-taken-back", actor, now))
        return after

    def confirm(
        self,
        batch_id: BatchId,
        proof: str,
        *,
        actor: Actor,
        sites: Sequence[SiteCode] = (),
    ) -> Frozen:
        """Freeze what another person proposed; ``proof`` is what stands on the sheet.

        Chips are taken from these sites or, where none is named, from those of the receiver's unit (``chosen_sites``).

        Raises:
            IssuerDataError: ``batch.proof-malformed``, ``stock.site-unknown``.
            IssuerRefusedError: ``right.missing``, ``right.same-person``, ``batch.unknown``, ``batch.wrong-state``,
                ``batch.other-proof``; there are too few initialised chips (``batch.too-few-chips``).
            ConflictError: something changed since it was proposed (``batch.changed-since-proposal``), a chip or
                request was bound meanwhile (``card.already-bound``), or the source of randomness repeats itself
                (``card.draw-repeated``).
        """
        now = self.desk.clock()
        with paced_for_many_rows(), self.desk.register.writing() as transaction:
            batch = transaction.batches.locked(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.FREEZE_BATCHES)
            batch.after(BatchEventKind.FROZEN)
            if batch.proposal is None:
                raise IssuerRefusedError("nobody proposed the freeze", code="batch.wrong-state")
            # Before the long work: it would be refused all the same behind it.
            two_different_people(batch.proposal.proposed_by, actor.account, act="to freeze a batch")
            check_proof_text(proof, batch.proposal.proof)
            due = _cards_due(transaction, batch_id)
            frozen = batch.frozen(
                proof=proof_digest(batch_id, self.profile, (card.line_digest for card in due)),
                by=actor.account,
                at=now,
            )
            places = chosen_sites(self.desk, transaction, batch.receiver, sites, actor=actor)
            bound = self._bind(transaction, batch_id, due, actor, places)
            transaction.batches.store(
                frozen, batch_event(BatchEventKind.FROZEN, actor, now, count=bound)
            )
            transaction.audit.append(
                batch_record(
                    frozen,
                    "frozen",
                    actor,
                    now,
                    cards=bound,
                    proof=batch.proposal.proof.hex(),
                    sites=", ".join(places[:_SITES_RECORDED]),
                )
            )
        return Frozen(batch=frozen, bound=bound)

    def _bind(
        self,
        transaction: RegisterTransaction,
        batch_id: BatchId,
        due: Sequence[CardDue],
        actor: Actor,
        sites: Sequence[SiteCode],
    ) -> int:
        now = self.desk.clock()
        chips = transaction.batches.free_chips(len(due), sites=sites)
        if len(chips) < len(due):
            raise IssuerRefusedError(
                f"{len(chips)} initialised chips are free at {', '.join(sites[:_SITES_RECORDED]) or 'no site'}, "
                f"expected {len(due)}",
                code="batch.too-few-chips",
                hint="membercard-issuer station initialise, or --site for chips that lie elsewhere",
            )
        draws: _Draws | None = None
        cards: list[NewCard] = []
        for request, serial in zip(due, chips, strict=True):
            if draws is None or draws.is_used_up:
                # A list that is used up within this batch is used up in the database only once it is bound.
                self._keep(transaction, cards, draws, actor)
                cards = []
                draws = _Draws(
                    random_bytes=self.random_bytes,
                    room=transaction.batches.room(
                        size=self.list_size,
                        draw_list_id=lambda: self.random_bytes(LIST_ID_BYTES),
                        marks=self.marks,
                        at=now,
                    ),
                )
            cards.append(
                NewCard(
                    reference=CardReference(self.random_bytes(REFERENCE_BYTES)),
                    member_id=request.member_id,
                    request_id=request.request_id,
                    serial=serial,
                    ordinal=request.ordinal,
                    profile=self.profile,
                    status=draws.index(),
                    secrets=CardSecrets.draw(self.random_bytes),
                    batch_id=batch_id,
                )
            )
        self._keep(transaction, cards, draws, actor)
        return len(due)

    def _keep(
        self,
        transaction: RegisterTransaction,
        cards: Sequence[NewCard],
        draws: _Draws | None,
        actor: Actor,
    ) -> None:
        """Bind cards, and draw again for those whose numbers were drawn before."""
        if not cards or draws is None:
            return
        now = self.desk.clock()
        # Marked before anybody can see them: a database restored from an old backup never gives them out again.
        self.marks.mark([card.status for card in cards], size=self.list_size)
        for _ in range(_MAX_DRAWS):
            if not cards:
                return
            repeated = transaction.batches.bind(cards, account=actor.account, at=now)
            cards = [draws.again(cards[place]) for place in repeated]
        raise ConflictError("a number that was drawn is taken", code="card.draw-repeated")


def _cards_due(transaction: RegisterTransaction, batch_id: BatchId) -> tuple[CardDue, ...]:
    names = CommitteeNames().within(transaction.organisations)
    return transaction.proofs.cards_due(batch_id, names)
