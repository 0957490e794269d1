import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from card_layout.curves import CurveError, NamedCurve, decode_point, encode_point
from card_layout.protocols.generic_mapping import EphemeralKey, map_generator

CURVES = (NamedCurve.SECP256R1, NamedCurve.BRAINPOOLP256R1)


def times_generator(curve: NamedCurve, scalar: int) -> bytes:
    numbers = ec.derive_private_key(scalar, curve.to_cryptography()).public_key().public_numbers()
    return encode_point(curve, numbers.x, numbers.y)


def negated(curve: NamedCurve, point: bytes) -> bytes:
    x, y = decode_point(curve, point)
    return encode_point(curve, x, -y % curve.p)


# Because the library gives whole multiples of the generator, a product with a known logarithm can be checked.
@settings(max_examples=20, deadline=None)
@given(
    curve=st.sampled_from(CURVES),
    first=st.integers(1, NamedCurve.BRAINPOOLP256R1.n - 1),
    second=st.integers(1, NamedCurve.BRAINPOOLP256R1.n - 1),
)
def test_a_product_is_the_point_of_the_product_of_the_logarithms(
    curve: NamedCurve, first: int, second: int
) -> None:
    product = EphemeralKey(curve=curve, scalar=first).multiply(times_generator(curve, second))
    assert product == times_generator(curve, first * second % curve.n)


@pytest.mark.parametrize("curve", CURVES)
def test_the_ends_of_the_range_multiply_rightly(curve: NamedCurve) -> None:
    point = times_generator(curve, 12345)
    assert EphemeralKey(curve=curve, scalar=1).multiply(point) == point
    largest = EphemeralKey(curve=curve, scalar=curve.n - 1).multiply(point)
    assert largest == negated(curve, point)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("scalar", [1, 2, 4711, -2, -1])
@pytest.mark.parametrize("logarithm", [1, 2, -2, -1])
def test_points_near_the_generator_multiply_rightly(
    curve: NamedCurve, scalar: int, logarithm: int
) -> None:
    # The point is shifted by the generator: where it is that, or minus that, the sum is a case of its own.
    key = EphemeralKey(curve=curve, scalar=scalar % curve.n)
    product = key.multiply(times_generator(curve, logarithm % curve.n))
    assert product == times_generator(curve, scalar * logarithm % curve.n)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("which", [-1, 0, "n", "n+1"])
def test_scalars_out_of_range_are_refused(curve: NamedCurve, which: int | str) -> None:
    scalar = {"n": curve.n, "n+1": curve.n + 1}[which] if isinstance(which, str) else which
    with pytest.raises(CurveError):
        EphemeralKey(curve=curve, scalar=scalar)


@pytest.mark.parametrize("curve", CURVES)
def test_drawn_keys_agree_and_are_never_the_same(curve: NamedCurve) -> None:
    first, second = EphemeralKey(curve=curve), EphemeralKey(curve=curve)
    assert first.public_point() != second.public_point()
    product = first.multiply(second.public_point())
    assert product == second.multiply(first.public_point())
    assert product[1:33] == first.shared_x(second.public_point())


@settings(max_examples=20, deadline=None)
@given(
    curve=st.sampled_from(CURVES),
    nonce=st.binary(min_size=16, max_size=16),
    logarithm=st.integers(1, NamedCurve.BRAINPOOLP256R1.n - 1),
)
def test_the_mapped_generator_is_the_sum(curve: NamedCurve, nonce: bytes, logarithm: int) -> None:
    mapped = map_generator(curve, nonce=nonce, shared_point=times_generator(curve, logarithm))
    total = (int.from_bytes(nonce, "big") + logarithm) % curve.n
    assert mapped == times_generator(curve, total)


@pytest.mark.parametrize("curve", CURVES)
def test_the_mapped_generator_of_the_corner_cases(curve: NamedCurve) -> None:
    nonce = (7).to_bytes(16, "big")
    seven = times_generator(curve, 7)
    assert map_generator(curve, nonce=bytes(16), shared_point=seven) == seven
    assert map_generator(curve, nonce=nonce, shared_point=seven) == times_generator(curve, 14)
    with pytest.raises(CurveError, match="infinity"):
        map_generator(curve, nonce=nonce, shared_point=negated(curve, seven))


@pytest.mark.parametrize("curve", CURVES)
def test_points_off_the_curve_are_not_multiplied(curve: NamedCurve) -> None:
    key = EphemeralKey(curve=curve, scalar=3)
    good = times_generator(curve, 5)
    other = CURVES[1 - CURVES.index(curve)]
    for bad in (
        good[:-1] + bytes((good[-1] ^ 1,)),
        times_generator(other, 5),
        b"\x00",
        b"\x04" + bytes(64),
        b"\x02" + good[1:33],
    ):
        with pytest.raises(CurveError):
            key.multiply(bad)
        with pytest.raises(CurveError):
            key.shared_x(bad)


def test_the_scalar_is_not_shown() -> None:
    assert "99887766" not in repr(EphemeralKey(curve=NamedCurve.SECP256R1, scalar=99887766))
