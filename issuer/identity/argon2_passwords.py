"""Passwords by Argon2id (RFC 9106, argon2-cffi)."""

import threading
from dataclasses import dataclass
from typing import Final

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

__all__ = ["Argon2Parameters", "Argon2Passwords"]

_NOBODYS: Final = "nobody has this password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2Parameters:
    """What one hash costs.

    Attributes:
        memory_kib: memory in KiB.
        passes: how often it is gone through.
        lanes: how many threads do it.
        at_once: how many hashes this process makes at the same time; others wait, so that memory stays bounded.
    """

    memory_kib: int
    passes: int
    lanes: int
    at_once: int


class Argon2Passwords:
    """See ``issuer.services.people_ports.PasswordHasher``."""

    def __init__(self, parameters: Argon2Parameters) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=parameters.passes,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.lanes,
            type=argon2.Type.ID,
        )
        self._turns = threading.BoundedSemaphore(parameters.at_once)
        self._nobodys: str | None = None

    def hash(self, password: str) -> str:
        """See ``PasswordHasher``."""
        with self._turns:
            return str(self._hasher.hash(password))

    def matches(self, encoded: str, password: str) -> bool:
        """See ``PasswordHasher``."""
        with self._turns:
            try:
                return bool(self._hasher.verify(encoded, password))
            except (VerificationError, InvalidHashError):
                return False

    def matches_nothing(self, password: str) -> None:
        """See ``PasswordHasher``."""
        if self._nobodys is None:
            # Making a hash takes as long as comparing one.
            self._nobodys = self.hash(_NOBODYS)
        else:
            self.matches(self._nobodys, password)

    def is_outdated(self, encoded: str) -> bool:
        """See ``PasswordHasher``."""
        return bool(self._hasher.check_needs_rehash(encoded))
