"""Use case: see what another instance states beside what we have, before somebody says what is true."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_reads import member_read
from issuer.domain.bundle import (
    BundleMember,
    BundleRequest,
    ConflictId,
    ConflictKind,
    ConflictState,
)
from issuer.domain.member import Member, MemberId, PortraitDigest
from issuer.domain.requests import CardRequest
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.exchange.bundle_file import request_from_bytes
from issuer.services.bundle_ports import Conflict
from issuer.services.collect_bundle import member_cells
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction
from issuer.services.settle_conflicts import ConflictChoice, possible_choices
from issuer.services.take_members import ReadMember

__all__ = ["ConflictLooking", "ConflictView"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictView:
    """One conflict, side by side.

    Attributes:
        conflict: why it waits, without contents.
        theirs: the member that they state, as cells of the member list; ``None`` where it is no member.
        their_portrait: their picture, where it came with it.
        ours: the member here who is concerned, where the reader may see them.
        is_ours_hidden: there is one, in another part of the tree.
        request: the request that they state.
        known_request: the same request, as it is here.
        choices: what can be said of it.
    """

    conflict: Conflict
    theirs: Mapping[str, str] | None = field(default=None, repr=False)
    their_portrait: PortraitDigest | None = None
    ours: Member | None = field(default=None, repr=False)
    is_ours_hidden: bool = False
    request: BundleRequest | None = field(default=None, repr=False)
    known_request: CardRequest | None = None
    choices: tuple[ConflictChoice, ...] = ()

    @property
    def our_cells(self) -> Mapping[str, str]:
        """Our record, as cells of the member list."""
        return {} if self.ours is None else member_cells(self.ours.statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictLooking:
    """Looks at conflicts one by one; that somebody did is recorded. ``clock`` gives aware UTC."""

    register: Register
    clock: Callable[[], datetime]

    def look(self, conflict_id: ConflictId, *, actor: Actor) -> ConflictView:
        """One conflict; of a settled one only how it was settled.

        Raises:
            IssuerDataError: there is none in the actor's part of the tree (``conflict.unknown``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            conflict = transaction.exchange.find_conflict(conflict_id)
            if conflict is None or not self._may_see(transaction, conflict, actor):
                # Whoever may not see it does not learn that it is there.
                raise IssuerDataError(
                    f"there is no conflict {conflict_id}", code="conflict.unknown"
                )
            if conflict.state is not ConflictState.OPEN:
                return ConflictView(conflict=replace(conflict, content=b""))
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="conflict.read",
                    subject=AuditSubject.BUNDLE,
                    subject_id=conflict_id.hex,
                    organisation=conflict.organisation,
                    details={"instance": conflict.instance, "subject": conflict.subject_id},
                )
            )
            return self._view(transaction, conflict, actor, now)

    def _view(
        self, transaction: RegisterTransaction, conflict: Conflict, actor: Actor, now: datetime
    ) -> ConflictView:
        stated: BundleMember | None = None
        request: BundleRequest | None = None
        known: CardRequest | None = None
        member_id = conflict.member_id
        if conflict.kind is ConflictKind.MEMBER and conflict.content:
            stated = ReadMember.stated_in(conflict.content)
        elif conflict.kind is ConflictKind.REQUEST and conflict.content:
            request = request_from_bytes(conflict.content)
            known = transaction.requests.known([request.request_id]).get(request.request_id)
            linked = transaction.exchange.linked_members(conflict.instance, [request.member_id])
            if request.member_id in linked:
                member_id = linked[request.member_id].member_id
        ours, is_hidden = self._ours(transaction, member_id, actor, now)
        portrait = None if stated is None or stated.portrait is None else stated.portrait
        return ConflictView(
            conflict=replace(conflict, content=b""),
            theirs=None if stated is None else dict(stated.cells),
            their_portrait=None if portrait is None else PortraitDigest(portrait),
            ours=ours,
            is_ours_hidden=is_hidden,
            request=request,
            known_request=known,
            choices=possible_choices(
                conflict,
                is_member_settled=member_id is not None,
                can_go_back=request is not None and request.is_handed_over and known is None,
            ),
        )

    def _ours(
        self,
        transaction: RegisterTransaction,
        member_id: MemberId | None,
        actor: Actor,
        now: datetime,
    ) -> tuple[Member | None, bool]:
        """The member here, and whether there is one whom the reader may not see."""
        if member_id is None:
            return None, False
        try:
            found = transaction.members.get(member_id)
        except IssuerRefusedError:
            # The record was deleted meanwhile.
            return None, False
        code = found.statement.organisation_code
        if not actor.may(Right.READ_MEMBERS, place=Places(transaction.organisations).of(code)):
            return None, True
        transaction.audit.append(
            member_read(member_id, account=actor.account, organisation=code, at=now)
        )
        return found, False

    def _may_see(self, transaction: RegisterTransaction, conflict: Conflict, actor: Actor) -> bool:
        """Bundles are exchanged by whoever reads members, too: what is shown is a member's record."""
        place = Places(transaction.organisations).of(conflict.organisation)
        return all(
            actor.may(right, place=place) for right in (Right.EXCHANGE_BUNDLES, Right.READ_MEMBERS)
        )
