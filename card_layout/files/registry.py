"""Every file of the card by its name (SPEC.md, 3.1 and 3.2)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, Self

from card_layout.errors import CardDataError
from card_layout.files.atr_info import AtrInfo
from card_layout.files.biometric_records import FingerRecords, IrisRecords
from card_layout.files.card_access import CardAccess
from card_layout.files.card_security import CardSecurity
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.data_group_2 import Portrait
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_12 import DocumentDetails
from card_layout.files.data_group_13 import MemberRecord
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.data_group_15 import ActiveAuthenticationKey
from card_layout.files.data_groups import GROUP_OF_TAG, TAG_OF_GROUP
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.files.trust_points import TrustPoints

__all__ = ["FILE_TYPES", "GROUP_OF_TAG", "TAG_OF_GROUP", "CardFile", "decode_file"]


class CardFile(Protocol):
    """The content of one elementary file."""

    def to_bytes(self) -> bytes:
        """The whole file, tag and length included."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file; accepts only what `to_bytes` writes back identically.

        Raises:
            CardDataError: anything else.
        """


FILE_TYPES: Mapping[str, type[CardFile]] = MappingProxyType(
    {
        "EF.ATR/INFO": AtrInfo,
        "EF.CardAccess": CardAccess,
        "EF.CardSecurity": CardSecurity,
        "EF.COM": CommonData,
        "EF.SOD": SecurityObjectFile,
        "EF.CVCA": TrustPoints,
        "EF.DG1": DataGroup1,
        "EF.DG2": Portrait,
        "EF.DG3": FingerRecords,
        "EF.DG4": IrisRecords,
        "EF.DG11": PersonalDetails,
        "EF.DG12": DocumentDetails,
        "EF.DG13": MemberRecord,
        "EF.DG14": SecurityOptions,
        "EF.DG15": ActiveAuthenticationKey,
    }
)
"""Name of a file -> the type of its content."""


def decode_file(name: str, data: bytes) -> CardFile:
    """The content of the file of that name.

    Raises:
        CardDataError: the content is malformed, or there is no such file (``card.unknown-file``).
    """
    file_type = FILE_TYPES.get(name)
    if file_type is None:
        raise CardDataError(
            f"got file {name!r}, expected one of {', '.join(FILE_TYPES)}", code="card.unknown-file"
        )
    return file_type.from_bytes(data)
