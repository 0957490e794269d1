"""The elliptic-curve arithmetic of PACE's generic mapping, on nothing but ECDH (ICAO 9303-11, 4.4.3.3.1).

The mapping needs whole points, and the library gives the x coordinate of a product only. The y coordinate
follows from two products: with Q = k * P, R = k * (P + G) and the public key A = k * G, which is known as a whole,
R is Q + A, and the chord through Q and A gives

    x_R = ((y_Q - y_A) / (x_Q - x_A))^2 - x_Q - x_A

in which, y_Q^2 being known from the curve's equation, y_Q stands only once. All multiplication by secrets is
so done by the library; what is left to Python are a few additions and inversions on one-time values. Nothing but k
is ever a private key: making another one of a number that is at hand costs the library more than an exchange does.
"""

from collections.abc import Callable
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import CurveError, NamedCurve, decode_point, encode_point

__all__ = ["EphemeralKey", "RandomScalar", "map_generator"]

RandomScalar = Callable[[NamedCurve], int]
"""Gives one-time private keys that somebody else chose, as the published examples do."""


class EphemeralKey:
    """A one-time private key on ``curve``: a scalar from 1 to n - 1, drawn at random where none is given."""

    def __init__(self, *, curve: NamedCurve, scalar: int | None = None) -> None:
        self.curve = curve
        if scalar is None:
            # Drawing a key with its point takes the library a third of what the point of a number takes it.
            self._private_key = ec.generate_private_key(curve.to_cryptography())
            return
        if not 1 <= scalar <= curve.n - 1:
            raise CurveError("private scalar is out of range, expected 1 to n - 1")
        self._private_key = ec.derive_private_key(scalar, curve.to_cryptography())

    @classmethod
    def draw(cls, curve: NamedCurve, random_scalar: RandomScalar | None) -> Self:
        """A new key, with the scalar that ``random_scalar`` gives where there is one."""
        return cls(curve=curve, scalar=None if random_scalar is None else random_scalar(curve))

    def public_point(self) -> bytes:
        """The generator of the curve times the scalar, uncompressed."""
        return _encode(self.curve, self._private_key)

    def shared_x(self, point: bytes) -> bytes:
        """The x coordinate of the point times the scalar, as key agreement uses it.

        Raises:
            CurveError: the point is not on the curve.
        """
        return self._private_key.exchange(ec.ECDH(), _public_key(self.curve, point))

    def multiply(self, point: bytes) -> bytes:
        """The point times the scalar as a whole point, uncompressed.

        Raises:
            CurveError: the point is not on the curve.
        """
        curve = self.curve
        p = curve.p
        own = self._private_key.public_key().public_numbers()
        x, y = own.x, own.y
        if decode_point(curve, point) == (curve.g_x, p - curve.g_y):
            # Minus G and G have no chord; the product is minus the public key.
            return encode_point(curve, x, p - y)
        shifted = _add(curve, point, curve.generator)
        x_product = int.from_bytes(self.shared_x(point), "big")
        x_shifted = int.from_bytes(self.shared_x(shifted), "big")
        y_product_squared = (x_product * x_product + curve.a) * x_product + curve.b
        chord = (x_shifted + x_product + x) * (x_product - x) * (x_product - x)
        y_product = (y_product_squared + y * y - chord) * pow(2 * y, -1, p) % p
        return encode_point(curve, x_product, y_product)


def map_generator(curve: NamedCurve, *, nonce: bytes, shared_point: bytes) -> bytes:
    """The mapped generator: nonce * G + shared_point, uncompressed.

    Raises:
        CurveError: the sum is the point at infinity, which generates nothing.
    """
    scalar = int.from_bytes(nonce, "big") % curve.n
    if scalar == 0:
        return shared_point
    nonce_point = _encode(curve, ec.derive_private_key(scalar, curve.to_cryptography()))
    return _add(curve, nonce_point, shared_point)


def _encode(curve: NamedCurve, private_key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = private_key.public_key().public_numbers()
    return encode_point(curve, numbers.x, numbers.y)


def _public_key(curve: NamedCurve, point: bytes) -> ec.EllipticCurvePublicKey:
    x, y = decode_point(curve, point)
    return ec.EllipticCurvePublicNumbers(x, y, curve.to_cryptography()).public_key()


def _add(curve: NamedCurve, first: bytes, second: bytes) -> bytes:
    p = curve.p
    x_1, y_1 = decode_point(curve, first)
    x_2, y_2 = decode_point(curve, second)
    if x_1 != x_2:
        slope = (y_2 - y_1) * pow(x_2 - x_1, -1, p)
    elif y_1 == y_2:
        slope = (3 * x_1 * x_1 + curve.a) * pow(2 * y_1, -1, p)
    else:
        raise CurveError("the mapped generator is the point at infinity")
    x_3 = (slope * slope - x_1 - x_2) % p
    return encode_point(curve, x_3, (slope * (x_1 - x_3) - y_1) % p)
