"""Use case: have the cards of a frozen batch signed, under the authorisations of its decision.

Two people froze the batch, two authorised the decision's cards: whoever asks the signer now adds nothing to either, and
is recorded. What was broken off is taken up again by asking once more.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from issuer.domain.batch import Batch, BatchId, BatchState
from issuer.domain.card import CardReference
from issuer.domain.rights import AccountName, Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.authorise_batch import (
    REQUIRED_OPERATORS,
    OpenAuthorisation,
    open_authorisations,
)
from issuer.services.batch_desk import BatchDesk, batch_record, demand_at
from issuer.services.production_ports import CardLedger
from issuer.services.register_ports import RegisterTransaction
from issuer.services.sign_cards import SigningOutcome
from pki.errors import PkiRefusedError
from pki.signed.authorisation import BatchAuthorisation

__all__ = [
    "BatchSigning",
    "OpenSigner",
    "SigningOfCards",
    "require_frozen",
    "require_open_authorisation",
]


class SigningOfCards(Protocol):
    """A connection to the signer, over which cards are built, signed and kept; ``CardSigning`` is one."""

    def sign_all(
        self,
        *,
        limit: int | None = None,
        batch_id: BatchId | None = None,
        account: AccountName | None = None,
        without: Collection[CardReference] = (),
    ) -> Iterator[SigningOutcome]:
        """See ``CardSigning.sign_all``."""


OpenSigner = Callable[[BatchAuthorisation | None], AbstractContextManager[SigningOfCards]]
"""Connects to the signer with an authorisation; with ``None`` to a test authority's, which needs none."""

_OVERDRAWN: Final = "authorisation.overdrawn"
_FINAL: Final = frozenset(
    {
        _OVERDRAWN,
        "authorisation.before-restore",
        "authorisation.batch-used",
        "authorisation.same-operator",
        "authorisation.signature-wrong",
        "operator.revoked",
        "signer.retired",
        "signer.revoked",
    }
)
"""With these words the signer says that it will never sign anything more under an authorisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSigning:
    """Signs batches.

    Attributes:
        open_signer: connects to the signer.
        is_authorised: whether the signer demands an authorisation by two; only a test authority's in this process
            does not.
    """

    desk: BatchDesk
    cards: CardLedger
    open_signer: OpenSigner
    is_authorised: bool = True

    def sign(self, batch_id: BatchId, *, actor: Actor) -> Iterator[SigningOutcome]:
        """Every card of the batch that is not signed yet; one outcome each, and the batch is *signed* at the end.

        A card that is refused stays bound: it is condemned, or the reason mended.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``; it is not frozen (``batch.wrong-state``); no
                authorisation by two is valid (``authorisation.none-valid``); somebody has it signed at this moment
                (``batch.being-signed``); the authorisations cover no more cards (``authorisation.used-up``).
            IssuerUnavailableError, PkiError: nothing can be signed any more.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = require_frozen(self.desk, transaction, batch_id, actor)
            cards = transaction.batches.tallies([batch_id])[batch_id].bound
            # What was broken off behind the last card has none left to sign: the signer is asked for nothing.
            if self.is_authorised and cards:
                require_open_authorisation(self.desk, transaction, batch)
            # Said before the signer is asked: what it is asked for has a name behind it, whatever happens then.
            transaction.audit.append(batch_record(batch, "signing-begun", actor, now, cards=cards))
        return self._sign(batch, actor)

    def _sign(self, batch: Batch, actor: Actor) -> Iterator[SigningOutcome]:
        counts: Counter[str] = Counter()
        refused: dict[CardReference, SigningOutcome] = {}
        with self.cards.signing(batch.batch_id):
            try:
                for outcome in self._sign_all(batch, actor, refused):
                    counts["signed"] += 1
                    yield outcome
            finally:
                self._record(batch, actor, signed=counts["signed"], refused=len(refused))
            yield from refused.values()
            self.cards.settle(batch.batch_id, account=actor.account)

    def _sign_all(
        self, batch: Batch, actor: Actor, refused: dict[CardReference, SigningOutcome]
    ) -> Iterator[SigningOutcome]:
        """What was signed, under one authorisation after the other; what was refused goes into ``refused``."""
        while self._is_left(batch, refused):
            found = self._choose(batch)
            with self._connected(found) as signing:
                is_used_up = False
                for outcome in signing.sign_all(
                    batch_id=batch.batch_id,
                    account=actor.account,
                    limit=None if found is None else found.left,
                    without=refused,
                ):
                    if outcome.code is None:
                        yield outcome
                    elif found is not None and outcome.code in _FINAL:
                        is_used_up = True
                    else:
                        refused[outcome.reference] = outcome
            if found is not None and is_used_up:
                self._make_void(found.authorisation)

    def _is_left(self, batch: Batch, refused: dict[CardReference, SigningOutcome]) -> bool:
        # Of one card more than were refused, one at least was not.
        bound = self.cards.bound(batch_id=batch.batch_id, limit=len(refused) + 1)
        return any(reference not in refused for reference in bound)

    def _choose(self, batch: Batch) -> OpenAuthorisation | None:
        if not self.is_authorised:
            return None
        with self.desk.register.reading() as transaction:
            return require_open_authorisation(self.desk, transaction, batch)

    @contextmanager
    def _connected(self, found: OpenAuthorisation | None) -> Iterator[SigningOfCards]:
        try:
            with self.open_signer(None if found is None else found.authorisation) as signing:
                yield signing
        except PkiRefusedError as error:
            if found is not None and error.code in _FINAL:
                self._make_void(found.authorisation)
            raise

    def _make_void(self, authorisation: BatchAuthorisation) -> None:
        with self.desk.register.writing() as transaction:
            transaction.decisions.make_void(authorisation.digest)

    def _record(self, batch: Batch, actor: Actor, *, signed: int, refused: int) -> None:
        with self.desk.register.writing() as transaction:
            transaction.audit.append(
                batch_record(
                    transaction.batches.get(batch.batch_id),
                    "cards-signed",
                    actor,
                    self.desk.clock(),
                    signed=signed,
                    refused=refused,
                )
            )


