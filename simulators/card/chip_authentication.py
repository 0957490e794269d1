"""Chip authentication version 1 over elliptic curves, card's end (9303-11, 6.2; SPEC.md, 5.4)."""

from card_layout import tlv
from simulators.card.aes import derive_key
from simulators.card.points import Point, PointError
from simulators.card.secure_messaging import SecureMessaging
from simulators.card.status import Refused, StatusWord
from simulators.card.templates import read_objects, read_template
from simulators.image import EcKey

__all__ = ["ANSWER", "CA_ECDH_AES_128", "agree", "choose_key"]

CA_ECDH_AES_128 = bytes.fromhex("04007F00070202030202")
"""id-CA-ECDH-AES-CBC-CMAC-128, the value of the OBJECT IDENTIFIER."""


def choose_key(data: bytes, keys: tuple[EcKey, ...]) -> EcKey:
    """The key that MSE:Set AT names; the key identifier may be left out where there is but one.

    Raises:
        Refused: 6A80 where the data or protocol is wrong, 6A88 where there is no such key.
    """
    objects = read_objects(data, required=(0x80,), optional=(0x84,))
    if objects[0x80] != CA_ECDH_AES_128:
        raise Refused(StatusWord.WRONG_DATA)
    if 0x84 not in objects:
        if len(keys) != 1:
            raise Refused(StatusWord.REFERENCE_NOT_FOUND)
        return keys[0]
    for key in keys:
        if objects[0x84] == bytes((key.key_id,)):
            return key
    raise Refused(StatusWord.REFERENCE_NOT_FOUND)


def agree(data: bytes, key: EcKey) -> SecureMessaging:
    """The new session, from the terminal's ephemeral public key; the answer itself goes out under the old one.

    Raises:
        Refused: 6A80 where the data is wrong or the point is not on the key's curve.
    """
    encoded = read_template(data, 0x7C, required=(0x80,))[0x80]
    try:
        shared = Point.from_bytes(key.curve, encoded).times(key.private_scalar).x_bytes()
    except PointError as error:
        raise Refused(StatusWord.WRONG_DATA) from error
    return SecureMessaging(encryption_key=derive_key(shared, 1), mac_key=derive_key(shared, 2))


ANSWER = tlv.encode(0x7C, b"")
"""The empty dynamic authentication data that tells of success."""
