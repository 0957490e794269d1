"""Use case: the tree of organisations changes: names, places in the tree, mergers and closures, each from a day on.

Every act needs the right ``organisations.write`` where the organisation is and where it goes, begins a new version
of what it changes, and leaves one audit record; the tree of any day before stays as it was. Whoever changes an
organisation names the version that they looked at; where somebody else was faster, nothing is changed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.member_change import EvidenceDigest
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.organisation_acts import OrganisationDeed
from issuer.domain.organisation_history import (
    OrganisationAct,
    OrganisationChange,
    OrganisationVersion,
)
from issuer.domain.rights import Actor, Right
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.change_members import Justification
from issuer.services.judge_organisations import JudgedDeed, demand_at, judge_deed
from issuer.services.places import place_of
from issuer.services.register_ports import EvidenceStore, Register, RegisterTransaction
from issuer.services.weighed_organisations import (
    ChangedOrganisation,
    Reach,
    SeenOrganisation,
    WeighedOrganisation,
)

__all__ = ["ChangeOfOrganisations", "act_of", "append_change"]

_REASON_BYTES: Final = 800
_MOST_VERSIONS: Final = 100
"""So many versions tell what somebody saw when they began to type, and on which documents changes rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOfOrganisations:
    """Everything that a change of the tree needs from the world; ``clock`` gives aware UTC."""

    register: Register
    evidence: EvidenceStore
    clock: Callable[[], datetime]

    def look(
        self, code: OrganisationCode, *, actor: Actor, version: int | None = None
    ) -> SeenOrganisation:
        """The organisation for whoever is going to change it.

        Args:
            code: which one.
            actor: who asks; needs ``organisations.write`` there.
            version: at which the actor looked before; ``None`` for now.

        Raises:
            IssuerDataError: there is no such organisation (``organisation.unknown``).
            IssuerRefusedError: no right; it is no more (``organisation.closed``).
            ConflictError: nobody can say any more what it was at this version (``organisation.changed``).
        """
        with self.register.reading() as transaction:
            now = transaction.organisations.current(code)
            demand_at(transaction, code, actor, self.clock())
            if not now.is_open:
                raise IssuerRefusedError(
                    f"organisation {code} was closed on {now.valid_from}",
                    code="organisation.closed",
                )
            if version in {None, now.number}:
                return SeenOrganisation(now=now, seen=now)
            known = transaction.organisations.history(code, limit=_MOST_VERSIONS)
        seen = next((each for each in known if each.number == version), None)
        if seen is None:
            raise ConflictError(
                f"organisation {code} is at version {now.number}, got {version}",
                code="organisation.changed",
            )
        meanwhile = tuple(each for each in known if each.number > seen.number)
        return SeenOrganisation(now=now, seen=seen, meanwhile=meanwhile)

    def weigh(
        self, code: OrganisationCode, deed: OrganisationDeed, *, actor: Actor, version: int
    ) -> WeighedOrganisation:
        """What an act would change and mean, judged like the act itself.

        Raises:
            IssuerDataError, IssuerRefusedError, ConflictError: as ``take``.
        """
        with self.register.reading() as transaction:
            judged = judge_deed(
                transaction, code, deed, actor=actor, at=self.clock(), version=version
            )
            return WeighedOrganisation(
                current=judged.current,
                after=judged.after,
                on=judged.on,
                change=judged.change,
                successor=judged.successor,
                reach=_reach(transaction, judged),
            )

    def take(
        self,
        code: OrganisationCode,
        deed: OrganisationDeed,
        *,
        actor: Actor,
        why: Justification,
        version: int | None = None,
    ) -> ChangedOrganisation:
        """Carry an act out; ``version`` is the one that the actor looked at, ``None`` where they looked at none.

        Cards bear the name of the organisation in which their member is recorded: with another name, and after a
        merger, their data are stale. Who issued a card is a fact of its day, and no name of today changes it.

        Raises:
            IssuerDataError: the reason breaks a rule (``change.reason``), the document does (``evidence.*``); as
                ``judge_deed``.
            IssuerRefusedError: as ``judge_deed``.
            ConflictError: somebody else changed it meanwhile (``organisation.changed``).
        """
        act = act_of(actor, why, at=self.clock())
        if why.evidence is not None:
            with self.register.reading() as transaction:
                # The document of what is refused anyhow would be kept for nobody.
                judge_deed(transaction, code, deed, actor=actor, at=act.at, version=version)
            act = replace(act, evidence=self.evidence.put(why.evidence))
        with self.register.writing() as transaction:
            judged = judge_deed(transaction, code, deed, actor=actor, at=act.at, version=version)
            return _carry_out(transaction, code, judged, act)

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
            place = place_of(transaction.organisations, code)
            actor.demand(Right.READ_ORGANISATIONS, place=place, now=self.clock())
            return transaction.organisations.history(code, limit=limit, behind=behind)

    def document(self, code: OrganisationCode, digest: EvidenceDigest, *, actor: Actor) -> bytes:
        """A document that a change of this organisation rests on; the audit trail keeps who read it.

        Decisions about organisations name people: the document is for those who may make such changes there.

        Raises:
            IssuerDataError: there is no such organisation (``organisation.unknown``).
            IssuerRefusedError: no right; no change of it names the document (``evidence.unknown``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            demand_at(transaction, code, actor, now)
            if not transaction.organisations.rests_on(code, digest):
                raise IssuerRefusedError(
                    f"no change of organisation {code} rests on document {digest.hex()}",
                    code="evidence.unknown",
                )
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="organisation.evidence-read",
                    subject=AuditSubject.ORGANISATION,
                    subject_id=code,
                    organisation=code,
                    details={"evidence": digest.hex()},
                )
            )
        return self.evidence.get(digest)


def act_of(actor: Actor, why: Justification, *, at: datetime) -> OrganisationAct:
    """Who acts, when and why; the document joins it once it is kept.

    Raises:
        IssuerDataError: the reason breaks a rule (``change.reason``).
    """
    try:
        reason = clean_text(why.reason, max_bytes=_REASON_BYTES)
    except IssuerDataError as error:
        raise IssuerDataError(f"the reason: {error}", code="change.reason") from error
    return OrganisationAct(at=at, account=actor.account, reason=reason)


def append_change(
    transaction: RegisterTransaction,
    version: OrganisationVersion,
    act: OrganisationAct,
    details: dict[str, AuditDetail] | None = None,
) -> None:
    """Note in the audit trail that a version of an organisation began."""
    organisation = version.organisation
    transaction.audit.append(
        AuditRecord(
            at=act.at,
            account=act.account,
            action=f"organisation.{version.change.value}",
            subject=AuditSubject.ORGANISATION,
            subject_id=organisation.code,
            organisation=organisation.code,
            details={
                "version": version.number,
                "on": None if version.valid_from is None else version.valid_from.isoformat(),
                "parent": organisation.parent_code,
                "successor": version.successor,
                "evidence": None if act.evidence is None else act.evidence.hex(),
                **(details or {}),
            },
        )
    )


def _reach(transaction: RegisterTransaction, judged: JudgedDeed) -> Reach:
    """How far the act would go; ``_carry_out`` tells the same of what it did."""
    code = judged.current.organisation.code
    cards = transaction.cards.count_bearing(code) if judged.makes_stale else 0
    match judged.change:
        case OrganisationChange.MERGED:
            return Reach(
                moved_members=transaction.members.count_in(code),
                moved_organisations=len(judged.children),
                stale_cards=cards,
            )
        case OrganisationChange.MOVED:
            return _along(transaction, code)
        case _:
            return Reach(stale_cards=cards)


def _along(transaction: RegisterTransaction, code: OrganisationCode) -> Reach:
    """Who is moved takes all below along."""
    return Reach(moved_organisations=len(transaction.organisations.below([code])) - 1)


def _carry_out(
    transaction: RegisterTransaction,
    code: OrganisationCode,
    judged: JudgedDeed,
    act: OrganisationAct,
) -> ChangedOrganisation:
    stale, moved = 0, 0
    for child in judged.children:
        _begin(
            transaction,
            transaction.organisations.current(child.code),
            replace(child, parent_code=judged.successor),
            OrganisationChange.MOVED,
            on=judged.on,
            act=act,
        )
    if judged.makes_stale:
        stale = transaction.cards.data_changed(
            transaction.members.recorded_in(code), account=act.account, at=act.at
        )
    details: dict[str, AuditDetail] = {}
    if judged.successor is not None:
        moved = transaction.members.move_all(code, judged.successor, on=judged.on, act=act)
        details = {"moved_members": moved, "moved_organisations": len(judged.children)}
    if judged.change in {OrganisationChange.RENAMED, OrganisationChange.MERGED}:
        details["stale_cards"] = stale
    version = _begin(
        transaction,
        judged.current,
        judged.after,
        judged.change,
        on=judged.on,
        act=act,
        successor=judged.successor,
        details=details,
    )
    if judged.change is OrganisationChange.MOVED:
        return ChangedOrganisation(version=version, reach=_along(transaction, code))
    reach = Reach(moved_members=moved, moved_organisations=len(judged.children), stale_cards=stale)
    return ChangedOrganisation(version=version, reach=reach)


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
    version = OrganisationVersion(
        number=current.number + 1,
        organisation=organisation,
        valid_from=on,
        change=change,
        successor=successor,
        act=act,
    )
    transaction.organisations.change(version)
    append_change(transaction, version, act, details)
    return version
