"""Proofs of deletions that nobody has fetched yet: sealed, for whoever confirmed the deletion, and soon gone.

A proof holds the salt by which one can try out whose record it was. So no copy stays: it waits two weeks to be fetched,
and one hour more where the first download broke off.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from issuer.db.sealing import Sealer
from issuer.domain.member import MemberId
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.uploads.sealed_folder import SealedFolder

__all__ = ["PROOF_GRACE", "PROOF_LIFETIME", "SealedProofs"]

PROOF_LIFETIME: Final = timedelta(days=14)
PROOF_GRACE: Final = timedelta(hours=1)


class SealedProofs:
    """Files below one directory, named by the deleted record and bound to the account that confirmed it."""

    def __init__(
        self, directory: Path, sealer: Callable[[], Sealer], clock: Callable[[], datetime]
    ) -> None:
        """``sealer`` gives the register's keys, and is asked when the first proof is written or read."""
        self._folder = SealedFolder(
            directory=directory,
            sealer=sealer,
            clock=clock,
            purpose="subjects.deletion-proof",
            lifetime=PROOF_LIFETIME,
            what="proof of a deletion",
        )

    def keep(self, member_id: MemberId, account: AccountName, proof: bytes) -> None:
        """See ``ProofStore.keep``; old ones go."""
        self._folder.keep(member_id.hex, proof, row=_row(member_id, account))

    def has(self, member_id: MemberId, account: AccountName) -> bool:
        """See ``ProofStore.has``."""
        return self._opened(member_id, account) is not None

    def fetch(self, member_id: MemberId, account: AccountName) -> bytes:
        """See ``ProofStore.fetch``."""
        proof = self._opened(member_id, account)
        if proof is None:
            raise IssuerRefusedError(
                f"no proof of the deletion of {member_id} waits for account {account}",
                code="subject.proof-gone",
            )
        self._folder.let_go_after(member_id.hex, PROOF_GRACE)
        return proof

    def discard(self, member_id: MemberId) -> None:
        """See ``ProofStore.discard``."""
        self._folder.remove(member_id.hex)

    def _opened(self, member_id: MemberId, account: AccountName) -> bytes | None:
        try:
            return self._folder.get(member_id.hex, row=_row(member_id, account))
        except IssuerUnavailableError as error:
            if error.code != "production.seal-broken":
                raise
            # Another person confirmed this deletion.
            return None


def _row(member_id: MemberId, account: AccountName) -> bytes:
    return member_id.bytes + account.encode()
