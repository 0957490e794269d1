"""Active authentication, card's end (9303-11, 6.1): a signature over the terminal's eight bytes."""

import hashlib
from collections.abc import Callable

from simulators.card.pace import random_scalar
from simulators.card.points import Point
from simulators.image import ActiveAuthenticationKey, HashAlgorithm, RsaKey, SigningEcKey

__all__ = ["CHALLENGE_BYTES", "sign"]

CHALLENGE_BYTES = 8

_HASHES = {
    HashAlgorithm.SHA_1: hashlib.sha1,
    HashAlgorithm.SHA_224: hashlib.sha224,
    HashAlgorithm.SHA_256: hashlib.sha256,
    HashAlgorithm.SHA_384: hashlib.sha384,
    HashAlgorithm.SHA_512: hashlib.sha512,
}

_TRAILERS = {
    HashAlgorithm.SHA_1: b"\xbc",
    HashAlgorithm.SHA_224: b"\x38\xcc",
    HashAlgorithm.SHA_256: b"\x34\xcc",
    HashAlgorithm.SHA_384: b"\x36\xcc",
    HashAlgorithm.SHA_512: b"\x35\xcc",
}
"""How the end of the recovered message names the hash (ISO/IEC 9796-2, 8.1.2)."""

_PARTIAL_RECOVERY = b"\x6a"


def sign(key: ActiveAuthenticationKey, challenge: bytes, random: Callable[[int], bytes]) -> bytes:
    """The signature: r and s side by side with an elliptic curve, ISO/IEC 9796-2 scheme 1 with RSA."""
    if isinstance(key, RsaKey):
        return _sign_with_message_recovery(key, challenge, random)
    return _sign_plain(key, challenge, random)


def _sign_with_message_recovery(
    key: RsaKey, challenge: bytes, random: Callable[[int], bytes]
) -> bytes:
    """Digital signature scheme 1: the card's random M1 is recovered, M2 is the challenge (9303-11, 6.1.2.2)."""
    size = (key.modulus.bit_length() + 7) // 8
    trailer = _TRAILERS[key.hash_algorithm]
    digest_bytes = _HASHES[key.hash_algorithm]().digest_size
    own = random(size - len(_PARTIAL_RECOVERY) - digest_bytes - len(trailer))
    digest = _HASHES[key.hash_algorithm](own + challenge).digest()
    representative = int.from_bytes(_PARTIAL_RECOVERY + own + digest + trailer, "big")
    return pow(representative, key.private_exponent, key.modulus).to_bytes(size, "big")


def _sign_plain(key: SigningEcKey, challenge: bytes, random: Callable[[int], bytes]) -> bytes:
    """ECDSA in the plain format (TR-03111, 4.2.1 and 5.2.1)."""
    order = key.curve.n
    digest = _HASHES[key.hash_algorithm](challenge).digest()
    surplus_bits = max(0, 8 * len(digest) - order.bit_length())
    number = int.from_bytes(digest, "big") >> surplus_bits
    while True:
        ephemeral = random_scalar(key.curve, random)
        r = Point.generator(key.curve).times(ephemeral).x % order
        s = pow(ephemeral, -1, order) * (number + r * key.private_scalar) % order
        if r and s:
            size = (order.bit_length() + 7) // 8
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
