"""Doc 9303's further algorithms: what is taken verifies, and nothing else does."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from card_layout import der, tlv
from pki.keys.algorithms import HashAlgorithm
from pki.keys.other_algorithms import (
    RSA_ENCRYPTION,
    OtherHashAlgorithm,
    other_signature_algorithm,
)

KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
MESSAGE = b"what is signed"
NULL = b"\x05\x00"
PLAIN_SHA_256 = "0.4.0.127.0.7.1.1.4.1.3"


def identifier(oid: str, parameters: bytes = b"") -> bytes:
    name = tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(oid))
    return tlv.encode(der.SEQUENCE, name + parameters)


def plain_signature() -> bytes:
    encoded = KEY.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(encoded))


@pytest.mark.parametrize(
    "oid",
    [
        "1.2.840.10045.4.1",  # ECDSA with SHA-1
        "0.4.0.127.0.7.1.1.4.1.1",  # the same, plain
        "1.2.840.113549.1.1.5",  # RSA with SHA-1
        "1.2.840.113549.1.1.4",  # RSA with MD5
        "2.16.840.1.101.3.4.3.2",  # DSA with SHA-256
        "1.2.840.113549.1.1.10",  # RSASSA-PSS without parameters, and so with SHA-1
    ],
)
@pytest.mark.parametrize("parameters", [b"", NULL, b"\x30\x00"])
def test_weak_algorithms_are_none(oid: str, parameters: bytes) -> None:
    assert other_signature_algorithm(identifier(oid, parameters), HashAlgorithm.SHA256) is None


def test_a_plain_signature_has_two_numbers_of_the_orders_length() -> None:
    algorithm = other_signature_algorithm(identifier(PLAIN_SHA_256))
    assert algorithm is not None
    signature = plain_signature()
    assert algorithm.verifies(KEY.public_key(), signature=signature, message=MESSAGE)
    for wrong in (
        signature[:-1],
        signature + b"\x00",
        b"\x00" + signature,
        signature[:32],
        b"",
        bytes(64),
        KEY.sign(MESSAGE, ec.ECDSA(hashes.SHA256())),
    ):
        assert not algorithm.verifies(KEY.public_key(), signature=wrong, message=MESSAGE)
    assert not algorithm.verifies(KEY.public_key(), signature=signature, message=b"else")


def test_a_key_of_another_family_verifies_nothing() -> None:
    plain = other_signature_algorithm(identifier(PLAIN_SHA_256))
    pkcs1 = other_signature_algorithm(identifier("1.2.840.113549.1.1.11", NULL))
    assert plain is not None
    assert pkcs1 is not None
    assert not plain.verifies(RSA_KEY.public_key(), signature=plain_signature(), message=MESSAGE)
    signature = RSA_KEY.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    assert pkcs1.verifies(RSA_KEY.public_key(), signature=signature, message=MESSAGE)
    assert not pkcs1.verifies(KEY.public_key(), signature=signature, message=MESSAGE)


def test_a_key_named_alone_signs_with_the_digest_of_its_signer() -> None:
    named = identifier(RSA_ENCRYPTION, NULL)
    assert other_signature_algorithm(named) is None
    for digest in (OtherHashAlgorithm.SHA224, *HashAlgorithm):
        algorithm = other_signature_algorithm(named, digest)
        assert algorithm is not None
        assert algorithm.hash_algorithm is digest


@given(data=st.binary(max_size=80))
def test_any_bytes_are_an_algorithm_or_none(data: bytes) -> None:
    algorithm = other_signature_algorithm(data, HashAlgorithm.SHA256)
    assert algorithm is None or not algorithm.verifies(
        KEY.public_key(), signature=b"", message=MESSAGE
    )
