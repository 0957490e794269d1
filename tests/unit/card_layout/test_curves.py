import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from card_layout import der, tlv
from card_layout.curves import (
    CurveError,
    EcPublicKey,
    NamedCurve,
    curve_for_pace_parameter,
    decode_point,
    encode_point,
)
from card_layout.errors import CardDataError

CURVES = list(NamedCurve)
each_curve = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.label)


def public_key(curve: NamedCurve, scalar: int) -> EcPublicKey:
    key = ec.derive_private_key(scalar, curve.to_cryptography()).public_key()
    return EcPublicKey.from_cryptography(key)


@each_curve
def test_generator_and_order_are_those_of_cryptography(curve: NamedCurve) -> None:
    assert public_key(curve, 1).coordinates == (curve.g_x, curve.g_y)
    # The order is right if the last multiple before it is the generator's mirror image.
    assert public_key(curve, curve.n - 1).coordinates == (curve.g_x, curve.p - curve.g_y)


@each_curve
def test_field_and_coefficients_hold_for_points_of_cryptography(curve: NamedCurve) -> None:
    # Three points of an independent implementation lie on no other curve of this form over this field.
    for scalar in (2, 3, 5, 2**80 + 7, curve.n // 3):
        x, y = public_key(curve, scalar).coordinates
        assert (y * y - x**3 - curve.a * x - curve.b) % curve.p == 0
    assert curve.field_bytes == (curve.to_cryptography().key_size + 7) // 8
    assert curve.h == 1


@each_curve
def test_named_keys_are_those_that_cryptography_writes(curve: NamedCurve) -> None:
    key = ec.derive_private_key(12345, curve.to_cryptography()).public_key()
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    ours = EcPublicKey.from_subject_public_key_info(encoded)
    assert ours == EcPublicKey.from_cryptography(key)
    assert ours.to_subject_public_key_info(explicit=False) == encoded
    assert ours.to_cryptography() == key


@pytest.mark.parametrize(
    "curve", [curve for curve in CURVES if curve.label.startswith("secp")], ids=lambda c: c.label
)
def test_explicit_parameters_are_read_by_cryptography(curve: NamedCurve) -> None:
    # It knows explicit parameters of these curves only.
    encoded = public_key(curve, 99).to_subject_public_key_info(explicit=True)
    assert serialization.load_der_public_key(encoded) == public_key(curve, 99).to_cryptography()


@each_curve
@pytest.mark.parametrize("explicit", [False, True])
def test_a_key_survives_its_encoding(curve: NamedCurve, *, explicit: bool) -> None:
    key = public_key(curve, 77)
    encoded = key.to_subject_public_key_info(explicit=explicit)
    assert EcPublicKey.from_subject_public_key_info(encoded) == key


def explicit_parameters(curve: NamedCurve, **changed: int) -> bytes:
    """An EC key with explicit parameters built anew, some of them changed."""
    value = {
        name: getattr(curve, name) for name in ("p", "a", "b", "g_x", "g_y", "n", "h")
    } | changed
    size = curve.field_bytes

    def octets(number: int) -> bytes:
        return tlv.encode(der.OCTET_STRING, number.to_bytes(size, "big"))

    generator = b"\x04" + value["g_x"].to_bytes(size, "big") + value["g_y"].to_bytes(size, "big")
    field_type = tlv.encode(
        der.OBJECT_IDENTIFIER, der.encode_object_identifier("1.2.840.10045.1.1")
    )
    parameters = tlv.encode(
        der.SEQUENCE,
        der.encode_integer(1)
        + tlv.encode(der.SEQUENCE, field_type + der.encode_integer(value["p"]))
        + tlv.encode(der.SEQUENCE, octets(value["a"]) + octets(value["b"]))
        + tlv.encode(der.OCTET_STRING, generator)
        + der.encode_integer(value["n"])
        + der.encode_integer(value["h"]),
    )
    algorithm = tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier("1.2.840.10045.2.1"))
    point = encode_point(curve, curve.g_x, curve.g_y)
    return tlv.encode(
        der.SEQUENCE,
        tlv.encode(der.SEQUENCE, algorithm + parameters)
        + tlv.encode(der.BIT_STRING, b"\x00" + point),
    )


@each_curve
def test_explicit_parameters_built_independently_are_accepted(curve: NamedCurve) -> None:
    key = EcPublicKey.from_subject_public_key_info(explicit_parameters(curve))
    assert key.curve is curve


