"""Use case: what waits for somebody, and the register in figures; each by its own right and part of the tree."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from issuer.domain.member import Standing
from issuer.domain.rights import Actor, Right
from issuer.services.browse_ports import Browsing, Roots
from issuer.services.read_requests import ReadingOfRequests

__all__ = ["DECISIONS", "Figure", "Overview", "Overviews"]

DECISIONS: Final = "decisions"
"""The name of the figure that counts decisions which wait for somebody's confirmation; those of requests are named
by the step that they wait for."""

_KEPT: Final = timedelta(seconds=60)
"""Counting a million rows takes longer than anybody waits for a page: figures are as old as they say."""

_KEPT_PARTS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A count by its name."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What somebody sees first."""

    as_of: datetime
    waiting: tuple[Figure, ...]
    figures: tuple[Figure, ...]


_Key = tuple[str, Roots]
_Counted = tuple[datetime, tuple[Figure, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overviews:
    """Counts, and keeps what it counted for a minute; ``clock`` gives aware UTC."""

    browsing: Browsing
    requests: ReadingOfRequests
    clock: Callable[[], datetime]
    _kept: dict[_Key, _Counted] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def show(self, actor: Actor) -> Overview:
        """The overview of one person."""
        now = self.clock()
        counted: list[_Counted] = []
        if actor.may_somewhere(Right.READ_MEMBERS):
            roots = actor.roots(Right.READ_MEMBERS)
            counted.append(self._recent("members", roots, now, self._count_members))
        if actor.may_somewhere(Right.READ_ORGANISATIONS):
            roots = actor.roots(Right.READ_ORGANISATIONS)
            counted.append(self._recent("organisations", roots, now, self._count_organisations))
        return Overview(
            as_of=min((at for at, _ in counted), default=now),
            waiting=self._waiting(actor),
            figures=tuple(figure for _, figures in counted for figure in figures),
        )

    def _waiting(self, actor: Actor) -> tuple[Figure, ...]:
        """What waits is counted as it is asked for: whoever has just done it sees it gone."""
        steps = self.requests.waiting(actor)
        decisions = self.requests.decisions_waiting(actor)
        return (
            *(Figure(name=step.value, count=count) for step, count in steps.items()),
            *((Figure(name=DECISIONS, count=decisions),) if decisions else ()),
        )

    def _recent(
        self, name: str, roots: Roots, now: datetime, count: Callable[[Roots], tuple[Figure, ...]]
    ) -> _Counted:
        with self._lock:
            known = self._kept.get((name, roots))
        if known is not None and now - known[0] < _KEPT:
            return known
        found = (now, count(roots))
        with self._lock:
            if len(self._kept) >= _KEPT_PARTS:
                self._kept.clear()
            self._kept[name, roots] = found
        return found

    def _count_members(self, roots: Roots) -> tuple[Figure, ...]:
        by_standing = self.browsing.standings(roots)

        def count(*standings: Standing) -> int:
            return sum(by_standing.get(each, 0) for each in standings)

        return (
            Figure(name="members", count=count(*(each for each in Standing if not each.is_final))),
            Figure(name="official", count=count(Standing.OFFICIAL)),
            Figure(name="probationary", count=count(Standing.PROBATIONARY)),
            Figure(name="elsewhere", count=count(Standing.ABROAD, Standing.TRANSFERRED)),
        )

    def _count_organisations(self, roots: Roots) -> tuple[Figure, ...]:
        return (Figure(name="organisations", count=self.browsing.count_organisations(roots)),)
