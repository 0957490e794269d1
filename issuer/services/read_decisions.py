"""Use case: look at decisions, one or many, with their documents, in one's own part of the tree."""

from collections.abc import Mapping
from dataclasses import dataclass

from issuer.domain.decisions import Decision, DecisionId, DecisionState
from issuer.domain.requests import RequestEventKind, RequestState
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.decision_desk import DecisionDesk
from issuer.services.places import Places
from issuer.services.register_ports import RegisterTransaction
from issuer.services.request_ports import RequestQuestion
from pki.signed.authorisation import BatchAuthorisation

__all__ = ["ReadingOfDecisions", "ShownDecision"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDecision:
    """One decision, and what whoever looks may do with it.

    Attributes:
        decision: itself.
        states: how many of its requests are in which state.
        authorisation: the one that was written down last, as far as it is signed; ``None`` where there is none.
        may_add: they prepared it, and may put requests into it.
        may_confirm: somebody else prepared it, and they took no earlier step of its requests.
        may_drop: they may give it up.
        may_authorise: they may have its cards authorised.
    """

    decision: Decision
    states: Mapping[RequestState, int]
    authorisation: BatchAuthorisation | None
    may_add: bool
    may_confirm: bool
    may_drop: bool
    may_authorise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOfDecisions:
    """Looks at decisions."""

    desk: DecisionDesk

    def page(
        self,
        *,
        actor: Actor,
        limit: int,
        behind: DecisionId | None = None,
        state: DecisionState | None = None,
        is_waiting: bool = False,
    ) -> tuple[Decision, ...]:
        """Decisions of the actor's part of the tree, the newest first.

        Args:
            actor: who looks.
            limit: how many at most.
            behind: the last one of the page before.
            state: only in this state.
            is_waiting: only those that others prepared and the actor may confirm.
        """
        with self.desk.register.reading() as transaction:
            return transaction.decisions.page(
                limit=limit,
                behind=behind,
                state=DecisionState.PREPARED if is_waiting else state,
                committees=actor.roots(Right.DECIDE if is_waiting else Right.READ_REQUESTS),
                not_prepared_by=actor.account if is_waiting else None,
            )

    def show(self, decision_id: DecisionId, *, actor: Actor) -> ShownDecision:
        """One decision.

        Raises:
            IssuerRefusedError: there is none in the actor's part of the tree (``decision.unknown``).
        """
        with self.desk.register.reading() as transaction:
            decision = self._get(transaction, decision_id, actor)
            place = Places(transaction.organisations).of(decision.committee)
            may_decide = actor.may(Right.DECIDE, place=place)
            is_open = decision.state is DecisionState.PREPARED
            is_own = decision.prepared_by == actor.account
            kept = transaction.decisions.authorisations(decision_id)
            return ShownDecision(
                decision=decision,
                states=transaction.requests.count(RequestQuestion(decision_id=decision_id)),
                authorisation=BatchAuthorisation.from_bytes(kept[-1].content) if kept else None,
                may_add=is_open and is_own and may_decide,
                may_confirm=may_decide
                and not is_own
                and self._may_confirm(transaction, decision, actor),
                may_drop=is_open and may_decide,
                may_authorise=decision.state is DecisionState.CONFIRMED
                and actor.may(Right.SIGN_BATCHES, place=place),
            )

    def document(self, decision_id: DecisionId, *, actor: Actor) -> bytes:
        """The decision's document (PDF), checked against its digest.

        Raises:
            IssuerRefusedError: ``decision.unknown``; there is none yet (``decision.no-document``);
                ``document.lost``, ``document.altered``.
        """
        with self.desk.register.reading() as transaction:
            decision = self._get(transaction, decision_id, actor)
        if decision.document is None:
            raise IssuerRefusedError(
                "the decision has no document attached", code="decision.no-document"
            )
        return self.desk.documents.get(decision.document.digest)

    def _may_confirm(
        self, transaction: RegisterTransaction, decision: Decision, actor: Actor
    ) -> bool:
        """Whether it waits for a second person, or was broken off while its requests were decided."""
        if decision.state is DecisionState.DROPPED or not decision.requests:
            return False
        tabled = RequestQuestion(states={RequestState.TABLED}, decision_id=decision.decision_id)
        if not transaction.requests.count_up_to(tabled, 1):
            return False
        barring = self.desk.policy.barred_by(RequestEventKind.DECIDED)
        taken = transaction.requests.someone_took(actor.account, barring, decision.decision_id)
        return taken is None

    @staticmethod
    def _get(transaction: RegisterTransaction, decision_id: DecisionId, actor: Actor) -> Decision:
        decision = transaction.decisions.get(decision_id)
        place = Places(transaction.organisations).of(decision.committee)
        if not actor.may(Right.READ_REQUESTS, place=place):
            # Whoever may not see it does not learn that it is there.
            raise IssuerRefusedError(
                f"decision {decision_id} is not in the register", code="decision.unknown"
            )
        return decision
