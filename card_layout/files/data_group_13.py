"""EF.DG13: the member record (SPEC.md, 3.10)."""

import re
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Annotated, Self

from cryptography.hazmat import asn1

from card_layout import tlv
from card_layout.files.malformed import DataGroupError, malformed_as
from card_layout.files.text import decode_date, encode_date, require_text

__all__ = ["CardKind", "MemberRecord"]

_TAG = 0x6D
_VERSION = 1
_SALT_BYTES = 16

_PATTERNS = {
    "card_number": re.compile(r"[0-9]{8}", re.ASCII),
    "record_number": re.compile(r"[0-9]{6}[A-Z]{1,3}", re.ASCII),
    "citizen_number": re.compile(r"[0-9]{12}", re.ASCII),
    # What a PrintableString can write (ITU-T X.680, 41.4).
    "organisation_code": re.compile(r"[A-Za-z0-9 '()+,\-./:=?]{1,32}", re.ASCII),
}
_TEXT_SIZES = {
    "full_name": (1, 321),
    "primary_name": (1, 160),
    "secondary_name": (0, 160),
    "organisation_name": (1, 320),
    "home_town": (1, 320),
    "ethnic_group": (1, 64),
}


class CardKind(IntEnum):
    """Why this card was made."""

    FIRST_ISSUE = 1
    EXCHANGE = 2
    RE_ISSUE = 3


_Eight = Annotated[asn1.PrintableString, asn1.Size(min=8, max=8)]


@asn1.sequence
class _MemberRecord:
    """The ASN.1 of SPEC.md, 3.10, member by member."""

    salt: Annotated[bytes, asn1.Size(min=_SALT_BYTES, max=_SALT_BYTES)]
    version: int
    card_number: _Eight
    record_number: Annotated[asn1.PrintableString, asn1.Size(min=7, max=9)]
    citizen_number: Annotated[asn1.PrintableString, asn1.Size(min=12, max=12)]
    full_name: str
    primary_name: str
    secondary_name: str
    organisation_code: Annotated[asn1.PrintableString, asn1.Size(min=1, max=32)]
    organisation_name: str
    admission_date: _Eight
    recognition_date: _Eight
    home_town: str
    ethnic_group: str
    kind: int
    ordinal: int
    valid_from: _Eight
    valid_until: _Eight


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
        for field_name, pattern in _PATTERNS.items():
            if pattern.fullmatch(getattr(self, field_name)) is None:
                raise DataGroupError(f"{field_name} is not as SPEC.md, 3.10 wants it")
        for field_name, (minimum, maximum) in _TEXT_SIZES.items():
            require_text(getattr(self, field_name), field_name, minimum=minimum, maximum=maximum)
        # For some peoples the family name stands last, so the order of the words is not told by the parts.
        if sorted(self.full_name.split()) != sorted(
            f"{self.primary_name} {self.secondary_name}".split()
        ):
            raise DataGroupError("full_name has other words than primary_name and secondary_name")
        if not 1 <= self.ordinal <= 99:
            raise DataGroupError(f"ordinal is {self.ordinal}, expected 1 to 99")

    def to_bytes(self) -> bytes:
        """The whole file, tag 6D included."""
        record = _MemberRecord(
            salt=self.salt,
            version=_VERSION,
            card_number=asn1.PrintableString(self.card_number),
            record_number=asn1.PrintableString(self.record_number),
            citizen_number=asn1.PrintableString(self.citizen_number),
            full_name=self.full_name,
            primary_name=self.primary_name,
            secondary_name=self.secondary_name,
            organisation_code=asn1.PrintableString(self.organisation_code),
            organisation_name=self.organisation_name,
            admission_date=_date_string(self.admission_date),
            recognition_date=_date_string(self.recognition_date),
            home_town=self.home_town,
            ethnic_group=self.ethnic_group,
            kind=int(self.kind),
            ordinal=self.ordinal,
            valid_from=_date_string(self.valid_from),
            valid_until=_date_string(self.valid_until),
        )
        return tlv.encode(_TAG, asn1.encode_der(record))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            DataGroupError: anything but a MemberRecord of version 1 in DER.
        """
        with malformed_as(DataGroupError, "EF.DG13"):
            content = tlv.parse(data, expected_tag=_TAG).value
            try:
                record = asn1.decode_der(_MemberRecord, content)
            except ValueError as error:
                # The parser's text can quote what it found.
                raise DataGroupError("EF.DG13 is not a MemberRecord in DER") from error
            if record.version != _VERSION:
                raise DataGroupError(
                    f"member record has version {record.version}, expected {_VERSION}"
                )
            try:
                kind = CardKind(record.kind)
            except ValueError as error:
                raise DataGroupError(f"kind of card is {record.kind}, expected 1 to 3") from error
            return cls(
                salt=record.salt,
                card_number=record.card_number.as_str(),
                record_number=record.record_number.as_str(),
                citizen_number=record.citizen_number.as_str(),
                full_name=record.full_name,
                primary_name=record.primary_name,
                secondary_name=record.secondary_name,
                organisation_code=record.organisation_code.as_str(),
                organisation_name=record.organisation_name,
                admission_date=_decode_date(record.admission_date, "admission date"),
                recognition_date=_decode_date(record.recognition_date, "recognition date"),
                home_town=record.home_town,
                ethnic_group=record.ethnic_group,
                kind=kind,
                ordinal=record.ordinal,
                valid_from=_decode_date(record.valid_from, "start of validity"),
                valid_until=_decode_date(record.valid_until, "end of validity"),
            )


def _date_string(value: date) -> asn1.PrintableString:
    return asn1.PrintableString(encode_date(value).decode("ascii"))


def _decode_date(value: asn1.PrintableString, what: str) -> date:
    return decode_date(value.as_str().encode("ascii"), what)
