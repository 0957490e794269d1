"""The dated tree: every organisation has versions, each valid from a day until the next one begins."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from issuer.domain.member_change import EvidenceDigest
from issuer.domain.organisation import (
    MAX_DEPTH,
    Organisation,
    OrganisationCode,
    OrganisationTree,
)
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError

__all__ = [
    "OrganisationAct",
    "OrganisationChange",
    "OrganisationVersion",
    "judge_day",
    "judge_move",
]


class OrganisationChange(enum.StrEnum):
    """What began a version."""

    RECORDED = "recorded"
    RENAMED = "renamed"
    MOVED = "moved"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationAct:
    """Who changed something, when, why, and on which document.

    Attributes:
        at: when it was recorded (aware UTC).
        account: who recorded it.
        reason: in their words.
        evidence: the document that it rests on.
    """

    at: datetime
    account: AccountName
    reason: str = field(repr=False)
    evidence: EvidenceDigest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationVersion:
    """What an organisation was for a while.

    Attributes:
        number: 1 for the first, one more for each that follows.
        organisation: name, place in the tree, level and committee number; of a closed one, those that it had last.
        valid_from: the first day; ``None`` where it is not known, which counts as always.
        valid_until: the first day on which it was no longer so; ``None`` while it is.
        change: what began it.
        successor: where members and organisations below went, of one that was merged into another.
        act: who recorded it; ``None`` where a list was taken in before acts were kept.
    """

    number: int
    organisation: Organisation
    valid_from: date | None
    valid_until: date | None = None
    change: OrganisationChange
    successor: OrganisationCode | None = None
    act: OrganisationAct | None

    @property
    def is_open(self) -> bool:
        """Whether the organisation works in this version."""
        return self.change not in (OrganisationChange.MERGED, OrganisationChange.CLOSED)


def judge_day(current: OrganisationVersion, on: date, *, today: date) -> None:
    """Whether another version may begin on this day.

    Raises:
        IssuerRefusedError: the organisation is closed (``organisation.closed``), the day is in the future
            (``organisation.future``) or before the present version began (``organisation.order``).
    """
    code = current.organisation.code
    if not current.is_open:
        raise IssuerRefusedError(
            f"organisation {code} was closed on {current.valid_from}", code="organisation.closed"
        )
    if on > today:
        raise IssuerRefusedError(
            f"the change would happen on {on}, which is in the future",
            code="organisation.future",
            hint="record it when it has happened",
        )
    if current.valid_from is not None and on < current.valid_from:
        raise IssuerRefusedError(
            f"organisation {code} was changed on {current.valid_from}, which is after {on}",
            code="organisation.order",
        )


def judge_move(
    moved: Iterable[OrganisationCode], parent: OrganisationCode, tree: OrganisationTree
) -> None:
    """Whether organisations may stand below another one, in this tree.

    Raises:
        IssuerRefusedError: the one above is not there at that time (``organisation.unknown``) or is one of them
            or below it (``organisation.circle``), or the tree would get too deep (``organisation.too-deep``).
    """
    if parent not in tree:
        raise IssuerRefusedError(
            f"organisation {parent} is not open on that day", code="organisation.unknown"
        )
    above = len(tree.path(parent))
    for code in moved:
        if code not in tree:
            continue
        below = tree.below(code)
        if parent in below:
            raise IssuerRefusedError(
                f"organisation {code} would be above itself", code="organisation.circle"
            )
        depth = above + 1 + max(below.values())
        if depth > MAX_DEPTH:
            raise IssuerRefusedError(
                f"the tree would have {depth} levels, expected at most {MAX_DEPTH}",
                code="organisation.too-deep",
            )