@each_curve
@pytest.mark.parametrize("name", ["p", "a", "b", "g_x", "g_y", "n", "h"])
def test_explicit_parameters_with_any_one_value_changed_are_refused(
    curve: NamedCurve, name: str
) -> None:
    changed = explicit_parameters(curve, **{name: getattr(curve, name) ^ 2})
    with pytest.raises(CurveError) as raised:
        EcPublicKey.from_subject_public_key_info(changed)
    assert raised.value.code == "curve.unsupported"


def test_a_generator_chosen_by_a_forger_is_refused() -> None:
    # CVE-2020-0601: with G' = Q / s anybody knows the private key s of somebody else's public key Q.
    curve = NamedCurve.SECP384R1
    x, y = public_key(curve, 0xF00D).coordinates
    with pytest.raises(CurveError) as raised:
        EcPublicKey.from_subject_public_key_info(explicit_parameters(curve, g_x=x, g_y=y))
    assert raised.value.code == "curve.unsupported"


def test_other_key_algorithms_are_unsupported() -> None:
    key = ec.derive_private_key(5, ec.SECP256K1()).public_key()
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for attempt in (
        lambda: EcPublicKey.from_subject_public_key_info(encoded),
        lambda: EcPublicKey.from_cryptography(key),
        lambda: curve_for_pace_parameter(10),
    ):
        with pytest.raises(CurveError) as raised:
            attempt()
        assert raised.value.code == "curve.unsupported"


def test_each_domain_parameter_id_names_its_curve() -> None:
    # 9303-11, table 4.
    expected = {
        12: "secp256r1",
        13: "brainpoolP256r1",
        15: "secp384r1",
        16: "brainpoolP384r1",
        17: "brainpoolP512r1",
        18: "secp521r1",
    }
    assert {curve.pace_parameter_id: curve.label for curve in CURVES} == expected
    assert all(curve_for_pace_parameter(number).label == expected[number] for number in expected)


@each_curve
def test_points_that_are_not_on_the_curve_are_refused(curve: NamedCurve) -> None:
    size = curve.field_bytes
    good = curve.generator
    off_curve = good[:-1] + bytes((good[-1] ^ 1,))
    not_reduced = b"\x04" + (curve.g_x + curve.p).to_bytes(size + 1, "big")[-size:] + good[-size:]
    for point in (
        off_curve,
        not_reduced,
        b"\x00",
        b"",
        b"\x02" + good[1 : 1 + size],
        b"\x06" + good[1:],
        good + b"\x00",
        bytes(len(good)),
        b"\x04" + bytes(2 * size),
    ):
        with pytest.raises(CurveError):
            decode_point(curve, point)
        with pytest.raises(CurveError):
            EcPublicKey(curve=curve, point=point)
    assert decode_point(curve, good) == (curve.g_x, curve.g_y)


def test_a_coordinate_beyond_the_field_is_refused_where_it_fits_the_bytes() -> None:
    # p of P-521 leaves seven bits of the first byte free.
    curve = NamedCurve.SECP521R1
    x = (curve.g_x + curve.p).to_bytes(curve.field_bytes, "big")
    with pytest.raises(CurveError):
        decode_point(curve, b"\x04" + x + curve.g_y.to_bytes(curve.field_bytes, "big"))


def test_a_point_off_the_curve_is_not_encoded() -> None:
    with pytest.raises(CurveError):
        encode_point(NamedCurve.SECP256R1, 1, 1)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_key_or_a_data_error(data: bytes) -> None:
    try:
        EcPublicKey.from_subject_public_key_info(data)
    except CardDataError:
        return
    raise AssertionError


@given(curve=st.sampled_from(CURVES), explicit=st.booleans(), data=st.data())
def test_a_key_with_changed_bytes_is_refused_or_encodes_identically(
    curve: NamedCurve, *, explicit: bool, data: st.DataObject
) -> None:
    encoded = bytearray(public_key(curve, 4711).to_subject_public_key_info(explicit=explicit))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] = data.draw(st.integers(0, 255))
    try:
        key = EcPublicKey.from_subject_public_key_info(bytes(encoded))
    except CurveError:
        return
    assert key.to_subject_public_key_info(explicit=explicit) == bytes(encoded)
