"""Ports of bundles: what is kept of other instances, of bundles sent and taken, and of what they disagree about."""

import enum
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from issuer.domain.bundle import ConflictId, ConflictKind, ConflictState
from issuer.domain.card_number import CardNumber
from issuer.domain.instance_report import InstanceReport
from issuer.domain.instances import Instance, InstanceName
from issuer.domain.member import MemberId
from issuer.domain.number_blocks import BlockId, NumberBlock
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import CardRequest, RequestEvent, RequestId
from issuer.domain.rights import AccountName

__all__ = [
    "BundlePosition",
    "BundleRecord",
    "BundleStore",
    "Conflict",
    "ConflictPosition",
    "Direction",
    "ExchangeKeys",
    "ExchangeRepository",
    "HandedBlock",
    "HandedSet",
    "IndexSet",
    "LinkedMember",
    "OpenedBundle",
    "OwnInstance",
    "SequenceMark",
    "SequenceMarkStore",
]


class Direction(enum.StrEnum):
    """Whether a bundle was made here or taken here."""

    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnInstance:
    """This register, as others know it: its name, and the organisation that it is the register of."""

    name: InstanceName
    organisation: OrganisationCode


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRecord:
    """A bundle that was made or taken.

    Attributes:
        instance: to or from whom.
        direction: made here or taken here.
        sequence: its number.
        digest: SHA-256 of the file.
        at, account: when, and by whom.
        counts: how much it carried, and what became of it.
    """

    instance: InstanceName
    direction: Direction
    sequence: int
    digest: bytes
    at: datetime
    account: AccountName
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePosition:
    """Where a page of bundles ends, the newest first: the next one begins behind it."""

    at: datetime
    instance: InstanceName
    direction: Direction
    sequence: int

    @classmethod
    def of(cls, record: BundleRecord) -> "BundlePosition":
        """The position of a bundle."""
        return cls(
            at=record.at,
            instance=record.instance,
            direction=record.direction,
            sequence=record.sequence,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedMember:
    """A member whom another instance knows, too.

    Attributes:
        instance: which one.
        remote_id: the member's key there.
        member_id: the member's key here.
        version: of the member there, when it was last told.
        cells: what it was told then.
    """

    instance: InstanceName
    remote_id: MemberId
    member_id: MemberId
    version: int
    cells: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSet:
    """Positions of one status list, drawn at random, that one instance gives out; ``is_received``: it is ours."""

    set_id: uuid.UUID
    list_id: bytes
    size: int
    instance: InstanceName
    is_received: bool
    indices: tuple[int, ...] = field(repr=False)
    at: datetime
    account: AccountName


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedBlock:
    """A block of card numbers that an instance gives out, and whether it was told of it."""

    block: NumberBlock
    is_told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedSet:
    """How many positions of a status list an instance gives out, and whether it was told of them."""

    list_id: bytes
    count: int
    at: datetime
    account: AccountName
    is_told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictPosition:
    """Where a page of conflicts ends, the oldest first: the next one begins behind it."""

    found_at: datetime
    conflict_id: ConflictId


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Something that another instance states and that was not taken by itself.

    Attributes:
        conflict_id: its key.
        instance, sequence: who stated it, in which bundle.
        kind, subject_id: what it is about, by the key that it has there.
        member_id: the member here who is concerned, where there is one.
        organisation: whose matter it is.
        code, sentence: why it was not taken; without anybody's data.
        columns: the fields in which ours and theirs differ.
        content: what they state, as the bundle had it; empty once it is settled.
        found_at: when (aware UTC).
        state: open, or how it was settled.
        settled_by, settled_at, reason: by whom, when and why.
    """

    conflict_id: ConflictId
    instance: InstanceName
    sequence: int
    kind: ConflictKind
    subject_id: str
    member_id: MemberId | None
    organisation: OrganisationCode
    code: str
    sentence: str
    columns: tuple[str, ...] = ()
    content: bytes = field(repr=False)
    found_at: datetime
    state: ConflictState = ConflictState.OPEN
    settled_by: AccountName | None = None
    settled_at: datetime | None = None
    reason: str = field(default="", repr=False)


class ExchangeRepository(Protocol):
    """Instances, bundles, links and conflicts, within one transaction."""

    def instances(self) -> tuple[Instance, ...]:
        """All, by name."""

    def find_instance(self, name: InstanceName, *, lock: bool = False) -> Instance | None:
        """One; with ``lock`` as it stays until this transaction changes it."""

    def add_instance(self, instance: Instance) -> None:
        """Keep a new one.

        Raises:
            ConflictError: there is one of this name.
            IssuerDataError: its organisation is not in the register (``organisation.unknown``).
        """

    def store_instance(self, instance: Instance) -> None:
        """Keep an instance one version on, or with other counters."""

    def add_record(self, record: BundleRecord) -> None:
        """Keep that a bundle was made or taken."""

    def find_record(
        self, instance: InstanceName, direction: Direction, sequence: int
    ) -> BundleRecord | None:
        """One of them."""

    def records(
        self,
        instances: Collection[InstanceName],
        *,
        limit: int,
        behind: BundlePosition | None = None,
    ) -> tuple[BundleRecord, ...]:
        """The bundles to and from these instances, the newest first."""

    def linked_members(
        self, instance: InstanceName, remote_ids: Collection[MemberId]
    ) -> Mapping[MemberId, LinkedMember]:
        """Those of these members of another instance who are known here, by their keys there."""

    def remote_ids(
        self, instance: InstanceName, member_ids: Collection[MemberId]
    ) -> Mapping[MemberId, MemberId]:
        """The keys that these members of ours have at another instance."""

    def link_member(self, link: LinkedMember) -> None:
        """Keep a link, or what was told with it last."""

    def saw_members(
        self, instance: InstanceName, remote_ids: Collection[MemberId], sequence: int
    ) -> None:
        """These members stood in the bundle of this sequence."""

    def unseen_members(self, instance: InstanceName, *, since: int) -> tuple[LinkedMember, ...]:
        """The members of an instance who stood in no bundle of this sequence or a later one."""

    def reported_versions(self, instance: InstanceName) -> Mapping[RequestId, int]:
        """The requests that an instance shares with us, each with the version that it knows."""

    def report_requests(self, instance: InstanceName, versions: Mapping[RequestId, int]) -> None:
        """From now on the instance knows these requests at these versions."""

    def forget_reports(self, instance: InstanceName) -> None:
        """The instance has lost what it knew: everything that it shares with us is told again."""

    def hand_over(self, request_ids: Collection[RequestId], to: InstanceName | None) -> None:
        """Another instance, or nobody but us, goes on with these requests."""

    def take_in(self, request: CardRequest, events: Sequence[RequestEvent]) -> None:
        """Keep a request that came from elsewhere, new or further on, with what is new in its time line."""

    def numbers_to_tell(self, instance: InstanceName) -> tuple[NumberBlock, ...]:
        """The blocks of an instance that it was not told of."""

    def sets_to_tell(self, instance: InstanceName) -> tuple[IndexSet, ...]:
        """The sets of an instance that it was not told of."""

    def blocks_of(self, instance: InstanceName) -> tuple[HandedBlock, ...]:
        """The blocks of card numbers that an instance has, by their first number."""

    def sets_of(self, instance: InstanceName) -> tuple[HandedSet, ...]:
        """The sets of status indices that an instance was given, the oldest first."""

    def shared_lists(self, *, size: int) -> Mapping[bytes, frozenset[int]]:
        """The status lists of which instances have sets, locked, each with what they have of it."""

    def lists_given_to(self, instance: InstanceName) -> frozenset[bytes]:
        """The status lists of which an instance has a set."""

    def told(self, ids: Collection[uuid.UUID]) -> None:
        """These blocks and sets go with a bundle now."""

    def forget_told(self, instance: InstanceName) -> None:
        """The instance has lost what it was told of blocks and sets: they are told again."""

    def told_reports(self, instance: InstanceName) -> bytes | None:
        """The digest of the reports that an instance was told last; ``None`` where it knows none."""

    def tell_reports(self, instance: InstanceName, digest: bytes | None) -> None:
        """The instance knows these reports from now on, or none."""

    def keep_reports(
        self,
        via: InstanceName,
        reports: Sequence[InstanceReport],
        *,
        sequence: int,
        at: datetime,
    ) -> int:
        """Keep what an instance told of itself and of those below it, but nothing older than what is known.

        Gives back how many are new; what it told before of instances that it does not name any more is forgotten.
        """

    def number_block(self, block_id: BlockId) -> NumberBlock | None:
        """One block."""

    def block_of(self, number: CardNumber) -> NumberBlock | None:
        """The block that a number is from."""

    def find_set(self, set_id: uuid.UUID) -> IndexSet | None:
        """One set."""

    def add_set(self, index_set: IndexSet) -> None:
        """Keep a set; its list is begun where it is not known.

        Raises:
            ConflictError: the instance has, or gave us, a set of this list already.
        """

    def add_conflict(self, conflict: Conflict) -> None:
        """Keep a conflict; an open one of the same instance about the same thing is replaced."""

    def find_conflict(self, conflict_id: ConflictId, *, lock: bool = False) -> Conflict | None:
        """One."""

    def settle_conflict(self, conflict: Conflict) -> None:
        """Keep how it was settled; what they stated is forgotten, unless ``content`` still has to be told back."""

    def conflicts_with(self, instance: InstanceName) -> tuple[Conflict, ...]:
        """The open ones with an instance, the oldest first."""

    def refusals_to_tell(self, instance: InstanceName) -> tuple[Conflict, ...]:
        """The refused requests of an instance that it has not been told of."""

    def refusals_told(self, conflict_ids: Collection[ConflictId]) -> None:
        """They have been told now: what they stated is forgotten."""

    def conflicts(
        self,
        *,
        below: Collection[OrganisationCode] | None,
        limit: int,
        behind: ConflictPosition | None = None,
    ) -> tuple[Conflict, ...]:
        """The open ones of these organisations and all below them (or all), the oldest first; without contents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedBundle:
    """A file that was sealed to us: its content, and by whose certificate it is signed."""

    content: bytes = field(repr=False)
    signer_certificate: bytes = field(repr=False)


class ExchangeKeys(Protocol):
    """Our keys, and the judgement of certificates."""

    def seal(self, content: bytes, *, receiver_certificate: bytes, at: datetime) -> bytes:
        """Sign and seal.

        Raises:
            PkiError: the keys are not to be had, or the content is too large.
        """

    def open(self, sealed: bytes) -> OpenedBundle:
        """Open what is sealed to us; its signature holds.

        Raises:
            PkiError: it is not sealed to us, was changed, or no file.
        """

    def judge(
        self, signer_certificate: bytes, *, receiver: bytes, name: InstanceName, now: datetime
    ) -> None:
        """Let pass certificates that the root issued to this name and that are valid now.

        Raises:
            PkiRefusedError: ``exchange.certificate``, ``exchange.certificate-expired``.
        """


class BundleStore(Protocol):
    """Where sealed files are kept that were made here, by their digest."""

    def put(self, content: bytes) -> bytes:
        """Keep a file durably; gives back its SHA-256.

        Raises:
            IssuerUnavailableError: ``bundle-store.unavailable``.
        """

    def get(self, digest: bytes) -> bytes:
        """The file with this digest.

        Raises:
            IssuerRefusedError: ``bundle.lost``.
            IssuerUnavailableError: ``bundle-store.unavailable``.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceMark:
    """Up to which sequence bundles to each instance may have left the house."""

    sent: Mapping[InstanceName, int] = field(default_factory=dict)


class SequenceMarkStore(Protocol):
    """Where the mark lies: outside the database and its backups."""

    def read(self) -> SequenceMark:
        """The mark; an empty one where there is none.

        Raises:
            IssuerDataError: it is not one (``bundle.mark-malformed``).
            IssuerUnavailableError: ``bundle.mark-unavailable``.
        """

    def write(self, mark: SequenceMark) -> None:
        """Keep the mark: it is on disk when this returns.

        Raises:
            IssuerUnavailableError: ``bundle.mark-unavailable``.
        """
