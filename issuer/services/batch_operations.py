"""Use case: have a batch signed behind the answer, as an operation with progress that goes on where it broke off."""

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from card_layout.errors import CardError
from issuer.domain.batch import BatchId, BatchState
from issuer.domain.rights import Actor
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.batch_desk import BatchDesk
from issuer.services.operation_actor import actor_of_today
from issuer.services.operation_ports import Operation, OperationKind
from issuer.services.operations import OperationDesk, Progress
from issuer.services.sign_batches import BatchSigning, require_frozen, require_open_authorisation
from pki.errors import PkiError, PkiRefusedError

__all__ = ["BATCH", "BatchOperations", "SignWork", "SignerOfCards"]

BATCH: Final = "batch"
"""Among the inputs of an operation: which batch it works on."""


class SignerOfCards(Protocol):
    """The signer of this office, where there is one."""

    def require(self) -> None:
        """Let pass only where cards could be signed: quickly, without asking the signer anything.

        Raises:
            IssuerRefusedError: ``signing.no-signer``, ``profile.development``, ``signer.unreachable``.
        """

    def signing(self) -> BatchSigning:
        """Signing of batches, with the keys that it needs.

        Raises:
            IssuerRefusedError: as ``require``.
            IssuerError, PkiError: the keystore cannot be opened.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOperations:
    """Begins long work with batches."""

    desk: BatchDesk
    operations: OperationDesk
    signer: SignerOfCards

    def sign(self, batch_id: BatchId, *, actor: Actor) -> Operation:
        """Have a frozen batch signed; asked for twice, the second work finds nothing left to do.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``, ``batch.wrong-state``; nobody signs cards here
                (``signing.no-signer``); ``profile.development``; ``signer.unreachable``; the decision has no authorisation that is open
                (``authorisation.none-valid``, ``authorisation.used-up``).
        """
        self.require_signable(batch_id, actor=actor)
        return self.operations.begin(
            OperationKind.SIGN_BATCH, account=actor.account, inputs={BATCH: str(batch_id)}
        )

    def require_signable(self, batch_id: BatchId, *, actor: Actor) -> None:
        """Let pass only a batch that could be signed now.

        Raises:
            IssuerRefusedError: as ``sign``.
        """
        with self.desk.register.reading() as transaction:
            batch = require_frozen(self.desk, transaction, batch_id, actor)
            self.signer.require()
            if transaction.batches.tallies([batch_id])[batch_id].bound:
                require_open_authorisation(self.desk, transaction, batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignWork:
    """What is done for an operation that signs a batch (``issuer.services.operations.Work``)."""

    desk: BatchDesk
    signer: SignerOfCards

    def __call__(self, operation: Operation, progress: Progress) -> Mapping[str, int]:
        """Sign what is not signed yet; where the batch was signed meanwhile, nothing is left to do.

        Raises:
            IssuerError: ``BatchSigning.sign`` refused; what the signer said keeps its code.
        """
        batch_id = BatchId(uuid.UUID(operation.inputs[BATCH]))
        actor = actor_of_today(self.desk.register, operation.account)
        with self.desk.register.reading() as transaction:
            state = transaction.batches.get(batch_id).state
            tally = transaction.batches.tallies([batch_id])[batch_id]
        total = tally.requests
        if operation.attempt > 1 and state is not BatchState.FROZEN:
            return {"signed": total - tally.bound}
        try:
            counts = self._sign(batch_id, actor, progress, before=total - tally.bound, total=total)
        except PkiRefusedError as error:
            raise IssuerRefusedError(str(error), code=error.code, hint=error.hint) from error
        except PkiError as error:
            raise IssuerUnavailableError(str(error), code=error.code, hint=error.hint) from error
        except CardError as error:
            raise IssuerUnavailableError(str(error), code=error.code) from error
        return dict(counts)

    def _sign(
        self, batch_id: BatchId, actor: Actor, progress: Progress, *, before: int, total: int
    ) -> Counter[str]:
        counts: Counter[str] = Counter({"signed": before})
        for outcome in self.signer.signing().sign(batch_id, actor=actor):
            if outcome.code is None:
                counts["signed"] += 1
            else:
                counts["not-signed"] += 1
                counts[outcome.code] += 1
            progress(done=counts["signed"] + counts["not-signed"], total=total)
        return counts
