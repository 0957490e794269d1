"""EF.DG12: details of the issuing (ICAO 9303-10, 4.7.12; SPEC.md, 3.9)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from card_layout import tlv
from card_layout.files.malformed import DataGroupError, malformed_as
from card_layout.files.tag_list import decode_listed, encode_listed
from card_layout.files.text import (
    decode_date,
    decode_moment,
    decode_text,
    encode_date,
    encode_moment,
    require_moment,
    require_text,
)

__all__ = ["DocumentDetails"]

_TAG = 0x6C
_ISSUING_COMMITTEE = 0x5F19
_DATE_OF_ISSUE = 0x5F26
_PERSONALISED_AT = 0x5F55
_PERSONALISATION_SYSTEM = 0x5F56
_MAX_COMMITTEE_BYTES = 320
_MAX_SYSTEM_BYTES = 128


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DocumentDetails:
    """Who issued the card and when; ``personalised_at`` is a whole second in UTC."""

    issuing_committee: str
    date_of_issue: date
    personalised_at: datetime
    personalisation_system: str

    def __post_init__(self) -> None:
        require_text(self.issuing_committee, "issuing committee", maximum=_MAX_COMMITTEE_BYTES)
        require_moment(self.personalised_at, "time of personalisation")
        require_text(
            self.personalisation_system, "personalisation system", maximum=_MAX_SYSTEM_BYTES
        )

    def to_bytes(self) -> bytes:
        """The whole file, tag 6C included."""
        return encode_listed(
            _TAG,
            (
                tlv.Tlv(_ISSUING_COMMITTEE, self.issuing_committee.encode()),
                tlv.Tlv(_DATE_OF_ISSUE, encode_date(self.date_of_issue)),
                tlv.Tlv(_PERSONALISED_AT, encode_moment(self.personalised_at)),
                tlv.Tlv(_PERSONALISATION_SYSTEM, self.personalisation_system.encode()),
            ),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            DataGroupError: anything else.
        """
        with malformed_as(DataGroupError, "EF.DG12"):
            values = decode_listed(
                _TAG,
                data,
                (_ISSUING_COMMITTEE, _DATE_OF_ISSUE, _PERSONALISED_AT, _PERSONALISATION_SYSTEM),
            )
            return cls(
                issuing_committee=decode_text(values[_ISSUING_COMMITTEE], "issuing committee"),
                date_of_issue=decode_date(values[_DATE_OF_ISSUE], "date of issue"),
                personalised_at=decode_moment(values[_PERSONALISED_AT], "time of personalisation"),
                personalisation_system=decode_text(
                    values[_PERSONALISATION_SYSTEM], "personalisation system"
                ),
            )
