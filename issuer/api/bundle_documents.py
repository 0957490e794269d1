"""What programs read and send of bundles, conflicts and instances."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from issuer.api.pages_of_lists import ListQuery
from issuer.domain.bundle import ConflictKind, ConflictState
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.instances import Instance, InstanceState, Side
from issuer.services.bundle_ports import BundleRecord, Conflict, Direction
from issuer.services.export_bundle import ExportedBundle
from issuer.services.look_at_conflicts import ConflictView
from issuer.services.look_at_instances import InstanceView
from issuer.services.settle_conflicts import ConflictChoice

__all__ = [
    "NAME_PATTERN",
    "BlockBody",
    "BundleDocument",
    "BundleListQuery",
    "BundlesDocument",
    "ChoiceDocument",
    "ConfirmInstanceBody",
    "ConflictDocument",
    "ConflictViewDocument",
    "ConflictsDocument",
    "IndicesBody",
    "InstanceDocument",
    "InstanceViewDocument",
    "InstancesDocument",
    "MadeBundleDocument",
    "NothingBody",
    "RecoverBody",
    "SettledDocument",
]

NAME_PATTERN = r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$"
_Name = Annotated[str, Field(pattern=NAME_PATTERN, examples=["xa-mau"])]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BundleListQuery(ListQuery):
    """Which bundles."""

    instance: _Name | None = None


class BundleDocument(BaseModel):
    """A bundle that was made or taken, and what it carries or became."""

    instance: str = Field(examples=["xa-mau"])
    direction: Direction
    sequence: int = Field(ge=1)
    sha256: str
    at: datetime
    account: str
    counts: dict[str, int]

    @classmethod
    def of(cls, record: BundleRecord) -> "BundleDocument":
        """The document of a record."""
        return cls(
            instance=record.instance,
            direction=record.direction,
            sequence=record.sequence,
            sha256=record.digest.hex(),
            at=record.at,
            account=record.account,
            counts=dict(record.counts),
        )


class BundlesDocument(BaseModel):
    """The newest first."""

    bundles: list[BundleDocument]
    next: str | None = None


class MadeBundleDocument(BaseModel):
    """The bundle that was made; none where there is nothing to tell. ``has_more``: not all went into it."""

    bundle: BundleDocument | None = None
    has_more: bool = False

    @classmethod
    def of(cls, made: ExportedBundle | None) -> "MadeBundleDocument":
        """The document of what was made."""
        if made is None:
            return cls()
        return cls(bundle=BundleDocument.of(made.record), has_more=made.has_more)


class ConflictDocument(BaseModel):
    """A conflict that waits for a person, without anybody's data."""

    id: str
    instance: str
    sequence: int
    kind: ConflictKind
    subject: str
    organisation: str
    member: str | None
    code: str
    sentence: str
    columns: list[str]
    found_at: datetime

    @classmethod
    def of(cls, conflict: Conflict) -> "ConflictDocument":
        """The document of a conflict."""
        return cls(
            id=str(conflict.conflict_id),
            instance=conflict.instance,
            sequence=conflict.sequence,
            kind=conflict.kind,
            subject=conflict.subject_id,
            organisation=conflict.organisation,
            member=None if conflict.member_id is None else str(conflict.member_id),
            code=conflict.code,
            sentence=conflict.sentence,
            columns=list(conflict.columns),
            found_at=conflict.found_at,
        )


class ConflictsDocument(BaseModel):
    """The oldest first."""

    conflicts: list[ConflictDocument]
    next: str | None = None


class ConflictViewDocument(BaseModel):
    """What another instance states beside what this register has, as cells of the member list."""

    conflict: ConflictDocument
    state: ConflictState
    theirs: dict[str, str] | None
    ours: dict[str, str] | None = Field(
        description="Absent where nobody here is concerned, or somebody of another part of the tree."
    )
    choices: list[ConflictChoice]

    @classmethod
    def of(cls, view: ConflictView) -> "ConflictViewDocument":
        """The document of a conflict that was looked at."""
        return cls(
            conflict=ConflictDocument.of(view.conflict),
            state=view.conflict.state,
            theirs=None if view.theirs is None else dict(view.theirs),
            ours=None if view.ours is None else dict(view.our_cells),
            choices=list(view.choices),
        )


