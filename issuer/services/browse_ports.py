"""Looking through the tree of organisations, level by level, and counting what is in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from issuer.domain.member import Standing
from issuer.domain.organisation import OrganisationCode

__all__ = ["Browsing", "OrganisationLine", "OrganisationLines", "Roots"]

Roots = frozenset[OrganisationCode] | None
"""The organisations at and below which somebody may look; ``None`` for the whole register."""


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
    """Pages and counts of the register, each read in a transaction of its own."""

    def organisations(
        self,
        *,
        above: OrganisationCode | None,
        roots: Roots,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> OrganisationLines:
        """The open organisations directly below one; where none is named, those at which somebody's part begins."""

    def find_organisations(
        self, words: Sequence[str], *, code: str, roots: Roots, limit: int
    ) -> tuple[OrganisationCode, ...]:
        """The open organisations whose name has words that begin with all of these, or whose code begins with this.

        Those whose code does come first, then the shortest names. ``words`` are folded (``vietnamese_text.fold``).
        """

    def standings(self, roots: Roots) -> Mapping[Standing, int]:
        """How many members are in which standing; without those that nobody is in."""

    def count_organisations(self, roots: Roots) -> int:
        """How many open organisations there are."""
