"""Use case: whom a breach touches, as one list, from what the register and its audit trail know."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.audit_chain import check_record
from issuer.domain.audit_reads import members_shown
from issuer.domain.breach import (
    AccountBreach,
    BreachScope,
    BundleBreach,
    OrganisationBreach,
    TouchedPerson,
)
from issuer.domain.member import MemberId
from issuer.domain.rights import Actor, Place, Right
from issuer.errors import IssuerDataError
from issuer.services.audit_ports import AuditQuestion
from issuer.services.places import place_of
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["BreachOffice"]

_PAGE: Final = 500
_Seen = tuple[datetime, datetime] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachOffice:
    """Lists whom a breach touches; ``clock`` gives aware UTC."""

    register: Register
    clock: Callable[[], datetime]

    def touched(self, scope: BreachScope, *, actor: Actor) -> Iterator[TouchedPerson]:
        """Everybody whom the breach touches, once; that the list was made is recorded before the first one comes.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``: it takes the right to export members.
            IssuerDataError: ``organisation.unknown``; ``breach.since``: the time lies ahead; ``breach.scope``.
        """
        now = self.clock()
        if isinstance(scope, AccountBreach) and scope.since > now:
            raise IssuerDataError(
                f"got {scope.since.isoformat()}, which lies ahead", code="breach.since"
            )
        record = _record(scope, actor, now)
        with self.register.writing() as transaction:
            for right in (Right.SERVE_DATA_SUBJECTS, Right.EXPORT_MEMBERS):
                actor.demand(right, place=_place(transaction, scope), now=now)
            transaction.audit.append(record)
        return self._persons(scope)

    def _persons(self, scope: BreachScope) -> Iterator[TouchedPerson]:
        with self.register.reading() as transaction:
            seen = _touched_ids(transaction, scope)
            ids = list(seen)
            for start in range(0, len(ids), _PAGE):
                part = ids[start : start + _PAGE]
                found = {each.member_id: each for each in transaction.members.several(part)}
                for member_id in part:
                    times = seen[member_id]
                    yield TouchedPerson(
                        member_id=member_id,
                        member=found.get(member_id),
                        first=None if times is None else times[0],
                        last=None if times is None else times[1],
                    )


def _touched_ids(transaction: RegisterTransaction, scope: BreachScope) -> dict[MemberId, _Seen]:
    if isinstance(scope, OrganisationBreach):
        codes = transaction.organisations.below({scope.organisation})
        return dict.fromkeys(transaction.subjects.members_within(codes))
    if isinstance(scope, AccountBreach):
        question = AuditQuestion(account=scope.account, since=scope.since)
    else:
        question = AuditQuestion(subject=AuditSubject.BUNDLE, subject_id=scope.bundle)
    seen: dict[MemberId, _Seen] = {}
    for record in _acts(transaction, question):
        for member_id in _members_of(record):
            first = seen.get(member_id)
            seen[member_id] = (record.at if first is None else first[0], record.at)
    return seen


def _acts(transaction: RegisterTransaction, question: AuditQuestion) -> Iterator[AuditRecord]:
    behind: int | None = None
    while True:
        page = transaction.audit.page(question, limit=_PAGE, behind=behind)
        for each in page.records:
            yield each.record()
        if page.end is None:
            return
        behind = page.end


def _members_of(record: AuditRecord) -> tuple[MemberId, ...]:
    """Whose data an act showed; whoever changed a record has seen it."""
    shown = members_shown(record)
    if shown or record.subject is not AuditSubject.MEMBER:
        return shown
    try:
        return (MemberId(uuid.UUID(hex=record.subject_id)),)
    except ValueError:
        return ()


def _place(transaction: RegisterTransaction, scope: BreachScope) -> Place:
    """An organisation's breach is its committee's matter; what an account saw may be anybody's."""
    if isinstance(scope, OrganisationBreach):
        return place_of(transaction.organisations, scope.organisation)
    return ()


def _record(scope: BreachScope, actor: Actor, now: datetime) -> AuditRecord:
    details: dict[str, AuditDetail] = {}
    organisation = None
    if isinstance(scope, OrganisationBreach):
        subject, subject_id = AuditSubject.ORGANISATION, str(scope.organisation)
        organisation = scope.organisation
    elif isinstance(scope, BundleBreach):
        subject, subject_id = AuditSubject.BUNDLE, scope.bundle
    else:
        subject, subject_id = AuditSubject.SERVICE, "register"
        # An account's name may have any letters; the trail's details have ASCII.
        details["of_account"] = scope.account.encode("ascii", "backslashreplace").decode()
        details["since"] = scope.since.isoformat()
    record = AuditRecord(
        at=now,
        account=actor.account,
        action="breach.listed",
        subject=subject,
        subject_id=subject_id,
        organisation=organisation,
        details=details,
    )
    try:
        check_record(record)
    except ValueError as error:
        raise IssuerDataError(
            "the scope of the breach names nothing that the trail can hold", code="breach.scope"
        ) from error
    return record
