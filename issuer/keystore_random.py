"""Random bytes of the keystore's generator, for programs that open the keystore for moments only."""

import contextlib
import threading
from collections.abc import Callable
from typing import Final

from pki.keys.keystore import AgreementKeystore

__all__ = ["KeystoreRandom"]

_POOL_BYTES: Final = 64 * 1024
"""What is fetched at once: the numbers and secrets of several hundred cards."""

_PART_BYTES: Final = 4096
"""What tokens give without complaint."""


class KeystoreRandom:
    """A source of random bytes; safe to call from any thread."""

    def __init__(self, open_keystore: Callable[[], AgreementKeystore]) -> None:
        """``open_keystore`` opens the keystore, which is closed again as soon as a pool is fetched."""
        self._open = open_keystore
        self._lock = threading.Lock()
        self._pool = bytearray()

    def __call__(self, count: int) -> bytes:
        """So many bytes, which nobody else is given.

        Raises:
            IssuerRefusedError, KeystoreError: the keystore is not to be had.
        """
        with self._lock:
            while len(self._pool) < count:
                self._fetch()
            drawn = bytes(self._pool[:count])
            del self._pool[:count]
        return drawn

    def __repr__(self) -> str:
        """What is left in the pool is nobody's business."""
        return "KeystoreRandom()"

    def _fetch(self) -> None:
        with contextlib.closing(self._open()) as keystore:
            for _ in range(_POOL_BYTES // _PART_BYTES):
                self._pool += keystore.random_bytes(_PART_BYTES)
