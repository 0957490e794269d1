"""Active authentication: the chip signs a challenge (ICAO 9303-11, 6.1; SPEC.md, 5.9).

Its signature can be shown to anybody, so chip authentication is preferred; and it says nothing about who asked.
"""

import hmac
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from card_layout.curves import EcPublicKey
from card_layout.errors import AccessError, CardDataError
from card_layout.iso7816 import commands
from card_layout.iso7816.apdu import MAX_SHORT
from card_layout.iso7816.channel import CardChannel
from card_layout.rsa import RsaPublicKey

__all__ = [
    "CHALLENGE_BYTES",
    "ActiveAuthenticationError",
    "request_signature",
    "verify_signature",
]

CHALLENGE_BYTES: Final = 8
"""RND.IFD (ICAO 9303-11, 6.1.2)."""

_HEADER: Final = 0x6A
"""Of ISO/IEC 9796-2, scheme 1: partial recovery, no padding before the recoverable part."""

_IMPLICIT_TRAILER: Final = b"\xbc"
_EXPLICIT_TRAILER: Final = 0xCC
_HASH_OF_TRAILER: Final[dict[int, Callable[[], hashes.HashAlgorithm]]] = {
    0x38: hashes.SHA224,
    0x34: hashes.SHA256,
    0x36: hashes.SHA384,
    0x35: hashes.SHA512,
}
_PLAIN_ECDSA: Final = "0.4.0.127.0.7.1.1.4.1"
_HASH_OF_ALGORITHM: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    f"{_PLAIN_ECDSA}.2": hashes.SHA224,
    f"{_PLAIN_ECDSA}.3": hashes.SHA256,
    f"{_PLAIN_ECDSA}.4": hashes.SHA384,
    f"{_PLAIN_ECDSA}.5": hashes.SHA512,
}
"""ecdsa-plain-SHA224 to -SHA512 (TR-03111, 5.2.1.1); SHA-1 and RIPEMD-160 are not taken."""


class ActiveAuthenticationError(AccessError):
    """The signature is not one of the key over the challenge."""

    default_code = "chip.not-proven"


def request_signature(
    channel: CardChannel, *, public_key: EcPublicKey | RsaPublicKey, challenge: bytes
) -> bytes:
    """INTERNAL AUTHENTICATE: what the chip says to the challenge; nothing is verified yet.

    Raises:
        CardDataError: the challenge has not 8 bytes; nothing was sent.
        CardRefusedError: the chip does not sign.
        CardError: as ``CardChannel.require``.
    """
    if len(challenge) != CHALLENGE_BYTES:
        raise CardDataError(f"challenge has {len(challenge)} bytes, expected {CHALLENGE_BYTES}")
    size = (
        public_key.size_bytes
        if isinstance(public_key, RsaPublicKey)
        else 2 * public_key.curve.field_bytes
    )
    session = channel.session
    fits = size <= (MAX_SHORT if session is None else session.max_response_data(MAX_SHORT))
    # Chips expect 00 where a short answer is enough, and only a longer Le brings what is not.
    return channel.require(
        commands.internal_authenticate(challenge, expected_length=MAX_SHORT if fits else size)
    )


def verify_signature(
    public_key: EcPublicKey | RsaPublicKey,
    *,
    challenge: bytes,
    signature: bytes,
    signature_algorithm: str | None,
) -> None:
    """Check what the chip signed.

    Args:
        public_key: the key of the proven DG15.
        challenge: what it was asked to sign.
        signature: what it answered.
        signature_algorithm: that of DG14's ActiveAuthenticationInfo, which a key on a curve needs; a signature of
            RSA names its hash itself.

    Raises:
        ActiveAuthenticationError: the key did not make this signature over this challenge.
    """
    if isinstance(public_key, RsaPublicKey):
        _verify_message_recovery(public_key, challenge, signature)
    else:
        _verify_plain(public_key, challenge, signature, signature_algorithm)


def _verify_plain(
    public_key: EcPublicKey, challenge: bytes, signature: bytes, algorithm: str | None
) -> None:
    """ECDSA with r || s, each as long as the order of the curve (TR-03111, 5.2.1)."""
    make_hash = _HASH_OF_ALGORITHM.get(algorithm or "")
    if make_hash is None:
        raise ActiveAuthenticationError(
            f"got signature algorithm {algorithm}, expected plain ECDSA with SHA-224 to SHA-512"
        )
    size = (public_key.curve.n.bit_length() + 7) // 8
    if len(signature) != 2 * size:
        raise ActiveAuthenticationError(
            f"the signature has {len(signature)} bytes, expected {2 * size}"
        )
    encoded = encode_dss_signature(
        int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    )
    try:
        public_key.to_cryptography().verify(encoded, challenge, ec.ECDSA(make_hash()))
    except InvalidSignature as error:
        raise ActiveAuthenticationError("the signature does not verify") from error


def _verify_message_recovery(public_key: RsaPublicKey, challenge: bytes, signature: bytes) -> None:
    """ISO/IEC 9796-2, digital signature scheme 1: the chip's part of the message is inside (9303-11, 6.1.2)."""
    size = public_key.size_bytes
    number = int.from_bytes(signature, "big")
    if len(signature) != size or number >= public_key.modulus:
        raise ActiveAuthenticationError(
            f"the signature has {len(signature)} bytes, or is no number below the modulus; expected {size}"
        )
    opened = pow(number, public_key.exponent, public_key.modulus)
    if opened & 0x0F != 0x0C:
        # The signer may have taken the smaller of two roots; every right one ends in C.
        opened = public_key.modulus - opened
    representative = opened.to_bytes(size, "big")
    make_hash, trailer_bytes = _trailer(representative)
    digest_bytes = make_hash().digest_size
    end = size - trailer_bytes - digest_bytes
    if representative[0] != _HEADER or end < 1:
        raise ActiveAuthenticationError("the signature holds no message with partial recovery")
    calculation = hashes.Hash(make_hash())
    calculation.update(representative[1:end] + challenge)
    if not hmac.compare_digest(calculation.finalize(), representative[end : end + digest_bytes]):
        raise ActiveAuthenticationError("the signature is not over this challenge")


def _trailer(representative: bytes) -> tuple[Callable[[], hashes.HashAlgorithm], int]:
    """The hash that the last bytes name, and how many they are."""
    if representative[-1:] == _IMPLICIT_TRAILER:
        # 9303-11 fixes SHA-1 for it; to forge takes a second preimage, for which SHA-1 still is good enough.
        return hashes.SHA1, 1
    make_hash = _HASH_OF_TRAILER.get(representative[-2])
    if representative[-1] != _EXPLICIT_TRAILER or make_hash is None:
        raise ActiveAuthenticationError("the signature names no hash that is known")
    return make_hash, 2
