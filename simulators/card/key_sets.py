"""The card's key sets of the personalisation channel: finding, replacing, adding and telling them (SPEC.md, 8.1 to 8.3)."""

from dataclasses import replace

from card_layout import tlv
from simulators.card.aes import BLOCK, decrypt_cbc, encrypt_block
from simulators.card.status import Refused, StatusWord
from simulators.image import Keys, PersonalisationKeys

__all__ = [
    "PERSONALISATION_KEY_VERSIONS",
    "find_key_set",
    "key_information",
    "with_new_keys",
]

PERSONALISATION_KEY_VERSIONS = range(0x30, 0x40)

_KEYS_OF_A_SET = 3
_MAX_KEY_SETS = 4
_ADD = 0x00
_AES = 0x88
_KEY_BYTES = (16, 24, 32)
_CHECK_VALUE_BYTES = 3


def find_key_set(keys: Keys, version: int) -> PersonalisationKeys:
    """The set of that version; 00 is whatever set comes first.

    Raises:
        Refused: 6A88, the card has no such keys.
    """
    for key_set in _sets(keys):
        if version in (0, key_set.key_version):
            return key_set
    raise Refused(StatusWord.REFERENCE_NOT_FOUND)


def with_new_keys(keys: Keys, version: int, data: bytes, *, dek: bytes) -> tuple[Keys, bytes]:
    """PUT KEY of a whole set: in the place of the set ``version``, or beside the others; and the answer.

    Raises:
        Refused: 6A88 where no set has that version, 6A80 where the data is wrong, 6A84 where there is no room.
    """
    if not data or data[0] not in PERSONALISATION_KEY_VERSIONS:
        raise Refused(StatusWord.WRONG_DATA)
    held = _sets(keys)
    if version == _ADD:
        if len(held) == _MAX_KEY_SETS:
            raise Refused(StatusWord.NO_SPACE)
        others = held
    else:
        old = find_key_set(keys, version)
        others = tuple(each for each in held if each is not old)
    if any(each.key_version == data[0] for each in others):
        raise Refused(StatusWord.WRONG_DATA)
    enc, mac, dek_of_set = _read_keys(data[1:], dek)
    new = PersonalisationKeys(key_version=data[0], enc=enc, mac=mac, dek=dek_of_set)
    if version == _ADD:
        changed = (*held, new)
    else:
        changed = tuple(new if each is old else each for each in held)
    answer = data[:1] + b"".join(_check_value(key) for key in (enc, mac, dek_of_set))
    return replace(keys, personalisation=changed[0], further_key_sets=changed[1:]), answer


def key_information(keys: Keys) -> bytes:
    """The key information template: identifier, version, type and length of every key (GPC, 11.3.3.1)."""
    entries = b"".join(
        tlv.encode(0xC0, bytes((number, each.key_version, _AES, len(each.enc))))
        for each in _sets(keys)
        for number in range(1, _KEYS_OF_A_SET + 1)
    )
    return tlv.encode(0xE0, entries)


def _sets(keys: Keys) -> tuple[PersonalisationKeys, ...]:
    return () if keys.personalisation is None else (keys.personalisation, *keys.further_key_sets)


def _read_keys(data: bytes, dek: bytes) -> tuple[bytes, bytes, bytes]:
    """Three keys of one length, each in its block: type, lengths, the key under the DEK, check value."""
    found: list[bytes] = []
    rest = data
    while rest and len(found) < _KEYS_OF_A_SET:
        if len(rest) < 3 or rest[0] != _AES or rest[2] not in _KEY_BYTES:
            raise Refused(StatusWord.WRONG_DATA)
        size = -(-rest[2] // BLOCK) * BLOCK
        block, rest_of_block = rest[3 : 3 + size], rest[3 + size :]
        if rest[1] != size + 1:
            raise Refused(StatusWord.WRONG_DATA)
        if len(rest_of_block) < 1 + _CHECK_VALUE_BYTES:
            raise Refused(StatusWord.WRONG_LENGTH)
        key = decrypt_cbc(dek, block)[: rest[2]]
        check_value = rest_of_block[1 : 1 + _CHECK_VALUE_BYTES]
        if rest_of_block[0] != _CHECK_VALUE_BYTES or check_value != _check_value(key):
            raise Refused(StatusWord.WRONG_DATA)
        found.append(key)
        rest = rest_of_block[1 + _CHECK_VALUE_BYTES :]
    if rest or len(found) != _KEYS_OF_A_SET:
        raise Refused(StatusWord.WRONG_LENGTH)
    if len({len(key) for key in found}) != 1:
        raise Refused(StatusWord.WRONG_DATA)
    return found[0], found[1], found[2]


def _check_value(key: bytes) -> bytes:
    return encrypt_block(key, b"\x01" * BLOCK)[:_CHECK_VALUE_BYTES]
