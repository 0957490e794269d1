"""The data groups that a card says it has: they are read even where its profile knows none of them."""

from typing import Final

from card_layout.errors import CardDataError
from card_layout.files.common_data import CommonData
from card_layout.files.data_groups import GROUP_OF_TAG
from card_layout.files.security_object_file import SecurityObjectFile
from pki.errors import PkiError
from pki.signed.security_object import SecurityObject
from verifier.reading.evidence import Evidence

__all__ = ["named_groups"]

_COMMON_DATA: Final = "EF.COM"
_SECURITY_OBJECT: Final = "EF.SOD"


def named_groups(evidence: Evidence) -> set[int]:
    """What EF.SOD and EF.COM name, each as far as it can be read."""
    named: set[int] = set()
    security_object = evidence.content(_SECURITY_OBJECT)
    common_data = evidence.content(_COMMON_DATA)
    try:
        if security_object is not None:
            content_info = SecurityObjectFile.from_bytes(security_object).content_info
            # Only the numbers are wanted here; whether the algorithms are allowed is for check 9.3 to say.
            named |= SecurityObject.from_bytes(content_info, allow_others=True).file_hashes.keys()
    except (CardDataError, PkiError):
        # Checks 9.3 and 9.12 say so; there is then no list to read by.
        named = set()
    try:
        if common_data is not None:
            tags = CommonData.from_bytes(common_data).data_group_tags
            named |= {GROUP_OF_TAG[tag] for tag in tags}
    except CardDataError:
        return named
    return named
