"""Use case: confirm a decision that another person prepared.

The confirmation is kept first, then each tabled request is decided and numbered, or goes back where its member has
lost eligibility. What was broken off is taken up again by confirming once more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.card_number import CardNumber
from issuer.domain.decisions import Decision, DecisionId, DecisionState
from issuer.domain.eligibility import Candidate
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import (
    CardRequest,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestState,
)
from issuer.domain.rights import AccountName, Actor, two_different_people
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.allot_numbers import NumberAllotment
from issuer.services.decision_desk import DecisionDesk, decision_record, demand_right, tabled_in
from issuer.services.move_requests import require_eligible
from issuer.services.register_ports import RegisterTransaction
from issuer.services.request_outcome import RequestOutcome, refused, request_record, taken
from issuer.services.request_ports import RequestPosition, RequestStep

__all__ = ["DecisionConfirmation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionConfirmation:
    """Confirms decisions, and gives their requests numbers."""

    desk: DecisionDesk
    allotment: NumberAllotment

    def confirm(
        self, decision_id: DecisionId, *, actor: Actor, requests: int | None = None
    ) -> Iterator[RequestOutcome]:
        """Confirm the decision, and decide each of its requests; one outcome for each.

        The decision is confirmed when this returns. Asked for once more, it goes on with what is still tabled. A
        refusal of a request carries ``eligibility.*``: it went back and can be compiled again; or
        ``numbers.exhausted``: it waits for numbers.

        Args:
            decision_id: which decision.
            actor: another person than who prepared it.
            requests: how many requests it holds, as the actor saw it; another count is refused.

        Raises:
            IssuerRefusedError: ``right.*``, ``decision.*``, ``request.same-hands``, ``document.*``,
                ``numbers.exhausted``: the committee's blocks hold fewer numbers than are needed.
            ConflictError: ``decision.changed-meanwhile``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            decision = transaction.decisions.locked(decision_id)
            demand_right(self.desk, transaction, actor, decision.committee)
            two_different_people(decision.prepared_by, actor.account, act="to decide")
            if requests is not None and requests != decision.requests:
                raise ConflictError(
                    f"decision {decision.number} holds {decision.requests} requests, expected {requests}",
                    code="decision.changed-meanwhile",
                )
            self._require_other_hands(transaction, decision_id, actor)
            if decision.state is not DecisionState.CONFIRMED:
                confirmed = decision.confirmed(actor.account, now)
                self._require_document(decision)
                self._require_numbers(transaction, decision)
                transaction.decisions.store(confirmed)
                transaction.audit.append(
                    decision_record(confirmed, "confirmed", actor, now, requests=decision.requests)
                )
        return self._decide(decision_id, decision.committee, actor.account)

    def carry_on(self, decision_id: DecisionId) -> Iterator[RequestOutcome]:
        """Decide what is still tabled of a confirmed decision, on the word of whoever confirmed it.

        Raises:
            IssuerRefusedError: ``decision.unknown``; nobody has confirmed it (``decision.wrong-state``).
        """
        with self.desk.register.reading() as transaction:
            decision = transaction.decisions.get(decision_id)
        if decision.confirmed_by is None:
            raise IssuerRefusedError("the decision is not confirmed", code="decision.wrong-state")
        return self._decide(decision_id, decision.committee, decision.confirmed_by)

    def _decide(
        self, decision_id: DecisionId, committee: OrganisationCode, account: AccountName
    ) -> Iterator[RequestOutcome]:
        behind: RequestPosition | None = None
        while True:
            with self.desk.register.writing() as transaction:
                page = transaction.requests.page(
                    tabled_in(decision_id), limit=self.desk.chunk_rows, behind=behind
                )
                outcomes = self._decide_chunk(
                    transaction,
                    decision_id,
                    committee,
                    [each.request_id for each in page.requests],
                    account,
                )
            yield from outcomes
            if page.end is None:
                return
            behind = page.end

    def _decide_chunk(
        self,
        transaction: RegisterTransaction,
        decision_id: DecisionId,
        committee: OrganisationCode,
        request_ids: list[RequestId],
        account: AccountName,
    ) -> list[RequestOutcome]:
        now = self.desk.clock()
        # Whoever reads "confirmed" here reads what two people did: nothing leads back from it.
        if transaction.decisions.get(decision_id).state is not DecisionState.CONFIRMED:
            raise IssuerRefusedError("the decision is not confirmed", code="decision.wrong-state")
        locked = transaction.requests.locked(request_ids)
        # Another process may have gone on with the same decision meanwhile.
        requests = [
            locked[each] for each in request_ids if locked[each].state is RequestState.TABLED
        ]
        candidates = transaction.requests.candidates([each.member_id for each in requests])
        outcomes: dict[RequestId, RequestOutcome] = {}
        eligible: list[CardRequest] = []
        steps: list[RequestStep] = []
        for request in requests:
            try:
                require_eligible(request, candidates.get(request.member_id), now)
            except IssuerRefusedError as error:
                event = RequestEvent(
                    at=now,
                    account=account,
                    kind=RequestEventKind.UNTABLED,
                    remark=str(error),
                )
                after = request.after(RequestEventKind.UNTABLED)
                steps.append(RequestStep(request=after, event=event))
                outcomes[request.request_id] = refused(after, error)
            else:
                eligible.append(request)
        numbers = self._numbers(
            transaction, committee, eligible, candidates=candidates, account=account, now=now
        )
        for request in eligible:
            number = numbers.get(request.request_id)
            if number is None:
                outcomes[request.request_id] = refused(request, _exhausted(committee))
                continue
            after = replace(request.after(RequestEventKind.DECIDED), card_number=number)
            event = RequestEvent(at=now, account=account, kind=RequestEventKind.DECIDED)
            steps.append(RequestStep(request=after, event=event))
            outcomes[request.request_id] = taken(after)
        transaction.requests.store(steps)
        for step in steps:
            transaction.audit.append(request_record(step, decision=decision_id.hex))
        return [outcomes[each.request_id] for each in requests]

    def _numbers(
        self,
        transaction: RegisterTransaction,
        committee: OrganisationCode,
        requests: list[CardRequest],
        *,
        candidates: Mapping[MemberId, Candidate],
        account: AccountName,
        now: datetime,
    ) -> dict[RequestId, CardNumber]:
        """The numbers that the cards will show: new ones, and those that members keep."""
        numbers: dict[RequestId, CardNumber] = {}
        wanted = [each for each in requests if self.desk.policy.needs_number(each.kind)]
        for request in requests:
            held = candidates[request.member_id].held_card_number
            if not self.desk.policy.needs_number(request.kind) and held is not None:
                numbers[request.request_id] = held
        allotted = self.allotment.allot(
            transaction.numbers,
            committee,
            [(each.request_id, each.member_id) for each in wanted],
            at=now,
        )
        for request, number in zip(wanted, allotted.numbers, strict=False):
            numbers[request.request_id] = number
        if allotted.mark_was_ahead:
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=account,
                    action="numbers.passed-over",
                    subject=AuditSubject.SERVICE,
                    subject_id="numbers",
                    organisation=committee,
                )
            )
        return numbers

    def _require_other_hands(
        self, transaction: RegisterTransaction, decision_id: DecisionId, actor: Actor
    ) -> None:
        barring = self.desk.policy.barred_by(RequestEventKind.DECIDED)
        found = transaction.requests.someone_took(actor.account, barring, decision_id)
        if found is not None:
            raise IssuerRefusedError(
                f"account {actor.account} took an earlier step of request {found}, "
                "so another person confirms the decision",
                code="request.same-hands",
            )

    def _require_document(self, decision: Decision) -> None:
        if decision.document is not None:
            # It may have been prepared before the setting was made.
            self.desk.policy.require_signature(decision.document.signature)
            self.desk.documents.get(decision.document.digest)

    def _require_numbers(self, transaction: RegisterTransaction, decision: Decision) -> None:
        """Refuse at once what would run out of numbers halfway; a race is caught when they are given out."""
        needed = transaction.requests.count_by_kind(tabled_in(decision.decision_id))
        wanted = sum(count for kind, count in needed.items() if self.desk.policy.needs_number(kind))
        left = sum(block.left for block in transaction.numbers.blocks(decision.committee))
        if wanted > left:
            raise _exhausted(decision.committee, wanted=wanted, left=left)


def _exhausted(
    committee: OrganisationCode, *, wanted: int = 1, left: int = 0
) -> IssuerRefusedError:
    return IssuerRefusedError(
        f"the blocks of committee {committee} hold {left} numbers, expected {wanted}",
        code="numbers.exhausted",
        hint="membercard-issuer numbers grant",
    )
