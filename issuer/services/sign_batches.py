"""Use case: have the cards of a frozen batch signed, under the authorisation of its decision."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from issuer.domain.batch import BatchId, BatchState
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.batch_desk import BatchDesk, batch_record, demand_at
from issuer.services.production_ports import CardLedger
from issuer.services.sign_cards import CardSigners, SigningOutcome, in_requests
from pki.signed.authorisation import BatchAuthorisation

__all__ = ["BatchSigning", "batch_authorisation"]

_OPERATORS = 2
"""How many signatures make an authorisation that the signer accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSigning:
    """Signs batches; ``signers`` hold the connections to the signer."""

    desk: BatchDesk
    signers: CardSigners
    cards: CardLedger

    def sign(self, batch_id: BatchId, *, actor: Actor) -> Iterator[SigningOutcome]:
        """Every card of the batch that is not signed yet; one outcome each, and the batch is *signed* at the end.

        What was broken off is taken up again by asking once more. A card that is refused stays bound: it is
        condemned, or the reason mended.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``batch.unknown``; it is not frozen
                (``batch.wrong-state``).
            IssuerUnavailableError, KeystoreError, RecordError: nothing can be signed any more.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = transaction.batches.get(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.SIGN_BATCHES)
            if batch.state is not BatchState.FROZEN:
                raise IssuerRefusedError(
                    f"the batch is {batch.state}, so it cannot be signed", code="batch.wrong-state"
                )
            cards = transaction.batches.tallies([batch_id])[batch_id].bound
            # Said before the signer is asked: what it is asked for has a name behind it, whatever happens then.
            transaction.audit.append(batch_record(batch, "signing-begun", actor, now, cards=cards))
        return self._sign(batch_id, actor)

    def _sign(self, batch_id: BatchId, actor: Actor) -> Iterator[SigningOutcome]:
        counts: Counter[str] = Counter()
        try:
            requests = in_requests(self.cards.bound(batch_id=batch_id))
            for outcome in self.signers.sign_all(requests, account=actor.account):
                counts["refused" if outcome.code else "signed"] += 1
                yield outcome
        finally:
            with self.desk.register.writing() as transaction:
                batch = transaction.batches.get(batch_id)
                transaction.audit.append(
                    batch_record(
                        batch,
                        "cards-signed",
                        actor,
                        self.desk.clock(),
                        signed=counts["signed"],
                        refused=counts["refused"],
                    )
                )
        self.cards.settle(batch_id, account=actor.account)


def batch_authorisation(desk: BatchDesk, batch_id: BatchId, *, actor: Actor) -> BatchAuthorisation:
    """The authorisation by two under which the batch's cards are signed: the newest of its decision that is valid.

    Raises:
        IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``batch.unknown``; there is none by two
            people that has not ended (``authorisation.none-valid``).
    """
    now = desk.clock()
    with desk.register.reading() as transaction:
        batch = transaction.batches.get(batch_id)
        demand_at(desk, transaction, actor, batch.receiver, Right.SIGN_BATCHES)
        kept = transaction.decisions.authorisations(batch.decision_id)
    for each in reversed(kept):
        known = BatchAuthorisation.from_bytes(each.content)
        if len(known.signatures) >= _OPERATORS and known.until > now:
            return known
    raise IssuerRefusedError(
        "the decision has no authorisation by two people that is valid now",
        code="authorisation.none-valid",
        hint="membercard-issuer decisions authorisation create, two operators sign, then attach",
    )
