"""Use case: the tree of organisations changes: names, places in the tree, mergers and closures, each from a day on.

Every act needs the right ``organisations.write`` where the organisation is and where it goes, begins a new version
of what it changes, and leaves one audit record; the tree of any day before stays as it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.organisation_history import (
    OrganisationAct,
    OrganisationChange,
    OrganisationVersion,
    judge_day,
    judge_move,
)
from issuer.domain.rights import Actor, Right
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.change_members import Justification
from issuer.services.register_ports import EvidenceStore, Register, RegisterTransaction

__all__ = ["ChangeOfOrganisations", "ClosureReport"]

_NAME_BYTES: Final = 320
_LEVEL_BYTES: Final = 64
_REASON_BYTES: Final = 800
_MAX_MOVED_MEMBERS: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureReport:
    """What a merger moved.

    Attributes:
        closed: the organisation that is no more, in its last version.
        moved_organisations: how many stood directly below it.
        moved_members: how many were recorded in it or served there.
    """

    closed: OrganisationVersion
    moved_organisations: int
    moved_members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOfOrganisations:
    """Everything that a change of the tree needs from the world; ``clock`` gives aware UTC."""

    register: Register
    evidence: EvidenceStore
    clock: Callable[[], datetime]

    def rename(
        self,
        code: OrganisationCode,
        name: str,
        *,
        on: date,
        actor: Actor,
        why: Justification,
        level: str | None = None,
    ) -> OrganisationVersion:
        """Give an organisation another name (and level, where one is given) from a day on.

        Cards bear the name of the organisation in which their member is recorded: with another name their data are
        stale. Who issued a card is a fact of its day, and no name of today changes it.

        Raises:
            IssuerDataError: the name breaks a rule (``text...``), or the reason does (``change.reason``).
            IssuerRefusedError: no right; ``organisation.closed``, ``organisation.future``,
                ``organisation.order``, ``organisation.unchanged``, ``organisation.too-large``.
            ConflictError: somebody else changed it meanwhile (``organisation.changed``).
        """
        clean = clean_text(name, max_bytes=_NAME_BYTES)
        clean_level = None if level is None else clean_text(level, max_bytes=_LEVEL_BYTES)
        act = self._act(actor, why)
        with self.register.writing() as transaction:
            current = self._allowed(transaction, code, on, actor, act)
            organisation = current.organisation
            renamed = replace(organisation, name=clean, level=clean_level or organisation.level)
            stale = 0
            if clean != organisation.name:
                _require_few_members(transaction, code)
                stale = transaction.cards.data_changed(
                    transaction.members.recorded_in(code),
                    account=act.account,
                    at=act.at,
                )
            return _begin(
                transaction,
                current,
                renamed,
                OrganisationChange.RENAMED,
                on=on,
                act=act,
                details={"stale_cards": stale},
            )

    def move(
        self,
        code: OrganisationCode,
        parent: OrganisationCode,
        *,
        on: date,
        actor: Actor,
        why: Justification,
    ) -> OrganisationVersion:
        """Put an organisation, with all below it, under another one from a day on.

        Raises:
            IssuerDataError: ``change.reason``, ``organisation.unknown``.
            IssuerRefusedError: as ``rename``; ``organisation.circle``, ``organisation.too-deep``.
            ConflictError: as ``rename``.
        """
        act = self._act(actor, why)
        with self.register.writing() as transaction:
            current = self._allowed(transaction, code, on, actor, act)
            self._demand(transaction, parent, actor, act)
            _judge_moves(transaction, [code], parent, on)
            moved = replace(current.organisation, parent_code=parent)
            return _begin(transaction, current, moved, OrganisationChange.MOVED, on=on, act=act)

    def close(
        self, code: OrganisationCode, *, on: date, actor: Actor, why: Justification
    ) -> OrganisationVersion:
        """Close an organisation in which nobody is recorded and below which nothing is open.

        Raises:
            IssuerDataError: ``change.reason``, ``organisation.unknown``.
            IssuerRefusedError: as ``rename``; ``organisation.not-empty``.
            ConflictError: as ``rename``.
        """
        act = self._act(actor, why)
        with self.register.writing() as transaction:
            current = self._allowed(transaction, code, on, actor, act)
            below = transaction.organisations.page(limit=1, under=code).organisations
            members = transaction.members.count_in(code)
            if below or members:
                raise IssuerRefusedError(
                    f"organisation {code} has {members} members and "
                    f"{'others' if below else 'nothing'} below it, expected none",
                    code="organisation.not-empty",
                    hint=f"organisations merge {code} --into CODE",
                )
            return _begin(
                transaction,
                current,
                current.organisation,
                OrganisationChange.CLOSED,
                on=on,
                act=act,
            )

    def merge(
        self,
        code: OrganisationCode,
        into: OrganisationCode,
        *,
        on: date,
        actor: Actor,
        why: Justification,
    ) -> ClosureReport:
        """Close an organisation whose members and whose organisations below go to another one, on one day.

        Raises:
            IssuerDataError: ``change.reason``, ``organisation.unknown``.
            IssuerRefusedError: as ``move``; ``organisation.too-large``.
            ConflictError: as ``rename``.
        """
        act = self._act(actor, why)
        with self.register.writing() as transaction:
            current = self._allowed(transaction, code, on, actor, act)
            self._demand(transaction, into, actor, act)
            if code == into:
                raise IssuerRefusedError(
                    f"organisation {code} cannot go into itself", code="organisation.circle"
                )
            _require_few_members(transaction, code)
            children = transaction.organisations.tree().children(code)
            _judge_moves(transaction, [each.code for each in children], into, on)
            for child in children:
                below = transaction.organisations.current(child.code)
                judge_day(below, on, today=act.at.date())
                _begin(
                    transaction,
                    below,
                    replace(child, parent_code=into),
                    OrganisationChange.MOVED,
                    on=on,
                    act=act,
                )
            transaction.cards.data_changed(
                transaction.members.recorded_in(code),
                account=act.account,
                at=act.at,
            )
            moved = transaction.members.move_all(code, into, on=on, act=act)
            closed = _begin(
                transaction,
                current,
                current.organisation,
                OrganisationChange.MERGED,
                on=on,
                act=act,
                successor=into,
                details={"moved_members": moved, "moved_organisations": len(children)},
            )
            return ClosureReport(
                closed=closed, moved_organisations=len(children), moved_members=moved
            )

    def history(
        self,
        code: OrganisationCode,
        *,
        actor: Actor,
        limit: int,
        behind: int | None = None,
    ) -> tuple[OrganisationVersion, ...]:
        """Versions, the newest first; ``behind`` is the number of the last one that was seen.

        Raises:
            IssuerDataError: there is no such organisation (``organisation.unknown``).
            IssuerRefusedError: no right to read organisations there.
        """
        with self.register.reading() as transaction:
            current = transaction.organisations.current(code)
            place = _place(transaction, current)
            actor.demand(Right.READ_ORGANISATIONS, place=place, now=self.clock())
            return transaction.organisations.history(code, limit=limit, behind=behind)

    def _act(self, actor: Actor, why: Justification) -> OrganisationAct:
        try:
            reason = clean_text(why.reason, max_bytes=_REASON_BYTES)
        except IssuerDataError as error:
            raise IssuerDataError(f"the reason: {error}", code="change.reason") from error
        evidence = None if why.evidence is None else self.evidence.put(why.evidence)
        return OrganisationAct(
            at=self.clock(), account=actor.account, reason=reason, evidence=evidence
        )

    @staticmethod
    def _allowed(
        transaction: RegisterTransaction,
        code: OrganisationCode,
        on: date,
        actor: Actor,
        act: OrganisationAct,
    ) -> OrganisationVersion:
        current = transaction.organisations.current(code)
        place = _place(transaction, current)
        actor.demand(Right.WRITE_ORGANISATIONS, place=place, now=act.at)
        judge_day(current, on, today=act.at.date())
        return current

    @staticmethod
    def _demand(
        transaction: RegisterTransaction,
        code: OrganisationCode,
        actor: Actor,
        act: OrganisationAct,
    ) -> None:
        place = transaction.organisations.around([code]).place(code)
        actor.demand(Right.WRITE_ORGANISATIONS, place=place, now=act.at)


def _require_few_members(transaction: RegisterTransaction, code: OrganisationCode) -> None:
    """Their cards are looked at in one transaction: all of them say something else from now on, or none does."""
    if transaction.members.count_in(code) > _MAX_MOVED_MEMBERS:
        raise IssuerRefusedError(
            f"organisation {code} has more than {_MAX_MOVED_MEMBERS} members to change at once",
            code="organisation.too-large",
        )


def _place(
    transaction: RegisterTransaction, version: OrganisationVersion
) -> Sequence[OrganisationCode]:
    """Where the organisation is; a closed one is where it was last."""
    organisation = version.organisation
    if organisation.parent_code is None:
        return (organisation.code,)
    above = transaction.organisations.around([organisation.parent_code])
    return (*above.place(organisation.parent_code), organisation.code)


def _judge_moves(
    transaction: RegisterTransaction,
    moved: Sequence[OrganisationCode],
    parent: OrganisationCode,
    on: date,
) -> None:
    """The tree must hold together on the day of the move, and on every later day on which it changed already."""
    days = (on, *transaction.organisations.days_of_change(since=on))
    for day in days:
        judge_move(moved, parent, transaction.organisations.tree(as_of=day))


def _begin(
    transaction: RegisterTransaction,
    current: OrganisationVersion,
    organisation: Organisation,
    change: OrganisationChange,
    *,
    on: date,
    act: OrganisationAct,
    successor: OrganisationCode | None = None,
    details: dict[str, AuditDetail] | None = None,
) -> OrganisationVersion:
    if organisation == current.organisation and change in (
        OrganisationChange.RENAMED,
        OrganisationChange.MOVED,
    ):
        raise IssuerRefusedError(
            f"organisation {organisation.code} is stated exactly so already",
            code="organisation.unchanged",
        )
    version = OrganisationVersion(
        number=current.number + 1,
        organisation=organisation,
        valid_from=on,
        change=change,
        successor=successor,
        act=act,
    )
    transaction.organisations.change(version)
    transaction.audit.append(
        AuditRecord(
            at=act.at,
            account=act.account,
            action=f"organisation.{change.value}",
            subject=AuditSubject.ORGANISATION,
            subject_id=organisation.code,
            organisation=organisation.code,
            details={
                "version": version.number,
                "on": on.isoformat(),
                "parent": organisation.parent_code,
                "successor": successor,
                "evidence": None if act.evidence is None else act.evidence.hex(),
                **(details or {}),
            },
        )
    )
    return version
