"""Port of the directory: members in lists and by search, without what is sealed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberId, Standing
from issuer.domain.member_search import NameQuestion, SearchQuestion
from issuer.domain.organisation import OrganisationCode
from issuer.domain.record_number import RecordNumber

__all__ = ["DirectoryPage", "DirectoryPosition", "MemberDirectory", "MemberLine", "MemberSelection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """What a list shows of a member: enough to tell them from others, and nothing that is sealed."""

    member_id: MemberId
    full_name: str = field(repr=False)
    birth_date: date = field(repr=False)
    record_number: RecordNumber = field(repr=False)
    earlier_card_number: CardNumber | None = field(repr=False)
    organisation_code: OrganisationCode
    standing: Standing
    version: int


@dataclass(frozen=True, slots=True)
class DirectoryPosition:
    """Where a page ends: the key that its order goes by, and the member."""

    key: bytes = field(repr=False)
    member_id: MemberId


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryPage:
    """One page; ``end`` is ``None`` on the last one."""

    lines: tuple[MemberLine, ...]
    end: DirectoryPosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSelection:
    """Which members are asked for; what is ``None`` does not narrow.

    Attributes:
        roots: only members recorded in these organisations and in those below them.
        standing: only members of this standing.
        name: only members whose name is so; they come in the order of their folded names then, and in the
            Vietnamese order of names otherwise.
    """

    roots: Collection[OrganisationCode] | None = None
    standing: Standing | None = None
    name: NameQuestion | None = None


class MemberDirectory(Protocol):
    """The directory within one transaction."""

    def page(
        self, selection: MemberSelection, *, limit: int, behind: DirectoryPosition | None = None
    ) -> DirectoryPage:
        """Members behind a position."""

    def several(self, member_ids: Collection[MemberId]) -> Mapping[MemberId, MemberLine]:
        """These members; those whose record was deleted are left out."""

    def numbered(self, question: SearchQuestion) -> tuple[MemberLine, ...]:
        """Who has the number that is asked for; nobody where a name is."""
