"""The tags of the data groups (ICAO 9303-10, 3.3.3 and table 38)."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["GROUP_OF_TAG", "TAG_OF_GROUP"]

TAG_OF_GROUP: Mapping[int, int] = MappingProxyType(
    {
        1: 0x61,
        2: 0x75,
        3: 0x63,
        4: 0x76,
        5: 0x65,
        6: 0x66,
        7: 0x67,
        8: 0x68,
        9: 0x69,
        10: 0x6A,
        11: 0x6B,
        12: 0x6C,
        13: 0x6D,
        14: 0x6E,
        15: 0x6F,
        16: 0x70,
    }
)
"""Data group number -> tag of its file."""

GROUP_OF_TAG: Mapping[int, int] = MappingProxyType(
    {tag: group for group, tag in TAG_OF_GROUP.items()}
)
"""Tag of a file -> data group number."""
