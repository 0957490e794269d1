"""A batch: the cards of one receiving committee by one decision, from its opening to the members' hands.

    open ──> freezing ──> frozen ──> signed ──> producing ──> controlled ──> packed ──> dispatched ──> received
      ^          │                                                                                        │
      └──────────┘ taken back                                                              handed-over <──┘

What was missing when the others were packed or counted in follows them, until all are handed over.

It is cancelled from *open* or *freezing*. One person proposes the freeze and another one confirms it, both over the
same proof: from then on a member is bound to a chip. Whatever is not in the table below cannot happen.
"""

import enum
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NewType

from issuer.domain.decisions import DecisionId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, two_different_people
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError

__all__ = [
    "BATCH_TRANSITIONS",
    "MAX_CARDS_OF_BATCH",
    "PROOF_BYTES",
    "Acknowledgement",
    "AcknowledgementKind",
    "Batch",
    "BatchEvent",
    "BatchEventKind",
    "BatchId",
    "BatchState",
    "BatchTally",
    "FreezeProposal",
    "check_proof_text",
    "parse_batch_id",
    "parse_carrier",
]

BatchId = NewType("BatchId", uuid.UUID)
"""Drawn at random when a batch is opened."""

MAX_CARDS_OF_BATCH: Final = 10_000
"""More than any commune has members, and few enough to be frozen in one transaction."""

PROOF_BYTES: Final = 32
MINUTES_DIGEST_BYTES: Final = 32
MAX_CARRIER_BYTES: Final = 200

_LEAST_PROOF_DIGITS: Final = 16
"""So much of a proof's digest is typed at least: whoever types it holds the sheet in their hands."""


class BatchState(enum.StrEnum):
    """How far a batch has come."""

    OPEN = "open"
    FREEZING = "freezing"
    """One person has proposed the freeze, and nobody has confirmed it."""
    FROZEN = "frozen"
    SIGNED = "signed"
    PRODUCING = "producing"
    CONTROLLED = "controlled"
    """Every card is condemned, or issued and passed by another person than who made it."""
    PACKED = "packed"
    DISPATCHED = "dispatched"
    RECEIVED = "received"
    HANDED_OVER = "handed-over"
    CANCELLED = "cancelled"


class BatchEventKind(enum.StrEnum):
    """What may happen to a batch; its time line keeps it under this name."""

    OPENED = "opened"
    FILLED = "filled"
    FREEZE_PROPOSED = "freeze-proposed"
    TAKEN_BACK = "taken-back"
    FROZEN = "frozen"
    SIGNED = "signed"
    PRODUCTION_BEGUN = "production-begun"
    CONTROLLED = "controlled"
    PACKED = "packed"
    DISPATCHED = "dispatched"
    RECEIVED = "received"
    HANDED_OVER = "handed-over"
    CANCELLED = "cancelled"


