"""What people do with the record of a member: each act says which fields it wants otherwise, and since when."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import ClassVar, Protocol

from issuer.domain.member import Member, MemberStatement, PortraitDigest, Standing
from issuer.domain.member_change import ChangeKind, FieldChange, judge_standing_event
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import OrganisationCode
from issuer.errors import IssuerRefusedError

__all__ = [
    "Correction",
    "MemberAct",
    "NewPortrait",
    "Serving",
    "StandingEvent",
    "Transfer",
    "Wanted",
]

Wanted = Mapping[MemberColumn, str | None]
"""Fields with the texts that they are to hold; ``None`` empties an optional one."""


class MemberAct(Protocol):
    """One act.

    Attributes:
        kind: a mistake that is put right, or something that happened.
        action: its name in the audit trail.
    """

    kind: ClassVar[ChangeKind]
    action: ClassVar[str]

    @property
    def effective(self) -> date | None:
        """The day on which it happened; ``None`` for a correction."""

    def wanted(self, statement: MemberStatement) -> Wanted:
        """The fields that it wants otherwise.

        Raises:
            IssuerRefusedError: it cannot happen to this member.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What was recorded wrongly is put right."""

    kind: ClassVar[ChangeKind] = ChangeKind.CORRECTION
    action: ClassVar[str] = "member.corrected"

    values: Wanted = field(repr=False)

    @property
    def effective(self) -> date | None:
        """It was so from the beginning."""
        return None

    def wanted(self, _statement: MemberStatement) -> Wanted:
        """See ``MemberAct.wanted``."""
        return self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingEvent:
    """Another standing began on a day; whoever becomes official is recognised on that day."""

    kind: ClassVar[ChangeKind] = ChangeKind.EVENT
    action: ClassVar[str] = "member.standing-changed"

    standing: Standing
    since: date

    @property
    def effective(self) -> date | None:
        """The day."""
        return self.since

    def wanted(self, statement: MemberStatement) -> Wanted:
        """See ``MemberAct.wanted``.

        Raises:
            IssuerRefusedError: ``standing.final``, ``standing.order``.
        """
        judge_standing_event(statement, self.since)
        values: dict[MemberColumn, str | None] = {
            MemberColumn.STANDING: self.standing.value,
            MemberColumn.STANDING_SINCE: self.since.isoformat(),
        }
        if self.standing is Standing.OFFICIAL and statement.recognition_date is None:
            values[MemberColumn.RECOGNITION_DATE] = self.since.isoformat()
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The member belongs to another organisation from a day on, and is served there."""

    kind: ClassVar[ChangeKind] = ChangeKind.EVENT
    action: ClassVar[str] = "member.transferred"

    to: OrganisationCode
    on: date

    @property
    def effective(self) -> date | None:
        """The day."""
        return self.on

    def wanted(self, statement: MemberStatement) -> Wanted:
        """See ``MemberAct.wanted``.

        Raises:
            IssuerRefusedError: ``standing.final``.
        """
        if statement.standing.is_final:
            raise IssuerRefusedError(
                f"the member is {statement.standing}, and belongs to no other organisation any more",
                code="standing.final",
            )
        return {MemberColumn.ORGANISATION_CODE: self.to, MemberColumn.SERVED_IN: None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A temporary resident is served elsewhere from a day on, or (``None``) at home again."""

    kind: ClassVar[ChangeKind] = ChangeKind.EVENT
    action: ClassVar[str] = "member.served-elsewhere"

    organisation: OrganisationCode | None
    since: date

    @property
    def effective(self) -> date | None:
        """The day."""
        return self.since

    def wanted(self, _statement: MemberStatement) -> Wanted:
        """See ``MemberAct.wanted``."""
        return {MemberColumn.SERVED_IN: self.organisation}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPortrait:
    """Another picture takes the portrait's place; no field of the statement changes.

    Attributes:
        portrait: the card's portrait, as the store keeps it.
        source: the digest of the picture as it was handed in.
    """

    kind: ClassVar[ChangeKind] = ChangeKind.CORRECTION
    action: ClassVar[str] = "member.portrait-replaced"

    portrait: PortraitDigest
    source: PortraitDigest

    @property
    def effective(self) -> date | None:
        """No day: it counts from when it is recorded."""
        return None

    def wanted(self, _statement: MemberStatement) -> Wanted:
        """See ``MemberAct.wanted``."""
        return {}

    def picture(self, member: Member) -> tuple[Member, FieldChange]:
        """The member with this portrait, and the line of history that says so by digests."""
        change = FieldChange(
            column=MemberColumn.PORTRAIT, old=member.portrait.hex(), new=self.portrait.hex()
        )
        after = replace(
            member,
            portrait=self.portrait,
            portrait_source=self.source,
            version=member.version + 1,
        )
        return after, change
