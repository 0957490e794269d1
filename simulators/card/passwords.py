"""The passwords of PACE, with the counters of those that can be blocked (TR-03110-2, 3.3; TR-03110-3, B.11)."""

from dataclasses import replace
from enum import Enum

from simulators.card.pace import mrz_secret
from simulators.image import PIN_TRIES, PUK_TRIES, Secrets

__all__ = [
    "OPENING",
    "Password",
    "initial_tries",
    "secret_of",
    "tries_left",
    "tries_warning",
    "with_tries",
]

_TRIES_LEFT = 0x63C0


class Password(Enum):
    """The reference in MSE:Set AT."""

    MRZ = 1
    CAN = 2
    PIN = 3
    PUK = 4


OPENING = frozenset({Password.MRZ, Password.CAN, Password.PIN})
"""The passwords whose session may read; the PUK only unblocks the PIN."""


def secret_of(secrets: Secrets, password: Password) -> bytes | None:
    """What stands for the password in the key derivation; ``None`` where the card has none."""
    text = {
        Password.MRZ: secrets.mrz_information,
        Password.CAN: secrets.can,
        Password.PIN: secrets.pin,
        Password.PUK: secrets.puk,
    }[password]
    if text is None:
        return None
    return mrz_secret(text) if password is Password.MRZ else text.encode("ascii")


def initial_tries(password: Password) -> int | None:
    """How often a wrong one may come in a row; ``None`` for those that nothing blocks."""
    return {Password.PIN: PIN_TRIES, Password.PUK: PUK_TRIES}.get(password)


def tries_left(secrets: Secrets, password: Password) -> int | None:
    """How often it may still be tried; ``None`` for those that nothing blocks."""
    return {
        Password.PIN: secrets.pin_tries_left,
        Password.PUK: secrets.puk_tries_left,
    }.get(password)


def with_tries(secrets: Secrets, password: Password, number: int) -> Secrets:
    """The same passwords with another counter."""
    if password is Password.PIN:
        return replace(secrets, pin_tries_left=number)
    return replace(secrets, puk_tries_left=number)


def tries_warning(number: int) -> int:
    """The status word that tells how many tries are left."""
    return _TRIES_LEFT | min(number, 0x0F)