BATCH_TRANSITIONS: Final[Mapping[tuple[BatchState, BatchEventKind], BatchState]] = {
    (BatchState.OPEN, BatchEventKind.FILLED): BatchState.OPEN,
    (BatchState.OPEN, BatchEventKind.FREEZE_PROPOSED): BatchState.FREEZING,
    (BatchState.FREEZING, BatchEventKind.TAKEN_BACK): BatchState.OPEN,
    (BatchState.FREEZING, BatchEventKind.FROZEN): BatchState.FROZEN,
    (BatchState.FROZEN, BatchEventKind.SIGNED): BatchState.SIGNED,
    (BatchState.SIGNED, BatchEventKind.PRODUCTION_BEGUN): BatchState.PRODUCING,
    # A batch all of whose cards were condemned before a station saw them has nothing left to make.
    (BatchState.FROZEN, BatchEventKind.CONTROLLED): BatchState.CONTROLLED,
    (BatchState.SIGNED, BatchEventKind.CONTROLLED): BatchState.CONTROLLED,
    (BatchState.PRODUCING, BatchEventKind.CONTROLLED): BatchState.CONTROLLED,
    (BatchState.CONTROLLED, BatchEventKind.PACKED): BatchState.PACKED,
    # A card that was missing, or held, and was found goes after the others, in a box of its own.
    (BatchState.PACKED, BatchEventKind.PACKED): BatchState.PACKED,
    (BatchState.PACKED, BatchEventKind.DISPATCHED): BatchState.DISPATCHED,
    (BatchState.DISPATCHED, BatchEventKind.PACKED): BatchState.DISPATCHED,
    (BatchState.DISPATCHED, BatchEventKind.RECEIVED): BatchState.RECEIVED,
    (BatchState.RECEIVED, BatchEventKind.PACKED): BatchState.RECEIVED,
    (BatchState.RECEIVED, BatchEventKind.RECEIVED): BatchState.RECEIVED,
    (BatchState.RECEIVED, BatchEventKind.HANDED_OVER): BatchState.HANDED_OVER,
    (BatchState.OPEN, BatchEventKind.CANCELLED): BatchState.CANCELLED,
    (BatchState.FREEZING, BatchEventKind.CANCELLED): BatchState.CANCELLED,
}
"""The only steps that there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeProposal:
    """What one person proposes to freeze, and who confirmed it.

    Attributes:
        proof: the digest of the proof (``issuer.domain.batch_proof``), 32 bytes.
        cards: how many cards it shows.
        proposed_by, proposed_at: who proposed it, and when (aware UTC).
        confirmed_by, confirmed_at: who confirmed it; ``None`` before that.
    """

    proof: bytes
    cards: int
    proposed_by: AccountName
    proposed_at: datetime
    confirmed_by: AccountName | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch.

    Attributes:
        batch_id: the register's own key.
        receiver: the committee that receives it; its members are recorded there or below.
        decision_id: by which decision.
        follow_up_of: the batch whose condemned cards it makes anew; ``None`` for a first one.
        state: how far it has come.
        version: counts its changes from 1.
        created_by, created_at: who opened it, and when (aware UTC).
        proposal: what is to be frozen, or was; ``None`` while it is open.
        carrier: who carries it to its receiver; ``None`` before it is dispatched.
    """

    batch_id: BatchId
    receiver: OrganisationCode
    decision_id: DecisionId
    follow_up_of: BatchId | None = None
    state: BatchState = BatchState.OPEN
    version: int = 1
    created_by: AccountName
    created_at: datetime
    proposal: FreezeProposal | None = None
    carrier: str | None = None

    @property
    def short_name(self) -> str:
        """What stands on its papers: the first eight digits of its key."""
        return self.batch_id.hex[:8].upper()

    def after(self, kind: BatchEventKind) -> "Batch":
        """The batch one step later.

        Raises:
            IssuerRefusedError: the step cannot happen in this state (``batch.wrong-state``).
        """
        try:
            state = BATCH_TRANSITIONS[self.state, kind]
        except KeyError:
            raise IssuerRefusedError(
                f"the batch is {self.state}, so it cannot be {kind}", code="batch.wrong-state"
            ) from None
        return replace(self, state=state, version=self.version + 1)

    def proposed(self, proposal: FreezeProposal) -> "Batch":
        """The batch whose freeze one person proposes.

        Raises:
            IssuerRefusedError: ``batch.wrong-state``, ``batch.empty``.
        """
        after = self.after(BatchEventKind.FREEZE_PROPOSED)
        if not proposal.cards:
            raise IssuerRefusedError("the batch holds no request", code="batch.empty")
        return replace(after, proposal=proposal)

    def dispatched(self, carrier: str) -> "Batch":
        """The batch on its way, in the hands of ``carrier``.

        Raises:
            IssuerRefusedError: ``batch.wrong-state``.
        """
        return replace(self.after(BatchEventKind.DISPATCHED), carrier=carrier)

    def taken_back(self) -> "Batch":
        """The batch as it was before the freeze was proposed.

        Raises:
            IssuerRefusedError: ``batch.wrong-state``.
        """
        return replace(self.after(BatchEventKind.TAKEN_BACK), proposal=None)

    def frozen(self, *, proof: bytes, by: AccountName, at: datetime) -> "Batch":
        """The batch frozen by another person than who proposed it; ``proof`` is what it would hold now.

        Raises:
            IssuerRefusedError: ``batch.wrong-state``, ``right.same-person``.
            ConflictError: what is to be frozen is not what was proposed (``batch.changed-since-proposal``).
        """
        after = self.after(BatchEventKind.FROZEN)
        if self.proposal is None:
            raise IssuerRefusedError("nobody proposed the freeze", code="batch.wrong-state")
        two_different_people(self.proposal.proposed_by, by, act="to freeze a batch")
        if proof != self.proposal.proof:
            raise ConflictError(
                "what the batch holds is not what was proposed any more",
                code="batch.changed-since-proposal",
                hint="membercard-issuer batches freeze take-back, then propose again",
            )
        return replace(after, proposal=replace(self.proposal, confirmed_by=by, confirmed_at=at))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEvent:
    """One step of a batch's time line; ``count`` says of how many cards or requests, where that tells something."""

    at: datetime
    account: AccountName
    kind: BatchEventKind
    count: int | None = None


