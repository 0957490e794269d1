"""Requests and decisions that another instance states: what may be believed of them, and what they add to ours.

A request is somebody's at any time: only who holds it takes steps with it, and it changes hands with a bundle. So what
is taken in here can only lengthen a time line that nobody else lengthens; where two did, a person is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from issuer.domain.bundle import BundleDecision, BundleEvent, BundleRequest, ConflictKind
from issuer.domain.card_number import CardNumber
from issuer.domain.decisions import AttachedDocument, Decision, DecisionId, DocumentDigest
from issuer.domain.instances import Instance, InstanceName, Side, foreign_account
from issuer.domain.member import MemberId
from issuer.domain.number_blocks import BlockId
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import (
    LIVE_STATES,
    NUMBERED_STATES,
    CardRequest,
    RequestEvent,
    RequestId,
    RequestState,
    check_reason,
)
from issuer.domain.rights import AccountName, two_different_people
from issuer.domain.time_line import check_hands, new_events, state_after
from issuer.errors import IssuerError, IssuerRefusedError
from issuer.exchange.bundle_file import request_to_bytes
from issuer.services.bundle_ports import OwnInstance
from issuer.services.move_requests import require_eligible
from issuer.services.number_ports import AllottedNumber
from issuer.services.places import Places
from issuer.services.register_ports import RegisterTransaction
from issuer.services.request_outcome import request_record
from issuer.services.request_ports import RequestStep
from issuer.services.take_members import Disagreement

__all__ = ["RequestTaking", "TakenRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenRequest:
    """What became of one request."""

    request_id: RequestId
    outcome: str
    request: CardRequest | None = None
    disagreement: Disagreement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTaking:
    """Takes requests and decisions of one instance within one transaction; ``now`` is aware UTC."""

    transaction: RegisterTransaction
    instance: Instance
    own: OwnInstance
    policy: RequestPolicy
    places: Places
    now: datetime

    def check(self, stated: BundleRequest) -> None:
        """Whether the instance may speak for this request at all.

        Raises:
            IssuerRefusedError: ``bundle.not-theirs``, ``bundle.time-line``, ``bundle.our-steps``.
            IssuerDataError: ``organisation.unknown``, ``request.reason``.
        """
        check_reason(stated.kind, stated.reason)
        place = self.places.of(stated.organisation_code)
        is_theirs = (
            self.instance.is_believed_for(place)
            if self.instance.side is Side.BELOW
            else self.own.organisation in place
        )
        if not is_theirs:
            raise IssuerRefusedError(
                f"instance {self.instance.name} states a request of {stated.organisation_code}",
                code="bundle.not-theirs",
            )
        state = state_after(self.events_of(stated))
        if (stated.card_number is None) == (state in NUMBERED_STATES):
            raise IssuerRefusedError(
                f"a request is {state} and has {'no' if stated.card_number is None else 'a'} card number",
                code="bundle.time-line",
            )

    def take_settled(self, stated: BundleRequest, member_id: MemberId) -> TakenRequest:
        """Take in a request on which a person has decided; its decision was taken with its bundle.

        Raises:
            IssuerError: it cannot be taken in even so.
        """
        decisions: dict[DecisionId, Decision] = {}
        if stated.decision_id is not None:
            decisions[stated.decision_id] = self.transaction.decisions.get(stated.decision_id)
        return self._take(stated, member_id, decisions)

    def take(
        self,
        stated: BundleRequest,
        member_id: MemberId | None,
        decisions: Mapping[DecisionId, Decision],
    ) -> TakenRequest:
        """Take it in, leave it, or say why a person has to decide."""
        try:
            if member_id is None:
                raise IssuerRefusedError(
                    "it is not settled who the member is", code="bundle.member-unsettled"
                )
            return self._take(stated, member_id, decisions)
        except IssuerError as error:
            return TakenRequest(
                request_id=stated.request_id,
                outcome="conflict",
                disagreement=Disagreement(
                    kind=ConflictKind.REQUEST,
                    subject_id=stated.request_id.hex,
                    member_id=member_id,
                    organisation=stated.organisation_code,
                    code=error.code,
                    sentence=str(error),
                    content=request_to_bytes(stated),
                ),
            )

    def take_decision(self, stated: BundleDecision) -> Decision:
        """A decision of a committee of theirs, by two people; the same one again changes nothing.

        Raises:
            IssuerRefusedError: ``bundle.not-theirs``, ``right.same-person``, ``bundle.decision-differs``.
            ConflictError: ``decision.number-used``.
        """
        place = self.places.of(stated.committee)
        is_theirs = (
            self.instance.is_believed_for(place)
            if self.instance.side is Side.BELOW
            else self.own.organisation not in place
        )
        if not is_theirs:
            raise IssuerRefusedError(
                f"instance {self.instance.name} states a decision of {stated.committee}",
                code="bundle.not-theirs",
            )
        prepared, confirmed = self._event(stated.prepared), self._event(stated.confirmed)
        two_different_people(prepared.account, confirmed.account, act="to decide")
        decision = Decision(
            decision_id=stated.decision_id,
            number=stated.number,
            decided_on=stated.decided_on,
            committee=stated.committee,
            document=AttachedDocument(
                digest=DocumentDigest(stated.document), signature=stated.signature
            ),
            requests=stated.requests,
            version=2,
            prepared_by=prepared.account,
            prepared_at=prepared.at,
            confirmed_by=confirmed.account,
            confirmed_at=confirmed.at,
        )
        found = self.transaction.decisions.find(
            number=decision.number, decided_on=decision.decided_on, committee=decision.committee
        )
        if found is None:
            self.transaction.decisions.add(decision)
        elif replace(found, version=2) != decision:
            raise IssuerRefusedError(
                f"decision {stated.number} of {stated.decided_on} is known, and is another one",
                code="bundle.decision-differs",
            )
        return decision

    def _take(
        self,
        stated: BundleRequest,
        member_id: MemberId,
        decisions: Mapping[DecisionId, Decision],
    ) -> TakenRequest:
        events = self.events_of(stated)
        known = self.transaction.requests.locked([stated.request_id]).get(stated.request_id)
        state = state_after(events)
        if known is None:
            self._require_room(stated, state, member_id)
            added: tuple[RequestEvent, ...] = events
        else:
            added = self._added(known, stated, member_id, events)
            if not added and len(events) < known.version:
                return TakenRequest(
                    request_id=stated.request_id, outcome="unchanged", request=known
                )
        self._require_foreign(added)
        request = CardRequest(
            request_id=stated.request_id,
            member_id=member_id,
            organisation_code=stated.organisation_code,
            kind=stated.kind,
            reason=stated.reason,
            ordinal=stated.ordinal,
            state=state,
            version=len(events),
            created_at=stated.created_at,
            card_number=None if stated.card_number is None else CardNumber(stated.card_number),
            held_by=None if stated.is_handed_over else self.instance.name,
        )
        decision = self._require_decision(stated, request, decisions)
        if self.instance.side is Side.BELOW and stated.is_handed_over:
            self._require_ready(request, events)
        block_id = None
        if self.instance.side is Side.BELOW and decision is not None and added:
            block_id = self._require_number(request)
        self.transaction.exchange.take_in(request, added)
        if block_id is not None and request.card_number is not None:
            number = AllottedNumber(
                number=request.card_number,
                block_id=block_id,
                request_id=request.request_id,
                member_id=member_id,
                at=self.now,
            )
            self.transaction.numbers.keep([number])
        if decision is not None and added:
            self.transaction.decisions.put_on(decision.decision_id, [request.request_id])
        for event in added:
            self.transaction.audit.append(
                request_record(
                    RequestStep(request=request, event=event), instance=self.instance.name
                )
            )
        return TakenRequest(
            request_id=stated.request_id,
            outcome="new" if known is None else "changed" if added else "unchanged",
            request=request,
        )

    def _added(
        self,
        known: CardRequest,
        stated: BundleRequest,
        member_id: MemberId,
        events: tuple[RequestEvent, ...],
    ) -> tuple[RequestEvent, ...]:
        ours = (known.member_id, known.kind, known.reason, known.ordinal, known.organisation_code)
        theirs = (member_id, stated.kind, stated.reason, stated.ordinal, stated.organisation_code)
        if ours != theirs:
            raise IssuerRefusedError(
                "the request is known, and is another one", code="bundle.request-differs"
            )
        line = self.transaction.requests.time_lines([known.request_id])[known.request_id]
        added = new_events(line, events)
        if added and known.held_by not in {None, self.instance.name}:
            raise IssuerRefusedError(
                f"the request is held by instance {known.held_by}", code="bundle.held-elsewhere"
            )
        if added and known.held_by is None and self.instance.side is Side.BELOW:
            # They handed it over, so nothing can have happened to it there since.
            raise IssuerRefusedError(
                "the request is held here, and they went on with it", code="bundle.held-here"
            )
        return added

    def _require_room(
        self, stated: BundleRequest, state: RequestState, member_id: MemberId
    ) -> None:
        """A member has one request at a time, wherever it was drafted."""
        candidate = self.transaction.requests.candidates([member_id], lock=True).get(member_id)
        if candidate is None:
            raise IssuerRefusedError(
                f"member {member_id} is not in the register", code="member.unknown"
            )
        if state in LIVE_STATES and candidate.live_request not in {None, stated.request_id}:
            raise IssuerRefusedError(
                f"the member has a live request here, {candidate.live_request}",
                code="bundle.member-has-another",
            )

    def _require_foreign(self, added: tuple[RequestEvent, ...]) -> None:
        """What happened here stands in our time line; nobody else adds to it in our people's names."""
        if self.instance.side is Side.ABOVE and self.instance.has_lost:
            return
        for event in added:
            if ":" not in event.account:
                raise IssuerRefusedError(
                    f"a step of {event.account} is stated that was never taken here",
                    code="bundle.our-steps",
                )

    def _require_ready(self, request: CardRequest, events: tuple[RequestEvent, ...]) -> None:
        """What comes up is endorsed, or decided where they decide; by different hands, by our own rules."""
        committee = self.policy.deciding_committee(self.places.of(request.organisation_code))
        decides = self.instance.is_believed_for(self.places.of(committee))
        expected = RequestState.DECIDED if decides else RequestState.ENDORSED
        if request.state is not expected:
            raise IssuerRefusedError(
                f"the request is {request.state}, expected {expected}: {committee} decides on it",
                code="bundle.wrong-state",
            )
        check_hands(events, self.policy)
        if request.state is RequestState.DECIDED:
            candidate = self.transaction.requests.candidates([request.member_id]).get(
                request.member_id
            )
            require_eligible(request, candidate, self.now)

    def _require_decision(
        self,
        stated: BundleRequest,
        request: CardRequest,
        decisions: Mapping[DecisionId, Decision],
    ) -> Decision | None:
        if request.state not in NUMBERED_STATES:
            return None
        decision = None if stated.decision_id is None else decisions.get(stated.decision_id)
        if decision is None:
            raise IssuerRefusedError(
                "the request is decided, and its decision was not taken", code="bundle.no-decision"
            )
        committee = self.policy.deciding_committee(self.places.of(request.organisation_code))
        if decision.committee != committee:
            raise IssuerRefusedError(
                f"committee {committee} decides on the request, got a decision of {decision.committee}",
                code="decision.other-committee",
            )
        return decision

    def _require_number(self, request: CardRequest) -> BlockId | None:
        """The number is of a block that they were given, or one that the member keeps: then there is no block."""
        number = request.card_number
        if number is not None and self.policy.needs_number(request.kind):
            block = self.transaction.exchange.block_of(number)
            if block is not None and block.held_by == self.instance.name:
                return block.block_id
        else:
            candidates = self.transaction.requests.candidates([request.member_id])
            candidate = candidates.get(request.member_id)
            if candidate is not None and candidate.held_card_number == number:
                return None
        raise IssuerRefusedError(
            "the card number is none that the instance was given", code="bundle.number-not-theirs"
        )

    def events_of(self, stated: BundleRequest) -> tuple[RequestEvent, ...]:
        """The stated time line, with accounts as records here call them."""
        return tuple(self._event(each) for each in stated.events)

    def _event(self, event: BundleEvent) -> RequestEvent:
        account = (
            AccountName(event.account)
            if event.instance == self.own.name
            else foreign_account(InstanceName(event.instance), event.account)
        )
        return RequestEvent(at=event.at, account=account, kind=event.kind, remark=event.remark)
