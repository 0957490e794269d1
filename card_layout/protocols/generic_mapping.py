"""The elliptic-curve arithmetic of PACE's generic mapping, on nothing but ECDH (ICAO 9303-11, 4.4.3.3.1).

The mapping needs whole points, and the library gives the x coordinate of a product only. The y coordinate
follows from two products: with Q = k * P and R = (k + 1) * P = Q + P, the chord through P and Q gives

    x_R = ((y_Q - y_P) / (x_Q - x_P))^2 - x_Q - x_P

in which, y_Q^2 being known from the curve's equation, y_Q stands only once. All multiplication by secrets is
so done by the library; what is left to Python are a few additions and inversions on one-time values.
"""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import CurveError, NamedCurve, decode_point, encode_point

__all__ = ["EphemeralKey", "draw_scalar", "map_generator"]


class EphemeralKey:
    """A one-time private key on ``curve``: a scalar from 1 to n - 2, so that the next number is one, too."""

    def __init__(self, *, curve: NamedCurve, scalar: int) -> None:
        if not 1 <= scalar <= curve.n - 2:
            raise CurveError("private scalar is out of range, expected 1 to n - 2")
        self.curve = curve
        self._scalar = scalar
        # Deriving costs a multiplication: the key is kept for all that is done with it.
        self._private_key = ec.derive_private_key(scalar, curve.to_cryptography())

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
        x, y = decode_point(curve, point)
        public_key = _public_key(curve, point)
        next_key = ec.derive_private_key(self._scalar + 1, curve.to_cryptography())
        x_product = int.from_bytes(self._private_key.exchange(ec.ECDH(), public_key), "big")
        x_next = int.from_bytes(next_key.exchange(ec.ECDH(), public_key), "big")
        y_product_squared = (x_product * x_product + curve.a) * x_product + curve.b
        chord = (x_next + x_product + x) * (x_product - x) * (x_product - x)
        y_product = (y_product_squared + y * y - chord) * pow(2 * y, -1, p) % p
        return encode_point(curve, x_product, y_product)


def draw_scalar(curve: NamedCurve, random_below: Callable[[int], int]) -> int:
    """A scalar for an ``EphemeralKey``; ``random_below(n)`` gives 0 to n - 1, as ``secrets.randbelow``."""
    return 1 + random_below(curve.n - 2)


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
