"""PACE's integrated mapping: two nonces become a generator (ICAO 9303-11, 4.4.3.3.2 and appendix B; SPEC.md, 5.8).

The terminal's nonce keys a chain of encryptions of the chip's; the number that comes out is encoded as a point by
the simplified method of Shallue, van de Woestijne and Ulas. Every curve here has a prime of the form 4k + 3, for
which a square root is one power.
"""

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from card_layout.curves import CurveError, NamedCurve, encode_point
from card_layout.protocols.algorithms import SessionCipher

__all__ = ["chip_nonce_bytes", "encode_number", "integrate_nonces", "pseudo_random_number"]

_NO_INITIAL_VECTOR: Final = bytes(16)
_EXTRA_BITS: Final = 64
"""So many bits more than the prime has keep the remainder even enough."""

_CONSTANTS: Final = {
    16: (
        bytes.fromhex("A668892A7C41E3CA739F40B057D85904"),
        bytes.fromhex("A4E136AC725F738B01C1F60217C188AD"),
    ),
    32: (
        bytes.fromhex("D463D65234124EF7897054986DCA0A174E28DF758CBAA03F240616414D5A1676"),
        bytes.fromhex("54BD7255F0AAF831BEC3423FCF39D69B6CBF066677D0FAAE5AADD99DF8E53517"),
    ),
}
"""c0, which makes the next key, and c1, which makes output, by the bytes of the chip's nonce."""


def chip_nonce_bytes(cipher: SessionCipher) -> int:
    """How long the chip's nonce is; the terminal's is as long as a key of the cipher."""
    return 16 if cipher is SessionCipher.AES_128 else 32


def integrate_nonces(
    curve: NamedCurve, cipher: SessionCipher, *, chip_nonce: bytes, terminal_nonce: bytes
) -> bytes:
    """The mapped generator, uncompressed.

    Raises:
        CurveError: the nonces lead to a number that has no point.
    """
    output = pseudo_random_number(
        curve, cipher, chip_nonce=chip_nonce, terminal_nonce=terminal_nonce
    )
    return encode_number(curve, int.from_bytes(output, "big") % curve.p)


def pseudo_random_number(
    curve: NamedCurve, cipher: SessionCipher, *, chip_nonce: bytes, terminal_nonce: bytes
) -> bytes:
    """R(s, t) before it is reduced modulo the prime, ``chip_nonce`` being s and ``terminal_nonce`` t."""
    size = chip_nonce_bytes(cipher)
    if len(chip_nonce) != size or len(terminal_nonce) != cipher.key_bytes:
        raise CurveError(
            f"nonces have {len(chip_nonce)} and {len(terminal_nonce)} bytes, "
            f"expected {size} and {cipher.key_bytes}"
        )
    next_key, to_output = _CONSTANTS[size]
    key = _encrypt(terminal_nonce, chip_nonce)[: cipher.key_bytes]
    output = b""
    while 8 * len(output) < curve.p.bit_length() + _EXTRA_BITS:
        output += _encrypt(key, to_output)
        key = _encrypt(key, next_key)[: cipher.key_bytes]
    return output


def encode_number(curve: NamedCurve, number: int) -> bytes:
    """The point of a number modulo the prime, uncompressed (9303-11, appendix B.2).

    Raises:
        CurveError: the number is 0, 1 or -1, which have none.
    """
    p, a, b = curve.p, curve.a, curve.b
    alpha = -number * number % p
    sum_of_powers = (alpha + alpha * alpha) % p
    if sum_of_powers == 0:
        raise CurveError("the mapped number has no point")
    x_2 = -b * (1 + sum_of_powers) * pow(a * sum_of_powers, -1, p) % p
    x_3 = alpha * x_2 % p
    h_2 = (x_2 * x_2 * x_2 + a * x_2 + b) % p
    # With p = 4k + 3 this is the inverse of a square root of h2, where h2 is a square.
    root = pow(h_2, p - 1 - (p + 1) // 4, p)
    if root * root * h_2 % p == 1:
        return encode_point(curve, x_2, root * h_2 % p)
    return encode_point(curve, x_3, root * pow(number, 3, p) * h_2 % p)


def _encrypt(key: bytes, data: bytes) -> bytes:
    encryptor = Cipher(AES(key), CBC(_NO_INITIAL_VECTOR)).encryptor()
    return encryptor.update(data) + encryptor.finalize()
