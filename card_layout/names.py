"""Names as people write them, and as the machine-readable zone can hold them (ICAO 9303-3, 4.6 and 6).

The table of 9303-3 lacks most of Viet Nam's accented capitals. One rule covers them all: a letter is its
base letter without combining marks, and the one letter that has no decomposition, Đ, is D.
"""

import re
import unicodedata
from functools import lru_cache

from card_layout.errors import CardDataError

__all__ = ["MAX_CHARACTERS", "NameTextError", "mrz_name", "to_nfc", "transliterate"]

MAX_CHARACTERS = 320
"""The longest text taken, in characters; no field of the card holds a longer one."""

_FILLER = "<"
_D_WITH_STROKE = frozenset("Đđ")
_LOOK_ALIKES = {
    "\u00d0": "U+00D0 (Latin capital letter eth)",
    "\u0189": "U+0189 (Latin capital letter African D)",
    "\u00f0": "U+00F0 (Latin small letter eth)",
    "\u0256": "U+0256 (Latin small letter d with tail)",
}
_APOSTROPHES = frozenset("'\u2018\u2019\u02bc")
_SEPARATORS = frozenset(" -")
_ONLY_LETTERS = re.compile(r"[A-Z ]*", re.ASCII)


class NameTextError(CardDataError):
    """A text that cannot be a name, or a name that cannot be written in the MRZ; never quoted."""

    default_code = "name.malformed"


def to_nfc(text: str) -> str:
    """The text in Normalisation Form C (SPEC.md, 1.2).

    Raises:
        NameTextError: too long (``name.too-long``); a letter that looks like Đ and is not (``name.look-alike``);
            characters that print nothing or steer the text around them (``name.malformed``).
    """
    if len(text) > MAX_CHARACTERS:
        raise NameTextError(
            f"text has {len(text)} characters, expected at most {MAX_CHARACTERS}",
            code="name.too-long",
        )
    normalised = unicodedata.normalize("NFC", text)
    if normalised.isprintable() and _LOOK_ALIKES.keys().isdisjoint(normalised):
        return normalised
    for position, character in enumerate(normalised, start=1):
        if character in _LOOK_ALIKES:
            raise NameTextError(
                f"character {position} is {_LOOK_ALIKES[character]}, expected U+0110 or U+0111",
                code="name.look-alike",
            )
        if not character.isprintable():
            raise NameTextError(
                f"character {position} is U+{ord(character):04X}, expected a printable one"
            )
    return normalised


def transliterate(text: str) -> str:
    """The text in the letters of the MRZ: A-Z, one ``<`` between words; no text gives none.

    Marks and apostrophes are dropped, Đ is D, spaces and hyphens separate words.

    Raises:
        NameTextError: what `to_nfc` refuses, and any other character; code ``name.not-transliterable``.
    """
    normalised = to_nfc(text)
    usual = normalised.translate(_USUAL_LETTERS)
    if _ONLY_LETTERS.fullmatch(usual) is not None:
        return _FILLER.join(usual.split())
    # A mark that stands apart from its letter, or something that is no letter at all.
    letters: list[str] = []
    for position, character in enumerate(normalised, start=1):
        if character in _SEPARATORS:
            letters.append(" ")
        elif not character.isalpha() and unicodedata.category(character) == "Mn":
            # No letter carries this mark in one code point: it is dropped from the letter before it.
            if not letters or letters[-1] == " ":
                raise _no_letter(position, character)
        elif character not in _APOSTROPHES:
            letter = _base_letter(character)
            if letter is None:
                raise _no_letter(position, character)
            letters.append(letter)
    return _FILLER.join("".join(letters).split())


def mrz_name(primary: str, secondary: str, width: int = 30) -> str:
    """The name field of an MRZ: ``PRIMARY<<SECONDARY``, filled or truncated to ``width`` characters.

    Where the name is longer than the field, characters are removed from its end, and from the primary
    identifier only where it leaves no room for ``<<`` and a first letter; a truncated field is full and
    ends with a letter (9303-5, 4.2.2.3). ``secondary`` may be empty: then there is no ``<<``.

    Raises:
        NameTextError: what `transliterate` refuses; no primary identifier; a name that cannot be truncated to
            end with a letter (``name.too-long``).
    """
    first, second = transliterate(primary), transliterate(secondary)
    if not first:
        raise NameTextError("primary identifier has no letters, expected at least one")
    whole = first + 2 * _FILLER + second if second else first
    if len(whole) <= width:
        return whole.ljust(width, _FILLER)
    if not second:
        return _required(_truncate(first, width))
    # Three positions hold the separator and the first letter of the secondary identifier.
    for room in range(min(len(first), width - 3), 0, -1):
        kept = first if room == len(first) else _truncate(first, room)
        rest = _truncate(second, width - room - 2)
        if kept is not None and rest is not None:
            return kept + 2 * _FILLER + rest
    return _required(None)


@lru_cache(maxsize=1024)
def _base_letter(character: str) -> str | None:
    """The capital that the character is without its marks; ``None`` where it is no letter of the MRZ."""
    if character in _D_WITH_STROKE:
        return "D"
    decomposed = unicodedata.normalize("NFD", character)
    base, marks = decomposed[0], decomposed[1:]
    if not (base.isascii() and base.isalpha()) or any(
        unicodedata.category(mark) != "Mn" for mark in marks
    ):
        return None
    return base.upper()


_USUAL_LETTERS = str.maketrans(
    {
        **{
            character: letter
            for character in map(chr, (*range(0x41, 0x250), *range(0x1E00, 0x1F00)))
            if (letter := _base_letter(character)) is not None
        },
        **dict.fromkeys(_SEPARATORS, " "),
        **dict.fromkeys(_APOSTROPHES, ""),
    }
)
"""Latin letters that carry their marks in one code point, Viet Nam's among them; what stands here not is left as it is."""


def _no_letter(position: int, character: str) -> NameTextError:
    return NameTextError(
        f"character {position} is U+{ord(character):04X}, which has no letter in the mrz",
        code="name.not-transliterable",
    )


def _truncate(name: str, size: int) -> str | None:
    """Exactly ``size`` characters of the name that end with a letter; ``None`` where there are none."""
    if len(name) == size:
        return name
    if len(name) < size:
        return None
    cut = name[:size]
    if cut[-1] != _FILLER:
        return cut
    # The cut fell on a separator: an earlier word gives up its last letter, the next one lends its first.
    words = cut[:-1].split(_FILLER)
    for index in range(len(words) - 1, -1, -1):
        if len(words[index]) > 1:
            words[index] = words[index][:-1]
            return _FILLER.join((*words, name[size]))
    return None


def _required(truncated: str | None) -> str:
    if truncated is None:
        raise NameTextError(
            "name cannot be truncated so that its field ends with a letter", code="name.too-long"
        )
    return truncated
