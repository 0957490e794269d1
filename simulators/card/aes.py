"""AES as the card uses it: padding, CBC, CMAC, and the key derivation of the personalisation channel."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

__all__ = [
    "BLOCK",
    "cmac",
    "decrypt_cbc",
    "derive_scp03",
    "encrypt_block",
    "encrypt_cbc",
    "pad",
    "unpad",
]

BLOCK = 16
"""Bytes of one AES block."""

ZERO_IV = bytes(BLOCK)


def pad(data: bytes, block_bytes: int = BLOCK) -> bytes:
    """Padding method 2 of ISO/IEC 9797-1: 80, then zeros to the end of the block; always at least one byte."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block_bytes)


def unpad(data: bytes, block_bytes: int = BLOCK) -> bytes | None:
    """The data before the padding; ``None`` where there is no padding."""
    stripped = data.rstrip(b"\x00")
    if not stripped.endswith(b"\x80") or len(data) - len(stripped) >= block_bytes:
        return None
    return stripped[:-1]


def encrypt_block(key: bytes, block: bytes) -> bytes:
    """One block, as it stands."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 -- one block
    return encryptor.update(block)


def encrypt_cbc(key: bytes, data: bytes, *, iv: bytes = ZERO_IV) -> bytes:
    """Whole blocks in cipher block chaining."""
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data)


def decrypt_cbc(key: bytes, data: bytes, *, iv: bytes = ZERO_IV) -> bytes:
    """Whole blocks in cipher block chaining."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(data)


def cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC, all 16 bytes (NIST SP 800-38B)."""
    context = CMAC(algorithms.AES(key))
    context.update(data)
    return context.finalize()


def derive_scp03(key: bytes, *, constant: int, context: bytes, bits: int) -> bytes:
    """Data derivation of SCP03, 4.1.5: SP 800-108 in counter mode over CMAC; ``bits`` is 64, 128, 192 or 256."""
    blocks = b"".join(
        cmac(
            key,
            bytes(11) + bytes((constant, 0)) + bits.to_bytes(2, "big") + bytes((number,)) + context,
        )
        for number in range(1, 2 + (bits - 1) // (8 * BLOCK))
    )
    return blocks[: bits // 8]
