"""Chip authentication version 1 over elliptic curves, card's end (9303-11, 6.2; SPEC.md, 5.4)."""

from dataclasses import dataclass

from card_layout import tlv
from simulators.card.points import Point, PointError
from simulators.card.secure_messaging import SecureMessaging
from simulators.card.session_cipher import open_cipher
from simulators.card.status import Refused, StatusWord
from simulators.card.templates import read_objects, read_template
from simulators.image import EcKey, SessionAlgorithm

__all__ = ["ANSWER", "Agreement", "ChosenKey", "agree", "agree_in_one_step", "choose_key"]

_ID_CA_ECDH = bytes.fromhex("04007F000702020302")
"""id-CA-ECDH, 0.4.0.127.0.7.2.2.3.2."""

_PROTOCOLS = {
    _ID_CA_ECDH + b"\x02": SessionAlgorithm.AES_128,
    _ID_CA_ECDH + b"\x03": SessionAlgorithm.AES_192,
    _ID_CA_ECDH + b"\x04": SessionAlgorithm.AES_256,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenKey:
    """What MSE:Set AT settled: the key, and the algorithm of the session that it leads to."""

    key: EcKey
    algorithm: SessionAlgorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The new session, and the compressed key of the terminal that led to it (TR-03110-3, A.2.2.3)."""

    session: SecureMessaging
    terminal_key: bytes


def choose_key(data: bytes, keys: tuple[EcKey, ...]) -> ChosenKey:
    """The key that MSE:Set AT names; the key identifier may be left out where there is but one.

    Raises:
        Refused: 6A80 where the data is wrong or the key is not for the protocol, 6A88 where there is no such key.
    """
    objects = read_objects(data, required=(0x80,), optional=(0x84,))
    algorithm = _PROTOCOLS.get(objects[0x80])
    if algorithm is None:
        raise Refused(StatusWord.WRONG_DATA)
    key = _find(keys, objects.get(0x84))
    if algorithm not in key.algorithms:
        raise Refused(StatusWord.WRONG_DATA)
    return ChosenKey(key=key, algorithm=algorithm)


def _find(keys: tuple[EcKey, ...], identifier: bytes | None) -> EcKey:
    if identifier is None:
        if len(keys) != 1:
            raise Refused(StatusWord.REFERENCE_NOT_FOUND)
        return keys[0]
    for key in keys:
        if identifier == bytes((key.key_id,)):
            return key
    raise Refused(StatusWord.REFERENCE_NOT_FOUND)


def agree(data: bytes, chosen: ChosenKey) -> Agreement:
    """The new session, from the terminal's ephemeral public key; the answer itself goes out under the old one.

    Raises:
        Refused: 6A80 where the data is wrong or the point is not on the key's curve.
    """
    encoded = read_template(data, 0x7C, required=(0x80,))[0x80]
    return _agree(encoded, chosen.key, chosen.algorithm)


def agree_in_one_step(data: bytes, keys: tuple[EcKey, ...]) -> Agreement:
    """The new session from MSE:Set KAT, which is for Triple DES alone (9303-11, 6.2.4.1).

    Raises:
        Refused: 6A80 where the data is wrong or the key is not for Triple DES, 6A88 where there is no such key.
    """
    objects = read_objects(data, required=(0x91,), optional=(0x84,))
    key = _find(keys, objects.get(0x84))
    if SessionAlgorithm.TRIPLE_DES not in key.algorithms:
        raise Refused(StatusWord.WRONG_DATA)
    return _agree(objects[0x91], key, SessionAlgorithm.TRIPLE_DES)


def _agree(encoded: bytes, key: EcKey, algorithm: SessionAlgorithm) -> Agreement:
    try:
        terminal_key = Point.from_bytes(key.curve, encoded)
        shared = terminal_key.times(key.private_scalar).x_bytes()
    except PointError as error:
        raise Refused(StatusWord.WRONG_DATA) from error
    return Agreement(
        session=SecureMessaging(open_cipher(shared, algorithm)),
        terminal_key=terminal_key.x_bytes(),
    )


ANSWER = tlv.encode(0x7C, b"")
"""The empty dynamic authentication data that tells of success."""
