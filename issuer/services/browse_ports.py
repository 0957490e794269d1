"""Looking through the register: short lines in pages, never a whole list, and nothing that has to be unsealed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from issuer.domain.member import MemberId, Sex, Standing
from issuer.domain.organisation import OrganisationCode

__all__ = [
    "Browsing",
    "LinePosition",
    "MemberLine",
    "MemberLines",
    "MemberSelection",
    "OrganisationLine",
    "OrganisationLines",
    "Roots",
]

Roots = frozenset[OrganisationCode] | None
"""The organisations at and below which somebody may look; ``None`` for the whole register."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSelection:
    """Which members.

    Attributes:
        within: whoever asks sees no others.
        name: the beginning of a name: all of it in its own order, or the given name first.
        organisation: recorded there or anywhere below.
        standing: in this standing.
    """

    within: Roots
    name: str | None = field(default=None, repr=False)
    organisation: OrganisationCode | None = None
    standing: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """One line of a list of members."""

    member_id: MemberId
    full_name: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: Sex = field(repr=False)
    record_number: str = field(repr=False)
    standing: Standing
    organisation_code: OrganisationCode
    organisation_name: str


@dataclass(frozen=True, slots=True)
class LinePosition:
    """Where a page ends: the key that it is ordered by, and the member."""

    key: bytes = field(repr=False)
    member_id: MemberId


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLines:
    """One page; ``end`` is ``None`` on the last one."""

    lines: tuple[MemberLine, ...]
    end: LinePosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationLine:
    """One organisation in a list, with how many organisations are directly below, and members recorded in it."""

    code: OrganisationCode
    name: str
    below: int
    members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationLines:
    """One page by code; ``end`` is ``None`` on the last one."""

    lines: tuple[OrganisationLine, ...]
    end: OrganisationCode | None


class Browsing(Protocol):
    """Pages of the register, each read in a transaction of its own."""

    def members(
        self, selection: MemberSelection, *, limit: int, behind: LinePosition | None = None
    ) -> MemberLines:
        """Members in Vietnamese order of their names; where a name is looked for, by its folded words."""

    def organisations(
        self,
        *,
        above: OrganisationCode | None,
        roots: Roots,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> OrganisationLines:
        """The open organisations directly below one; where none is named, those at which somebody's part begins."""

    def standings(self, roots: Roots) -> Mapping[Standing, int]:
        """How many members are in which standing; without those that nobody is in."""

    def count_organisations(self, roots: Roots) -> int:
        """How many open organisations there are."""
