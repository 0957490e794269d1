"""Use case: prepare a decision, or drop it.

The decision and its document are kept first, then its requests are tabled, chunk by chunk. What was broken off is
taken up again by asking for the same once more.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from issuer.domain.decisions import (
    AttachedDocument,
    Decision,
    DecisionId,
    DecisionState,
)
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import (
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestState,
    steps_taken_by,
)
from issuer.domain.rights import AccountName, Actor
from issuer.domain.signed_document import inspect_document
from issuer.errors import ConflictError, IssuerError, IssuerRefusedError
from issuer.services.decision_desk import DecisionDesk, decision_record, demand_right, tabled_in
from issuer.services.move_requests import require_eligible, require_right
from issuer.services.places import Places
from issuer.services.register_ports import RegisterTransaction
from issuer.services.request_outcome import (
    RequestOutcome,
    chunks,
    refused,
    request_record,
    taken,
    unchanged,
    unknown_request,
)
from issuer.services.request_ports import RequestStep

__all__ = ["DecisionDraft", "DecisionPreparation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionDraft:
    """What a decision is to be: its number and date as the document (PDF) bears them, and whose it is."""

    number: str
    decided_on: date
    committee: OrganisationCode
    document: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPreparation:
    """Prepares decisions, and drops them."""

    desk: DecisionDesk
    new_decision_id: Callable[[], DecisionId]

    def prepare(
        self, draft: DecisionDraft, request_ids: Iterable[RequestId], *, actor: Actor
    ) -> tuple[Decision, Iterator[RequestOutcome]]:
        """Keep the decision, and put its compiled requests into it; one outcome for each.

        The same draft by the same person goes on with the decision that is there. A refusal of a request carries
        ``request.*``, ``right.*``, ``eligibility.*`` or ``decision.other-committee``.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``.
            IssuerDataError: the document is none (``document.*``).
            ConflictError: there is another decision of this number and date (``decision.number-used``).
        """
        with self.desk.register.reading() as transaction:
            demand_right(self.desk, transaction, actor, draft.committee)
        signature = inspect_document(draft.document)
        self.desk.policy.require_signature(signature)
        attached = AttachedDocument(
            signature=signature,
            digest=self.desk.documents.put(draft.document),
        )
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            demand_right(self.desk, transaction, actor, draft.committee)
            decision = transaction.decisions.find(
                number=draft.number, decided_on=draft.decided_on, committee=draft.committee
            )
            if decision is None:
                decision = Decision(
                    decision_id=self.new_decision_id(),
                    number=draft.number,
                    decided_on=draft.decided_on,
                    committee=draft.committee,
                    document=attached,
                    prepared_by=actor.account,
                    prepared_at=now,
                )
                transaction.decisions.add(decision)
                transaction.audit.append(
                    decision_record(
                        decision, "prepared", actor, now, document=attached.digest.hex()
                    )
                )
            elif (decision.document, decision.prepared_by) != (attached, actor.account):
                raise ConflictError(
                    f"committee {draft.committee} has another decision {draft.number} of "
                    f"{draft.decided_on}, prepared by {decision.prepared_by}",
                    code="decision.number-used",
                )
        return decision, self._table(decision.decision_id, request_ids, actor)

    def drop(self, decision_id: DecisionId, *, actor: Actor) -> Iterator[RequestOutcome]:
        """Give a prepared decision up; its requests are compiled again. One outcome for each.

        Raises:
            IssuerRefusedError: ``right.*``, ``decision.unknown``, ``decision.wrong-state``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            decision = transaction.decisions.locked(decision_id)
            demand_right(self.desk, transaction, actor, decision.committee)
            if decision.state is not DecisionState.DROPPED:
                dropped = decision.dropped(actor.account)
                transaction.decisions.store(dropped)
                transaction.audit.append(decision_record(dropped, "dropped", actor, now))
        return self._untable(decision_id, actor.account)

    def carry_on_dropping(self, decision_id: DecisionId) -> Iterator[RequestOutcome]:
        """Take out what is still tabled of a dropped decision, on the word of whoever dropped it.

        Raises:
            IssuerRefusedError: ``decision.unknown``; nobody has dropped it (``decision.wrong-state``).
        """
        with self.desk.register.reading() as transaction:
            decision = transaction.decisions.get(decision_id)
        if decision.dropped_by is None:
            raise IssuerRefusedError(
                f"the decision is {decision.state}, expected a dropped one",
                code="decision.wrong-state",
            )
        return self._untable(decision_id, decision.dropped_by)

    def add(
        self, decision_id: DecisionId, request_ids: Iterable[RequestId], *, actor: Actor
    ) -> Iterator[RequestOutcome]:
        """Put more compiled requests into a decision that the actor prepared; outcomes as ``prepare``.

        Raises:
            IssuerRefusedError: as ``check_may_add``.
        """
        self.check_may_add(decision_id, actor=actor)
        return self._table(decision_id, request_ids, actor)

    def check_may_add(self, decision_id: DecisionId, *, actor: Actor) -> None:
        """Let pass whoever prepared the decision: what another person put in, they would confirm alone.

        Raises:
            IssuerRefusedError: ``right.*``, ``decision.unknown``, ``decision.other-preparer``,
                ``decision.wrong-state``.
        """
        with self.desk.register.reading() as transaction:
            decision = transaction.decisions.get(decision_id)
            demand_right(self.desk, transaction, actor, decision.committee)
        if decision.prepared_by != actor.account:
            raise IssuerRefusedError(
                f"the decision was prepared by {decision.prepared_by}, who alone puts requests into it",
                code="decision.other-preparer",
            )
        if decision.state is not DecisionState.PREPARED:
            raise IssuerRefusedError(
                f"the decision is {decision.state}, so it cannot be changed",
                code="decision.wrong-state",
            )

    def _table(
        self, decision_id: DecisionId, request_ids: Iterable[RequestId], actor: Actor
    ) -> Iterator[RequestOutcome]:
        for part in chunks(request_ids, self.desk.chunk_rows):
            with self.desk.register.writing() as transaction:
                outcomes = self._table_chunk(
                    transaction, decision_id, list(dict.fromkeys(part)), actor
                )
            yield from outcomes

    def _table_chunk(
        self,
        transaction: RegisterTransaction,
        decision_id: DecisionId,
        request_ids: list[RequestId],
        actor: Actor,
    ) -> list[RequestOutcome]:
        now = self.desk.clock()
        decision = transaction.decisions.locked(decision_id)
        places = Places(transaction.organisations)
        requests = transaction.requests.locked(request_ids)
        lines = transaction.requests.time_lines(list(requests))
        candidates = transaction.requests.candidates([each.member_id for each in requests.values()])
        outcomes: list[RequestOutcome] = []
        steps: list[RequestStep] = []
        for request_id in request_ids:
            request = requests.get(request_id)
            if request is None:
                outcomes.append(unknown_request(request_id))
                continue
            try:
                if (
                    request.state is RequestState.TABLED
                    and transaction.requests.current_decision(request_id) == decision_id
                ):
                    outcomes.append(unchanged(request))
                    continue
                after = request.after(RequestEventKind.TABLED)
                place = places.of(request.organisation_code)
                require_right(
                    actor,
                    request,
                    RequestEventKind.TABLED,
                    place=place,
                    policy=self.desk.policy,
                    now=now,
                )
                self._require_committee(decision, self.desk.policy.deciding_committee(place))
                self.desk.policy.keep_apart(
                    actor.account,
                    RequestEventKind.TABLED,
                    taken=steps_taken_by(actor.account, lines[request_id]),
                )
                require_eligible(request, candidates.get(request.member_id), now)
            except IssuerError as error:
                outcomes.append(refused(request, error))
            else:
                event = RequestEvent(at=now, account=actor.account, kind=RequestEventKind.TABLED)
                steps.append(RequestStep(request=after, event=event))
                outcomes.append(taken(after))
        if steps:
            transaction.decisions.store(decision.with_requests(len(steps)))
            transaction.requests.store(steps)
            transaction.decisions.put_on(decision_id, [step.request.request_id for step in steps])
        for step in steps:
            transaction.audit.append(request_record(step, decision=decision_id.hex))
        return outcomes

    def _untable(self, decision_id: DecisionId, account: AccountName) -> Iterator[RequestOutcome]:
        while True:
            now = self.desk.clock()
            with self.desk.register.writing() as transaction:
                page = transaction.requests.page(tabled_in(decision_id), limit=self.desk.chunk_rows)
                locked = transaction.requests.locked([each.request_id for each in page.requests])
                steps = [
                    RequestStep(
                        request=request.after(RequestEventKind.UNTABLED),
                        event=RequestEvent(at=now, account=account, kind=RequestEventKind.UNTABLED),
                    )
                    for request in locked.values()
                    if request.state is RequestState.TABLED
                ]
                transaction.requests.store(steps)
                for step in steps:
                    transaction.audit.append(request_record(step, decision=decision_id.hex))
            yield from (taken(step.request) for step in steps)
            if page.end is None:
                return

    @staticmethod
    def _require_committee(decision: Decision, deciding: OrganisationCode) -> None:
        if deciding != decision.committee:
            raise IssuerRefusedError(
                f"committee {deciding} decides on the request, got a decision of {decision.committee}",
                code="decision.other-committee",
            )
