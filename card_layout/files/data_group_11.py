"""EF.DG11: additional personal details (ICAO 9303-10, 4.7.11; SPEC.md, 3.8)."""

from dataclasses import dataclass
from datetime import date
from typing import Self

from card_layout import tlv
from card_layout.files.malformed import DataGroupError, malformed_as
from card_layout.files.tag_list import decode_listed, encode_listed
from card_layout.files.text import decode_date, decode_text, encode_date, require_text

__all__ = ["MAX_NAME_BYTES", "PersonalDetails"]

MAX_NAME_BYTES = 99
"""The longest full name that 5F0E holds; a longer one stands in EF.DG13 only."""

_TAG = 0x6B
_FULL_NAME = 0x5F0E
_BIRTH_DATE = 0x5F2B
_PLACE_OF_BIRTH = 0x5F11
_MAX_PLACE_BYTES = 320
_SEPARATOR = "<<"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PersonalDetails:
    """The holder in national characters.

    A name that 5F0E cannot hold is left out: built with such a name, the value has ``primary_name`` ``None``,
    as it has when it is read from the card. ``secondary_name`` is empty where it is not known apart.
    """

    primary_name: str | None
    secondary_name: str = ""
    birth_date: date
    place_of_birth: str

    def __post_init__(self) -> None:
        require_text(self.place_of_birth, "place of birth", maximum=_MAX_PLACE_BYTES)
        if self.primary_name is None:
            if self.secondary_name:
                raise DataGroupError("secondary name is given without a primary name")
            return
        _require_words(self.primary_name, "primary name")
        if self.secondary_name:
            _require_words(self.secondary_name, "secondary name")
        if len(_encode_name(self.primary_name, self.secondary_name)) > MAX_NAME_BYTES:
            object.__setattr__(self, "primary_name", None)
            object.__setattr__(self, "secondary_name", "")

    def to_bytes(self) -> bytes:
        """The whole file, tag 6B included."""
        objects = [
            tlv.Tlv(_BIRTH_DATE, encode_date(self.birth_date)),
            tlv.Tlv(_PLACE_OF_BIRTH, self.place_of_birth.encode()),
        ]
        if self.primary_name is not None:
            name = _encode_name(self.primary_name, self.secondary_name)
            objects.insert(0, tlv.Tlv(_FULL_NAME, name))
        return encode_listed(_TAG, objects)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            DataGroupError: anything else.
        """
        with malformed_as(DataGroupError, "EF.DG11"):
            values = decode_listed(
                _TAG,
                data,
                (_FULL_NAME, _BIRTH_DATE, _PLACE_OF_BIRTH),
                may_be_absent=frozenset((_FULL_NAME,)),
            )
            primary_name, secondary_name = (
                _decode_name(values[_FULL_NAME]) if _FULL_NAME in values else (None, "")
            )
            return cls(
                primary_name=primary_name,
                secondary_name=secondary_name,
                birth_date=decode_date(values[_BIRTH_DATE], "birth date"),
                place_of_birth=decode_text(values[_PLACE_OF_BIRTH], "place of birth"),
            )


def _require_words(name: str, what: str) -> None:
    """Words with single spaces between them, so that fillers can stand for the spaces."""
    require_text(name, what, maximum=4 * MAX_NAME_BYTES)
    if "<" in name or name != name.strip() or "  " in name:
        raise DataGroupError(f"{what} is not words with single spaces between them")


def _encode_name(primary_name: str, secondary_name: str) -> bytes:
    identifiers = (primary_name, secondary_name) if secondary_name else (primary_name,)
    return _SEPARATOR.join(name.replace(" ", "<") for name in identifiers).encode()


def _decode_name(value: bytes) -> tuple[str, str]:
    text = decode_text(value, "full name")
    # As a whole, too: a mark at the beginning of a word would stand above the filler before it.
    require_text(text, "full name", maximum=MAX_NAME_BYTES)
    if " " in text:
        raise DataGroupError("full name has spaces, expected < in their place")
    primary, separator, secondary = text.partition(_SEPARATOR)
    if separator and not secondary:
        raise DataGroupError("full name ends with a separator")
    return primary.replace("<", " "), secondary.replace("<", " ")
