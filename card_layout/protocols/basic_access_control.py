"""The terminal's side of basic access control (ICAO 9303-11, 4.3; SPEC.md, 5.7).

The way into chips from before PACE: whoever recorded the exchange can try out machine-readable zones at leisure.
Nothing calls it unless a policy names it and the chip has no EF.CardAccess.
"""

import hmac
import secrets
from collections.abc import Callable

from card_layout.errors import AccessError, CardRefusedError
from card_layout.iso7816 import commands, triple_des
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.status_words import StatusWord, describe
from card_layout.iso7816.triple_des import TripleDesSession
from card_layout.mrz import password_from_information
from card_layout.protocols.algorithms import SessionCipher
from card_layout.protocols.pace import WrongPasswordError
from card_layout.protocols.session_keys import KeyPurpose, derive_key

__all__ = ["BasicAccessControlError", "perform_basic_access_control"]

_CHALLENGE_BYTES = 8
_SEED_BYTES = 16
_CRYPTOGRAM_BYTES = 2 * _CHALLENGE_BYTES + _SEED_BYTES
_REFUSALS_OF_KEYS = frozenset(
    (StatusWord.SECURITY_STATUS_NOT_SATISFIED, StatusWord.SECURE_MESSAGING_OBJECTS_WRONG)
)
"""Chips differ in how they say that the keys are not theirs: with one of these, or with 63xx."""


class BasicAccessControlError(AccessError):
    """Basic access control broke off for another reason than the machine-readable zone."""

    default_code = "access.bac-failed"


def perform_basic_access_control(
    channel: CardChannel,
    *,
    information: str,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> None:
    """Open a card whose application is selected; on success the channel has a secure messaging session.

    Args:
        channel: the card, in plain so far.
        information: the MRZ information of 24 characters (SPEC.md, 3.6).
        random_bytes: gives first the challenge of 8 bytes, then the seed of 16.

    Raises:
        MrzError: the information is not a number and two dates with their check digits; nothing was sent.
        WrongPasswordError: the chip does not take keys made of this zone.
        BasicAccessControlError: anything else that the chip did against the protocol.
        TransportError: the exchange broke off.
    """
    seed = password_from_information(information)[:_SEED_BYTES]
    encryption_key, mac_key = _keys(seed)
    try:
        chip_challenge = channel.require(commands.get_challenge(_CHALLENGE_BYTES))
    except CardRefusedError as error:
        raise BasicAccessControlError(f"the chip gives no challenge: {error}") from error
    if len(chip_challenge) != _CHALLENGE_BYTES:
        raise BasicAccessControlError(
            f"the chip's challenge has {len(chip_challenge)} bytes, expected {_CHALLENGE_BYTES}"
        )
    own_challenge, own_seed = random_bytes(_CHALLENGE_BYTES), random_bytes(_SEED_BYTES)
    cryptogram = triple_des.encrypt(encryption_key, own_challenge + chip_challenge + own_seed)
    answer = _authenticate(channel, cryptogram + _mac(mac_key, cryptogram))
    theirs = _open(answer, encryption_key, mac_key)
    expected = chip_challenge + own_challenge
    if not hmac.compare_digest(theirs[: len(expected)], expected):
        raise BasicAccessControlError("the chip's cryptogram is not about these challenges")
    chip_seed = theirs[len(expected) :]
    common = bytes(one ^ other for one, other in zip(own_seed, chip_seed, strict=True))
    half = _CHALLENGE_BYTES // 2
    channel.session = TripleDesSession(
        *_keys(common), int.from_bytes(chip_challenge[half:] + own_challenge[half:], "big")
    )


def _keys(seed: bytes) -> tuple[bytes, bytes]:
    return (
        derive_key(seed, KeyPurpose.ENCRYPTION, SessionCipher.TRIPLE_DES),
        derive_key(seed, KeyPurpose.MAC, SessionCipher.TRIPLE_DES),
    )


def _mac(key: bytes, cryptogram: bytes) -> bytes:
    return triple_des.retail_mac(key, triple_des.pad(cryptogram))


def _authenticate(channel: CardChannel, data: bytes) -> bytes:
    response = channel.transmit(commands.mutual_authenticate(data))
    status_word = response.status_word
    if (
        status_word >> 8 == StatusWord.AUTHENTICATION_FAILED >> 8
        or status_word in _REFUSALS_OF_KEYS
    ):
        raise WrongPasswordError(
            f"the chip does not accept the machine-readable zone: status word {status_word:04X}"
        )
    if status_word != StatusWord.SUCCESS:
        raise BasicAccessControlError(
            f"the chip broke off basic access control ({describe(status_word)}): "
            f"status word {status_word:04X}"
        )
    return response.data


def _open(answer: bytes, encryption_key: bytes, mac_key: bytes) -> bytes:
    """What the chip's cryptogram says: its challenge, ours, and its seed."""
    if len(answer) != _CRYPTOGRAM_BYTES + triple_des.MAC_BYTES:
        raise BasicAccessControlError(
            f"the chip's answer has {len(answer)} bytes, "
            f"expected {_CRYPTOGRAM_BYTES + triple_des.MAC_BYTES}"
        )
    cryptogram, mac = answer[:_CRYPTOGRAM_BYTES], answer[_CRYPTOGRAM_BYTES:]
    if not hmac.compare_digest(mac, _mac(mac_key, cryptogram)):
        raise BasicAccessControlError("the MAC of the chip's cryptogram is wrong")
    return triple_des.decrypt(encryption_key, cryptogram)
