"""Use case: change what the register states of a member, and say who, when, why and on which document.

Whoever changes a member names the version that they looked at; where somebody else was faster, nothing is
changed. The change, its lines of history and its audit record are one transaction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.member import Member, MemberId, MemberStatement, Standing
from issuer.domain.member_change import (
    ChangeKind,
    EvidenceDigest,
    FieldChange,
    MemberChange,
    changed_statement,
    differences,
    judge_standing_event,
)
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import OrganisationCode, OrganisationTree
from issuer.domain.rights import Actor, Right
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.follow_members import follow_member
from issuer.services.register_ports import (
    EvidenceStore,
    HistoryPage,
    HistoryPosition,
    MemberNumbers,
    Register,
    RegisterTransaction,
)

__all__ = ["ChangeOfMembers", "Justification"]

_REASON_BYTES: Final = 800
_UNIQUE: Final = (
    ("record-number", "record_number"),
    ("citizen-number", "citizen_number"),
    ("earlier-card-number", "earlier_card_number"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Justification:
    """Why a change is right.

    Attributes:
        reason: in the words of whoever changes; a line of text.
        evidence: a document that it rests on (PDF, JPEG or PNG), where there is one.
    """

    reason: str
    evidence: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """What all changes of one act have in common."""

    actor: Actor
    at: datetime
    kind: ChangeKind
    effective: date | None
    reason: str
    evidence: EvidenceDigest | None
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOfMembers:
    """Everything that a change needs from the world; ``clock`` gives aware UTC."""

    register: Register
    evidence: EvidenceStore
    scheme: CardNumberScheme
    clock: Callable[[], datetime]

    def correct(
        self,
        member_id: MemberId,
        wanted: Mapping[MemberColumn, str | None],
        *,
        actor: Actor,
        version: int,
        why: Justification,
    ) -> Member:
        """Put right what was recorded wrongly; gives back the member as it is now.

        Args:
            member_id: whose.
            wanted: the fields' right values as text; ``None`` empties an optional field.
            actor: who asks; needs ``members.write`` where the member is recorded, before and after.
            version: of the member that the actor looked at.
            why: reason and document.

        Raises:
            IssuerDataError: a value breaks a rule, or the justification does (``change.reason``).
            IssuerRefusedError: the actor has no right, the member is unknown, a number is taken, nothing
                would change (``member.unchanged``), or a field is not changed so (``member.field-fixed``).
            ConflictError: the member is not at this version (``member.changed``).
        """
        act = self._act(actor, ChangeKind.CORRECTION, None, why, "member.corrected")
        return self._change(member_id, version, act, lambda _statement: wanted)

    def change_standing(
        self,
        member_id: MemberId,
        standing: Standing,
        *,
        since: date,
        actor: Actor,
        version: int,
        why: Justification,
    ) -> Member:
        """Record that another standing began on a day; whoever becomes official is recognised on that day.

        Raises:
            IssuerDataError, IssuerRefusedError, ConflictError: as ``correct``; ``standing.final``,
                ``standing.order``.
        """

        def wanted(statement: MemberStatement) -> Mapping[MemberColumn, str | None]:
            judge_standing_event(statement, since)
            values: dict[MemberColumn, str | None] = {
                MemberColumn.STANDING: standing.value,
                MemberColumn.STANDING_SINCE: since.isoformat(),
            }
            if standing is Standing.OFFICIAL and statement.recognition_date is None:
                values[MemberColumn.RECOGNITION_DATE] = since.isoformat()
            return values

        act = self._act(actor, ChangeKind.EVENT, since, why, "member.standing-changed")
        return self._change(member_id, version, act, wanted)

    def transfer(
        self,
        member_id: MemberId,
        to: OrganisationCode,
        *,
        on: date,
        actor: Actor,
        version: int,
        why: Justification,
    ) -> Member:
        """Record that a member belongs to another organisation from a day on, and is served there.

        Raises:
            IssuerDataError, IssuerRefusedError, ConflictError: as ``correct``; ``standing.final``.
        """

        def wanted(statement: MemberStatement) -> Mapping[MemberColumn, str | None]:
            if statement.standing.is_final:
                raise IssuerRefusedError(
                    f"the member is {statement.standing}, and belongs to no other organisation any more",
                    code="standing.final",
                )
            return {MemberColumn.ORGANISATION_CODE: to, MemberColumn.SERVED_IN: None}

        act = self._act(actor, ChangeKind.EVENT, on, why, "member.transferred")
        return self._change(member_id, version, act, wanted)

    def serve_in(
        self,
        member_id: MemberId,
        organisation: OrganisationCode | None,
        *,
        since: date,
        actor: Actor,
        version: int,
        why: Justification,
    ) -> Member:
        """Record that a temporary resident is served elsewhere from a day on, or (``None``) at home again.

        Raises:
            IssuerDataError, IssuerRefusedError, ConflictError: as ``correct``.
        """
        act = self._act(actor, ChangeKind.EVENT, since, why, "member.served-elsewhere")
        return self._change(
            member_id, version, act, lambda _statement: {MemberColumn.SERVED_IN: organisation}
        )

    def history(
        self,
        member_id: MemberId,
        *,
        actor: Actor,
        limit: int,
        behind: HistoryPosition | None = None,
    ) -> HistoryPage:
        """What changed, the newest first.

        Raises:
            IssuerRefusedError: the actor has no right to read members there, or the member is unknown.
        """
        with self.register.reading() as transaction:
            member = transaction.members.get(member_id)
            code = member.statement.organisation_code
            place = transaction.organisations.around([code]).place(code)
            actor.demand(Right.READ_MEMBERS, place=place, now=self.clock())
            return transaction.members.history(member_id, limit=limit, behind=behind)

    def _act(
        self,
        actor: Actor,
        kind: ChangeKind,
        effective: date | None,
        why: Justification,
        action: str,
    ) -> _Act:
        now = self.clock()
        if effective is not None and effective > now.date():
            raise IssuerDataError(
                f"the change would happen on {effective}, which is in the future",
                code="change.future",
            )
        try:
            reason = clean_text(why.reason, max_bytes=_REASON_BYTES)
        except IssuerDataError as error:
            raise IssuerDataError(f"the reason: {error}", code="change.reason") from error
        # The document is durable before anything names it; one that nothing names in the end harms nobody.
        evidence = None if why.evidence is None else self.evidence.put(why.evidence)
        return _Act(
            actor=actor,
            at=now,
            kind=kind,
            effective=effective,
            reason=reason,
            evidence=evidence,
            action=action,
        )

    def _change(
        self,
        member_id: MemberId,
        version: int,
        act: _Act,
        wanted: Callable[[MemberStatement], Mapping[MemberColumn, str | None]],
    ) -> Member:
        with self.register.writing() as transaction:
            member = transaction.members.get(member_id)
            statement = member.statement
            values = wanted(statement)
            tree = transaction.organisations.around(_organisations_in(statement, values))
            self._demand(act, tree, statement.organisation_code)
            if member.version != version:
                raise ConflictError(
                    f"member {member_id} is at version {member.version}, got {version}",
                    code="member.changed",
                    hint="look at the member again, then decide",
                )
            changed = changed_statement(
                statement,
                values,
                organisations=tree,
                scheme=self.scheme,
                today=act.at.date(),
            )
            # Who gives a member away needs the right where the member goes, too.
            self._demand(act, tree, changed.organisation_code)
            changes = differences(statement, changed)
            if not changes:
                raise IssuerRefusedError(
                    "the member is stated exactly so already", code="member.unchanged"
                )
            _require_free(transaction, member_id, changed)
            now_so = replace(member, statement=changed, version=version + 1)
            transaction.members.change(now_so, [_line(now_so, each, act) for each in changes])
            transaction.audit.append(_audit_record(now_so, changes, act))
            follow_member(
                transaction.cards,
                member_id,
                changed.standing,
                {each.column for each in changes},
                account=act.actor.account,
                at=act.at,
            )
            return now_so

    def _demand(self, act: _Act, tree: OrganisationTree, code: OrganisationCode) -> None:
        act.actor.demand(Right.WRITE_MEMBERS, place=tree.place(code), now=act.at)


def _organisations_in(
    statement: MemberStatement, values: Mapping[MemberColumn, str | None]
) -> set[OrganisationCode]:
    wanted = (values.get(MemberColumn.ORGANISATION_CODE), values.get(MemberColumn.SERVED_IN))
    return {
        statement.organisation_code,
        *(OrganisationCode(each) for each in (statement.served_in, *wanted) if each is not None),
    }


def _require_free(
    transaction: RegisterTransaction, member_id: MemberId, statement: MemberStatement
) -> None:
    numbers = MemberNumbers(
        record_number=statement.record_number,
        citizen_number=statement.citizen_number,
        earlier_card_number=statement.earlier_card_number,
    )
    for holder in transaction.members.holders_of([numbers]):
        if holder.member_id == member_id:
            continue
        for subject, attribute in _UNIQUE:
            number = getattr(statement, attribute)
            if number is not None and getattr(holder.statement, attribute) == number:
                raise IssuerRefusedError(
                    f"another member of the register has this {subject.replace('-', ' ')}",
                    code=f"{subject}.taken",
                )


def _line(member: Member, change: FieldChange, act: _Act) -> MemberChange:
    return MemberChange(
        member_id=member.member_id,
        version=member.version,
        at=act.at,
        account=act.actor.account,
        kind=act.kind,
        effective=act.effective,
        reason=act.reason,
        evidence=act.evidence,
        change=change,
    )


def _audit_record(member: Member, changes: tuple[FieldChange, ...], act: _Act) -> AuditRecord:
    return AuditRecord(
        at=act.at,
        account=act.actor.account,
        action=act.action,
        subject=AuditSubject.MEMBER,
        subject_id=member.member_id.hex,
        organisation=member.statement.organisation_code,
        details={
            "version": member.version,
            "fields": ",".join(each.column.value for each in changes),
            "evidence": None if act.evidence is None else act.evidence.hex(),
        },
    )
