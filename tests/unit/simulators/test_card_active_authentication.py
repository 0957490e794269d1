"""Active authentication, verified by OpenSSL and by hand (9303-11, 6.1)."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from card_layout.curves import NamedCurve
from simulators.card.operating_system import VirtualCard
from simulators.image import ActiveAuthenticationKey, CardImage, HashAlgorithm, RsaKey, SigningEcKey

CHALLENGE = bytes(range(8))
HASHES: dict[HashAlgorithm, hashes.HashAlgorithm] = {
    HashAlgorithm.SHA_224: hashes.SHA224(),
    HashAlgorithm.SHA_256: hashes.SHA256(),
    HashAlgorithm.SHA_384: hashes.SHA384(),
    HashAlgorithm.SHA_512: hashes.SHA512(),
}
TRAILERS = {
    "sha-1": "bc",
    "sha-224": "38cc",
    "sha-256": "34cc",
    "sha-384": "36cc",
    "sha-512": "35cc",
}


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateNumbers:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()


def with_key(image: CardImage, key: ActiveAuthenticationKey) -> CardImage:
    return replace(image, keys=replace(image.keys, active_authentication=key))


@pytest.mark.parametrize("curve", NamedCurve)
@pytest.mark.parametrize("algorithm", HASHES)
def test_an_ecdsa_signature_is_plain_and_verifies(
    operational: CardImage,
    open_terminal: Callable[[VirtualCard], Any],
    curve: NamedCurve,
    algorithm: HashAlgorithm,
) -> None:
    key = SigningEcKey(curve=curve, private_scalar=0x1122334455, hash_algorithm=algorithm)
    terminal = open_terminal(VirtualCard(with_key(operational, key)))
    terminal.pace(b"123456")
    terminal.select_application()
    signature = terminal.send("00880000", CHALLENGE)
    size = (curve.n.bit_length() + 7) // 8
    assert len(signature) == 2 * size
    r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
    public = ec.derive_private_key(key.private_scalar, curve.to_cryptography()).public_key()
    public.verify(encode_dss_signature(r, s), CHALLENGE, ec.ECDSA(HASHES[algorithm]))
    with pytest.raises(InvalidSignature):
        public.verify(encode_dss_signature(r, s), CHALLENGE[::-1], ec.ECDSA(HASHES[algorithm]))


@pytest.mark.parametrize("algorithm", HashAlgorithm)
def test_an_rsa_signature_lets_its_message_be_recovered(
    operational: CardImage,
    open_terminal: Callable[[VirtualCard], Any],
    rsa_key: rsa.RSAPrivateNumbers,
    algorithm: HashAlgorithm,
) -> None:
    modulus = rsa_key.public_numbers.n
    key = RsaKey(modulus=modulus, private_exponent=rsa_key.d, hash_algorithm=algorithm)
    terminal = open_terminal(VirtualCard(with_key(operational, key)))
    terminal.pace(b"123456")
    terminal.select_application()
    signatures = [terminal.send("00880000", CHALLENGE) for _ in range(2)]
    assert signatures[0] != signatures[1]
    for signature in signatures:
        recovered = pow(int.from_bytes(signature, "big"), 65537, modulus).to_bytes(256, "big")
        trailer = bytes.fromhex(TRAILERS[algorithm])
        digest = hashlib.new(algorithm.replace("-", ""))
        assert recovered[0] == 0x6A
        assert recovered.endswith(trailer)
        message = recovered[1 : -len(trailer) - digest.digest_size]
        digest.update(message + CHALLENGE)
        assert recovered[: -len(trailer)].endswith(digest.digest())


@pytest.mark.parametrize(
    ("header", "data", "status"),
    [
        ("00880000", bytes(7), "6700"),
        ("00880000", bytes(9), "6700"),
        ("00880000", b"", "6700"),
        ("00880100", bytes(8), "6A86"),
    ],
)
def test_only_eight_bytes_are_signed(
    operational: CardImage,
    open_terminal: Callable[[VirtualCard], Any],
    header: str,
    data: bytes,
    status: str,
) -> None:
    key = SigningEcKey(curve=NamedCurve.SECP256R1, private_scalar=5)
    terminal = open_terminal(VirtualCard(with_key(operational, key)))
    terminal.pace(b"123456")
    terminal.select_application()
    assert terminal.send(header, data) == b""
    assert terminal.status == status


def test_nothing_is_signed_without_a_session_or_outside_the_application(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    key = SigningEcKey(curve=NamedCurve.SECP256R1, private_scalar=5)
    terminal = open_terminal(VirtualCard(with_key(operational, key)))
    terminal.send("00880000", CHALLENGE)
    assert terminal.status == "6982"
    terminal.pace(b"123456")
    terminal.send("00880000", CHALLENGE)
    assert terminal.status == "6985"


def test_a_card_without_a_key_does_not_know_the_command(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    terminal = open_terminal(VirtualCard(operational))
    terminal.pace(b"123456")
    terminal.select_application()
    terminal.send("00880000", CHALLENGE)
    assert terminal.status == "6D00"
