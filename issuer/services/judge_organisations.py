"""What an act with an organisation would make of it, judged within one transaction: for weighing and for doing alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.organisation_acts import Closure, Merger, Move, OrganisationDeed, Renaming
from issuer.domain.organisation_history import (
    OrganisationChange,
    OrganisationVersion,
    judge_day,
    judge_move,
)
from issuer.domain.rights import Actor, Right
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.places import place_of
from issuer.services.register_ports import RegisterTransaction

__all__ = ["JudgedDeed", "demand_at", "judge_deed"]

_NAME_BYTES: Final = 320
_LEVEL_BYTES: Final = 64
_MAX_MOVED_MEMBERS: Final = 100_000
_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedDeed:
    """What an act makes of an organisation.

    Attributes:
        current: its version before.
        after: what it is then; of one that is no more, what it was last.
        change: what begins the next version.
        on: its first day.
        successor: where members and organisations below go.
        children: the organisations that go there.
        makes_stale: whether the cards of its members say something else than the register does then.
    """

    current: OrganisationVersion
    after: Organisation
    change: OrganisationChange
    on: date
    successor: OrganisationCode | None = None
    children: tuple[Organisation, ...] = ()
    makes_stale: bool = False


def judge_deed(
    transaction: RegisterTransaction,
    code: OrganisationCode,
    deed: OrganisationDeed,
    *,
    actor: Actor,
    at: datetime,
    version: int | None,
) -> JudgedDeed:
    """What the act would make of it.

    Args:
        transaction: within which it is judged.
        code: of the organisation.
        deed: what is to be done.
        actor: who; needs ``organisations.write`` where it is and where it goes.
        at: when (aware UTC).
        version: the one that the actor looked at; ``None`` where they looked at none.

    Raises:
        IssuerDataError: ``organisation.unknown``; a name or level breaks a rule (``text...``).
        IssuerRefusedError: no right; ``organisation.closed``, ``organisation.future``, ``organisation.order``,
            ``organisation.unchanged``, ``organisation.too-large``, ``organisation.circle``,
            ``organisation.too-deep``, ``organisation.not-empty``.
        ConflictError: it has another version by now (``organisation.changed``).
    """
    current = transaction.organisations.current(code)
    demand_at(transaction, code, actor, at)
    if version is not None and version != current.number:
        raise ConflictError(
            f"organisation {code} has version {current.number}, expected {version}: somebody else changed it",
            code="organisation.changed",
            hint="look at the organisation again, then decide",
        )
    judge_day(current, deed.on, today=at.date())
    match deed:
        case Renaming():
            return _renamed(transaction, current, deed)
        case Move():
            demand_at(transaction, deed.under, actor, at, is_open=True)
            _judge_moves(transaction, [code], deed.under, deed.on)
            moved = replace(current.organisation, parent_code=deed.under)
            _require_difference(current, moved)
            return JudgedDeed(
                current=current, after=moved, change=OrganisationChange.MOVED, on=deed.on
            )
        case Merger():
            demand_at(transaction, deed.into, actor, at, is_open=True)
            return _merged(transaction, current, deed, at)
        case Closure():
            return _closed(transaction, current, deed)


def demand_at(
    transaction: RegisterTransaction,
    code: OrganisationCode,
    actor: Actor,
    at: datetime,
    *,
    is_open: bool = False,
) -> None:
    """Let pass who may change the tree at this organisation; with ``is_open``, it must be open today.

    Raises:
        IssuerDataError: there is none (``organisation.unknown``).
        IssuerRefusedError: ``right.missing``.
    """
    organisations = transaction.organisations
    place: Sequence[OrganisationCode] = (
        organisations.around([code]).place(code) if is_open else place_of(organisations, code)
    )
    actor.demand(Right.WRITE_ORGANISATIONS, place=place, now=at)


def _renamed(
    transaction: RegisterTransaction, current: OrganisationVersion, deed: Renaming
) -> JudgedDeed:
    before = current.organisation
    name = before.name if deed.name is None else clean_text(deed.name, max_bytes=_NAME_BYTES)
    level = before.level
    if deed.level is not None:
        level = clean_text(deed.level, max_bytes=_LEVEL_BYTES) if deed.level.strip() else None
    after = replace(before, name=name, level=level)
    _require_difference(current, after)
    if name != before.name:
        _require_few_members(transaction, before.code)
    return JudgedDeed(
        current=current,
        after=after,
        change=OrganisationChange.RENAMED,
        on=deed.on,
        makes_stale=name != before.name,
    )


def _merged(
    transaction: RegisterTransaction, current: OrganisationVersion, deed: Merger, at: datetime
) -> JudgedDeed:
    code = current.organisation.code
    if code == deed.into:
        raise IssuerRefusedError(
            f"organisation {code} cannot go into itself", code="organisation.circle"
        )
    _require_few_members(transaction, code)
    children = _children(transaction, code)
    _judge_moves(transaction, [each.code for each in children], deed.into, deed.on)
    for child in children:
        judge_day(transaction.organisations.current(child.code), deed.on, today=at.date())
    return JudgedDeed(
        current=current,
        after=current.organisation,
        change=OrganisationChange.MERGED,
        on=deed.on,
        successor=deed.into,
        children=children,
        makes_stale=True,
    )


def _children(transaction: RegisterTransaction, code: OrganisationCode) -> tuple[Organisation, ...]:
    found: list[Organisation] = []
    behind: OrganisationCode | None = None
    while True:
        page = transaction.organisations.page(limit=_PAGE, behind=behind, under=code)
        found += page.organisations
        if page.end is None:
            return tuple(found)
        behind = page.end


def _closed(
    transaction: RegisterTransaction, current: OrganisationVersion, deed: Closure
) -> JudgedDeed:
    code = current.organisation.code
    below = transaction.organisations.page(limit=1, under=code).organisations
    members = transaction.members.count_in(code)
    if below or members:
        raise IssuerRefusedError(
            f"organisation {code} has {members} members and "
            f"{'others' if below else 'nothing'} below it, expected none",
            code="organisation.not-empty",
            hint=f"organisations merge {code} --into CODE",
        )
    return JudgedDeed(
        current=current,
        after=current.organisation,
        change=OrganisationChange.CLOSED,
        on=deed.on,
    )


def _require_difference(current: OrganisationVersion, after: Organisation) -> None:
    if after == current.organisation:
        raise IssuerRefusedError(
            f"organisation {after.code} is stated exactly so already",
            code="organisation.unchanged",
        )


def _require_few_members(transaction: RegisterTransaction, code: OrganisationCode) -> None:
    """Their cards are looked at in one transaction: all of them say something else from now on, or none does."""
    if transaction.members.count_in(code) > _MAX_MOVED_MEMBERS:
        raise IssuerRefusedError(
            f"organisation {code} has more than {_MAX_MOVED_MEMBERS} members to change at once",
            code="organisation.too-large",
        )


def _judge_moves(
    transaction: RegisterTransaction,
    moved: Sequence[OrganisationCode],
    parent: OrganisationCode,
    on: date,
) -> None:
    """The tree must hold together on the day of the move, and on every later day on which it changed already."""
    days = (on, *transaction.organisations.days_of_change(since=on))
    for day in days:
        part = transaction.organisations.part(up_from=parent, down_from=moved, as_of=day)
        judge_move(moved, parent, part)
