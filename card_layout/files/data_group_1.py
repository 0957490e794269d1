"""EF.DG1: the machine-readable zone (ICAO 9303-10, 4.7.1; SPEC.md, 3.6)."""

from dataclasses import dataclass
from typing import Self

from card_layout import tlv
from card_layout.files.malformed import DataGroupError, malformed_as
from card_layout.mrz import LENGTH, MachineReadableZone

__all__ = ["DataGroup1"]

_TAG = 0x61
_MRZ = 0x5F1F
_USUAL_HEADERS = bytes.fromhex("615D 5F1F5A")
"""In front of the 90 characters of a TD1 zone."""

_USUAL_BYTES = len(_USUAL_HEADERS) + LENGTH
_OTHER_SIZES = {72: "TD2", 88: "TD3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataGroup1:
    """The zone of a card of size TD1."""

    mrz: MachineReadableZone

    def to_bytes(self) -> bytes:
        """The whole file, tag 61 included."""
        return tlv.encode(_TAG, tlv.encode(_MRZ, self.mrz.to_text().encode("ascii")))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            DataGroupError: anything else, wrong check digits included; code ``data-group.unsupported-encoding``
                for the zone of a document of another size (a passport's TD3).
        """
        if len(data) == _USUAL_BYTES and data.startswith(_USUAL_HEADERS):
            zone = data[len(_USUAL_HEADERS) :]
        else:
            zone = cls._zone(data)
        with malformed_as(DataGroupError, "EF.DG1"):
            # Bytes beyond ASCII become characters that no mrz has.
            return cls(mrz=MachineReadableZone.from_text(zone.decode("latin-1")))

    @staticmethod
    def _zone(data: bytes) -> bytes:
        with malformed_as(DataGroupError, "EF.DG1"):
            content = tlv.parse(data, expected_tag=_TAG).value
            zone = tlv.parse(content, expected_tag=_MRZ).value
            if len(zone) in _OTHER_SIZES:
                raise DataGroupError(
                    f"EF.DG1 holds an mrz of size {_OTHER_SIZES[len(zone)]} ({len(zone)} characters), "
                    "expected TD1 (90)",
                    code="data-group.unsupported-encoding",
                )
            return zone
