"""Use case: what the papers of a batch say: the proof sheet, the packing list, the minutes of each level.

Papers that name people are handed out to those who may see them there, and the audit trail says whose.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from issuer.domain.audit_reads import members_listed
from issuer.domain.batch import Batch, BatchId, BatchState
from issuer.domain.batch_proof import ProofLine
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.batch_desk import BatchDesk, batch_record, demand_at
from issuer.services.batch_ports import BatchLine
from issuer.services.committee_names import CommitteeNames
from issuer.services.places import Places
from issuer.services.register_ports import RegisterTransaction

__all__ = ["BatchPapers", "HandOverLevel", "Minutes", "NamedCard", "PackingList", "ProofSheet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSheet:
    """A part of a proof: ``lines`` from place ``first`` on, of ``cards`` in all."""

    batch: Batch
    receiver_name: str
    decision_number: str
    proof: bytes
    cards: int
    first: int
    lines: tuple[ProofLine, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingList:
    """The cards that were put into boxes, by box, whatever became of each; it names nobody."""

    batch: Batch
    receiver_name: str
    decision_number: str
    lines: tuple[BatchLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCard:
    """One card of the minutes; ``full_name`` is ``None`` where the member's record was deleted."""

    line: BatchLine
    full_name: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """The cards that one level gives to the next, whatever became of each; the last one is the members themselves."""

    batch: Batch
    decision_number: str
    giver_name: str
    taker_name: str
    is_to_members: bool
    lines: tuple[NamedCard, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOverLevel:
    """An organisation that takes cards of a batch, ``depth`` levels below its receiver.

    Attributes:
        code, name: which one.
        depth: 0 is the receiver itself.
        cards: for it and for all below it.
        own: for its own members.
    """

    code: OrganisationCode
    name: str
    depth: int
    cards: int
    own: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPapers:
    """Gathers what papers say."""

    desk: BatchDesk

    def proof(
        self, batch_id: BatchId, *, actor: Actor, first: int = 1, count: int = 500
    ) -> ProofSheet:
        """A part of the proof of a batch whose freeze is proposed or confirmed.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``batch.unknown``; nothing is proposed
                (``batch.wrong-state``), or there are fewer cards (``batch.no-such-part``).
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = transaction.batches.get(batch_id)
            for right in (Right.FREEZE_BATCHES, Right.EXPORT_CARDS):
                demand_at(self.desk, transaction, actor, batch.receiver, right)
            if batch.proposal is None:
                raise IssuerRefusedError(
                    f"the batch is {batch.state}, so it has no proof", code="batch.wrong-state"
                )
            names = CommitteeNames().within(transaction.organisations)
            part = transaction.proofs.part(batch_id, names, first=first, count=count)
            if not part:
                raise IssuerRefusedError(
                    f"the batch has no card {first}", code="batch.no-such-part"
                )
            for record in members_listed(
                [member_id for member_id, _ in part],
                account=actor.account,
                organisation=batch.receiver,
                at=now,
            ):
                transaction.audit.append(record)
            return ProofSheet(
                batch=batch,
                receiver_name=transaction.organisations.get(batch.receiver).name,
                decision_number=transaction.decisions.get(batch.decision_id).number,
                proof=batch.proposal.proof,
                cards=batch.proposal.cards,
                first=first,
                lines=tuple(line for _, line in part),
            )

    def packing_list(self, batch_id: BatchId, *, actor: Actor) -> PackingList:
        """What lies in which box.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``; it is not packed (``batch.wrong-state``).
        """
        with self.desk.register.reading() as transaction:
            batch = transaction.batches.get(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.READ_CARDS)
            lines = transaction.batches.boxed_cards(batch_id)
            if not lines:
                raise IssuerRefusedError(
                    f"the batch is {batch.state} and has no card in a box", code="batch.wrong-state"
                )
            return PackingList(
                batch=batch,
                receiver_name=transaction.organisations.get(batch.receiver).name,
                decision_number=transaction.decisions.get(batch.decision_id).number,
                lines=lines,
            )

    def levels(self, batch_id: BatchId, *, actor: Actor) -> tuple[HandOverLevel, ...]:
        """The organisations whose minutes this person may draw up, each behind the one above it.

        Raises:
            IssuerRefusedError: ``batch.unknown``; none of them is theirs (``right.missing``), or the batch is not
                dispatched yet (``batch.wrong-state``).
        """
        with self.desk.register.reading() as transaction:
            batch = transaction.batches.get(batch_id)
            _require_under_way(batch)
            own = transaction.batches.boxed_counts(batch_id)
            ways = _ways_from_receiver(transaction, batch, own)
            cards: Counter[OrganisationCode] = Counter()
            places: dict[OrganisationCode, tuple[OrganisationCode, ...]] = {}
            for code, way in ways.items():
                for depth, level in enumerate(way):
                    cards[level] += own[code]
                    places[level] = way[: depth + 1]
            above = Places(transaction.organisations).of(batch.receiver)[:-1]
            theirs = [
                way
                for way in sorted(places.values())
                if all(actor.may(right, place=(*above, *way)) for right in _RIGHTS_OF_MINUTES)
            ]
            if not theirs:
                raise IssuerRefusedError(
                    f"account {actor.account} draws up no minutes of batch {batch.short_name}",
                    code="right.missing",
                )
            names = transaction.organisations.around([way[-1] for way in theirs])
            return tuple(
                HandOverLevel(
                    code=way[-1],
                    # One that was closed is in no tree of today.
                    name=(names if way[-1] in names else transaction.organisations)
                    .get(way[-1])
                    .name,
                    depth=len(way) - 1,
                    cards=cards[way[-1]],
                    own=own.get(way[-1], 0),
                )
                for way in theirs
            )

    def minutes(
        self,
        batch_id: BatchId,
        *,
        actor: Actor,
        taker: OrganisationCode | None = None,
        to_members: bool = False,
    ) -> Minutes:
        """The cards that go to one organisation, from the one above it; or from it to its members.

        Args:
            batch_id: which batch.
            actor: who draws the minutes up.
            taker: the organisation; the batch's receiver where not given, and then the giver is who dispatches.
            to_members: whether each member signs.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``; it is not dispatched yet
                (``batch.wrong-state``); the organisation is not below its receiver (``batch.other-receiver``) or
                gets none of its cards (``batch.no-such-part``).
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = transaction.batches.get(batch_id)
            code = batch.receiver if taker is None else taker
            for right in _RIGHTS_OF_MINUTES:
                demand_at(self.desk, transaction, actor, code, right)
            _require_under_way(batch)
            lines = self._lines(transaction, batch, code)
            giver, receiver = _sides(transaction, batch, code)
            for record in members_listed(
                [line.line.member_id for line in lines if line.full_name is not None],
                account=actor.account,
                organisation=code,
                at=now,
            ):
                transaction.audit.append(record)
            transaction.audit.append(
                batch_record(
                    batch,
                    "minutes-drawn-up",
                    actor,
                    now,
                    taker=code,
                    cards=len(lines),
                    to_members=int(to_members),
                )
            )
            return Minutes(
                batch=batch,
                decision_number=transaction.decisions.get(batch.decision_id).number,
                giver_name=receiver if to_members else giver,
                taker_name="Đảng viên · The members" if to_members else receiver,
                is_to_members=to_members,
                lines=lines,
            )

    @staticmethod
    def _lines(
        transaction: RegisterTransaction, batch: Batch, code: OrganisationCode
    ) -> tuple[NamedCard, ...]:
        places = Places(transaction.organisations)
        if batch.receiver not in places.of(code):
            raise IssuerRefusedError(
                f"organisation {code} is not below {batch.receiver}", code="batch.other-receiver"
            )
        boxed = transaction.batches.boxed_cards(batch.batch_id)
        ways = _ways_from_receiver(transaction, batch, {line.organisation for line in boxed})
        lines = [line for line in boxed if code in ways[line.organisation]]
        if not lines:
            raise IssuerRefusedError(
                f"no card of the batch is for {code}", code="batch.no-such-part"
            )
        names = {
            each.member_id: each.statement.name.full
            for each in transaction.members.several([line.member_id for line in lines])
        }
        in_order = sorted(lines, key=lambda line: (line.organisation, line.position))
        return tuple(NamedCard(line=line, full_name=names.get(line.member_id)) for line in in_order)


_UNDER_WAY = (BatchState.DISPATCHED, BatchState.RECEIVED, BatchState.HANDED_OVER)
_RIGHTS_OF_MINUTES = (Right.HAND_OVER_CARDS, Right.READ_MEMBERS)


def _require_under_way(batch: Batch) -> None:
    if batch.state not in _UNDER_WAY:
        raise IssuerRefusedError(
            f"the batch is {batch.state}, expected one that was dispatched",
            code="batch.wrong-state",
        )


def _ways_from_receiver(
    transaction: RegisterTransaction, batch: Batch, codes: Collection[OrganisationCode]
) -> dict[OrganisationCode, tuple[OrganisationCode, ...]]:
    """Through whose hands the cards for members of each organisation go, from the batch's receiver down.

    The card of a member who was transferred elsewhere after it was made lies in the receiver's box all the same.
    """
    places = Places(transaction.organisations)
    places.look_ahead(codes)
    ways = {code: places.of(code) for code in codes}
    return {
        code: way[way.index(batch.receiver) :] if batch.receiver in way else (batch.receiver,)
        for code, way in ways.items()
    }


def _sides(
    transaction: RegisterTransaction, batch: Batch, code: OrganisationCode
) -> tuple[str, str]:
    """Who gives, and who takes: the names of the organisation above, or of whoever produces, and of the taker."""
    taker = transaction.organisations.get(code)
    if code == batch.receiver or taker.parent_code is None:
        return "Đơn vị sản xuất thẻ · The production unit", taker.name
    return transaction.organisations.get(taker.parent_code).name, taker.name
