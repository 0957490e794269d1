"""A change of a member before it is stored and after: what was seen, what differs, and what that means."""

from dataclasses import dataclass, field

from issuer.domain.member import Member, MemberStatement
from issuer.domain.member_acts import Wanted
from issuer.domain.member_change import FieldChange, MemberChange, field_text
from issuer.domain.member_rules import MemberColumn
from issuer.services.change_consequences import Consequences

__all__ = ["ChangedMember", "SeenMember", "WeighedChange"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenMember:
    """A member before they are changed.

    Attributes:
        member: as they are.
        seen: the fields as they were at the version that whoever changes them looked at.
        meanwhile: what changed since, the newest first.
    """

    member: Member
    seen: Wanted = field(repr=False)
    meanwhile: tuple[MemberChange, ...] = field(repr=False)

    @property
    def now(self) -> Wanted:
        """The fields as they are."""
        return {each: field_text(self.member.statement, each) for each in MemberColumn}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedChange:
    """What an act would change, and what that would mean; nothing is stored."""

    member: Member
    after: MemberStatement = field(repr=False)
    changes: tuple[FieldChange, ...]
    consequences: Consequences


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedMember:
    """What an act changed, and what that means."""

    member: Member
    changes: tuple[FieldChange, ...]
    consequences: Consequences
