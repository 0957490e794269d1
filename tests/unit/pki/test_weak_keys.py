"""Keys whose private half can be had are refused when certificates are made, and when they are read."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki.certificates.issue import check_key
from pki.certificates.profile import load_certificate_profile
from pki.errors import PkiRefusedError
from pki.keys.weak_keys import weakness_of


@pytest.fixture(scope="module")
def close_factors() -> rsa.RSAPublicKey:
    """A modulus of 3072 bits whose two factors are neighbours; that they are no primes does not matter here."""
    factor = (1 << 1535) | (1 << 1534) | 0xC0FFEE1
    return rsa.RSAPublicNumbers(65537, factor * (factor + 2)).public_key()


def test_close_factors_are_found(close_factors: rsa.RSAPublicKey) -> None:
    assert weakness_of(close_factors) == "its primes stand too close together"


def test_an_ordinary_key_has_nothing_against_it() -> None:
    assert weakness_of(rsa.generate_private_key(65537, 2048).public_key()) is None
    assert weakness_of(ec.generate_private_key(ec.SECP256R1()).public_key()) is None


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.BrainpoolP256R1()])
def test_a_private_key_that_anybody_would_try_first_is_found(curve: ec.EllipticCurve) -> None:
    key = ec.derive_private_key(3, curve).public_key()
    opposite = ec.derive_private_key(curve.group_order - 3, curve).public_key()
    assert weakness_of(key) is not None
    assert weakness_of(opposite) is not None


def test_no_certificate_is_made_for_a_weak_key(close_factors: rsa.RSAPublicKey) -> None:
    profile = load_certificate_profile("document-signer")
    for chosen, key in (
        (profile.with_key("rsa3072"), close_factors),
        (profile, ec.derive_private_key(1, ec.SECP256R1()).public_key()),
    ):
        with pytest.raises(PkiRefusedError) as caught:
            check_key(chosen, key)
        assert caught.value.code == "key.weak"
