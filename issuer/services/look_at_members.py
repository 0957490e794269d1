"""Use case: look at members, within one's own part of the tree; the trail says whose data was shown to whom."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.audit_reads import member_read, members_listed
from issuer.domain.member import Member, MemberId, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.browse_ports import Browsing, LinePosition, MemberLines, MemberSelection
from issuer.services.places import place_of
from issuer.services.register_ports import PortraitStore, Register

__all__ = ["LookingAtMembers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingAtMembers:
    """Lists of members, one member, one portrait; ``clock`` gives aware UTC."""

    register: Register
    browsing: Browsing
    portraits: PortraitStore
    clock: Callable[[], datetime]

    def page(
        self,
        *,
        actor: Actor,
        limit: int,
        behind: LinePosition | None = None,
        name: str | None = None,
        organisation: OrganisationCode | None = None,
        standing: Standing | None = None,
    ) -> MemberLines:
        """A page of the members that the actor may read.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        if not actor.may_somewhere(Right.READ_MEMBERS):
            raise IssuerRefusedError(
                f"account {actor.account} has no right {Right.READ_MEMBERS}", code="right.missing"
            )
        selection = MemberSelection(
            within=actor.roots(Right.READ_MEMBERS),
            name=name,
            organisation=organisation,
            standing=standing,
        )
        found = self.browsing.members(selection, limit=limit, behind=behind)
        if found.lines:
            with self.register.writing() as transaction:
                for record in members_listed(
                    [each.member_id for each in found.lines],
                    account=actor.account,
                    organisation=organisation,
                    at=self.clock(),
                ):
                    transaction.audit.append(record)
        return found

    def open(self, member_id: MemberId, *, actor: Actor) -> Member:
        """One member, with everything that the register states.

        Raises:
            IssuerRefusedError: there is none in the actor's part of the tree (``member.unknown``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            member = transaction.members.get(member_id)
            organisation = member.statement.organisation_code
            place = place_of(transaction.organisations, organisation)
            if not actor.may(Right.READ_MEMBERS, place=place):
                # Whoever may not see a member does not learn that there is one.
                raise IssuerRefusedError(
                    f"member {member_id} is not in the register", code="member.unknown"
                )
            transaction.audit.append(
                member_read(member_id, account=actor.account, organisation=organisation, at=now)
            )
        return member

    def portrait(self, member_id: MemberId, *, actor: Actor) -> bytes:
        """A member's portrait, JPEG.

        Raises:
            IssuerRefusedError: as ``open``; ``portrait.lost``, ``portrait.altered``.
            IssuerUnavailableError: ``portrait-store.unavailable``.
        """
        return self.portraits.get(self.open(member_id, actor=actor).portrait)
