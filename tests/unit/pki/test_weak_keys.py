"""Keys whose private half can be had are refused when certificates are made, and when they are read."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki.certificates.issue import check_key
from pki.certificates.profile import load_certificate_profile
from pki.errors import PkiRefusedError
from pki.keys.weak_keys import weakness_of

# Two primes of 1536 bits of which the second is the next one after the first.
FIRST = 1 << 1535


def next_prime(number: int) -> int:
    while pow(2, number - 1, number) != 1:
        number += 2
    return number


@pytest.fixture(scope="module")
def close_primes() -> rsa.RSAPublicKey:
    one = next_prime(FIRST | 0xC0FFEE1 | 1 << 1534)
    two = next_prime(one + 2)
    return rsa.RSAPublicNumbers(65537, one * two).public_key()


def test_close_primes_are_found(close_primes: rsa.RSAPublicKey) -> None:
    assert weakness_of(close_primes) == "its primes stand too close together"


def test_an_ordinary_key_has_nothing_against_it() -> None:
    assert weakness_of(rsa.generate_private_key(65537, 2048).public_key()) is None
    assert weakness_of(ec.generate_private_key(ec.SECP256R1()).public_key()) is None


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.BrainpoolP256R1()])
def test_a_private_key_that_anybody_would_try_first_is_found(curve: ec.EllipticCurve) -> None:
    key = ec.derive_private_key(3, curve).public_key()
    opposite = ec.derive_private_key(curve.group_order - 3, curve).public_key()
    assert weakness_of(key) is not None
    assert weakness_of(opposite) is not None


def test_no_certificate_is_made_for_a_weak_key(close_primes: rsa.RSAPublicKey) -> None:
    profile = load_certificate_profile("document-signer")
    for chosen, key in (
        (profile.with_key("rsa3072"), close_primes),
        (profile, ec.derive_private_key(1, ec.SECP256R1()).public_key()),
    ):
        with pytest.raises(PkiRefusedError) as caught:
            check_key(chosen, key)
        assert caught.value.code == "key.weak"
