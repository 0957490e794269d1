"""The secret of the root's quorum, split into sheets of SLIP-39 words, and put together again.

A sheet has 33 words: who it belongs to (identifier, number, threshold), 256 bits of share, and a checksum of three
words (RS1024), which finds up to three wrong words and says where a single one is.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from shamir_mnemonic import rs1024, wordlist
from shamir_mnemonic.constants import CUSTOMIZATION_STRING_EXTENDABLE, CUSTOMIZATION_STRING_ORIG
from shamir_mnemonic.shamir import (
    EncryptedMasterSecret,
    MnemonicError,
    ShareGroup,
    recover_ems,
    split_ems,
)
from shamir_mnemonic.share import Share

from pki.errors import PkiDataError, PkiRefusedError

__all__ = [
    "MAX_SHEETS",
    "WORDS_OF_A_SHEET",
    "Quorum",
    "RootSecret",
    "Sheet",
    "check_quorum",
    "combine",
    "draw_identifier",
    "find_wrong_word",
    "fingerprint_of",
    "read_sheet",
    "read_word",
    "split",
]

WORDS_OF_A_SHEET: Final = 33
"""Four of the set, the sheet and its threshold, 26 of the share (256 bits), three of the checksum."""

MAX_SHEETS: Final = 16
"""SLIP-39: the number of a share has four bits."""

SECRET_BYTES: Final = 32
_ITERATION_EXPONENT: Final = 0
"""The secret is 256 random bits under no passphrase: there is nothing to stretch."""

_EXTENDABLE: Final = True
"""SLIP-39: the secret does not depend on the identifier, and the checksum has a name of its own."""

_MAX_IDENTIFIER: Final = 2**15
_PIN_BYTES: Final = 24
_PIN_PURPOSE: Final = b"membercard ceremony: PIN of the root's keystore, version 1"
_PREFIX_LETTERS: Final = 4
"""SLIP-39: the first four letters tell every word."""

_GENERATOR: Final = (
    0xE0E040, 0x1C1C080, 0x3838100, 0x7070200, 0xE0E0009,
    0x1C0C2412, 0x38086C24, 0x3090FC48, 0x21B1F890, 0x3F3F120,
)  # fmt: skip
"""SLIP-39: the generator polynomial of RS1024, times each bit of a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """Who can activate the root's key: ``threshold`` of the custodians, in the order of their sheets.

    ``ceremony`` is the ceremony that drew the secret, ``identifier`` what all its sheets have in common.
    """

    ceremony: str
    identifier: int
    threshold: int
    custodians: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One custodian's words; ``number`` counts from 1."""

    number: int
    identifier: int
    threshold: int
    words: tuple[str, ...] = field(repr=False)


