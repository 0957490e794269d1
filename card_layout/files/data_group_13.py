"""EF.DG13: the member record (SPEC.md, 3.10)."""

import re
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from operator import attrgetter
from typing import Self

from card_layout import der, tlv
from card_layout.files.malformed import DataGroupError, malformed_as
from card_layout.files.text import decode_date, decode_text, encode_date, require_texts

__all__ = ["CardKind", "MemberRecord"]

_TAG = 0x6D
_UTF8_STRING = 0x0C
_PRINTABLE_STRING = 0x13
_VERSION = 1
_SALT_BYTES = 16

_PATTERNS = {
    "card_number": re.compile(r"[0-9]{8}", re.ASCII),
    "record_number": re.compile(r"[0-9]{6}[A-Z]{1,3}", re.ASCII),
    "citizen_number": re.compile(r"[0-9]{12}", re.ASCII),
    # What a PrintableString can write (ITU-T X.680, 41.4).
    "organisation_code": re.compile(r"[A-Za-z0-9 '()+,\-./:=?]{1,32}", re.ASCII),
}
_FIELDS = re.compile("\n".join(pattern.pattern for pattern in _PATTERNS.values()), re.ASCII)
"""All of these in one text. None of them has a line end in it, so that each ends where its own does."""

_fields_of = attrgetter(*_PATTERNS)
_TEXT_SIZES = {
    "full_name": (1, 321),
    "primary_name": (1, 160),
    "secondary_name": (0, 160),
    "organisation_name": (1, 320),
    "home_town": (1, 320),
    "ethnic_group": (1, 64),
}


_texts_of = attrgetter(*_TEXT_SIZES)


class CardKind(IntEnum):
    """Why this card was made."""

    FIRST_ISSUE = 1
    EXCHANGE = 2
    RE_ISSUE = 3


_VERSION_BYTES = bytes((_VERSION,))
_ENCODED_VERSION = der.encode_integer(_VERSION)
_KINDS = {bytes((kind,)): kind for kind in CardKind}
"""As the value of an INTEGER writes them, in its one shortest form."""
_OBJECTS = tlv.FixedObjects(
    der.OCTET_STRING,
    der.INTEGER,
    *(_PRINTABLE_STRING, _PRINTABLE_STRING, _PRINTABLE_STRING),
    *(_UTF8_STRING, _UTF8_STRING, _UTF8_STRING),
    _PRINTABLE_STRING,
    _UTF8_STRING,
    *(_PRINTABLE_STRING, _PRINTABLE_STRING),
    *(_UTF8_STRING, _UTF8_STRING),
    *(der.INTEGER, der.INTEGER),
    *(_PRINTABLE_STRING, _PRINTABLE_STRING),
    within=(_TAG, der.SEQUENCE),
)
"""The ASN.1 of SPEC.md, 3.10, member by member: it has none that may be left out."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MemberRecord:
    """What the register knows of the member and the card.

    ``salt`` is 16 random bytes, so that the signed hash of the file is no test of guesses; ``card_number`` is
    eight digits without the point; ``full_name`` is the name as people write it, whose words the primary and
    the secondary name share out (``secondary_name`` is empty where it is not known apart); ``ordinal`` is 1-99; ``valid_until`` equals the date of expiry in the MRZ.
    """

    salt: bytes
    card_number: str
    record_number: str
    citizen_number: str
    full_name: str
    primary_name: str
    secondary_name: str
    organisation_code: str
    organisation_name: str
    admission_date: date
    recognition_date: date
    home_town: str
    ethnic_group: str
    kind: CardKind
    ordinal: int
    valid_from: date
    valid_until: date

    def __post_init__(self) -> None:
        if len(self.salt) != _SALT_BYTES:
            raise DataGroupError(f"salt has {len(self.salt)} bytes, expected {_SALT_BYTES}")
        if _FIELDS.fullmatch("\n".join(_fields_of(self))) is None:
            wrong = [
                field_name
                for field_name, pattern in _PATTERNS.items()
                if pattern.fullmatch(getattr(self, field_name)) is None
            ]
            raise DataGroupError(f"{' and '.join(wrong)} is not as SPEC.md, 3.10 wants it")
        require_texts(_texts_of(self), _TEXT_SIZES)
        # For some peoples the family name stands last, so the order of the words is not told by the parts.
        if sorted(self.full_name.split()) != sorted(
            f"{self.primary_name} {self.secondary_name}".split()
        ):
            raise DataGroupError("full_name has other words than primary_name and secondary_name")
        if not 1 <= self.ordinal <= 99:
            raise DataGroupError(f"ordinal is {self.ordinal}, expected 1 to 99")

    def to_bytes(self) -> bytes:
        """The whole file, tag 6D included."""
        parts = (
            tlv.encode(der.OCTET_STRING, self.salt),
            _ENCODED_VERSION,
            _printable(self.card_number),
            _printable(self.record_number),
            _printable(self.citizen_number),
            _utf8(self.full_name),
            _utf8(self.primary_name),
            _utf8(self.secondary_name),
            _printable(self.organisation_code),
            _utf8(self.organisation_name),
            _date(self.admission_date),
            _date(self.recognition_date),
            _utf8(self.home_town),
            _utf8(self.ethnic_group),
            der.encode_integer(self.kind),
            der.encode_integer(self.ordinal),
            _date(self.valid_from),
            _date(self.valid_until),
        )
        return tlv.encode(_TAG, tlv.encode(der.SEQUENCE, b"".join(parts)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            DataGroupError: anything but a MemberRecord of version 1 in DER.
        """
        values = _OBJECTS.values(data)
        if values is None:
            raise DataGroupError("EF.DG13 is not a MemberRecord in DER")
        (
            salt,
            version,
            card_number,
            record_number,
            citizen_number,
            full_name,
            primary_name,
            secondary_name,
            organisation_code,
            organisation_name,
            admission_date,
            recognition_date,
            home_town,
            ethnic_group,
            kind,
            ordinal,
            valid_from,
            valid_until,
        ) = values
        with malformed_as(DataGroupError, "EF.DG13"):
            if version != _VERSION_BYTES:
                raise DataGroupError(f"member record is not of version {_VERSION}")
            if kind not in _KINDS:
                raise DataGroupError("kind of card is none of 1 to 3")
            # Bytes beyond ASCII become characters that the patterns do not have.
            return cls(
                salt=salt,
                card_number=card_number.decode("latin-1"),
                record_number=record_number.decode("latin-1"),
                citizen_number=citizen_number.decode("latin-1"),
                full_name=decode_text(full_name, "full name"),
                primary_name=decode_text(primary_name, "primary name"),
                secondary_name=decode_text(secondary_name, "secondary name"),
                organisation_code=organisation_code.decode("latin-1"),
                organisation_name=decode_text(organisation_name, "organisation name"),
                admission_date=decode_date(admission_date, "admission date"),
                recognition_date=decode_date(recognition_date, "recognition date"),
                home_town=decode_text(home_town, "home town"),
                ethnic_group=decode_text(ethnic_group, "ethnic group"),
                kind=_KINDS[kind],
                ordinal=der.decode_integer(ordinal),
                valid_from=decode_date(valid_from, "start of validity"),
                valid_until=decode_date(valid_until, "end of validity"),
            )


def _printable(text: str) -> bytes:
    return tlv.encode(_PRINTABLE_STRING, text.encode("ascii"))


def _utf8(text: str) -> bytes:
    return tlv.encode(_UTF8_STRING, text.encode())


def _date(value: date) -> bytes:
    return tlv.encode(_PRINTABLE_STRING, encode_date(value))