class ChoiceDocument(_Body):
    """Whose statement is true (docs/bundles.md), and why."""

    choice: ConflictChoice
    reason: str = Field(min_length=1, max_length=400)


class SettledDocument(BaseModel):
    """A conflict as it is now, and how many requests that waited for it were taken."""

    id: str
    state: ConflictState
    requests_taken: int = Field(ge=0)


class InstanceDocument(BaseModel):
    """Another office's register."""

    name: str = Field(examples=["xa-mau"])
    side: Side
    organisation: str = Field(examples=["P-01"])
    state: InstanceState
    fingerprint: str = Field(description="SHA-256 over its two certificates.")
    sent: int = Field(ge=0, description="The last bundle to it.")
    received: int = Field(ge=0, description="The last bundle from it.")
    acknowledged: int = Field(ge=0, description="The last of ours that it says it has.")
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None
    suspended_by: str | None
    version: int = Field(ge=1)

    @classmethod
    def of(cls, instance: Instance) -> "InstanceDocument":
        """The document of an instance."""
        return cls(
            name=instance.name,
            side=instance.side,
            organisation=instance.organisation,
            state=instance.state,
            fingerprint=instance.certificates.fingerprint,
            sent=instance.sent,
            received=instance.received,
            acknowledged=instance.acknowledged,
            proposed_by=instance.proposed_by,
            proposed_at=instance.proposed_at,
            confirmed_by=instance.confirmed_by,
            suspended_by=instance.suspended_by,
            version=instance.version,
        )


class InstancesDocument(BaseModel):
    """Instances by their names."""

    own: str = Field(description="This register's name among them.")
    organisation: str
    instances: list[InstanceDocument]
    next: str | None = None


class BlockDocument(BaseModel):
    """A block of card numbers that an instance gives out."""

    committee: str
    first: str = Field(examples=["98.000001"])
    last: str
    granted_at: datetime
    granted_by: str
    is_told: bool


class IndexSetDocument(BaseModel):
    """Positions of a status list that an instance gives out."""

    list_id: str
    count: int
    at: datetime
    account: str
    is_told: bool


class InstanceViewDocument(BaseModel):
    """One instance with what it was given."""

    instance: InstanceDocument
    blocks: list[BlockDocument]
    index_sets: list[IndexSetDocument]
    conflicts: int = Field(ge=0)
    is_restored: bool = Field(
        description="This register was restored from a backup, and makes no bundle for it until somebody has looked."
    )

    @classmethod
    def of(cls, view: InstanceView, scheme: CardNumberScheme) -> "InstanceViewDocument":
        """The document of an instance that was looked at."""
        return cls(
            instance=InstanceDocument.of(view.instance),
            blocks=[
                BlockDocument(
                    committee=each.block.committee,
                    first=scheme.display(each.block.first),
                    last=scheme.display(each.block.last),
                    granted_at=each.block.granted_at,
                    granted_by=each.block.granted_by,
                    is_told=each.is_told,
                )
                for each in view.blocks
            ],
            index_sets=[
                IndexSetDocument(
                    list_id=each.list_id.hex(),
                    count=each.count,
                    at=each.at,
                    account=each.account,
                    is_told=each.is_told,
                )
                for each in view.sets
            ],
            conflicts=view.conflicts,
            is_restored=view.is_restored,
        )


class ConfirmInstanceBody(_Body):
    """The fingerprint as the other office told it, by another way than the file came."""

    fingerprint: str = Field(min_length=1, max_length=200)


class RecoverBody(_Body):
    """The last bundle that they have of ours, where the mark is lost, too."""

    sent: int | None = Field(default=None, ge=1, le=2**53 - 1)


class NothingBody(_Body):
    """Nothing more is asked for."""


class BlockBody(_Body):
    """A block of card numbers for a committee of the instance."""

    committee: str = Field(min_length=1, max_length=32)
    first: str = Field(min_length=1, max_length=16, examples=["98.000001"])
    last: str = Field(min_length=1, max_length=16, examples=["98.003000"])


class IndicesBody(_Body):
    """How many status indices: as many cards as it will make."""

    count: int = Field(ge=1, le=100_000)
