"""Basic access control, card's end (9303-11, 4.3): only for images that enable it, never beside them."""

import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives.constant_time import bytes_eq

from simulators.card.secure_messaging import SecureMessaging
from simulators.card.session_cipher import ENCRYPTION, MAC, derive_key, open_cipher
from simulators.card.status import Refused, StatusWord
from simulators.card.triple_des import decrypt_cbc, encrypt_cbc, retail_mac
from simulators.image import SessionAlgorithm

__all__ = ["CHALLENGE_BYTES", "CRYPTOGRAM_BYTES", "authenticate"]

CHALLENGE_BYTES = 8
CRYPTOGRAM_BYTES = 40
"""Bytes of the data field of EXTERNAL AUTHENTICATE: 32 encrypted ones and their MAC."""

_KEY_BYTES = 16
_MAC_BYTES = 8


def authenticate(
    cryptogram: bytes, *, information: str, challenge: bytes, random: Callable[[int], bytes]
) -> tuple[bytes, SecureMessaging]:
    """The card's cryptogram, and the session that both opened.

    A wrong MAC and a wrong nonce take the same operations and give the same answer: told apart, they let a person be
    followed whose key is not known (the French passport of 2010).

    Raises:
        Refused: 6300, the terminal does not know the MRZ.
    """
    seed = hashlib.sha1(information.encode("ascii")).digest()[:_KEY_BYTES]  # noqa: S324 -- fixed by 9303-11
    encryption_key = derive_key(seed, ENCRYPTION, SessionAlgorithm.TRIPLE_DES)
    mac_key = derive_key(seed, MAC, SessionAlgorithm.TRIPLE_DES)
    encrypted, mac = cryptogram[:-_MAC_BYTES], cryptogram[-_MAC_BYTES:]
    has_right_mac = bytes_eq(mac, retail_mac(mac_key, encrypted))
    opened = decrypt_cbc(encryption_key, encrypted)
    has_right_nonce = bytes_eq(opened[CHALLENGE_BYTES : 2 * CHALLENGE_BYTES], challenge)
    if not has_right_mac & has_right_nonce:
        raise Refused(StatusWord.AUTHENTICATION_FAILED)
    terminal_challenge, terminal_key = opened[:CHALLENGE_BYTES], opened[2 * CHALLENGE_BYTES :]
    own_key = random(_KEY_BYTES)
    answer = encrypt_cbc(encryption_key, challenge + terminal_challenge + own_key)
    shared = bytes(a ^ b for a, b in zip(terminal_key, own_key, strict=True))
    counter = challenge[-4:] + terminal_challenge[-4:]
    session = SecureMessaging(
        open_cipher(shared, SessionAlgorithm.TRIPLE_DES),
        send_sequence_counter=int.from_bytes(counter, "big"),
    )
    return answer + retail_mac(mac_key, answer), session
