"""The integrated mapping of PACE: from two nonces to a generator (9303-11, 4.4.3.3.2 and appendix B)."""

from card_layout.curves import NamedCurve
from simulators.card.aes import encrypt_cbc
from simulators.card.points import Point, PointError

__all__ = ["map_nonces", "nonce_bytes"]

_SURPLUS_BITS = 64

_CONSTANTS = {
    16: (
        bytes.fromhex("A668892A7C41E3CA739F40B057D85904"),
        bytes.fromhex("A4E136AC725F738B01C1F60217C188AD"),
    ),
    32: (
        bytes.fromhex("D463D65234124EF7897054986DCA0A174E28DF758CBAA03F240616414D5A1676"),
        bytes.fromhex("54BD7255F0AAF831BEC3423FCF39D69B6CBF066677D0FAAE5AADD99DF8E53517"),
    ),
}
"""c0 and c1 by the length of the card's nonce in bytes."""


def nonce_bytes(key_size: int) -> int:
    """How long the card's nonce is: whole AES blocks, at least as long as a key of ``key_size`` bytes."""
    return 16 if key_size == 16 else 32


def map_nonces(curve: NamedCurve, own: bytes, other: bytes) -> Point:
    """The new generator; ``own`` is the card's nonce, ``other`` the terminal's, as long as a key.

    Raises:
        PointError: the nonces fall on one of the few numbers that have no point.
    """
    return _encode(curve, _pseudo_random(own, other, curve.p))


def _pseudo_random(own: bytes, other: bytes, p: int) -> int:
    """R_p(s, t): as many blocks as the field has bits and 64 more, reduced."""
    c0, c1 = _CONSTANTS[len(own)]
    key = encrypt_cbc(other, own)[: len(other)]
    output = b""
    while 8 * len(output) < p.bit_length() + _SURPLUS_BITS:
        output += encrypt_cbc(key, c1)
        key = encrypt_cbc(key, c0)[: len(other)]
    return int.from_bytes(output, "big") % p


def _encode(curve: NamedCurve, t: int) -> Point:
    """f_G: a number to a point, for p = 3 modulo 4 and cofactor 1, as all curves of the card have (appendix B.2)."""
    p, a, b = curve.p, curve.a, curve.b
    alpha = -t * t % p
    sum_of_powers = (alpha + alpha * alpha) % p
    if sum_of_powers == 0:
        raise PointError("the number has no point")
    x2 = -b * (1 + sum_of_powers) * pow(a * sum_of_powers, -1, p) % p
    x3 = alpha * x2 % p
    h2 = (pow(x2, 3, p) + a * x2 + b) % p
    u = pow(t, 3, p) * h2 % p
    root = pow(h2, p - 1 - (p + 1) // 4, p)
    if root * root * h2 % p == 1:
        return Point(curve=curve, x=x2, y=root * h2 % p)
    return Point(curve=curve, x=x3, y=root * u % p)
