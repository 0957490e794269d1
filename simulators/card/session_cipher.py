"""The symmetric algorithms of sessions on the reading side, and how their keys are derived (9303-11, 9.7 and 9.8)."""

import hashlib
from typing import Protocol

from simulators.card.aes import BLOCK, cmac, decrypt_cbc, encrypt_block, encrypt_cbc, pad, unpad
from simulators.card.triple_des import TripleDesCipher
from simulators.image import SessionAlgorithm

__all__ = [
    "CHECKSUM_BYTES",
    "ENCRYPTION",
    "MAC",
    "PASSWORD",
    "AesCipher",
    "SessionCipher",
    "derive_key",
    "key_bytes",
    "open_cipher",
]

ENCRYPTION = 1
MAC = 2
PASSWORD = 3
"""The counters of the key derivation function (9303-11, 9.7.1)."""

CHECKSUM_BYTES = 8
"""Bytes of every MAC of secure messaging and of every token of PACE."""

_SHA_1_KEY_BYTES = 16

_KEY_BYTES = {
    SessionAlgorithm.TRIPLE_DES: 16,
    SessionAlgorithm.AES_128: 16,
    SessionAlgorithm.AES_192: 24,
    SessionAlgorithm.AES_256: 32,
}


class SessionCipher(Protocol):
    """The keys of one session at work; ``counter`` is the send sequence counter."""

    @property
    def block_bytes(self) -> int:
        """What data is padded to."""

    def encrypt(self, data: bytes, counter: int) -> bytes:
        """Pad and encrypt the data field of one APDU."""

    def decrypt(self, cryptogram: bytes, counter: int) -> bytes | None:
        """Whole blocks; ``None`` where no padding comes to light."""

    def checksum(self, message: bytes, counter: int) -> bytes:
        """The MAC over counter and message, eight bytes."""


class AesCipher:
    """AES in CBC mode under an encrypted counter, and CMAC (9303-11, 9.8.6 and 9.8.7)."""

    block_bytes = BLOCK

    def __init__(self, *, encryption_key: bytes, mac_key: bytes) -> None:
        self._encryption_key = encryption_key
        self._mac_key = mac_key

    def encrypt(self, data: bytes, counter: int) -> bytes:
        """Pad and encrypt the data field of one APDU."""
        return encrypt_cbc(self._encryption_key, pad(data), iv=self._iv(counter))

    def decrypt(self, cryptogram: bytes, counter: int) -> bytes | None:
        """Whole blocks; ``None`` where no padding comes to light."""
        return unpad(decrypt_cbc(self._encryption_key, cryptogram, iv=self._iv(counter)))

    def checksum(self, message: bytes, counter: int) -> bytes:
        """The MAC over counter and message, eight bytes."""
        return cmac(self._mac_key, pad(_block(counter) + message))[:CHECKSUM_BYTES]

    def _iv(self, counter: int) -> bytes:
        return encrypt_block(self._encryption_key, _block(counter))


def key_bytes(algorithm: SessionAlgorithm) -> int:
    """Bytes of one key."""
    return _KEY_BYTES[algorithm]


def derive_key(secret: bytes, counter: int, algorithm: SessionAlgorithm) -> bytes:
    """KDF of 9303-11, 9.7.1: SHA-1 for keys of 128 bits, SHA-256 for longer ones."""
    size = key_bytes(algorithm)
    message = secret + counter.to_bytes(4, "big")
    if size == _SHA_1_KEY_BYTES:
        return hashlib.sha1(message).digest()[:size]  # noqa: S324 -- fixed by 9303-11
    return hashlib.sha256(message).digest()[:size]


def open_cipher(secret: bytes, algorithm: SessionAlgorithm) -> SessionCipher:
    """The session keys of an agreed secret."""
    kind = TripleDesCipher if algorithm is SessionAlgorithm.TRIPLE_DES else AesCipher
    return kind(
        encryption_key=derive_key(secret, ENCRYPTION, algorithm),
        mac_key=derive_key(secret, MAC, algorithm),
    )


def _block(counter: int) -> bytes:
    return counter.to_bytes(BLOCK, "big")
