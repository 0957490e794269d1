"""What a protocol's object identifier stands for: mapping, cipher and key length (ICAO 9303-11, 9.2; SPEC.md, 5.6)."""

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

__all__ = [
    "PaceAlgorithm",
    "PaceMapping",
    "SessionCipher",
    "chip_authentication_cipher",
    "pace_algorithm",
]

_SMARTCARD: Final = "0.4.0.127.0.7.2.2"


@unique
class SessionCipher(Enum):
    """The cipher of a session by its last arc, with the bytes of its keys (ICAO 9303-11, 9.7.1)."""

    TRIPLE_DES = (1, 16)
    """Only where a policy names basic access control (SPEC.md, 5.7)."""
    AES_128 = (2, 16)
    AES_192 = (3, 24)
    AES_256 = (4, 32)

    def __init__(self, arc: int, key_bytes: int) -> None:
        self.arc = arc
        self.key_bytes = key_bytes


_MODERN_CIPHERS: Final = (SessionCipher.AES_128, SessionCipher.AES_192, SessionCipher.AES_256)


@unique
class PaceMapping(Enum):
    """How PACE makes a generator out of the nonce, by its arc; over elliptic curves only (ICAO 9303-11, 4.4.3.3)."""

    GENERIC = 2
    INTEGRATED = 4
    CHIP_AUTHENTICATION = 6
    """Generic mapping that also proves the chip's static key (SPEC.md, 5.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceAlgorithm:
    """One way of doing PACE."""

    mapping: PaceMapping
    cipher: SessionCipher


_PACE_ALGORITHMS: Final = {
    f"{_SMARTCARD}.4.{mapping.value}.{cipher.arc}": PaceAlgorithm(mapping=mapping, cipher=cipher)
    for mapping in PaceMapping
    for cipher in _MODERN_CIPHERS
}
_CHIP_AUTHENTICATION_TRIPLE_DES: Final = f"{_SMARTCARD}.3.2.{SessionCipher.TRIPLE_DES.arc}"
_CHIP_AUTHENTICATION_CIPHERS: Final = {
    f"{_SMARTCARD}.3.2.{cipher.arc}": cipher for cipher in _MODERN_CIPHERS
}


def pace_algorithm(protocol: str) -> PaceAlgorithm | None:
    """What a PACEInfo's protocol asks for; ``None`` where we do not speak it."""
    return _PACE_ALGORITHMS.get(protocol)


def chip_authentication_cipher(
    protocol: str, *, allow_triple_des: bool = False
) -> SessionCipher | None:
    """The cipher of chip authentication over elliptic curves; ``None`` where we do not speak it.

    3DES is spoken only where it is allowed: in sessions of basic access control, which have nothing better.
    """
    if allow_triple_des and protocol == _CHIP_AUTHENTICATION_TRIPLE_DES:
        return SessionCipher.TRIPLE_DES
    return _CHIP_AUTHENTICATION_CIPHERS.get(protocol)
