"""The key derivation function of the access protocols (ICAO 9303-11, 9.7.1)."""

import hashlib
from enum import IntEnum

from card_layout.iso7816.secure_messaging import SecureMessagingSession
from card_layout.iso7816.session import CardSession
from card_layout.iso7816.triple_des import TripleDesSession
from card_layout.protocols.algorithms import SessionCipher

__all__ = ["KeyPurpose", "derive_key", "open_session"]

_MAX_SHA1_KEY_BYTES = 16


class KeyPurpose(IntEnum):
    """The counter that makes one key for each purpose out of one secret."""

    ENCRYPTION = 1
    MAC = 2
    PASSWORD = 3


def derive_key(
    secret: bytes, purpose: KeyPurpose, cipher: SessionCipher = SessionCipher.AES_128
) -> bytes:
    """A key for the cipher: the first bytes of SHA-1, or of SHA-256 for longer ones, over secret and counter."""
    seed = secret + purpose.to_bytes(4, "big")
    if cipher.key_bytes <= _MAX_SHA1_KEY_BYTES:
        # 9303-11, 9.7.1.2 fixes SHA-1 for keys of 128 bits; its weakness, collisions, does not matter here.
        digest = hashlib.sha1(seed, usedforsecurity=False).digest()
    else:
        digest = hashlib.sha256(seed).digest()
    return digest[: cipher.key_bytes]


def open_session(
    shared_secret: bytes, cipher: SessionCipher = SessionCipher.AES_128
) -> CardSession:
    """A secure messaging session under fresh keys, its send sequence counter at 0 (9303-11, 9.8.6.3)."""
    encryption_key = derive_key(shared_secret, KeyPurpose.ENCRYPTION, cipher)
    mac_key = derive_key(shared_secret, KeyPurpose.MAC, cipher)
    if cipher is SessionCipher.TRIPLE_DES:
        return TripleDesSession(encryption_key, mac_key)
    return SecureMessagingSession(encryption_key, mac_key)
