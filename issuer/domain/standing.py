"""A member's standing as lists write it."""

from collections.abc import Mapping
from typing import Final

from issuer.domain.member import Standing
from issuer.domain.vietnamese_text import fold
from issuer.errors import IssuerDataError

__all__ = ["parse_standing"]


_WORDS: Final[Mapping[str, Standing]] = {
    **{fold(each.value): each for each in Standing},
    fold("chính thức"): Standing.OFFICIAL,
    fold("dự bị"): Standing.PROBATIONARY,
    fold("miễn sinh hoạt"): Standing.EXEMPT,
    fold("đình chỉ sinh hoạt"): Standing.SUSPENDED,
    fold("chuyển sinh hoạt"): Standing.TRANSFERRED,
    fold("ở nước ngoài"): Standing.ABROAD,
    fold("từ trần"): Standing.DECEASED,
    fold("xóa tên"): Standing.STRUCK_OFF,
    fold("khai trừ"): Standing.EXPELLED,
}


def parse_standing(text: str) -> Standing:
    """A standing as lists write it: our word or the Vietnamese one, with or without tone marks.

    Raises:
        IssuerDataError: ``standing.unknown``.
    """
    standing = _WORDS.get(fold(text))
    if standing is None:
        known = ", ".join(each.value for each in Standing)
        raise IssuerDataError(f"the standing is none of {known}", code="standing.unknown")
    return standing
