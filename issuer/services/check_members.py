"""Use case: say of members that everything is as it is recorded, which keeps their records *live*.

Nothing of a record changes, and neither does its version: what is kept is when it was said last, and by whom.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.register_ports import Register

__all__ = ["MOST_AT_ONCE", "CheckingOfMembers"]

MOST_AT_ONCE: Final = 1_000
"""Nobody has gone through more records than these in one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckingOfMembers:
    """Everything that it needs from the world; ``clock`` gives aware UTC."""

    register: Register
    clock: Callable[[], datetime]

    def check(self, member_id: MemberId, *, actor: Actor, version: int) -> None:
        """Say it of one member.

        Args:
            member_id: of whom.
            actor: who says so; needs ``members.write`` where the member is recorded.
            version: of the member that the actor looked at.

        Raises:
            IssuerRefusedError: ``right.missing``, ``member.unknown``.
            ConflictError: the member is not at this version (``member.changed``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            member = transaction.members.get(member_id)
            code = member.statement.organisation_code
            place = transaction.organisations.around([code]).place(code)
            actor.demand(Right.WRITE_MEMBERS, place=place, now=now)
            if not transaction.checks.note(
                member_id, version=version, account=actor.account, at=now
            ):
                raise ConflictError(
                    f"member {member_id} is at version {member.version}, got {version}",
                    code="member.changed",
                    hint="look at the member again, then decide",
                )
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="member.checked",
                    subject=AuditSubject.MEMBER,
                    subject_id=member_id.hex,
                    organisation=code,
                    details={"version": version},
                )
            )

    def check_all(self, code: OrganisationCode, *, actor: Actor) -> int:
        """Say it of everybody who is recorded in one organisation itself; gives back how many they are.

        Raises:
            IssuerDataError: ``organisation.unknown``.
            IssuerRefusedError: ``right.missing``; nobody is recorded there (``check.nobody``), or more than
                ``MOST_AT_ONCE`` (``check.too-many``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            place = transaction.organisations.around([code]).place(code)
            actor.demand(Right.WRITE_MEMBERS, place=place, now=now)
            count = transaction.checks.count_in(code)
            if not count:
                raise IssuerRefusedError(
                    f"nobody is recorded in organisation {code} itself", code="check.nobody"
                )
            if count > MOST_AT_ONCE:
                raise IssuerRefusedError(
                    f"{count} members are recorded in organisation {code}, expected at most {MOST_AT_ONCE}",
                    code="check.too-many",
                    hint="bring their list again: whoever is stated in it exactly so is checked by that",
                )
            noted = transaction.checks.note_in(code, account=actor.account, at=now)
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="organisation.members-checked",
                    subject=AuditSubject.ORGANISATION,
                    subject_id=code,
                    organisation=code,
                    details={"members": noted},
                )
            )
            return noted
