"""Active authentication with the key of the BSI reference data set, and the worked example of ICAO 9303-11, appendix F."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from card_layout.files.data_group_15 import ActiveAuthenticationKey
from card_layout.protocols.active_authentication import (
    ActiveAuthenticationError,
    verify_signature,
)
from card_layout.rsa import RsaPublicKey

VECTORS = Path(__file__).resolve().parents[2] / "../shared/vectors/bsi-reference-dataset"

# Appendix F: the challenge, the chip's part of the message, and their hash, under a key that is not printed.
CHALLENGE = bytes.fromhex("F173589974BF40C6")
RECOVERABLE = bytes.fromhex(
    "9D2784A67F8E7C659973EA1AEA25D95B6C8F91E5002F369F0FBDCE8A3CEC1991B543F1696546C5524CF23A5303CD6C98"
    "599F40B79F377B5F3A1406B3B4D8F96784D23AA88DB7E1032A405E69325FA91A6E86F5C71AEA978264C4A207446DAD4E"
    "7292E2DCDA3024B47DA8"
)
DIGEST = bytes.fromhex("C063AA1E6D22FBD976AB0FE73D94D2D9C6D88127")


def sign(private_key: rsa.RSAPrivateKey, representative: bytes) -> bytes:
    numbers = private_key.private_numbers()
    n = numbers.public_numbers.n
    signature = pow(int.from_bytes(representative, "big"), numbers.d, n)
    return signature.to_bytes(len(representative), "big")


def public_key_of(private_key: rsa.RSAPrivateKey) -> RsaPublicKey:
    numbers = private_key.public_key().public_numbers()
    return RsaPublicKey(modulus=numbers.n, exponent=numbers.e)


def test_the_message_of_the_worked_example_is_accepted_under_a_key_of_its_size() -> None:
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the example's size
    signature = sign(private_key, b"\x6a" + RECOVERABLE + DIGEST + b"\xbc")
    key = public_key_of(private_key)
    verify_signature(key, challenge=CHALLENGE, signature=signature, signature_algorithm=None)
    with pytest.raises(ActiveAuthenticationError, match="not over this challenge"):
        verify_signature(key, challenge=bytes(8), signature=signature, signature_algorithm=None)


@pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the published vectors do not lie beside the checkout"
)
def test_the_reference_documents_key_verifies_what_its_private_key_signs() -> None:
    content = (VECTORS / "Datagroup15.bin").read_bytes()
    file = ActiveAuthenticationKey.from_bytes(content)
    assert file.to_bytes() == content
    assert file.subject_public_key_info == (VECTORS / "DG15_pk.bin").read_bytes()
    private_key = load_der_private_key((VECTORS / "DG15_sk.pkcs8").read_bytes(), None)
    assert isinstance(private_key, rsa.RSAPrivateKey)
    key = file.public_key
    assert isinstance(key, RsaPublicKey)
    recoverable = bytes(range(256))[: key.size_bytes - 22] * 2
    recoverable = recoverable[: key.size_bytes - 22]
    # SHA-1 over the chip's part and the challenge, made by another library.

    digest = hashlib.sha1(recoverable + CHALLENGE, usedforsecurity=False).digest()
    signature = sign(private_key, b"\x6a" + recoverable + digest + b"\xbc")
    verify_signature(key, challenge=CHALLENGE, signature=signature, signature_algorithm=None)
    changed = bytes((signature[0], signature[1] ^ 1)) + signature[2:]
    with pytest.raises(ActiveAuthenticationError):
        verify_signature(key, challenge=CHALLENGE, signature=changed, signature_algorithm=None)
