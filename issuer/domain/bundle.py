"""What a bundle carries from one instance to another (docs/bundles.md); nothing of it is believed yet."""

import enum
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, NewType

from issuer.domain.decisions import DecisionId, DocumentSignature
from issuer.domain.instance_report import InstanceReport
from issuer.domain.instances import InstanceName
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import ReissueReason, RequestEventKind, RequestId, RequestKind

__all__ = [
    "MAX_ATTACHMENT_BYTES",
    "MAX_BUNDLE_MEMBERS",
    "MAX_BUNDLE_REQUESTS",
    "Bundle",
    "BundleDecision",
    "BundleEvent",
    "BundleIndexSet",
    "BundleMember",
    "BundleNumberBlock",
    "BundleRequest",
    "ConflictId",
    "ConflictKind",
    "ConflictState",
]

MAX_BUNDLE_REQUESTS: Final = 1000
MAX_BUNDLE_MEMBERS: Final = 1000
MAX_ATTACHMENT_BYTES: Final = 32 * 1024 * 1024
"""How much of portraits and documents one bundle holds; what does not fit goes with the next one."""

ConflictId = NewType("ConflictId", uuid.UUID)
"""Drawn at random when a conflict is found."""


class ConflictKind(enum.StrEnum):
    """What a conflict is about."""

    MEMBER = "member"
    REQUEST = "request"
    DECISION = "decision"


class ConflictState(enum.StrEnum):
    """Whether somebody has settled it."""

    OPEN = "open"
    TAKEN = "taken"
    """Theirs was taken."""
    REFUSED = "refused"
    """Ours was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleEvent:
    """One step of a time line, with the instance where it was taken."""

    at: datetime
    instance: InstanceName
    account: str
    kind: RequestEventKind
    remark: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleMember:
    """A member as the sender states them: cells of the member list, and pictures by their digests.

    ``portrait`` is ``None`` where the sender has no picture: then nobody new can be recorded.
    """

    member_id: MemberId
    version: int
    cells: Mapping[str, str] = field(repr=False)
    portrait: bytes | None
    portrait_source: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRequest:
    """A request with its whole time line; ``is_handed_over`` says that the receiver goes on with it."""

    request_id: RequestId
    member_id: MemberId
    organisation_code: OrganisationCode
    kind: RequestKind
    reason: ReissueReason | None
    ordinal: int
    created_at: datetime
    card_number: str | None = field(default=None, repr=False)
    decision_id: DecisionId | None
    is_handed_over: bool
    events: tuple[BundleEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleDecision:
    """A confirmed decision: its document by digest, and the two who made it."""

    decision_id: DecisionId
    number: str
    decided_on: date
    committee: OrganisationCode
    document: bytes
    signature: DocumentSignature
    requests: int
    prepared: BundleEvent
    confirmed: BundleEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleNumberBlock:
    """Card numbers that are the receiver's to give out from now on, and nobody else's."""

    block_id: uuid.UUID
    committee: OrganisationCode
    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleIndexSet:
    """Positions of a status list that are the receiver's to give out, drawn at random."""

    set_id: uuid.UUID
    list_id: bytes
    size: int
    indices: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One bundle.

    Attributes:
        sender, receiver: from whom to whom.
        sequence: counts the bundles of this sender to this receiver from 1.
        created_at: when it was made (aware UTC).
        received: the last bundle that the sender has of the receiver's.
        lost_since: the sender was restored from a backup, and knows nothing of what it sent behind this sequence.
        full_since: it is a part of a full statement of all members, which began with the bundle of this sequence.
        is_full_end: the full statement ends with it: who was not in it is no member there any more.
        members, requests, decisions, blocks, index_sets: what it carries.
        reports: what the sender and the instances below it counted, to be told upward.
        attachments: portraits and documents by their SHA-256.
    """

    sender: InstanceName
    receiver: InstanceName
    sequence: int
    created_at: datetime
    received: int = 0
    lost_since: int | None = None
    full_since: int | None = None
    is_full_end: bool = False
    members: tuple[BundleMember, ...] = ()
    requests: tuple[BundleRequest, ...] = ()
    decisions: tuple[BundleDecision, ...] = ()
    blocks: tuple[BundleNumberBlock, ...] = ()
    index_sets: tuple[BundleIndexSet, ...] = ()
    reports: tuple[InstanceReport, ...] = ()
    attachments: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether it carries nothing but its own number."""
        return not (
            self.members
            or self.requests
            or self.decisions
            or self.blocks
            or self.index_sets
            or self.reports
        )