class AcknowledgementKind(enum.StrEnum):
    """Who signed for a card."""

    MEMBER = "member"
    REPRESENTATIVE = "representative"
    """Somebody whom the member, or who keeps the card for them, sent: a mission abroad, the family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """That a card came into its member's hands.

    Attributes:
        kind: who signed.
        minutes: the SHA-256 of the signed minutes as they were scanned; ``None`` where they lie on paper only.
    """

    kind: AcknowledgementKind
    minutes: bytes | None = None

    def __post_init__(self) -> None:
        if self.minutes is not None and len(self.minutes) != MINUTES_DIGEST_BYTES:
            raise IssuerDataError(
                f"the digest of the minutes has {len(self.minutes)} bytes, expected {MINUTES_DIGEST_BYTES}",
                code="batch.minutes-malformed",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTally:
    """How many of a batch's requests and cards are where.

    ``requests`` are those that it holds; what was condemned and went into a later batch is not among them. The others
    count cards that are not condemned: those still *bound*, on their way through a station (*signed* and behind it),
    *issued* and not yet passed, *passed* by quality control, *ended* before they were handed over (their member died, they
    were stolen), and *handed over*; whichever of them lie in boxes, and were received. Those *left out* are passed and lie
    in no box.
    """

    requests: int = 0
    bound: int = 0
    signed: int = 0
    issued: int = 0
    passed: int = 0
    ended: int = 0
    boxed: int = 0
    left_out: int = 0
    received: int = 0
    handed_over: int = 0
    condemned: int = 0

    @property
    def good(self) -> int:
        """Cards that are issued and not condemned."""
        return self.issued + self.passed + self.ended + self.handed_over

    def next_event(self, state: BatchState) -> BatchEventKind | None:
        """What has come about by itself, in this state, through what happened to the cards."""
        unfinished = self.bound + self.signed + self.issued
        finished = self.passed + self.ended + self.handed_over + self.condemned
        all_controlled = not unfinished and finished > 0
        if state in (BatchState.FROZEN, BatchState.SIGNED) and all_controlled:
            return BatchEventKind.CONTROLLED
        if state is BatchState.FROZEN and not self.bound:
            return BatchEventKind.SIGNED
        if state is BatchState.PRODUCING and all_controlled:
            return BatchEventKind.CONTROLLED
        if state is BatchState.RECEIVED and not self.passed:
            return BatchEventKind.HANDED_OVER
        return None


def check_proof_text(text: str, proof: bytes) -> None:
    """Whether somebody typed the digest of this proof, or so much of its beginning as stands on each page.

    Raises:
        IssuerDataError: it is too short or no hexadecimal number (``batch.proof-malformed``).
        IssuerRefusedError: it is another proof's (``batch.other-proof``).
    """
    digits = text.replace(" ", "").replace("-", "").lower()
    if not _LEAST_PROOF_DIGITS <= len(digits) <= 2 * PROOF_BYTES or set(digits) - set(
        "0123456789abcdef"
    ):
        raise IssuerDataError(
            f"got a proof of {len(digits)} characters, expected {_LEAST_PROOF_DIGITS} to "
            f"{2 * PROOF_BYTES} hexadecimal digits",
            code="batch.proof-malformed",
        )
    if not proof.hex().startswith(digits):
        raise IssuerRefusedError(
            f"got proof {digits[:_LEAST_PROOF_DIGITS]}, expected {proof.hex()[:_LEAST_PROOF_DIGITS]}",
            code="batch.other-proof",
            hint="compare the newest proof sheet: membercard-issuer batches proof",
        )


def parse_carrier(text: str) -> str:
    """Who carries a batch, as people write it.

    Raises:
        IssuerDataError: it is empty, too long or holds what is no text (``batch.carrier``).
    """
    try:
        return clean_text(text, max_bytes=MAX_CARRIER_BYTES)
    except IssuerDataError as error:
        raise IssuerDataError(f"the carrier: {error}", code="batch.carrier") from error


def parse_batch_id(text: str) -> BatchId:
    """An identifier as people and programs write it.

    Raises:
        IssuerDataError: ``batch.id-malformed``.
    """
    try:
        return BatchId(uuid.UUID(text))
    except ValueError as error:
        raise IssuerDataError(
            f"batch identifier of {len(text)} characters, expected a UUID",
            code="batch.id-malformed",
        ) from error
