"""Proofs of deletions that nobody has fetched yet: sealed, for whoever confirmed the deletion, and soon gone.

A proof holds the salt by which one can try out whose record it was. So no copy stays: it waits two weeks to be fetched,
and one hour more where the first download broke off.
"""

import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from issuer.db.sealing import Sealer
from issuer.domain.member import MemberId
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.storage.durable import write_durably

__all__ = ["PROOF_GRACE", "PROOF_LIFETIME", "SealedProofs"]

PROOF_LIFETIME: Final = timedelta(days=14)
PROOF_GRACE: Final = timedelta(hours=1)
_PURPOSE: Final = "subjects.deletion-proof"
_ENDING: Final = ".sealed"


class SealedProofs:
    """Files below one directory, named by the deleted record and bound to the account that confirmed it."""

    def __init__(
        self, directory: Path, sealer: Callable[[], Sealer], clock: Callable[[], datetime]
    ) -> None:
        """``sealer`` gives the register's keys, and is asked when the first proof is written or read."""
        self._directory = directory
        self._sealer = sealer
        self._clock = clock

    def keep(self, member_id: MemberId, account: AccountName, proof: bytes) -> None:
        """See ``ProofStore.keep``; old ones go."""
        self._forget_old()
        sealed = self._sealer().seal(proof, purpose=_PURPOSE, row=_row(member_id, account))
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(self._path(member_id), sealed)
            self._date(member_id, self._clock())
        except OSError as error:
            raise _unavailable("kept", error) from error

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
        first_fetched = self._clock() - PROOF_LIFETIME + PROOF_GRACE
        try:
            dated = datetime.fromtimestamp(self._path(member_id).stat().st_mtime, UTC)
            self._date(member_id, min(dated, first_fetched))
        except OSError as error:
            raise _unavailable("read", error) from error
        return proof

    def discard(self, member_id: MemberId) -> None:
        """See ``ProofStore.discard``."""
        with contextlib.suppress(OSError):
            self._path(member_id).unlink(missing_ok=True)

    def _opened(self, member_id: MemberId, account: AccountName) -> bytes | None:
        self._forget_old()
        try:
            sealed = self._path(member_id).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable("read", error) from error
        try:
            return self._sealer().open(sealed, purpose=_PURPOSE, row=_row(member_id, account))
        except IssuerUnavailableError:
            # Another person confirmed this deletion.
            return None

    def _date(self, member_id: MemberId, at: datetime) -> None:
        """Its age is counted from the file's own time."""
        os.utime(self._path(member_id), (at.timestamp(), at.timestamp()))

    def _forget_old(self) -> None:
        oldest = self._clock() - PROOF_LIFETIME
        for path in self._directory.glob(f"*{_ENDING}"):
            # Another process may take it away at the same time.
            with contextlib.suppress(FileNotFoundError):
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < oldest:
                    path.unlink()

    def _path(self, member_id: MemberId) -> Path:
        return self._directory / f"{member_id.hex}{_ENDING}"


def _row(member_id: MemberId, account: AccountName) -> bytes:
    return member_id.bytes + account.encode()


def _unavailable(what: str, error: OSError) -> IssuerUnavailableError:
    return IssuerUnavailableError(
        f"the proof of a deletion cannot be {what}: {error.strerror}", code="upload.unavailable"
    )
