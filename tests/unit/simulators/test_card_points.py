"""The card's point arithmetic against OpenSSL's, through ``cryptography``."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from card_layout.curves import NamedCurve
from simulators.card.points import Point, PointError

CURVES = [NamedCurve.SECP256R1, NamedCurve.BRAINPOOLP256R1]
curves = st.sampled_from(list(NamedCurve))


def of_openssl(curve: NamedCurve, scalar: int) -> Point:
    numbers = ec.derive_private_key(scalar, curve.to_cryptography()).public_key().public_numbers()
    return Point(curve=curve, x=numbers.x, y=numbers.y)


@settings(max_examples=40, deadline=None)
@given(curves, st.data())
def test_multiples_of_the_generator_are_those_of_openssl(
    curve: NamedCurve, data: st.DataObject
) -> None:
    scalar = data.draw(st.integers(1, curve.n - 1))
    assert Point.generator(curve).times(scalar) == of_openssl(curve, scalar)


@settings(max_examples=25, deadline=None)
@given(curves, st.data())
def test_key_agreement_is_that_of_openssl(curve: NamedCurve, data: st.DataObject) -> None:
    own, other = (data.draw(st.integers(1, curve.n - 1)) for _ in range(2))
    key = ec.derive_private_key(own, curve.to_cryptography())
    other_public = ec.derive_private_key(other, curve.to_cryptography()).public_key()
    shared = Point.generator(curve).times(other).times(own)
    assert shared.x_bytes() == key.exchange(ec.ECDH(), other_public)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(CURVES), st.integers(1, 1 << 250), st.integers(1, 1 << 250))
def test_a_sum_of_multiples_is_the_multiple_of_the_sum(
    curve: NamedCurve, first: int, second: int
) -> None:
    generator = Point.generator(curve)
    expected = generator.times(first + second)
    assert generator.times(first).plus(generator.times(second)) == expected


@pytest.mark.parametrize("curve", list(NamedCurve))
def test_doubling_and_opposite_points_are_not_ordinary_additions(curve: NamedCurve) -> None:
    generator = Point.generator(curve)
    assert generator.plus(generator) == of_openssl(curve, 2)
    assert generator.times(curve.n + 1) == generator
    assert generator.times(curve.n - 1).y == curve.p - generator.y
    for nothing in (0, curve.n):
        with pytest.raises(PointError):
            generator.times(nothing)
    opposite = generator.times(curve.n - 1)
    with pytest.raises(PointError):
        generator.plus(opposite)


@pytest.mark.parametrize("curve", list(NamedCurve))
def test_points_encode_and_decode(curve: NamedCurve) -> None:
    point = Point.generator(curve).times(12345)
    assert Point.from_bytes(curve, point.to_bytes()) == point


@pytest.mark.parametrize("curve", CURVES)
def test_bytes_that_are_no_point_are_refused(curve: NamedCurve) -> None:
    good = Point.generator(curve).to_bytes()
    size = curve.field_bytes
    wrong = [
        b"",
        b"\x00",
        good[:-1],
        good + b"\x00",
        b"\x02" + good[1 : 1 + size],
        b"\x02" + good[1:],
        good[:-1] + bytes((good[-1] ^ 1,)),
        b"\x04" + bytes(2 * size),
        b"\x04" + curve.p.to_bytes(size, "big") + good[1 + size :],
    ]
    for encoded in wrong:
        with pytest.raises(PointError):
            Point.from_bytes(curve, encoded)


@pytest.mark.parametrize("curve", CURVES)
def test_a_coordinate_beyond_the_field_is_refused_though_it_fits_the_equation(
    curve: NamedCurve,
) -> None:
    size = curve.field_bytes
    for x in range(1, 100):
        square = (pow(x, 3, curve.p) + curve.a * x + curve.b) % curve.p
        # Both primes are 3 modulo 4.
        y = pow(square, (curve.p + 1) // 4, curve.p)
        if pow(y, 2, curve.p) == square:
            break
    else:
        pytest.fail("no small x is on the curve")
    encoded_y = y.to_bytes(size, "big")
    assert Point.from_bytes(curve, b"\x04" + x.to_bytes(size, "big") + encoded_y).x == x
    with pytest.raises(PointError):
        Point.from_bytes(curve, b"\x04" + (x + curve.p).to_bytes(size, "big") + encoded_y)
