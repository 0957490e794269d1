"""The terminal's side of chip authentication, version 1, over elliptic curves (SPEC.md, 5.4 and 5.6).

ICAO 9303-11, 6.2; TR-03110-3, B.2. It proves nothing by itself: the chip is proven by its first good answer
under the new keys, which only the holder of the private key can compute.
"""

from card_layout import der, tlv
from card_layout.errors import AccessError, CardDataError, CardRefusedError
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
)
from card_layout.iso7816 import commands
from card_layout.iso7816.channel import CardChannel
from card_layout.protocols.algorithms import SessionCipher, chip_authentication_cipher
from card_layout.protocols.generic_mapping import EphemeralKey, RandomScalar
from card_layout.protocols.session_keys import open_session

__all__ = ["ChipNotProvenError", "perform_chip_authentication"]

_NOT_PERFORMED = "chip-authentication.not-performed"
_VERSION = 1


class ChipNotProvenError(AccessError):
    """The chip answered chip authentication with something that is no answer to it."""

    default_code = "chip.not-proven"


def perform_chip_authentication(
    channel: CardChannel,
    *,
    info: ChipAuthenticationInfo,
    public_key_info: ChipAuthenticationPublicKeyInfo,
    random_scalar: RandomScalar | None = None,
    allow_triple_des: bool = False,
) -> bytes:
    """Agree on new session keys with the chip's static key; the channel then has a new session.

    Gives back the terminal's ephemeral public key, an uncompressed point, which terminal authentication binds itself to.

    The caller reads something next: only a verified answer proves the chip, and an ``AccessError`` with code
    ``access.secure-messaging`` means that it is not proven. ``allow_triple_des`` is for sessions of basic access
    control only.

    Raises:
        CardRefusedError: the chip said no (code ``chip-authentication.not-performed``); the old session goes on.
        CardDataError: we do not speak this info, or its key is another (the same code); nothing was sent.
        ChipNotProvenError: the chip's answer is no answer to this protocol.
        AccessError: the old session broke, or there was none.
        TransportError: the exchange broke off.
    """
    if channel.session is None:
        raise AccessError("chip authentication needs a secure messaging session, got none")
    cipher = chip_authentication_cipher(info.protocol, allow_triple_des=allow_triple_des)
    if cipher is None or info.version != _VERSION:
        raise CardDataError(
            f"got chip authentication {info.protocol} version {info.version}, "
            f"expected ECDH with a cipher that is allowed, version {_VERSION}",
            code=_NOT_PERFORMED,
        )
    if None not in (info.key_id, public_key_info.key_id) and info.key_id != public_key_info.key_id:
        raise CardDataError(
            f"got public key {public_key_info.key_id}, expected {info.key_id}", code=_NOT_PERFORMED
        )
    own_key = EphemeralKey.draw(public_key_info.public_key.curve, random_scalar)
    own_point = own_key.public_point()
    expected = b"" if cipher is SessionCipher.TRIPLE_DES else tlv.encode(0x7C, b"")
    try:
        if cipher is SessionCipher.TRIPLE_DES:
            answer = channel.require(
                commands.set_key_agreement_template(public_key=own_point, key_id=info.key_id)
            )
        else:
            channel.require(
                commands.set_authentication_template_for_chip_authentication(
                    protocol=der.encode_object_identifier(info.protocol), key_id=info.key_id
                )
            )
            answer = channel.require(commands.general_authenticate(tlv.encode(0x80, own_point)))
    except CardRefusedError as error:
        raise CardRefusedError(
            "the chip refused chip authentication",
            status_word=error.status_word,
            code=_NOT_PERFORMED,
        ) from error
    channel.session.end()
    if answer != expected:
        raise ChipNotProvenError(
            f"the chip's authentication data have {len(answer)} bytes, expected {len(expected)}"
        )
    channel.session = open_session(own_key.shared_x(public_key_info.public_key.point), cipher)
    return own_point
