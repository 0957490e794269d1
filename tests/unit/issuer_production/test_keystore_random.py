"""Random bytes that come from the keystore, which is open for no longer than it takes."""

import contextlib
import itertools
from typing import Any

from issuer.keystore_random import KeystoreRandom, draw_pool


class Keystore:
    """Gives numbers in a row, and knows how often it was opened and closed."""

    def __init__(self, numbers: "itertools.count[int]", log: list[str]) -> None:
        self._numbers = numbers
        self._log = log
        log.append("opened")

    def random_bytes(self, count: int) -> bytes:
        return bytes(next(self._numbers) % 251 for _ in range(count))

    def close(self) -> None:
        self._log.append("closed")


def test_every_byte_is_given_once_and_the_keystore_closed_each_time() -> None:
    log: list[str] = []
    numbers = itertools.count()

    def drawn() -> bytes:
        keystore: Any = Keystore(numbers, log)
        with contextlib.closing(keystore):
            return draw_pool(keystore)

    source = KeystoreRandom(drawn)
    assert log == []
    given = b"".join(source(count) for count in (1, 16, 40_000, 70_000, 16))
    assert given == bytes(number % 251 for number in range(len(given)))
    assert log == ["opened", "closed"] * 2


def test_it_never_shows_what_it_holds() -> None:
    source = KeystoreRandom(lambda: bytes(16))
    source(1)
    assert repr(source) == "KeystoreRandom()"
