"""Who the card says it belongs to: its files as fields for people and programs.

A holder is only as good as the verdict beside it: `verifier.inspection.report` shows one unasked only for an
accepted card.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, TypeVar

from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.data_group_2 import Portrait
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_12 import DocumentDetails
from card_layout.files.data_group_13 import MemberRecord
from card_layout.files.registry import decode_file
from verifier.inspection.examination import group_name
from verifier.inspection.snapshot import CardSnapshot

__all__ = ["Holder", "HolderFiles", "PortraitFacts", "read_holder", "read_portrait"]

Decoded = TypeVar("Decoded")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortraitFacts:
    """What is known about the portrait without decoding it."""

    format: str
    width: int
    height: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Holder:
    """The card's fields; ``None`` where the file that has it was not read or cannot be decoded."""

    full_name: str | None = None
    primary_name: str | None = None
    secondary_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None
    place_of_birth: str | None = None
    home_town: str | None = None
    ethnic_group: str | None = None
    citizen_number: str | None = None
    card_number: str | None = None
    record_number: str | None = None
    organisation_code: str | None = None
    organisation_name: str | None = None
    admission_date: date | None = None
    recognition_date: date | None = None
    kind: str | None = None
    ordinal: int | None = None
    document_number: str | None = None
    document_code: str | None = None
    issuing_state: str | None = None
    nationality: str | None = None
    issuing_committee: str | None = None
    date_of_issue: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    portrait: PortraitFacts | None = None

    def to_json(self) -> dict[str, object]:
        """The fields that are known, dates as ISO 8601 writes them."""
        document: dict[str, object] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, date):
                document[item.name] = value.isoformat()
            elif isinstance(value, PortraitFacts):
                document[item.name] = {
                    "format": value.format,
                    "width": value.width,
                    "height": value.height,
                    "bytes": value.size_bytes,
                }
            elif value is not None:
                document[item.name] = value
        return document


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HolderFiles:
    """What a holder is put together from, once somebody asks: most who judge a card ask for the verdict alone.

    ``decoded`` holds the files that the checks have decoded already, by name; it follows from the snapshot.
    """

    snapshot: CardSnapshot
    decoded: Mapping[str, object] = field(compare=False)

    def read(self) -> Holder | None:
        """The holder, as `read_holder` reads it."""
        return read_holder(self.snapshot, self.decoded)


def read_holder(snapshot: CardSnapshot, decoded: Mapping[str, object]) -> Holder | None:
    """The fields that the files read give; ``None`` where they give none. Nothing is judged here.

    ``decoded`` holds the files that the checks have decoded already, by name.
    """
    fields_read: dict[str, Any] = {}
    if data_group_1 := _value(snapshot, decoded, 1, DataGroup1):
        mrz = data_group_1.mrz
        fields_read |= {
            "document_number": mrz.document_number,
            "document_code": mrz.document_code,
            "issuing_state": mrz.issuing_state,
            "nationality": mrz.nationality,
            "sex": mrz.sex,
        }
    if portrait := _value(snapshot, decoded, 2, Portrait):
        fields_read["portrait"] = PortraitFacts(
            format=portrait.format.name,
            width=portrait.width,
            height=portrait.height,
            size_bytes=len(portrait.image),
        )
    if details := _value(snapshot, decoded, 11, PersonalDetails):
        fields_read |= {
            "birth_date": details.birth_date,
            "place_of_birth": details.place_of_birth,
        }
        if details.primary_name is not None:
            # The member record, where it was read, says how people write the whole name.
            fields_read |= {
                "full_name": f"{details.primary_name} {details.secondary_name or ''}".strip(),
                "primary_name": details.primary_name,
                "secondary_name": details.secondary_name or "",
            }
    if document := _value(snapshot, decoded, 12, DocumentDetails):
        fields_read |= {
            "issuing_committee": document.issuing_committee,
            "date_of_issue": document.date_of_issue,
        }
    if record := _value(snapshot, decoded, 13, MemberRecord):
        fields_read |= {
            "full_name": record.full_name,
            "primary_name": record.primary_name,
            "secondary_name": record.secondary_name,
            "card_number": f"{record.card_number[:2]}.{record.card_number[2:]}",
            "record_number": record.record_number,
            "citizen_number": record.citizen_number,
            "organisation_code": record.organisation_code,
            "organisation_name": record.organisation_name,
            "admission_date": record.admission_date,
            "recognition_date": record.recognition_date,
            "home_town": record.home_town,
            "ethnic_group": record.ethnic_group,
            "kind": record.kind.name.lower().replace("_", "-"),
            "ordinal": record.ordinal,
            "valid_from": record.valid_from,
            "valid_until": record.valid_until,
        }
    return Holder(**fields_read) if fields_read else None


def read_portrait(snapshot: CardSnapshot) -> bytes | None:
    """The picture as it stands in EF.DG2 (JPEG or JPEG 2000), not decoded; ``None`` where there is none."""
    portrait = _value(snapshot, {}, 2, Portrait)
    return None if portrait is None else portrait.image


def _value(
    snapshot: CardSnapshot, decoded: Mapping[str, object], number: int, kind: type[Decoded]
) -> Decoded | None:
    """One data group; which ones cannot be decoded is said by check 9.14, not here."""
    name = group_name(number)
    value = decoded.get(name)
    if value is None:
        content = snapshot.content(name)
        if content is None:
            return None
        try:
            value = decode_file(name, content)
        except Exception:  # noqa: BLE001 - what breaks here has broken check 9.14 too; the report must still be made
            return None
    return value if isinstance(value, kind) else None
