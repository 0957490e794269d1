"""Text from outside: normalised at the edge, judged character by character, ordered and found as in Viet Nam.

Every text is brought to Unicode Normalisation Form C; nothing else about it is ever "corrected". "Hoà" and
"Hòa" stay two strings. Lists are ordered by a stored key, because collations differ from server to server;
names are found by a second one, in which tones, Đ, capitals and apostrophes do not count. Every key of a name
is computed here and nowhere else.
"""

import functools
import re
import unicodedata
from typing import Final

from card_layout.errors import CardDataError
from card_layout.names import to_nfc
from issuer.errors import IssuerDataError

__all__ = [
    "VIETNAMESE_LETTERS",
    "clean_name",
    "clean_text",
    "fold",
    "likeness",
    "name_key",
    "search_key",
    "sort_key",
    "spelling",
]

_NAME_MARKS = frozenset(" -'\u2018\u2019\u02bc")
_TEXT_MARKS = frozenset(" '’-.,/()&:\"“”–")
_MAX_MARKS_IN_A_ROW = 2
"""Combining marks that stay behind NFC: languages of the Central Highlands write ê with a breve."""


def clean_name(written: str, *, max_bytes: int) -> str:
    """A person's name: letters with their marks, spaces, hyphens and apostrophes.

    Args:
        written: as it came; any normalisation form, any number of spaces between words.
        max_bytes: the bound of the result in UTF-8.

    Raises:
        IssuerDataError: ``name.empty``, ``name.look-alike``, ``name.malformed`` (control and other unprintable
            characters), ``name.character`` or ``name.too-long``.
    """
    if _PLAIN_NAME.fullmatch(written):
        return _bounded(written, "name", max_bytes)
    name = _judged(written, subject="name", marks=_NAME_MARKS, max_bytes=max_bytes)
    if not any(character.isalpha() for character in name):
        raise IssuerDataError("name holds no letter", code="name.character")
    return name


def clean_text(written: str, *, max_bytes: int) -> str:
    """A line of text such as a place: letters, digits, spaces and the punctuation of addresses.

    Raises:
        IssuerDataError: ``text.empty``, ``text.look-alike``, ``text.malformed``, ``text.character`` or
            ``text.too-long``.
    """
    if _PLAIN_TEXT.fullmatch(written):
        return _bounded(written, "text", max_bytes)
    return _judged(written, subject="text", marks=_TEXT_MARKS, max_bytes=max_bytes)


def sort_key(full_name: str) -> bytes:
    """Bytes whose order is the Vietnamese order of names: the given name (the last word) first, then the others.

    Word for word, letters count first (a ă â b c d đ e ê ...), then tones (level, huyền, hỏi, ngã, sắc, nặng).
    Capitals and marks of punctuation do not count.
    """
    words = [_word_key(word) for word in unicodedata.normalize("NFC", full_name).lower().split()]
    return b"\x00".join(key for key in (words[-1:] + words[:-1]) if key)


@functools.lru_cache(maxsize=16_384)
def fold(text: str) -> str:
    """The text without what people write in different ways: marks and tones, Đ, capitals, apostrophes, layout.

    A hyphen parts words as a space does. Folding twice gives the same as folding once.
    """
    return " ".join(text.translate(_FOLDING).split())


def search_key(full_name: str) -> str:
    """The folded words of a name, the given name (the last word) first: what searches by a beginning look up."""
    words = fold(full_name).split()
    return " ".join(words[-1:] + words[:-1])


def name_key(full_name: str) -> str:
    """The folded words of a name as they are written, the family name first: what is found while somebody types it."""
    return fold(full_name)


def likeness(full_name: str) -> str:
    """The folded name without spaces: alike for names that may well be the same one, as K'Tem and K' Tem."""
    return fold(full_name).replace(" ", "")


def spelling(full_name: str) -> str:
    """The words with their letters, each with its tone behind it: alike for "Hoà" and "Hòa", whose marks only stand apart."""
    return " ".join(map(_spelled, unicodedata.normalize("NFD", full_name).split()))


def _spelled(word: str) -> str:
    tones = "".join(sorted(part for part in word if part in _TONE_WEIGHTS))
    return "".join(part for part in word if part not in _TONE_WEIGHTS) + tones


VIETNAMESE_LETTERS: Final = "A-Za-zÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝàáâãèéêìíòóôõùúýĂăĐđĨĩŨũƠơƯư\u1ea0-\u1ef9"
"""All letters of Vietnamese in composed form, for a class of a regular expression; text of them is NFC as it stands."""

