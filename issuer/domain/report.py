"""How good the register is: right, complete, clean and live, by organisation. These are the only definitions.

Counted are members who are members: recorded, not deleted, and neither deceased, struck off nor expelled.

right      no row of a member list about the organisation waits for a person's judgement: members / (members + rows)
complete   everything is stated that may be left out of a list (``lacks``), and there is a portrait
clean      nobody else has the same folded name and date of birth, and no letter of the name only looks Vietnamese
live       recorded, changed, or checked and found so within the last year (``LIVE_FOR``)

A request is open until its card is handed over or it is withdrawn; it ages when its last step is older than a month.
"""

from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import Final

from issuer.domain.look_alikes import LOOK_ALIKES
from issuer.domain.member import Member, Standing

__all__ = [
    "AGEING_AFTER",
    "COUNTED_STANDINGS",
    "LIVE_FOR",
    "LOOK_ALIKE_LETTERS",
    "NO_PORTRAIT",
    "Measures",
    "Quality",
    "has_look_alike",
    "lacks",
]

LIVE_FOR: Final = timedelta(days=365)
AGEING_AFTER: Final = timedelta(days=30)
COUNTED_STANDINGS: Final = frozenset(each for each in Standing if not each.is_final)
LOOK_ALIKE_LETTERS: Final = "".join(sorted(LOOK_ALIKES))
"""Letters that only look like Đ and đ; a name of the register has none, unless it came in by another way than a list."""

NO_PORTRAIT: Final = bytes(32)
"""What stands for the digest of a portrait where there is none."""

_PER_MILLE: Final = 1000


class Quality(StrEnum):
    """The four words."""

    RIGHT = "right"
    COMPLETE = "complete"
    CLEAN = "clean"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What was counted in an organisation, or in it and all below.

    Attributes:
        members: who is counted.
        waiting_rows: questionable rows of member lists that nobody has decided yet.
        incomplete: members of whom something is missing.
        duplicates: members who may be the same person as another one.
        look_alikes: members, none of them among ``duplicates``, whose names hold a letter that only looks Vietnamese.
        stale: members whose record nobody has recorded, changed or checked for ``LIVE_FOR``.
        open_requests: requests for cards that are somebody's work.
        ageing_requests: those of them that nobody has moved for ``AGEING_AFTER``.
    """

    members: int = 0
    waiting_rows: int = 0
    incomplete: int = 0
    duplicates: int = 0
    look_alikes: int = 0
    stale: int = 0
    open_requests: int = 0
    ageing_requests: int = 0

    def __add__(self, other: "Measures") -> "Measures":
        return Measures(
            **{
                each.name: getattr(self, each.name) + getattr(other, each.name)
                for each in fields(self)
            }
        )

    def __sub__(self, other: "Measures") -> "Measures":
        """What is to be added to ``other`` to make this; its counts may be negative."""
        return Measures(
            **{
                each.name: getattr(self, each.name) - getattr(other, each.name)
                for each in fields(self)
            }
        )

    def per_mille(self, quality: Quality) -> int | None:
        """The share of members who are so, in thousandths, rounded down; ``None`` where nobody is counted.

        1000 is said only of all.
        """
        of = self.members
        match quality:
            case Quality.RIGHT:
                good, of = self.members, self.members + self.waiting_rows
            case Quality.COMPLETE:
                good = self.members - self.incomplete
            case Quality.CLEAN:
                good = self.members - self.duplicates - self.look_alikes
            case Quality.LIVE:
                good = self.members - self.stale
        return None if of == 0 else good * _PER_MILLE // of


def lacks(member: Member) -> bool:
    """Whether something is missing of what may be left out of a member list."""
    statement = member.statement
    return (
        statement.residence is None
        or statement.phone is None
        or (statement.standing is not Standing.PROBATIONARY and statement.recognition_date is None)
        or member.portrait == NO_PORTRAIT
    )


def has_look_alike(member: Member) -> bool:
    """Whether a letter of the name only looks Vietnamese."""
    return any(letter in member.statement.name.full for letter in LOOK_ALIKE_LETTERS)
