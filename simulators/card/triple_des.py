"""Triple DES with two keys, and the retail MAC: what BAC and its secure messaging are made of (9303-11, 4.3 and 9.8).

The parity bits of keys stay as they are: DES does not look at them.
"""

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from simulators.card.aes import pad, unpad

__all__ = ["DES_BLOCK", "TripleDesCipher", "decrypt_cbc", "encrypt_cbc", "retail_mac"]

DES_BLOCK = 8
"""Bytes of one DES block."""

_ZERO_IV = bytes(DES_BLOCK)


def encrypt_cbc(key: bytes, data: bytes) -> bytes:
    """Whole blocks in cipher block chaining under a key of 16 bytes."""
    return _cipher(key).encryptor().update(data)


def decrypt_cbc(key: bytes, data: bytes) -> bytes:
    """Whole blocks in cipher block chaining under a key of 16 bytes."""
    return _cipher(key).decryptor().update(data)


def retail_mac(key: bytes, message: bytes) -> bytes:
    """MAC algorithm 3 of ISO/IEC 9797-1 with padding method 2: DES under the first key, the last block under both."""
    padded = pad(message, DES_BLOCK)
    chained = bytes(DES_BLOCK)
    if len(padded) > DES_BLOCK:
        first = key[:DES_BLOCK]
        chained = _cipher(first + first).encryptor().update(padded[:-DES_BLOCK])[-DES_BLOCK:]
    last = bytes(a ^ b for a, b in zip(chained, padded[-DES_BLOCK:], strict=True))
    return encrypt_cbc(key, last)


class TripleDesCipher:
    """The keys of one session; the counter has eight bytes and enters the MAC alone (9303-11, 9.8.6 and 9.8.7)."""

    block_bytes = DES_BLOCK

    def __init__(self, *, encryption_key: bytes, mac_key: bytes) -> None:
        self._encryption_key = encryption_key
        self._mac_key = mac_key

    def encrypt(self, data: bytes, counter: int) -> bytes:  # noqa: ARG002 -- the IV is zero whatever the counter
        """Pad and encrypt the data field of one APDU."""
        return encrypt_cbc(self._encryption_key, pad(data, DES_BLOCK))

    def decrypt(self, cryptogram: bytes, counter: int) -> bytes | None:  # noqa: ARG002 -- as above
        """Whole blocks; ``None`` where no padding comes to light."""
        return unpad(decrypt_cbc(self._encryption_key, cryptogram), DES_BLOCK)

    def checksum(self, message: bytes, counter: int) -> bytes:
        """The MAC over counter and message, eight bytes."""
        number = counter % (1 << 8 * DES_BLOCK)
        return retail_mac(self._mac_key, number.to_bytes(DES_BLOCK, "big") + message)


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(TripleDES(key + key[:DES_BLOCK]), modes.CBC(_ZERO_IV))
