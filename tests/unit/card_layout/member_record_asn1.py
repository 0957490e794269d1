"""The ASN.1 of a member record (SPEC.md, 3.10) as it stands there, for the library's own encoder and decoder.

What the product writes and reads by hand is compared with it.
"""

from typing import Annotated, Final

from cryptography.hazmat import asn1

from card_layout.files.data_group_13 import MemberRecord

__all__ = ["DeclaredRecord", "declared"]

_Eight = Annotated[asn1.PrintableString, asn1.Size(min=8, max=8)]
_VERSION: Final = 1


@asn1.sequence
class DeclaredRecord:
    """Member by member."""

    salt: Annotated[bytes, asn1.Size(min=16, max=16)]
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


def declared(record: MemberRecord) -> DeclaredRecord:
    """The same record, for ``asn1.encode_der``."""
    return DeclaredRecord(
        salt=record.salt,
        version=_VERSION,
        card_number=asn1.PrintableString(record.card_number),
        record_number=asn1.PrintableString(record.record_number),
        citizen_number=asn1.PrintableString(record.citizen_number),
        full_name=record.full_name,
        primary_name=record.primary_name,
        secondary_name=record.secondary_name,
        organisation_code=asn1.PrintableString(record.organisation_code),
        organisation_name=record.organisation_name,
        admission_date=asn1.PrintableString(f"{record.admission_date:%Y%m%d}"),
        recognition_date=asn1.PrintableString(f"{record.recognition_date:%Y%m%d}"),
        home_town=record.home_town,
        ethnic_group=record.ethnic_group,
        kind=int(record.kind),
        ordinal=record.ordinal,
        valid_from=asn1.PrintableString(f"{record.valid_from:%Y%m%d}"),
        valid_until=asn1.PrintableString(f"{record.valid_until:%Y%m%d}"),
    )
