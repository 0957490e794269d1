"""The card's own point arithmetic: short Weierstrass curves in plain integers (TR-03111, 2.3 and 4.3.1).

It takes only the numbers of a curve from ``card_layout.curves``. The terminal computes with OpenSSL, so an error on
either side shows as disagreement and cannot cancel itself out. Nothing here hides its timing: a simulator has
no secrets worth measuring.
"""

from dataclasses import dataclass, field
from typing import Self, TypeAlias

from card_layout.curves import NamedCurve

__all__ = ["Point", "PointError"]

_WINDOW_BITS = 4

_Jacobian: TypeAlias = tuple[int, int, int]


class PointError(ValueError):
    """Bytes that are not an uncompressed point of the curve, or a result that is the point at infinity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An affine point of ``curve``; the point at infinity has no value here."""

    curve: NamedCurve
    x: int = field(repr=False)
    y: int = field(repr=False)

    @classmethod
    def generator(cls, curve: NamedCurve) -> Self:
        """The curve's own generator."""
        return cls(curve=curve, x=curve.g_x, y=curve.g_y)

    @classmethod
    def from_bytes(cls, curve: NamedCurve, data: bytes) -> Self:
        """Read 04 || X || Y.

        Raises:
            PointError: another form or length, a coordinate beyond the field, or a point off the curve.
        """
        size = (curve.p.bit_length() + 7) // 8
        if len(data) != 1 + 2 * size or data[0] != 0x04:
            raise PointError(f"got {len(data)} bytes, expected 04 and {2 * size} more")
        x = int.from_bytes(data[1 : 1 + size], "big")
        y = int.from_bytes(data[1 + size :], "big")
        if x >= curve.p or y >= curve.p:
            raise PointError("a coordinate is not an element of the field")
        if pow(y, 2, curve.p) != (pow(x, 3, curve.p) + curve.a * x + curve.b) % curve.p:
            raise PointError("the point is not on the curve")
        return cls(curve=curve, x=x, y=y)

    def to_bytes(self) -> bytes:
        """04 || X || Y, each coordinate in as many bytes as the field has."""
        return b"\x04" + self.x_bytes() + self._field_element(self.y)

    def x_bytes(self) -> bytes:
        """The x coordinate alone: what key agreement gives (TR-03111, 4.3.1)."""
        return self._field_element(self.x)

    def times(self, scalar: int) -> Self:
        """``scalar`` times this point.

        Raises:
            PointError: the result is the point at infinity.
        """
        p, a = self.curve.p, self.curve.a
        table: list[_Jacobian] = [(1, 1, 0), (self.x, self.y, 1)]
        for _ in range(2, 1 << _WINDOW_BITS):
            table.append(_add(table[-1], table[1], p, a))
        result: _Jacobian = (1, 1, 0)
        digits = (scalar.bit_length() + _WINDOW_BITS - 1) // _WINDOW_BITS
        for position in range(digits - 1, -1, -1):
            for _ in range(_WINDOW_BITS):
                result = _double(result, p, a)
            digit = scalar >> position * _WINDOW_BITS & (1 << _WINDOW_BITS) - 1
            if digit:
                result = _add(result, table[digit], p, a)
        return self._from_jacobian(result)

    def plus(self, other: Self) -> Self:
        """The sum of two points of one curve.

        Raises:
            PointError: the result is the point at infinity.
        """
        p, a = self.curve.p, self.curve.a
        return self._from_jacobian(_add((self.x, self.y, 1), (other.x, other.y, 1), p, a))

    def _from_jacobian(self, jacobian: _Jacobian) -> Self:
        x, y, z = jacobian
        p = self.curve.p
        if z % p == 0:
            raise PointError("the result is the point at infinity")
        inverse = pow(z, -1, p)
        square = inverse * inverse % p
        return type(self)(curve=self.curve, x=x * square % p, y=y * square * inverse % p)

    def _field_element(self, number: int) -> bytes:
        return number.to_bytes((self.curve.p.bit_length() + 7) // 8, "big")


def _double(point: _Jacobian, p: int, a: int) -> _Jacobian:
    """Twice a point in Jacobian coordinates (x/z^2, y/z^3); z = 0 is infinity."""
    x, y, z = point
    if z == 0 or y == 0:
        return 1, 1, 0
    y_squared = y * y % p
    s = 4 * x * y_squared % p
    z_squared = z * z % p
    m = (3 * x * x + a * z_squared * z_squared) % p
    new_x = (m * m - 2 * s) % p
    new_y = (m * (s - new_x) - 8 * y_squared * y_squared) % p
    return new_x, new_y, 2 * y * z % p


def _add(first: _Jacobian, second: _Jacobian, p: int, a: int) -> _Jacobian:
    """The sum of two points in Jacobian coordinates, equal and opposite ones included."""
    x1, y1, z1 = first
    x2, y2, z2 = second
    if z1 == 0:
        return second
    if z2 == 0:
        return first
    z1_squared, z2_squared = z1 * z1 % p, z2 * z2 % p
    u1, u2 = x1 * z2_squared % p, x2 * z1_squared % p
    s1, s2 = y1 * z2_squared * z2 % p, y2 * z1_squared * z1 % p
    h, r = (u2 - u1) % p, (s2 - s1) % p
    if h == 0:
        return _double(first, p, a) if r == 0 else (1, 1, 0)
    h_squared = h * h % p
    h_cubed = h_squared * h % p
    v = u1 * h_squared % p
    x3 = (r * r - h_cubed - 2 * v) % p
    y3 = (r * (v - x3) - s1 * h_cubed) % p
    return x3, y3, h * z1 * z2 % p
