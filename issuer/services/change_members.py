"""Use case: change what the register states of a member, and say who, when, why and on which document.

Whoever changes a member names the version that they looked at; where somebody else was faster, nothing is
changed. The change, its lines of history and its audit record are one transaction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_reads import member_read
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.data_subjects import FileStore, FileToDestroy
from issuer.domain.member import Member, MemberId, MemberStatement, Standing
from issuer.domain.member_acts import (
    Correction,
    MemberAct,
    NewPortrait,
    Serving,
    StandingEvent,
    Transfer,
)
from issuer.domain.member_change import (
    EvidenceDigest,
    FieldChange,
    MemberChange,
    changed_statement,
    differences,
)
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import OrganisationCode, OrganisationTree
from issuer.domain.rights import Actor, Right
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.change_consequences import Consequences, consequences_of
from issuer.services.follow_members import follow_member
from issuer.services.free_numbers import require_free_numbers
from issuer.services.register_ports import (
    EvidenceStore,
    HistoryPage,
    HistoryPosition,
    Register,
    RegisterTransaction,
)
from issuer.services.weighed_changes import ChangedMember, SeenMember, WeighedChange

__all__ = ["ChangeOfMembers", "Justification"]

_REASON_BYTES: Final = 800
_MOST_CHANGES: Final = 200
"""So many lines of history tell what somebody saw when they began to type."""


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
class _Word:
    """By whose word something is done, when, and why."""

    actor: Actor
    at: datetime
    reason: str = ""
    evidence: EvidenceDigest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOfMembers:
    """Everything that a change needs from the world; ``clock`` gives aware UTC."""

    register: Register
    evidence: EvidenceStore
    scheme: CardNumberScheme
    clock: Callable[[], datetime]

    def look(self, member_id: MemberId, *, actor: Actor, version: int | None = None) -> SeenMember:
        """The member for whoever is going to change them; the audit trail keeps that they were shown.

        Args:
            member_id: whom.
            actor: who asks; needs ``members.write`` where the member is recorded.
            version: at which the actor looked before; ``None`` for now.

        Raises:
            IssuerRefusedError: the actor has no right, or the member is unknown.
            ConflictError: nobody can say any more what the member was at this version (``member.changed``).
        """
        word = _Word(actor=actor, at=self.clock())
        with self.register.writing() as transaction:
            member = transaction.members.get(member_id)
            code = member.statement.organisation_code
            _demand(word, transaction.organisations.around([code]), code)
            transaction.audit.append(
                member_read(member_id, account=actor.account, organisation=code, at=word.at)
            )
            meanwhile: tuple[MemberChange, ...] = ()
            if version not in {None, member.version}:
                meanwhile = _since(transaction, member, version or 0)
            seen = SeenMember(member=member, seen={}, meanwhile=meanwhile)
            before = {**seen.now, **{each.change.column: each.change.old for each in meanwhile}}
            return replace(seen, seen=before)

    def weigh(
        self, member_id: MemberId, act: MemberAct, *, actor: Actor, version: int
    ) -> WeighedChange:
        """What an act would change and mean, judged like the act itself; the trail keeps that the member was shown.

        Raises:
            IssuerDataError, IssuerRefusedError, ConflictError: as ``take``.
        """
        word = _Word(actor=actor, at=self.clock())
        _require_past(act.effective, word.at)
        with self.register.writing() as transaction:
            member, after, changes = self._judge(transaction, member_id, version, act, word)
            code = member.statement.organisation_code
            transaction.audit.append(
                member_read(member_id, account=actor.account, organisation=code, at=word.at)
            )
            return WeighedChange(
                member=member,
                after=after.statement,
                changes=changes,
                consequences=_consequences(transaction, member, after, changes, word),
            )

    def take(
        self,
        member_id: MemberId,
        act: MemberAct,
        *,
        actor: Actor,
        version: int,
        why: Justification,
    ) -> ChangedMember:
        """Carry an act out.

        Args:
            member_id: with whom.
            act: what.
            actor: who asks; needs ``members.write`` where the member is recorded, before and after.
            version: of the member that the actor looked at.
            why: reason and document.

        Raises:
            IssuerDataError: a value breaks a rule, or the justification does (``change.reason``); the day lies ahead
                (``change.future``).
            IssuerRefusedError: the actor has no right, the member is unknown, a number is taken, nothing
                would change (``member.unchanged``), a field is not changed so (``member.field-fixed``), or the act
                cannot happen to this member (``standing.final``, ``standing.order``).
            ConflictError: the member is not at this version (``member.changed``).
        """
        now = self.clock()
        _require_past(act.effective, now)
        word = _Word(actor=actor, at=now, reason=_reason(why))
        if why.evidence is not None:
            with self.register.reading() as transaction:
                # The document of what is refused anyhow would be kept for nobody.
                self._judge(transaction, member_id, version, act, word)
            # It is durable before anything names it.
            word = replace(word, evidence=self.evidence.put(why.evidence))
        with self.register.writing() as transaction:
            member, after, changes = self._judge(transaction, member_id, version, act, word)
            consequences = _consequences(transaction, member, after, changes, word)
            transaction.members.change(after, [_line(after, each, act, word) for each in changes])
            if member.portrait != after.portrait:
                # The earlier picture says nothing of the member any more: whoever cleans up destroys it.
                transaction.subjects.doom(
                    FileToDestroy(store=FileStore.PORTRAITS, digest=member.portrait)
                )
            transaction.audit.append(_audit_record(after, changes, act, word))
            follow_member(
                transaction.cards,
                member_id,
                after.statement.standing,
                {each.column for each in changes},
                account=actor.account,
                at=now,
            )
            return ChangedMember(member=after, changes=changes, consequences=consequences)

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

        Raises:
            IssuerDataError, IssuerRefusedError, ConflictError: as ``take``.
        """
        act = Correction(values=wanted)
        return self.take(member_id, act, actor=actor, version=version, why=why).member

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
        """Record that another standing began on a day.

        Raises:
            IssuerDataError, IssuerRefusedError, ConflictError: as ``take``.
        """
        act = StandingEvent(standing=standing, since=since)
        return self.take(member_id, act, actor=actor, version=version, why=why).member

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
            IssuerDataError, IssuerRefusedError, ConflictError: as ``take``.
        """
        act = Transfer(to=to, on=on)
        return self.take(member_id, act, actor=actor, version=version, why=why).member

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
            IssuerDataError, IssuerRefusedError, ConflictError: as ``take``.
        """
        act = Serving(organisation=organisation, since=since)
        return self.take(member_id, act, actor=actor, version=version, why=why).member

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

    def document(self, member_id: MemberId, digest: EvidenceDigest, *, actor: Actor) -> bytes:
        """A document that a change of this member rests on; the audit trail keeps who read it.

        Raises:
            IssuerRefusedError: the actor has no right to read members there, the member is unknown, or no change of
                theirs names the document (``evidence.unknown``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            member = transaction.members.get(member_id)
            code = member.statement.organisation_code
            place = transaction.organisations.around([code]).place(code)
            actor.demand(Right.READ_MEMBERS, place=place, now=now)
            if not transaction.members.rests_on(member_id, digest):
                raise IssuerRefusedError(
                    f"no change of member {member_id} rests on document {digest.hex()}",
                    code="evidence.unknown",
                )
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="member.evidence-read",
                    subject=AuditSubject.MEMBER,
                    subject_id=member_id.hex,
                    organisation=code,
                    details={"evidence": digest.hex()},
                )
            )
        return self.evidence.get(digest)

    def _judge(
        self,
        transaction: RegisterTransaction,
        member_id: MemberId,
        version: int,
        act: MemberAct,
        word: _Word,
    ) -> tuple[Member, Member, tuple[FieldChange, ...]]:
        """The member as they are and as they will be, with what differs."""
        member = transaction.members.get(member_id)
        statement = member.statement
        values = act.wanted(statement)
        tree = transaction.organisations.around(_organisations_in(statement, values))
        _demand(word, tree, statement.organisation_code)
        if member.version != version:
            raise _changed(member, version)
        if isinstance(act, NewPortrait):
            after, change = act.picture(member)
            if change.old == change.new:
                raise _unchanged()
            return member, after, (change,)
        changed = changed_statement(
            statement, values, organisations=tree, scheme=self.scheme, today=word.at.date()
        )
        # Who gives a member away needs the right where the member goes, too.
        _demand(word, tree, changed.organisation_code)
        changes = differences(statement, changed)
        if not changes:
            raise _unchanged()
        require_free_numbers(transaction, member_id, changed)
        return member, replace(member, statement=changed, version=version + 1), changes


def _demand(word: _Word, tree: OrganisationTree, code: OrganisationCode) -> None:
    word.actor.demand(Right.WRITE_MEMBERS, place=tree.place(code), now=word.at)


def _require_past(effective: date | None, now: datetime) -> None:
    if effective is not None and effective > now.date():
        raise IssuerDataError(
            f"the change would happen on {effective}, which is in the future",
            code="change.future",
        )


def _reason(why: Justification) -> str:
    try:
        return clean_text(why.reason, max_bytes=_REASON_BYTES)
    except IssuerDataError as error:
        raise IssuerDataError(f"the reason: {error}", code="change.reason") from error


def _changed(member: Member, version: int) -> ConflictError:
    return ConflictError(
        f"member {member.member_id} is at version {member.version}, got {version}",
        code="member.changed",
        hint="look at the member again, then decide",
    )


def _unchanged() -> IssuerRefusedError:
    return IssuerRefusedError("the member is stated exactly so already", code="member.unchanged")


def _since(
    transaction: RegisterTransaction, member: Member, version: int
) -> tuple[MemberChange, ...]:
    """What changed after a version, the newest first; all of it, or nothing can be said."""
    page = transaction.members.history(member.member_id, limit=_MOST_CHANGES)
    since = tuple(each for each in page.changes if each.version > version)
    is_whole = page.end is None or len(since) < len(page.changes)
    if version > member.version or not is_whole:
        raise _changed(member, version)
    return since


def _consequences(
    transaction: RegisterTransaction,
    before: Member,
    after: Member,
    changes: tuple[FieldChange, ...],
    word: _Word,
) -> Consequences:
    return consequences_of(
        transaction,
        before,
        after,
        {each.column for each in changes},
        account=word.actor.account,
        today=word.at.date(),
    )


def _organisations_in(
    statement: MemberStatement, values: Mapping[MemberColumn, str | None]
) -> set[OrganisationCode]:
    wanted = (values.get(MemberColumn.ORGANISATION_CODE), values.get(MemberColumn.SERVED_IN))
    return {
        statement.organisation_code,
        *(OrganisationCode(each) for each in (statement.served_in, *wanted) if each is not None),
    }


def _line(member: Member, change: FieldChange, act: MemberAct, word: _Word) -> MemberChange:
    return MemberChange(
        member_id=member.member_id,
        version=member.version,
        at=word.at,
        account=word.actor.account,
        kind=act.kind,
        effective=act.effective,
        reason=word.reason,
        evidence=word.evidence,
        change=change,
    )


def _audit_record(
    member: Member, changes: tuple[FieldChange, ...], act: MemberAct, word: _Word
) -> AuditRecord:
    return AuditRecord(
        at=word.at,
        account=word.actor.account,
        action=act.action,
        subject=AuditSubject.MEMBER,
        subject_id=member.member_id.hex,
        organisation=member.statement.organisation_code,
        details={
            "version": member.version,
            "fields": ",".join(each.column.value for each in changes),
            "evidence": None if word.evidence is None else word.evidence.hex(),
        },
    )
