"""EF.COM: versions, and which data groups are there (ICAO 9303-10, 4.6.1; SPEC.md, 3.5).

Nothing signs this file: a reader compares it with the security object, and believes that.
"""

import re
from dataclasses import dataclass
from typing import Self

from card_layout import tlv
from card_layout.files.data_groups import GROUP_OF_TAG
from card_layout.files.malformed import CommonDataError, malformed_as

__all__ = ["CommonData"]

_TAG = 0x60
_LDS_VERSION = 0x5F01
_UNICODE_VERSION = 0x5F36
_TAG_LIST = 0x5C


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonData:
    """Tags of the data groups present, in ascending order of their groups; versions as digits."""

    data_group_tags: tuple[int, ...]
    lds_version: str = "0108"
    unicode_version: str = "040000"

    def __post_init__(self) -> None:
        if re.fullmatch(r"[0-9]{4}", self.lds_version, re.ASCII) is None:
            raise CommonDataError("LDS version is not four digits")
        if re.fullmatch(r"[0-9]{6}", self.unicode_version, re.ASCII) is None:
            raise CommonDataError("Unicode version is not six digits")
        unknown = [tag for tag in self.data_group_tags if tag not in GROUP_OF_TAG]
        if unknown:
            raise CommonDataError(f"tag list holds {unknown[0]:02X}, expected tags of data groups")
        groups = [GROUP_OF_TAG[tag] for tag in self.data_group_tags]
        if groups != sorted(set(groups)):
            raise CommonDataError(f"tag list names groups {groups}, expected each once, ascending")

    def to_bytes(self) -> bytes:
        """The whole file, tag 60 included."""
        return tlv.encode(
            _TAG,
            tlv.encode(_LDS_VERSION, self.lds_version.encode("ascii"))
            + tlv.encode(_UNICODE_VERSION, self.unicode_version.encode("ascii"))
            + tlv.encode(_TAG_LIST, bytes(self.data_group_tags)),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            CommonDataError: anything else; code ``common-data.malformed``.
        """
        with malformed_as(CommonDataError, "EF.COM"):
            parts = tlv.parse(data, expected_tag=_TAG).children()
            tags = [part.tag for part in parts]
            if tags != [_LDS_VERSION, _UNICODE_VERSION, _TAG_LIST]:
                raise CommonDataError(
                    f"EF.COM holds tags {[f'{tag:02X}' for tag in tags[:4]]}, expected 5F01, 5F36 and 5C"
                )
            lds_version, unicode_version, tag_list = (part.value for part in parts)
            # Bytes beyond ASCII become characters that are no digits, and are refused as such.
            return cls(
                data_group_tags=tuple(tag_list),
                lds_version=lds_version.decode("latin-1"),
                unicode_version=unicode_version.decode("latin-1"),
            )
