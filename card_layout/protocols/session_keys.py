"""The key derivation function of the access protocols (ICAO 9303-11, 9.7.1)."""

import hashlib
from enum import IntEnum

from card_layout.iso7816.secure_messaging import SecureMessagingSession

__all__ = ["KeyPurpose", "derive_key", "open_session"]

_AES_128_BYTES = 16


class KeyPurpose(IntEnum):
    """The counter that makes one key for each purpose out of one secret."""

    ENCRYPTION = 1
    MAC = 2
    PASSWORD = 3


def derive_key(secret: bytes, purpose: KeyPurpose) -> bytes:
    """An AES-128 key: the first 16 bytes of SHA-1 over secret and counter."""
    # 9303-11, 9.7.1.2 fixes SHA-1 for keys of 128 bits; its weakness, collisions, does not matter here.
    digest = hashlib.sha1(secret + purpose.to_bytes(4, "big"), usedforsecurity=False).digest()
    return digest[:_AES_128_BYTES]


def open_session(shared_secret: bytes) -> SecureMessagingSession:
    """A secure messaging session under fresh keys, its send sequence counter at 0 (9303-11, 9.8.6.3)."""
    return SecureMessagingSession(
        derive_key(shared_secret, KeyPurpose.ENCRYPTION), derive_key(shared_secret, KeyPurpose.MAC)
    )
