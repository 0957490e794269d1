"""Explicit domain parameters: one named curve in every value, however they are written, or refused (CVE-2020-0601)."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout import der, tlv
from card_layout.curves import CurveError, EcPublicKey, NamedCurve

SEEDS = {
    NamedCurve.SECP256R1: "C49D360886E704936A6678E1139D26B7819F7E90",
    NamedCurve.SECP384R1: "A335926AA319A27A1D00896A6773A4827ACDAC73",
    NamedCurve.SECP521R1: "D09E8800291CB85396CC6717393284AAA0DA64BA",
}
P256, P521 = NamedCurve.SECP256R1, NamedCurve.SECP521R1


def number(value: int) -> bytes:
    return der.encode_integer(value)


def octets(value: bytes) -> bytes:
    return tlv.encode(der.OCTET_STRING, value)


def key_info(curve: NamedCurve, **changes: bytes) -> bytes:
    """A key with explicit parameters, of which any can be replaced by another encoding."""
    size = curve.field_bytes
    parts = {
        "version": number(1),
        "field": tlv.encode(
            der.OBJECT_IDENTIFIER, der.encode_object_identifier("1.2.840.10045.1.1")
        ),
        "p": number(curve.p),
        "a": octets(curve.a.to_bytes(size, "big")),
        "b": octets(curve.b.to_bytes(size, "big")),
        "seed": b"",
        "generator": octets(curve.generator),
        "n": number(curve.n),
        "h": number(curve.h),
        "more": b"",
    } | changes
    parameters = tlv.encode(
        der.SEQUENCE,
        parts["version"]
        + tlv.encode(der.SEQUENCE, parts["field"] + parts["p"])
        + tlv.encode(der.SEQUENCE, parts["a"] + parts["b"] + parts["seed"])
        + parts["generator"]
        + parts["n"]
        + parts["h"]
        + parts["more"],
    )
    name = tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier("1.2.840.10045.2.1"))
    key = EcPublicKey.from_cryptography(
        ec.derive_private_key(5, curve.to_cryptography()).public_key()
    )
    return tlv.encode(
        der.SEQUENCE,
        tlv.encode(der.SEQUENCE, name + parameters)
        + tlv.encode(der.BIT_STRING, b"\x00" + key.point),
    )


def seed(value: str, unused: int = 0) -> bytes:
    return tlv.encode(der.BIT_STRING, bytes((unused,)) + bytes.fromhex(value))


@pytest.mark.parametrize("curve", NamedCurve)
def test_a_curve_written_out_is_the_named_one(curve: NamedCurve) -> None:
    assert EcPublicKey.from_subject_public_key_info(key_info(curve)).curve is curve


@pytest.mark.parametrize("curve", SEEDS)
def test_the_published_seed_changes_nothing(curve: NamedCurve) -> None:
    info = key_info(curve, seed=seed(SEEDS[curve]))
    assert EcPublicKey.from_subject_public_key_info(info).curve is curve


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_coefficient_is_a_number_however_wide_it_is_written(extra: int) -> None:
    value = P521.b.to_bytes(P521.field_bytes + extra, "big")
    info = key_info(P521, b=octets(value))
    assert EcPublicKey.from_subject_public_key_info(info).curve is P521


HALF = (P256.n + 1) // 2
FORGED_GENERATOR = EcPublicKey.from_cryptography(
    ec.derive_private_key(HALF, ec.SECP256R1()).public_key()
).point


@pytest.mark.parametrize(
    "changes",
    [
        {"generator": octets(FORGED_GENERATOR)},
        {"generator": octets(P256.generator[:33])},
        {"p": number(P256.p - 2)},
        {"a": octets((P256.a - 1).to_bytes(32, "big"))},
        {"a": octets((P256.a + P256.p).to_bytes(33, "big"))},
        {"b": octets((P256.b + 1).to_bytes(32, "big"))},
        {"b": octets(b"")},
        {"n": number(P256.n - 2)},
        {"h": number(2)},
        {"h": b""},
        {"seed": seed("C49D360886E704936A6678E1139D26B7819F7E91")},
        {"seed": seed(SEEDS[P256], unused=4)},
        {"seed": seed(SEEDS[NamedCurve.SECP384R1])},
        {"seed": seed(SEEDS[P256]) * 2},
        {"version": number(4)},
        {
            "field": tlv.encode(
                der.OBJECT_IDENTIFIER, der.encode_object_identifier("1.2.840.10045.1.2")
            )
        },
        {"more": number(1)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_curve_that_differs_in_any_value_is_refused(changes: dict[str, bytes]) -> None:
    with pytest.raises(CurveError) as caught:
        EcPublicKey.from_subject_public_key_info(key_info(P256, **changes))
    assert caught.value.code == "curve.unsupported"
