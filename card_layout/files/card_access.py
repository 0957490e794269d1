"""EF.CardAccess: what a terminal must know before any access (ICAO 9303-11, 9.2; SPEC.md, 3.4)."""

from dataclasses import dataclass
from typing import Self

from card_layout.files.security_infos import SecurityInfos

__all__ = ["CardAccess"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAccess:
    """The SecurityInfos that anybody may read; DG14 repeats their PACEInfos under a signature."""

    security_infos: SecurityInfos

    def to_bytes(self) -> bytes:
        """The whole file."""
        return self.security_infos.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            CardAccessError: anything but SecurityInfos; code ``access.card-access-malformed``.
        """
        return cls(security_infos=SecurityInfos.from_bytes(data))
