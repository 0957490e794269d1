"""Random bytes of the keystore's generator, for programs that open the keystore for moments only."""

import threading
from collections.abc import Callable
from typing import Final

from pki.keys.keystore import AgreementKeystore

__all__ = ["KeystoreRandom", "RandomPool", "draw_pool"]

_POOL_BYTES: Final = 64 * 1024
"""What is fetched at once: the numbers and secrets of several hundred cards."""

_PART_BYTES: Final = 4096
"""What tokens give without complaint."""


def draw_pool(keystore: AgreementKeystore) -> bytes:
    """As many random bytes as are fetched at once.

    Raises:
        KeystoreError: the keystore failed.
    """
    return b"".join(keystore.random_bytes(_PART_BYTES) for _ in range(_POOL_BYTES // _PART_BYTES))


class KeystoreRandom:
    """A source of random bytes; safe to call from any thread."""

    def __init__(self, fetch: Callable[[], bytes]) -> None:
        """``fetch`` has ``draw_pool`` done with the keystore, which it opens for the moment."""
        self._fetch = fetch
        self._lock = threading.Lock()
        self._pool = bytearray()

    def __call__(self, count: int) -> bytes:
        """So many bytes, which nobody else is given.

        Raises:
            IssuerRefusedError, KeystoreError: the keystore is not to be had.
        """
        with self._lock:
            while len(self._pool) < count:
                self._pool += self._fetch()
            drawn = bytes(self._pool[:count])
            del self._pool[:count]
        return drawn

    def __repr__(self) -> str:
        """What is left in the pool is nobody's business."""
        return "KeystoreRandom()"


class RandomPool:
    """The bytes of a keystore that stays open, fetched many at a time; safe to call from any thread."""

    def __init__(self, fetch: Callable[[int], bytes]) -> None:
        """``fetch`` asks the keystore: one long question is answered sooner than many short ones."""
        self._fetch = fetch
        self._lock = threading.Lock()
        self._pool = b""

    def __call__(self, count: int) -> bytes:
        """So many bytes, which nobody else is given.

        Raises:
            KeystoreError: the keystore failed.
        """
        with self._lock:
            if len(self._pool) < count:
                self._pool = self._fetch(max(count, _PART_BYTES))
            drawn, self._pool = self._pool[:count], self._pool[count:]
        return drawn

    def __repr__(self) -> str:
        """What is left in the pool is nobody's business."""
        return "RandomPool()"
