"""Use case: have the cards of a decision authorised for the signer, by two operators of the PKI.

The terms are written down here, from the decision; the operators sign them where their keys are. Whose signatures
they are is judged by the signer alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from issuer.domain.decisions import DecisionId, DecisionState
from issuer.domain.rights import Actor, Right
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.decision_desk import DecisionDesk, decision_record, demand_right
from issuer.services.register_ports import RegisterTransaction
from issuer.services.request_ports import KeptAuthorisation
from pki.signed.authorisation import BATCH_BYTES, BatchAuthorisation

__all__ = [
    "REQUIRED_OPERATORS",
    "AuthorisationTerms",
    "DecisionAuthorisation",
    "OpenAuthorisation",
    "open_authorisations",
]

REQUIRED_OPERATORS: Final = 2
"""How many signatures make an authorisation that the signer accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorisationTerms:
    """For which document signer, until when (aware UTC), and of how many chips the keys may be sealed."""

    signer_id: str
    until: datetime
    chips: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAuthorisation:
    """One by two that has not ended, and of how many cards nobody kept the signatures yet."""

    authorisation: BatchAuthorisation
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionAuthorisation:
    """Writes authorisations down, and takes signatures in."""

    desk: DecisionDesk
    random_bytes: Callable[[int], bytes]

    def create(
        self, decision_id: DecisionId, terms: AuthorisationTerms, *, actor: Actor
    ) -> BatchAuthorisation:
        """An authorisation for as many cards as are to be signed and no other one covers, without signatures.

        A card that was condemned after it was signed is signed anew, in a follow-up batch: it needs another
        authorisation, and gets it while the one before holds. What two have signed is never open for more cards than
        wait for a signature.

        Raises:
            IssuerRefusedError: ``right.*``, ``decision.unknown``; the decision is not confirmed
                (``decision.wrong-state``); no request waits for a signature (``decision.nothing-to-sign``).
            ConflictError: those by two that have not ended cover all of them (``authorisation.still-valid``).
            AuthorisationError: the terms are none.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            decision = transaction.decisions.locked(decision_id)
            demand_right(
                self.desk, transaction, actor, decision.committee, right=Right.SIGN_BATCHES
            )
            if decision.state is not DecisionState.CONFIRMED:
                raise IssuerRefusedError(
                    f"the decision is {decision.state}, expected a confirmed one",
                    code="decision.wrong-state",
                )
            cards = self._uncovered(transaction, decision_id, now)
            authorisation = BatchAuthorisation(
                batch=self.random_bytes(BATCH_BYTES),
                signer_id=terms.signer_id,
                cards=cards,
                until=terms.until,
                chips=terms.chips,
            )
            transaction.decisions.keep_authorisation(
                KeptAuthorisation(
                    decision_id=decision_id,
                    digest=authorisation.digest,
                    content=authorisation.to_bytes(),
                    created_by=actor.account,
                    created_at=now,
                )
            )
            transaction.audit.append(
                decision_record(
                    decision,
                    "authorisation-created",
                    actor,
                    now,
                    authorisation=authorisation.digest.hex(),
                    cards=cards,
                )
            )
        return authorisation

    def attach(
        self, decision_id: DecisionId, content: bytes, *, actor: Actor
    ) -> BatchAuthorisation:
        """Take in the same authorisation with more signatures; what was there stays.

        Raises:
            IssuerRefusedError: ``right.*``, ``decision.unknown``; the file has other terms than those that were
                written down here (``authorisation.other-terms``).
            AuthorisationError: the file is none, or there are too many signatures.
        """
        brought = BatchAuthorisation.from_bytes(content)
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            decision = transaction.decisions.locked(decision_id)
            demand_right(
                self.desk, transaction, actor, decision.committee, right=Right.SIGN_BATCHES
            )
            kept = next(
                (
                    each
                    for each in transaction.decisions.authorisations(decision_id)
                    if each.digest == brought.digest
                ),
                None,
            )
            if kept is None:
                raise IssuerRefusedError(
                    f"no authorisation {brought.digest.hex()} was written down for the decision",
                    code="authorisation.other-terms",
                )
            known = BatchAuthorisation.from_bytes(kept.content)
            new = tuple(each for each in brought.signatures if each not in known.signatures)
            if new:
                known = replace(known, signatures=(*known.signatures, *new))
                transaction.decisions.keep_authorisation(replace(kept, content=known.to_bytes()))
                transaction.audit.append(
                    decision_record(
                        decision,
                        "authorisation-signed",
                        actor,
                        now,
                        authorisation=known.digest.hex(),
                        signatures=len(known.signatures),
                    )
                )
        return known

    def newest(self, decision_id: DecisionId, *, actor: Actor) -> BatchAuthorisation:
        """The authorisation that was written down last, as far as it is signed.

        Raises:
            IssuerRefusedError: ``right.missing``, ``decision.unknown``; there is none
                (``authorisation.none-written``).
        """
        with self.desk.register.reading() as transaction:
            decision = transaction.decisions.get(decision_id)
            demand_right(
                self.desk, transaction, actor, decision.committee, right=Right.READ_REQUESTS
            )
            kept = transaction.decisions.authorisations(decision_id)
        if not kept:
            raise IssuerRefusedError(
                "no authorisation was written down for the decision",
                code="authorisation.none-written",
                hint="membercard-issuer decisions authorisation create",
            )
        return BatchAuthorisation.from_bytes(kept[-1].content)

    def uncovered(self, decision_id: DecisionId, *, actor: Actor) -> int:
        """For how many cards another authorisation can be written down now.

        Raises:
            IssuerRefusedError: ``right.missing``, ``decision.unknown``.
        """
        now = self.desk.clock()
        with self.desk.register.reading() as transaction:
            decision = transaction.decisions.get(decision_id)
            demand_right(
                self.desk, transaction, actor, decision.committee, right=Right.READ_REQUESTS
            )
            if decision.state is not DecisionState.CONFIRMED:
                return 0
            wanted = transaction.decisions.unsigned(decision_id)
            found = open_authorisations(transaction.decisions.authorisations(decision_id), now=now)
        return max(0, wanted - sum(each.left for each in found))

    @staticmethod
    def _uncovered(transaction: RegisterTransaction, decision_id: DecisionId, now: datetime) -> int:
        """How many cards are to be signed for which nothing by two is open: with more, cards could be signed twice."""
        wanted = transaction.decisions.unsigned(decision_id)
        if not wanted:
            raise IssuerRefusedError(
                "no request of the decision waits for a signature", code="decision.nothing-to-sign"
            )
        found = open_authorisations(transaction.decisions.authorisations(decision_id), now=now)
        cards = wanted - sum(each.left for each in found)
        if cards < 1:
            known = found[-1].authorisation
            raise ConflictError(
                f"authorisation {known.digest.hex()} by two is valid until {known.until:%Y-%m-%d %H:%M} UTC",
                code="authorisation.still-valid",
            )
        return cards


def open_authorisations(
    kept: Iterable[KeptAuthorisation], *, now: datetime
) -> tuple[OpenAuthorisation, ...]:
    """Those that two have signed and under which the signer may sign something, the first to end first.

    What the signer has signed and the register did not learn of counts as left here: too much, never too little.
    """
    found = []
    for each in kept:
        known = BatchAuthorisation.from_bytes(each.content)
        left = known.cards - each.signed
        if (
            len(known.signatures) >= REQUIRED_OPERATORS
            and known.until > now
            and left > 0
            and not each.is_void
        ):
            found.append(OpenAuthorisation(authorisation=known, left=left))
    return tuple(sorted(found, key=lambda each: (each.authorisation.until, each.left)))
