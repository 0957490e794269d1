"""EF.DG14: the access parameters and the chip's public key, signed (ICAO 9303-10, 4.7.14; SPEC.md, 3.11)."""

from dataclasses import dataclass
from typing import Self

from card_layout import tlv
from card_layout.files.malformed import DataGroupError, malformed_as
from card_layout.files.security_infos import SecurityInfos

__all__ = ["SecurityOptions"]

_TAG = 0x6E


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityOptions:
    """The SecurityInfos that the security object covers."""

    security_infos: SecurityInfos

    def to_bytes(self) -> bytes:
        """The whole file, tag 6E included."""
        return tlv.encode(_TAG, self.security_infos.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            DataGroupError: anything but SecurityInfos in tag 6E.
        """
        with malformed_as(DataGroupError, "EF.DG14"):
            return cls(
                security_infos=SecurityInfos.from_bytes(tlv.parse(data, expected_tag=_TAG).value)
            )
