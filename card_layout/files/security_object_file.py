"""EF.SOD: the wrapper around the signed security object (ICAO 9303-10, 4.6.2; SPEC.md, 7.1).

What is inside is PKI data, judged by `pki`; here it is one opaque ContentInfo.
"""

from dataclasses import dataclass, field
from typing import Self

from card_layout import der, tlv
from card_layout.files.malformed import SecurityObjectFileError, malformed_as

__all__ = ["SecurityObjectFile"]

_TAG = 0x77
_COMMON_HEADER_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityObjectFile:
    """``content_info`` is the DER of one CMS ContentInfo."""

    content_info: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if _is_of_common_form(der.SEQUENCE, self.content_info):
            return
        try:
            header = tlv.read_header(self.content_info)
        except tlv.TlvError as error:
            raise SecurityObjectFileError(f"content of EF.SOD: {error}") from error
        if header.tag != der.SEQUENCE or header.total != len(self.content_info):
            raise SecurityObjectFileError(
                f"content of EF.SOD is tag {header.tag:02X} of {header.total} bytes, "
                f"expected {der.SEQUENCE:02X} of {len(self.content_info)}"
            )

    def to_bytes(self) -> bytes:
        """The whole file, tag 77 included."""
        return tlv.encode(_TAG, self.content_info)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            SecurityObjectFileError: not one sequence in tag 77; code ``security-object.malformed``.
        """
        if _is_of_common_form(_TAG, data):
            return cls(content_info=data[_COMMON_HEADER_BYTES:])
        with malformed_as(SecurityObjectFileError, "EF.SOD"):
            return cls(content_info=tlv.parse(data, expected_tag=_TAG).value)


def _is_of_common_form(tag: int, data: bytes) -> bool:
    """Whether this is one data object whose length takes two bytes, as that of any card's security object does.

    Seen at a glance; every other form is left to the codec, which takes all that there are and says what is wrong.
    """
    size = len(data) - _COMMON_HEADER_BYTES
    return (
        0x100 <= size <= 0xFFFF
        and data[0] == tag
        and data[1] == 0x82
        and data[2] << 8 | data[3] == size
    )