class RootSecret:
    """The 256 bits that the sheets stand for, for as short a time as possible.

    ``wipe`` overwrites them. The libraries that split, derive and log in make copies that Python does not let anybody
    overwrite: the process ends with the ceremony, writes no core file, and its machine is switched off afterwards.
    """

    def __init__(self, octets: bytes) -> None:
        if len(octets) != SECRET_BYTES:
            raise PkiDataError(
                f"the sheets' secret has {len(octets)} bytes, expected {SECRET_BYTES}",
                code="sheet.malformed",
            )
        self._octets = bytearray(octets)

    @classmethod
    def draw(cls) -> "RootSecret":
        """A new one from the system's source of randomness."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    def split_bytes(self) -> bytes:
        """The bits themselves, for splitting alone.

        Raises:
            PkiRefusedError: ``ceremony.secret-wiped``.
        """
        if not any(self._octets):
            raise PkiRefusedError(
                "the secret was overwritten already", code="ceremony.secret-wiped"
            )
        return bytes(self._octets)

    def pin(self, ceremony: str) -> str:
        """The PIN of the root's keystore: 192 bits in hexadecimal, by HKDF-SHA256 (RFC 5869).

        Raises:
            PkiRefusedError: ``ceremony.secret-wiped``.
        """
        derived = HKDF(
            algorithm=SHA256(), length=_PIN_BYTES, salt=ceremony.encode(), info=_PIN_PURPOSE
        ).derive(self.split_bytes())
        return derived.hex()

    def wipe(self) -> None:
        """Overwrite the bits; doing it twice is harmless."""
        self._octets[:] = bytes(len(self._octets))


def draw_identifier(taken: Sequence[int]) -> int:
    """A random number of 15 bits for a new set of sheets, which no earlier set of this root has."""
    while True:
        identifier = secrets.randbelow(_MAX_IDENTIFIER)
        if identifier not in taken:
            return identifier


def split(secret: RootSecret, *, identifier: int, threshold: int, count: int) -> tuple[Sheet, ...]:
    """The sheets of which any ``threshold`` give the secret back (SLIP-39, one group, no passphrase).

    Raises:
        PkiRefusedError: ``ceremony.quorum-invalid``; ``ceremony.secret-wiped``.
    """
    check_quorum(threshold, count)
    encrypted = EncryptedMasterSecret.from_master_secret(
        secret.split_bytes(),
        b"",
        identifier,
        _EXTENDABLE,
        _ITERATION_EXPONENT,
    )
    (shares,) = split_ems(1, [(threshold, count)], encrypted)
    return tuple(
        Sheet(
            number=share.index + 1,
            identifier=identifier,
            threshold=threshold,
            words=tuple(share.words()),
        )
        for share in shares
    )


def check_quorum(threshold: int, count: int) -> None:
    """Whether so many of so many can be a quorum: never one alone, and never everybody needed of more than two.

    Raises:
        PkiRefusedError: ``ceremony.quorum-invalid``.
    """
    if not 2 <= threshold < count <= MAX_SHEETS:
        raise PkiRefusedError(
            f"quorum would be {threshold} of {count}, expected at least 2, fewer than all, of at most {MAX_SHEETS}",
            code="ceremony.quorum-invalid",
            hint="with one sheet to spare, a lost sheet is no lost root",
        )


def read_word(text: str, *, place: int, sheet: int) -> str:
    """One word of the list, from the word itself or its first four letters.

    Raises:
        PkiDataError: ``sheet.word-unknown``; the text names the place only, never what was typed.
    """
    typed = text.strip().lower()
    found = _words_by_prefix().get(typed[:_PREFIX_LETTERS])
    if (
        found is None
        or not found.startswith(typed)
        or len(typed) < min(_PREFIX_LETTERS, len(found))
    ):
        raise PkiDataError(
            f"word {place} of sheet {sheet} is not in the list of SLIP-39 words",
            code="sheet.word-unknown",
            hint="type that word again: the first four letters are enough",
        )
    return found


def read_sheet(words: Sequence[str], *, number: int, quorum: Quorum | None) -> Sheet:
    """A sheet from words of the list, once its checksum holds and it belongs to the quorum.

    Raises:
        PkiDataError: ``sheet.checksum``: the text names the wrong word where there is but one; ``sheet.malformed``.
        PkiRefusedError: ``sheet.foreign``, ``sheet.number-differs``.
    """
    if len(words) != WORDS_OF_A_SHEET:
        raise PkiDataError(
            f"sheet {number} has {len(words)} words, expected {WORDS_OF_A_SHEET}",
            code="sheet.malformed",
        )
    place = find_wrong_word(words)
    if place is not None:
        where = f"word {place} of sheet {number}" if place else f"several words of sheet {number}"
        raise PkiDataError(
            f"{where} cannot be right: the checksum does not hold", code="sheet.checksum"
        )
    try:
        share = Share.from_mnemonic(" ".join(words))
    except MnemonicError as error:
        raise PkiDataError(f"sheet {number} is no SLIP-39 share", code="sheet.malformed") from error
    if (
        share.group_count != 1
        or len(share.value) != SECRET_BYTES
        or not share.extendable
        or (quorum is not None and share.identifier != quorum.identifier)
        or (quorum is not None and share.member_threshold != quorum.threshold)
    ):
        expected = "" if quorum is None else f", expected {quorum.identifier}"
        raise PkiRefusedError(
            f"sheet {number} is of another set: it has identifier {share.identifier}{expected}",
            code="sheet.foreign",
            hint="it may be from before the last change of custodians, or of another root",
        )
    if share.index + 1 != number:
        raise PkiRefusedError(
            f"the words are those of sheet {share.index + 1}, expected sheet {number}",
            code="sheet.number-differs",
        )
    return Sheet(
        number=number,
        identifier=share.identifier,
        threshold=share.member_threshold,
        words=tuple(share.words()),
    )


def combine(sheets: Sequence[Sheet]) -> RootSecret:
    """The secret that so many sheets stand for.

    Raises:
        PkiRefusedError: ``sheet.duplicate``, ``sheet.too-few``.
        PkiDataError: ``sheet.mixed``: each is good, and they do not belong together.
    """
    numbers = [sheet.number for sheet in sheets]
    repeated = next((number for number in numbers if numbers.count(number) > 1), None)
    if repeated is not None:
        raise PkiRefusedError(f"sheet {repeated} was given twice", code="sheet.duplicate")
    if not sheets or len(sheets) < sheets[0].threshold:
        needed = sheets[0].threshold if sheets else 2
        raise PkiRefusedError(
            f"{len(sheets)} sheets were given, expected {needed}", code="sheet.too-few"
        )
    group = ShareGroup()
    try:
        for sheet in sheets:
            group.add(Share.from_mnemonic(" ".join(sheet.words)))
        secret = recover_ems({0: group.get_minimal_group()}).decrypt(b"")
    except MnemonicError as error:
        raise PkiDataError(
            f"sheets {', '.join(map(str, numbers))} do not belong together", code="sheet.mixed"
        ) from error
    return RootSecret(secret)


def fingerprint_of(sheet: Sheet) -> str:
    """Eight hexadecimal digits that tell one sheet from another and give nothing of it away (a hash of 256 bits)."""
    return sha256(b"membercard sheet:" + " ".join(sheet.words).encode()).hexdigest()[:8]


def find_wrong_word(words: Sequence[str]) -> int | None:
    """Where the checksum says that a sheet is wrong: ``None`` nowhere, 0 at several places, else the place from 1.

    RS1024 is linear over GF(2): what one wrong word adds to the remainder depends on its place and its difference
    alone. What the right word would be is never told (SLIP-39, checksum).
    """
    indices = list(wordlist.mnemonic_to_indices(" ".join(words)))
    is_extendable = bool(indices[1] >> 4 & 1)
    if rs1024.verify_checksum(indices, _customization(is_extendable=is_extendable)):
        return None
    for place in range(len(indices)):
        # A wrong second word may turn the flag; then the other customization is the one that was meant.
        for flag in (True, False) if place == 1 else (is_extendable,):
            if _is_single_error(indices, place, customization=_customization(is_extendable=flag)):
                return place + 1
    return 0


def _is_single_error(indices: list[int], place: int, *, customization: bytes) -> bool:
    """Whether some other word at this place makes the checksum hold."""
    wrong = _remainder(1, [*customization, *indices]) ^ 1
    words_behind = [0] * (len(indices) - place - 1)
    # Is it a sum of what the ten bits of this word add? Gaussian elimination with vectors of 30 bits.
    basis: list[int] = []
    for bit in range(10):
        basis.append(_reduce(_remainder(0, [1 << bit, *words_behind]), basis))
    return _reduce(wrong, basis) == 0


def _reduce(vector: int, basis: Sequence[int]) -> int:
    for item in basis:
        vector = min(vector, vector ^ item)
    return vector


def _remainder(start: int, values: Sequence[int]) -> int:
    """SLIP-39, ``rs1024_polymod``, from any start: from 0 it is linear."""
    remainder = start
    for value in values:
        top = remainder >> 20
        remainder = (remainder & 0xFFFFF) << 10 ^ value
        for bit, generator in enumerate(_GENERATOR):
            remainder ^= generator if top >> bit & 1 else 0
    return remainder


def _customization(*, is_extendable: bool) -> bytes:
    found: bytes = CUSTOMIZATION_STRING_EXTENDABLE if is_extendable else CUSTOMIZATION_STRING_ORIG
    return found


@cache
def _words_by_prefix() -> dict[str, str]:
    return {word[:_PREFIX_LETTERS]: word for word in wordlist.WORDLIST}
