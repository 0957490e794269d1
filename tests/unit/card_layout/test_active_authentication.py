import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.errors import CardDataError, CardRefusedError
from card_layout.iso7816.channel import CardChannel
from card_layout.protocols.active_authentication import (
    ActiveAuthenticationError,
    request_signature,
    verify_signature,
)
from card_layout.rsa import RsaKeyError, RsaPublicKey

CHALLENGE = bytes(range(8))
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - quick, and enough here
NUMBERS = RSA_KEY.private_numbers()
MODULUS = NUMBERS.public_numbers.n
PUBLIC_KEY = RsaPublicKey(modulus=MODULUS, exponent=65537)
ECDSA_SHA256 = "0.4.0.127.0.7.1.1.4.1.3"


def representative(
    name: str, trailer: str, *, header: int = 0x6A, challenge: bytes = CHALLENGE
) -> bytes:
    """ISO/IEC 9796-2: header, the chip's part, hash, trailer."""
    end = bytes.fromhex(trailer)
    size = 128 - 1 - hashlib.new(name).digest_size - len(end)
    part = bytes((7 * position) % 256 for position in range(size))
    return bytes((header,)) + part + hashlib.new(name, part + challenge).digest() + end


def sign(message: bytes, *, other_root: bool = False) -> bytes:
    signature = pow(int.from_bytes(message, "big"), NUMBERS.d, MODULUS)
    return (MODULUS - signature if other_root else signature).to_bytes(128, "big")


def verify(signature: bytes) -> None:
    verify_signature(PUBLIC_KEY, challenge=CHALLENGE, signature=signature, signature_algorithm=None)


@pytest.mark.parametrize("other_root", [False, True])
@pytest.mark.parametrize(
    ("name", "trailer"),
    [
        ("sha1", "BC"),
        ("sha224", "38CC"),
        ("sha256", "34CC"),
        ("sha384", "36CC"),
        ("sha512", "35CC"),
    ],
)
def test_a_signature_with_message_recovery_is_taken(
    name: str, trailer: str, *, other_root: bool
) -> None:
    verify(sign(representative(name, trailer), other_root=other_root))


def altered(signature: bytes) -> bytes:
    return signature[:-1] + bytes((signature[-1] ^ 1,))


BROKEN: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "short": lambda: sign(representative("sha1", "BC"))[1:],
    "long": lambda: b"\x00" + sign(representative("sha1", "BC")),
    "not-below-the-modulus": lambda: MODULUS.to_bytes(128, "big"),
    "zero": lambda: bytes(128),
    "one": lambda: (1).to_bytes(128, "big"),
    "another-header": lambda: sign(representative("sha1", "BC", header=0x4A)),
    "padded-header": lambda: sign(representative("sha1", "BC", header=0x4B)),
    "another-hash": lambda: sign(representative("sha256", "38CC")),
    "unknown-hash": lambda: sign(representative("sha256", "33CC")),
    "unknown-trailer": lambda: sign(representative("sha1", "AC")),
    "another-challenge": lambda: sign(representative("sha1", "BC", challenge=bytes(8))),
    "altered": lambda: altered(sign(representative("sha1", "BC"))),
}


@pytest.mark.parametrize("case", BROKEN)
def test_any_other_signature_is_refused(case: str) -> None:
    with pytest.raises(ActiveAuthenticationError) as caught:
        verify(BROKEN[case]())
    assert caught.value.code == "chip.not-proven"


@given(st.binary(min_size=128, max_size=128))
def test_any_bytes_are_refused(signature: bytes) -> None:
    with pytest.raises(ActiveAuthenticationError):
        verify(signature)


@pytest.mark.parametrize("curve", NamedCurve, ids=lambda curve: curve.label)
def test_a_plain_signature_is_taken_and_nothing_near_it(curve: NamedCurve) -> None:
    private_key = ec.generate_private_key(curve.to_cryptography())
    key = EcPublicKey.from_cryptography(private_key.public_key())
    r, s = decode_dss_signature(private_key.sign(CHALLENGE, ec.ECDSA(hashes.SHA256())))
    size = curve.field_bytes
    plain = r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def verify_plain(signature: bytes, algorithm: str | None = ECDSA_SHA256) -> None:
        verify_signature(
            key, challenge=CHALLENGE, signature=signature, signature_algorithm=algorithm
        )

    verify_plain(plain)
    for wrong in (
        b"",
        plain[:-1],
        plain + b"\x00",
        bytes(len(plain)),
        plain[size:] + plain[:size],
        plain[:-1] + bytes((plain[-1] ^ 1,)),
    ):
        with pytest.raises(ActiveAuthenticationError):
            verify_plain(wrong)
    for algorithm in (None, "0.4.0.127.0.7.1.1.4.1.1", "0.4.0.127.0.7.1.1.4.1.4", "1.2.3"):
        with pytest.raises(ActiveAuthenticationError):
            verify_plain(plain, algorithm)


class Connection:
    atr = b"\x3b\x80"

    def __init__(self, answer: bytes) -> None:
        self.commands: list[str] = []
        self._answer = answer

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command.hex().upper())
        return self._answer

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def test_the_challenge_is_sent_and_the_answer_given_back() -> None:
    connection = Connection(bytes(128) + b"\x90\x00")
    signature = request_signature(
        CardChannel(connection), public_key=PUBLIC_KEY, challenge=CHALLENGE
    )
    assert signature == bytes(128)
    assert connection.commands == ["0088000008000102030405060700"]


def test_a_chip_that_does_not_sign_is_told_apart() -> None:
    with pytest.raises(CardRefusedError):
        request_signature(
            CardChannel(Connection(b"\x6d\x00")), public_key=PUBLIC_KEY, challenge=CHALLENGE
        )
    with pytest.raises(CardDataError, match="expected 8"):
        request_signature(
            CardChannel(Connection(b"\x90\x00")), public_key=PUBLIC_KEY, challenge=b""
        )


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [
        (1 << 1023, 3),
        ((1 << 1022) + 1, 3),
        ((1 << 4103) + 1, 3),
        ((1 << 1024) + 1, 3),
        (MODULUS, 1),
        (MODULUS, 4),
        (MODULUS, (1 << 32) + 1),
    ],
    # The modulus is another one in every process.
    ids=["even", "short", "long", "odd-bits", "exponent-1", "exponent-4", "long-exponent"],
)
def test_keys_of_other_sizes_are_refused(modulus: int, exponent: int) -> None:
    with pytest.raises(RsaKeyError):
        RsaPublicKey(modulus=modulus, exponent=exponent)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_key_or_its_error(data: bytes) -> None:
    with pytest.raises(RsaKeyError):
        RsaPublicKey.from_subject_public_key_info(data)