def require_frozen(
    desk: BatchDesk, transaction: RegisterTransaction, batch_id: BatchId, actor: Actor
) -> Batch:
    """A batch that this person may have signed.

    Raises:
        IssuerRefusedError: ``right.missing``, ``batch.unknown``, ``batch.wrong-state``.
    """
    batch = transaction.batches.get(batch_id)
    demand_at(desk, transaction, actor, batch.receiver, Right.HAVE_BATCHES_SIGNED)
    if batch.state is not BatchState.FROZEN:
        raise IssuerRefusedError(
            f"the batch is {batch.state}, so it cannot be signed", code="batch.wrong-state"
        )
    return batch


def require_open_authorisation(
    desk: BatchDesk, transaction: RegisterTransaction, batch: Batch
) -> OpenAuthorisation:
    """The authorisation of the batch's decision that is used first: the one that ends first.

    Raises:
        IssuerRefusedError: there is none by two people that has not ended (``authorisation.none-valid``); those that
            there are cover no more cards (``authorisation.used-up``).
    """
    now = desk.clock()
    kept = transaction.decisions.authorisations(batch.decision_id)
    found = open_authorisations(kept, now=now)
    if found:
        return found[0]
    known = [BatchAuthorisation.from_bytes(each.content) for each in kept]
    if any(each.until > now and len(each.signatures) >= REQUIRED_OPERATORS for each in known):
        raise IssuerRefusedError(
            "the decision's authorisations by two are used up, and cards wait for a signature",
            code="authorisation.used-up",
            hint="membercard-issuer decisions authorisation create, two operators sign, then attach",
        )
    raise IssuerRefusedError(
        "the decision has no authorisation by two people that is valid now",
        code="authorisation.none-valid",
        hint="membercard-issuer decisions authorisation create, two operators sign, then attach",
    )