# Nearly every text is of these kinds, and nothing about it has to be looked at letter by letter.
_PLAIN_NAME: Final = re.compile(rf"[{VIETNAMESE_LETTERS}]+(?:[ '-][{VIETNAMESE_LETTERS}]+)*")
_PLAIN_TEXT: Final = re.compile(rf"(?! )(?!.*  )[{VIETNAMESE_LETTERS}0-9 '.,/()&:-]+(?<! )")


def _bounded(text: str, subject: str, max_bytes: int) -> str:
    # A letter of UTF-8 has four bytes at most: short texts need not be counted.
    if 4 * len(text) > max_bytes and (size := len(text.encode())) > max_bytes:
        raise IssuerDataError(
            f"{subject} has {size} bytes, expected at most {max_bytes}", code=f"{subject}.too-long"
        )
    return text


def _judged(written: str, *, subject: str, marks: frozenset[str], max_bytes: int) -> str:
    # Spaces around and between words are layout, not content.
    try:
        text = to_nfc(" ".join(word for word in written.split(" ") if word))
    except CardDataError as error:
        raise IssuerDataError(
            f"{subject}: {error}", code=f"{subject}.{error.code.rpartition('.')[2]}"
        ) from error
    if not text:
        raise IssuerDataError(f"{subject} is empty", code=f"{subject}.empty")
    _bounded(text, subject, max_bytes)
    may_carry_marks = 0
    for position, character in enumerate(text, start=1):
        if unicodedata.category(character) == "Mn" and may_carry_marks:
            may_carry_marks -= 1
            continue
        may_carry_marks = _MAX_MARKS_IN_A_ROW if character.isalpha() else 0
        is_digit = subject == "text" and character in "0123456789"
        if not (character.isalpha() or is_digit or character in marks):
            raise IssuerDataError(
                f"{subject} holds U+{ord(character):04X} at character {position}",
                code=f"{subject}.character",
            )
    return text


_ALPHABET = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_LETTER_WEIGHTS = {letter: 0x10 + index for index, letter in enumerate(_ALPHABET)}
_TONE_WEIGHTS = {"\u0300": 0x03, "\u0309": 0x04, "\u0303": 0x05, "\u0301": 0x06, "\u0323": 0x07}
_LEVEL_TONE = 0x02
_OTHER_MARK = 0x08
_OTHER_LETTER = 0x0F
_END_OF_LETTERS = 0x01


@functools.lru_cache(maxsize=16_384)
def _word_key(word: str) -> bytes:
    letters = bytearray()
    tones = bytearray()
    for character in word:
        found = _letter_key(character)
        if found is not None:
            letters += found[0]
            tones.append(found[1])
    if not letters:
        return b""
    # A syllable has one tone, wherever its mark stands: "Hoà" and "Hòa" are neighbours.
    return bytes(letters) + bytes((_END_OF_LETTERS, max(tones))) + bytes(tones)


@functools.cache
def _letter_key(character: str) -> tuple[bytes, int] | None:
    """Weight of a letter and of the tone on it; ``None`` for what does not count."""
    tone = _LEVEL_TONE
    base = ""
    for part in unicodedata.normalize("NFD", character):
        if part in _TONE_WEIGHTS:
            tone = _TONE_WEIGHTS[part]
        else:
            base += part
    letter = unicodedata.normalize("NFC", base)
    if letter in _LETTER_WEIGHTS:
        return bytes((_LETTER_WEIGHTS[letter],)), tone
    if letter[:1].isalpha():
        # A letter that the Vietnamese alphabet lacks stands by the letter under its marks, if it has one.
        under = unicodedata.normalize("NFD", letter)[0]
        if under in _LETTER_WEIGHTS:
            return bytes((_LETTER_WEIGHTS[under],)), _OTHER_MARK
        return bytes((_OTHER_LETTER,)) + letter.encode(), tone
    return None


_DROPPED_WHEN_FOLDED = frozenset("'\u2018\u2019\u02bc`\u00b4")
_SPACED_WHEN_FOLDED = frozenset("-\u2010\u2011\u2013")
_FOLDED_LETTERS = {"đ": "d", "\u00f0": "d", "\u0256": "d"}


class _Folding(dict[int, str]):
    """What ``str.translate`` asks: each character is folded when it first comes."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _folded_character(chr(code))
        return folded


_FOLDING: Final = _Folding()


@functools.cache
def _folded_character(character: str) -> str:
    """What one character becomes; folding its outcome again changes nothing."""
    if character in _DROPPED_WHEN_FOLDED:
        return ""
    if character in _SPACED_WHEN_FOLDED:
        return " "
    parts = unicodedata.normalize("NFD", character.casefold())
    folded = "".join(
        _FOLDED_LETTERS.get(part, part) for part in parts if unicodedata.category(part) != "Mn"
    )
    # Some characters change more than once: their capitals unfold to letters with marks of their own.
    return folded if folded == character else "".join(map(_folded_character, folded))
