"""EF.DG3 and EF.DG4: fingers and irises (ICAO 9303-10, 4.7.3 and 4.7.4; SPEC.md, 3.14).

[63 or 76] { [7F61] { [02] n || n times [7F60] { [A1] header || [5F2E or 7F2E] record } } }

Only the structure is read: headers, numbers and lengths. The records stay opaque, and no picture in them is ever decoded.
A document without any carries n = 0, and random bytes in [53] so that its hash tells nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from card_layout import tlv
from card_layout.files.malformed import DataGroupError, malformed_as

__all__ = ["BiometricRecord", "FingerRecords", "IrisRecords"]

_GROUP_TEMPLATE: Final = 0x7F61
_INSTANCES: Final = 0x02
_INFORMATION_TEMPLATE: Final = 0x7F60
_BIOMETRIC_HEADER: Final = 0xA1
_RECORD_TAGS: Final = (0x5F2E, 0x7F2E)
_RANDOM: Final = 0x53
_TYPE, _SUBTYPE, _OWNER, _FORMAT = 0x81, 0x82, 0x87, 0x88
_SUBCOMMITTEE_37: Final = bytes.fromhex("0101")
_MAX_INSTANCES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BiometricRecord:
    """One finger or iris: the value of A1, the tag of the record, and the record itself, still encoded."""

    header: bytes
    tag: int = 0x5F2E
    record: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The information template, tag 7F60 included."""
        inner = tlv.encode(_BIOMETRIC_HEADER, self.header) + tlv.encode(self.tag, self.record)
        return tlv.encode(_INFORMATION_TEMPLATE, inner)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _BiometricRecords:
    """What both files have in common; ``random`` stands only where there are no records."""

    _TAG: ClassVar[int]
    _WHAT: ClassVar[str]
    _FEATURES: ClassVar[int]
    _SUBTYPES: ClassVar[frozenset[int]]
    _FORMAT_TYPES: ClassVar[Mapping[bytes, bytes]]
    _LENGTH_BYTES: ClassVar[int]

    records: tuple[BiometricRecord, ...]
    random: bytes | None = None

    def __post_init__(self) -> None:
        if len(self.records) > _MAX_INSTANCES:
            raise DataGroupError(
                f"{self._WHAT} holds {len(self.records)} records, expected at most {_MAX_INSTANCES}"
            )
        if self.random is not None and self.records:
            raise DataGroupError(f"{self._WHAT} holds random bytes beside records")
        for record in self.records:
            self._require_record(record)

    def to_bytes(self) -> bytes:
        """The whole file, its tag included."""
        group = tlv.encode(_INSTANCES, bytes((len(self.records),)))
        group += b"".join(record.to_bytes() for record in self.records)
        if self.random is not None:
            group += tlv.encode(_RANDOM, self.random)
        return tlv.encode(self._TAG, tlv.encode(_GROUP_TEMPLATE, group))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            DataGroupError: anything else.
        """
        with malformed_as(DataGroupError, cls._WHAT):
            content = tlv.parse(data, expected_tag=cls._TAG).value
            parts = tlv.parse(content, expected_tag=_GROUP_TEMPLATE).children()
            if not parts or parts[0].tag != _INSTANCES or len(parts[0].value) != 1:
                raise DataGroupError(f"{cls._WHAT} does not begin with a number of records (02)")
            rest = parts[1:]
            random = None
            if len(rest) == 1 and rest[0].tag == _RANDOM:
                random, rest = rest[0].value, ()
            if parts[0].value[0] != len(rest):
                raise DataGroupError(
                    f"{cls._WHAT} announces {parts[0].value[0]} records, holds {len(rest)}"
                )
            return cls(records=tuple(map(_read_record, rest)), random=random)

    def _require_record(self, item: BiometricRecord) -> None:
        """A header as 9303-10, table 43 has it, and a record of the format that it names."""
        with malformed_as(DataGroupError, self._WHAT):
            values = {part.tag: part.value for part in tlv.parse_all(item.header)}
        if values.get(_TYPE) != bytes((self._FEATURES,)):
            raise DataGroupError(
                f"{self._WHAT} has another biometric type than {self._FEATURES:02X}"
            )
        subtype = values.get(_SUBTYPE)
        if subtype is None or len(subtype) != 1 or subtype[0] not in self._SUBTYPES:
            raise DataGroupError(f"{self._WHAT} has a biometric subtype that is missing or none")
        if values.get(_OWNER) != _SUBCOMMITTEE_37:
            raise DataGroupError(f"{self._WHAT} has another format owner than 0101")
        begin = self._FORMAT_TYPES.get(values.get(_FORMAT, b""))
        if begin is None:
            raise DataGroupError(f"{self._WHAT} has a format type that is missing or not allowed")
        if item.tag not in _RECORD_TAGS:
            raise DataGroupError(f"{self._WHAT} holds a record of tag {item.tag:02X}")
        end = len(begin) + self._LENGTH_BYTES
        if not item.record.startswith(begin):
            raise DataGroupError(f"{self._WHAT} holds a record of another format identifier")
        if int.from_bytes(item.record[len(begin) : end], "big") != len(item.record):
            raise DataGroupError(
                f"{self._WHAT} holds a record of {len(item.record)} bytes that says otherwise"
            )


class FingerRecords(_BiometricRecords):
    """EF.DG3: records of ISO/IEC 19794-4:2005, whose length has 6 bytes."""

    __slots__ = ()
    _TAG = 0x63
    _WHAT = "EF.DG3"
    _FEATURES = 0x08
    # No information, or right (1) or left (2) with thumb to little finger (1 to 5) above it (9303-10, table 44).
    _SUBTYPES = frozenset({0} | {side | finger << 2 for side in (1, 2) for finger in range(1, 6)})
    _FORMAT_TYPES: ClassVar[Mapping[bytes, bytes]] = {bytes.fromhex("0007"): b"FIR\x00010\x00"}
    _LENGTH_BYTES = 6


class IrisRecords(_BiometricRecords):
    """EF.DG4: records of ISO/IEC 19794-6:2005, whose length has 4 bytes."""

    __slots__ = ()
    _TAG = 0x76
    _WHAT = "EF.DG4"
    _FEATURES = 0x10
    _SUBTYPES = frozenset({0, 1, 2})
    _FORMAT_TYPES: ClassVar[Mapping[bytes, bytes]] = {
        bytes.fromhex(number): b"IIR\x00010\x00" for number in ("0009", "000B")
    }
    _LENGTH_BYTES = 4


def _read_record(part: tlv.Tlv) -> BiometricRecord:
    if part.tag != _INFORMATION_TEMPLATE:
        raise DataGroupError(f"a record stands in tag {part.tag:02X}, expected 7F60")
    inner = part.children()
    if len(inner) != 2 or inner[0].tag != _BIOMETRIC_HEADER:
        raise DataGroupError("a record does not have a header (A1) and data behind it")
    return BiometricRecord(header=inner[0].value, tag=inner[1].tag, record=inner[1].value)
