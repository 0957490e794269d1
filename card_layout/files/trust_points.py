"""EF.CVCA: which keys the chip trusts in terminal authentication (TR-03110-3, A.1.2 and B.3; SPEC.md, 3.12).

The chip writes the file itself. It is not signed, so it only helps a terminal to choose a chain: what the chip
accepts in the end is what counts.
"""

from dataclasses import dataclass
from typing import Final, Self

from card_layout import tlv
from card_layout.files.malformed import TrustPointsError, malformed_as

__all__ = ["EF_CVCA_BYTES", "TrustPoints"]

EF_CVCA_BYTES: Final = 36
"""The length of the file, whatever stands in it."""

_AUTHORITY_REFERENCE: Final = 0x42
_REFERENCE_BYTES: Final = range(8, 16 + 1)
_MAX_REFERENCES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPoints:
    """References of the trusted CVCA keys, 8 to 16 bytes each: the newest first, then the one before it, if any."""

    references: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.references) <= _MAX_REFERENCES:
            raise TrustPointsError(
                f"EF.CVCA holds {len(self.references)} references, expected 1 or {_MAX_REFERENCES}"
            )
        for reference in self.references:
            if len(reference) not in _REFERENCE_BYTES:
                raise TrustPointsError(
                    f"a reference in EF.CVCA has {len(reference)} bytes, expected 8 to 16"
                )
        if len(set(self.references)) != len(self.references):
            raise TrustPointsError("EF.CVCA names one reference twice")

    def to_bytes(self) -> bytes:
        """The whole file, filled up with zeros."""
        encoded = b"".join(tlv.encode(_AUTHORITY_REFERENCE, item) for item in self.references)
        return encoded.ljust(EF_CVCA_BYTES, b"\x00")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            TrustPointsError: other than 36 bytes of one or two references and zeros; code
                ``terminal-authentication.trust-points-malformed``.
        """
        if len(data) != EF_CVCA_BYTES:
            raise TrustPointsError(f"EF.CVCA has {len(data)} bytes, expected {EF_CVCA_BYTES}")
        references: list[bytes] = []
        rest = data
        while rest[:1] == bytes((_AUTHORITY_REFERENCE,)):
            with malformed_as(TrustPointsError, "EF.CVCA"):
                header = tlv.read_header(rest)
            if header.total > len(rest):
                raise TrustPointsError("a reference in EF.CVCA is cut off")
            references.append(rest[header.total - header.length : header.total])
            rest = rest[header.total :]
        if any(rest):
            raise TrustPointsError("EF.CVCA holds something else than references and zeros")
        return cls(references=tuple(references))
