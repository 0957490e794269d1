"""Use case: a deletion is confirmed over HTTP: its proof waits, sealed, for whoever confirmed it."""

import json
from dataclasses import dataclass
from typing import Protocol

from issuer.domain.member import MemberId
from issuer.domain.rights import AccountName, Actor
from issuer.domain.subject_extract import DeletionProof
from issuer.services.delete_subjects import DeletionOffice

__all__ = ["ConfirmationOfDeletions", "ProofStore"]


class ProofStore(Protocol):
    """Where proofs wait until they are fetched."""

    def keep(self, member_id: MemberId, account: AccountName, proof: bytes) -> None:
        """Keep a proof durably, for this account alone.

        Raises:
            IssuerUnavailableError: it cannot be kept (``upload.unavailable``).
        """

    def has(self, member_id: MemberId, account: AccountName) -> bool:
        """Whether one waits for this account."""

    def fetch(self, member_id: MemberId, account: AccountName) -> bytes:
        """The proof; soon after it was first fetched no copy is left.

        Raises:
            IssuerRefusedError: none waits for this account (``subject.proof-gone``).
        """

    def discard(self, member_id: MemberId) -> None:
        """Destroy what was kept: nothing was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationOfDeletions:
    """Everything that it needs from the world."""

    deleting: DeletionOffice
    proofs: ProofStore

    def confirm(self, member_id: MemberId, *, actor: Actor) -> DeletionProof:
        """Destroy what another person proposed to destroy; the proof is kept before anything is.

        Raises:
            IssuerRefusedError: as ``DeletionOffice.confirm``.
            IssuerUnavailableError: the proof cannot be kept (``upload.unavailable``); then nothing is destroyed.
        """
        is_kept = False

        def keep(proof: DeletionProof) -> None:
            nonlocal is_kept
            content = json.dumps(proof.document(), ensure_ascii=False, indent=2).encode()
            self.proofs.keep(member_id, actor.account, content)
            is_kept = True

        try:
            return self.deleting.confirm(member_id, actor=actor, keep=keep)
        except Exception:
            if is_kept and not self._is_deleted(member_id):
                self.proofs.discard(member_id)
            raise

    def _is_deleted(self, member_id: MemberId) -> bool:
        """Whether it was done all the same: what goes wrong behind the deletion takes no proof away."""
        with self.deleting.register.reading() as transaction:
            return transaction.subjects.erasure_of(member_id) is not None
