"""The signer killed at any moment: what was acknowledged is on record, nothing is counted twice or forgotten."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from pki.errors import PkiError
from pki.keys.algorithms import HashAlgorithm
from pki.record.journal import verify_journal
from pki.signed.security_object import SecurityObject

Home = Any
Card = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("membercard-pki")
SECONDS_TO_BE_BACK = 10.0
"""What the issue asks for."""

_PAUSE_SECONDS = 0.012
"""Between two requests of a client, so that two hundred cycles stay below what one document signer may sign."""


class Hammering:
    """Clients that ask for cards until the signer goes away; ``acknowledged`` maps references to what came back."""

    def __init__(self, home: Home, authorisation: bytes, card: Card, *, clients: int) -> None:
        self.acknowledged: dict[bytes, bytes] = {}
        self.unexpected: list[BaseException] = []
        self._home = home
        self._authorisation = authorisation
        self._card = card
        self._threads = [
            threading.Thread(target=self._work, args=(3 + 5 * number,)) for number in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        for thread in self._threads:
            thread.join()

    def _work(self, size: int) -> None:
        try:
            with self._home.client(self._authorisation) as signer:
                while True:
                    time.sleep(_PAUSE_SECONDS)
                    cards = [self._card() for _ in range(size)]
                    signed = signer.sign_many(cards)
                    self.acknowledged.update(
                        (card.reference, each) for card, each in zip(cards, signed, strict=True)
                    )
        except PkiError as error:
            if error.code != "signer.unreachable":
                self.unexpected.append(error)
        except BaseException as error:  # noqa: BLE001 - told to the test below
            self.unexpected.append(error)


def kill_and_check(home: Home, card: Card, *, cycles: int, clients: int, seed: int) -> None:
    moments = random.Random(seed)
    authorisation = home.authorise(100_000)
    acknowledged: dict[bytes, bytes] = {}
    for _ in range(cycles):
        assert home.start() < SECONDS_TO_BE_BACK
        with Hammering(home, authorisation, card, clients=clients) as hammering:
            time.sleep(moments.uniform(0.0, 0.3))
            home.kill()
        assert hammering.unexpected == []
        acknowledged |= hammering.acknowledged
    assert acknowledged
    assert home.start() < SECONDS_TO_BE_BACK
    with home.client(authorisation) as signer:
        signer.sign(card())
        assert signer.authorised.signed == len(home.entries()) - 1
    assert home.stop() == (0, "")

    verify_journal(home.home / "journal.jsonl")
    recorded = {entry.fields["reference"]: entry for entry in home.entries()}
    # No reference stands twice: nothing was signed twice.
    assert len(recorded) == len(home.entries())
    for reference, signed in acknowledged.items():
        found = SecurityObject.from_bytes(signed)
        digest = HashAlgorithm.SHA256.digest(found.signed_attributes).hex()
        assert recorded[reference.hex()].fields["digest"] == digest
    state = home.state()
    assert state.signers["ds-1"].objects_signed == len(recorded)
    (batch,) = state.authorisations.batches.values()
    assert batch.signed == len(recorded)


def test_a_signer_killed_again_and_again_loses_nothing_that_it_acknowledged(
    signer_home: Home, card: Card
) -> None:
    kill_and_check(signer_home, card, cycles=5, clients=2, seed=1)


@pytest.mark.hsm
def test_a_signer_over_a_token_killed_again_and_again_loses_nothing(
    token_home: Home, card: Card
) -> None:
    kill_and_check(token_home, card, cycles=5, clients=2, seed=2)


@pytest.mark.slow
@pytest.mark.hsm
@pytest.mark.timeout(1800)
def test_a_signer_killed_two_hundred_times_loses_nothing_that_it_acknowledged(
    token_home: Home, card: Card
) -> None:
    kill_and_check(token_home, card, cycles=200, clients=3, seed=3)


def kill_during_key_generation(home: Home, card: Card, *, kills: int, seed: int) -> None:
    """Acknowledged keys sign afterwards, and the signer starts whatever is left in the token."""
    moments = random.Random(seed)
    acknowledged: list[str] = []
    number = 1
    for _ in range(kills):
        number += 1
        process = subprocess.Popen(
            [str(PROGRAM), "--home", str(home.home), "signer", "create", "--id", f"ds-{number}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            # Starting Python takes most of it: the last part is where keys and certificates are made.
            process.wait(timeout=moments.uniform(0.3, 1.6))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.returncode == 0:
            acknowledged.append(f"ds-{number}")
    assert home.pki("signer", "create", "--id", "ds-last") == 0
    assert home.start() < SECONDS_TO_BE_BACK
    for signer_id in ("ds-1", *acknowledged, "ds-last"):
        with home.client(home.authorise(1, signer=signer_id)) as signer:
            signed = SecurityObject.from_bytes(signer.sign(card()))
            signed.verify_signature()
            assert signed.signer_certificate == home.state().signers[signer_id].certificate
    assert home.stop() == (0, "")


@pytest.mark.hsm
def test_a_signer_starts_after_kills_during_key_generation(token_home: Home, card: Card) -> None:
    kill_during_key_generation(token_home, card, kills=5, seed=4)


@pytest.mark.slow
@pytest.mark.hsm
@pytest.mark.timeout(1800)
def test_a_signer_starts_after_a_hundred_kills_during_key_generation(
    token_home: Home, card: Card
) -> None:
    kill_during_key_generation(token_home, card, kills=100, seed=5)
