"""Which instances' reports there are below this register, whose figures count, and which of them are late or missing."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from issuer.domain.instances import InstanceName, InstanceState, Side
from issuer.domain.organisation import OrganisationCode
from issuer.services.places import Places
from issuer.services.register_ports import RegisterTransaction
from issuer.services.report_ports import InstanceFigures, KeptReport

__all__ = [
    "STALE_AFTER",
    "InstanceSource",
    "SourceState",
    "chosen_sources",
    "instance_sources",
    "states_of",
]

STALE_AFTER: Final = timedelta(days=31)
"""Reports are made by the month: what was counted before that says little of today."""


class SourceState(enum.StrEnum):
    """What is to be known of an instance's figures."""

    CURRENT = "current"
    STALE = "stale"
    """Counted more than ``STALE_AFTER`` ago."""
    MISSING = "missing"
    """The instance has told nothing: of its organisation, what this register knows itself is counted."""
    SUSPENDED = "suspended"
    """Its bundles are not taken now: what it told last is counted."""
    REPLACED = "replaced"
    """Another instance of the same organisation has told newer figures, and these are not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSource:
    """One instance below, whether or not it has told anything.

    Attributes:
        via: the instance in whose bundles it comes: itself, or one between it and us.
        instance, organisation: whose figures they are.
        place: the way from the root of our tree down to it.
        is_enrolled: whether bundles of ``via`` are taken now.
        kept: what it told, ``None`` where nothing was told.
    """

    via: InstanceName
    instance: InstanceName
    organisation: OrganisationCode
    place: tuple[OrganisationCode, ...]
    is_enrolled: bool
    kept: KeptReport | None

    @property
    def counted_at(self) -> datetime | None:
        """As of when its figures are."""
        return None if self.kept is None else self.kept.counted_at

    @property
    def states_production(self) -> bool:
        """Whether it tells how far production has come."""
        return self.kept is not None and self.kept.states_production


def instance_sources(
    transaction: RegisterTransaction, figures: InstanceFigures
) -> tuple[InstanceSource, ...]:
    """All that are enrolled below, or were, and all that these name; places are those of today's tree."""
    places = Places(transaction.organisations)
    kept = figures.kept()
    found: list[InstanceSource] = []
    for direct in transaction.exchange.instances():
        if direct.side is not Side.BELOW:
            continue
        place = places.of(direct.organisation)
        told = [each for each in kept if each.via == direct.name]
        own = [each for each in told if each.instance == direct.name]
        reports: list[KeptReport | None] = [*own] or [None]
        for report in (*reports, *(each for each in told if each not in own)):
            inner: Sequence[OrganisationCode] = ()
            if report is not None and report.instance != direct.name:
                inner = report.place[report.place.index(direct.organisation) + 1 :]
            found.append(
                InstanceSource(
                    via=direct.name,
                    instance=direct.name if report is None else report.instance,
                    organisation=direct.organisation if report is None else report.organisation,
                    place=(*place, *inner),
                    is_enrolled=direct.state is InstanceState.ENROLLED,
                    kept=None if report is None or report.counted_at is None else report,
                )
            )
    return _each_once(found)


def chosen_sources(
    sources: Iterable[InstanceSource],
) -> Mapping[OrganisationCode, InstanceSource]:
    """Whose figures count for which organisation: those of the instance that counted last."""
    chosen: dict[OrganisationCode, InstanceSource] = {}
    for each in sources:
        if each.counted_at is not None:
            other = chosen.get(each.organisation)
            if other is None or _order(each) > _order(other):
                chosen[each.organisation] = each
    return chosen


def states_of(
    sources: Iterable[InstanceSource],
    chosen: Mapping[OrganisationCode, InstanceSource],
    *,
    now: datetime,
) -> Mapping[InstanceSource, SourceState]:
    """What is to be known of each."""
    return {each: _state(each, chosen, now) for each in sources}


def _state(
    source: InstanceSource, chosen: Mapping[OrganisationCode, InstanceSource], now: datetime
) -> SourceState:
    if chosen.get(source.organisation, source) != source:
        return SourceState.REPLACED
    if source.counted_at is None:
        return SourceState.MISSING
    if not source.is_enrolled:
        return SourceState.SUSPENDED
    return SourceState.STALE if now - source.counted_at > STALE_AFTER else SourceState.CURRENT


def _each_once(found: Iterable[InstanceSource]) -> tuple[InstanceSource, ...]:
    """Of an instance that comes by several ways, what was counted last."""
    once: dict[tuple[InstanceName, OrganisationCode], InstanceSource] = {}
    for each in found:
        key = (each.instance, each.organisation)
        if key not in once or _order(each) > _order(once[key]):
            once[key] = each
    return tuple(once[key] for key in sorted(once))


def _order(source: InstanceSource) -> tuple[bool, float, bool, InstanceName]:
    counted_at = source.counted_at
    return (
        counted_at is not None,
        0.0 if counted_at is None else counted_at.timestamp(),
        source.via == source.instance,
        source.instance,
    )
