"""What many cards have in common, taken apart once: small files and objects that are the same on all cards of a profile.

Each function is pure and depends on its arguments alone, which are the very bytes. No cache holds more than ``_KEPT`` of
them, whatever cards say, and none holds what was refused: a card that breaks a rule is looked at anew every time.
"""

from functools import lru_cache
from typing import Final

from card_layout import atr as answer_to_reset
from card_layout.atr import LifeCycle
from card_layout.files.atr_info import AtrInfo
from card_layout.files.card_access import CardAccess
from card_layout.files.common_data import CommonData
from card_layout.files.data_groups import GROUP_OF_TAG
from card_layout.files.security_infos import PaceInfo, SecurityInfo
from card_layout.files.trust_points import TrustPoints

__all__ = [
    "announces_extended_lengths",
    "atr_info",
    "card_access",
    "common_data",
    "infos_beside_pace",
    "life_cycle",
    "named_groups",
    "pace_info",
    "trust_points",
]

_KEPT: Final = 64


@lru_cache(maxsize=_KEPT)
def life_cycle(atr: bytes) -> LifeCycle | None:
    """The state that an answer to reset tells (SPEC.md, 6.1).

    Raises:
        AtrError: it is none.
    """
    return answer_to_reset.read_life_cycle(atr)


@lru_cache(maxsize=_KEPT)
def announces_extended_lengths(atr: bytes) -> bool:
    """Whether an answer to reset names extended lengths.

    Raises:
        AtrError: it is none.
    """
    return answer_to_reset.announces_extended_lengths(atr)


@lru_cache(maxsize=_KEPT)
def atr_info(content: bytes) -> AtrInfo:
    """EF.ATR/INFO.

    Raises:
        AtrInfoError: it is none.
    """
    return AtrInfo.from_bytes(content)


@lru_cache(maxsize=_KEPT)
def card_access(content: bytes) -> CardAccess:
    """EF.CardAccess.

    Raises:
        CardAccessError: it is none.
    """
    return CardAccess.from_bytes(content)


@lru_cache(maxsize=_KEPT)
def infos_beside_pace(content: bytes) -> tuple[SecurityInfo, ...]:
    """The infos in EF.CardAccess that are no PACEInfos, of which there are seldom any.

    Raises:
        CardAccessError: it is no EF.CardAccess.
    """
    infos = card_access(content).security_infos.infos
    return tuple(info for info in infos if not isinstance(info, PaceInfo))


@lru_cache(maxsize=_KEPT)
def pace_info(encoded: bytes) -> PaceInfo:
    """One PACEInfo.

    Raises:
        CardAccessError: it is none.
    """
    return PaceInfo.from_bytes(encoded)


@lru_cache(maxsize=_KEPT)
def common_data(content: bytes) -> CommonData:
    """EF.COM.

    Raises:
        CommonDataError: it is none.
    """
    return CommonData.from_bytes(content)


@lru_cache(maxsize=_KEPT)
def named_groups(content: bytes) -> frozenset[int]:
    """The data groups that EF.COM names.

    Raises:
        CommonDataError: it is no EF.COM.
    """
    return frozenset(GROUP_OF_TAG[tag] for tag in common_data(content).data_group_tags)


@lru_cache(maxsize=_KEPT)
def trust_points(content: bytes) -> tuple[str, ...]:
    """The references in EF.CVCA, as people write them.

    Raises:
        TrustPointsError: it is none.
    """
    return tuple(
        reference.decode("iso-8859-1") for reference in TrustPoints.from_bytes(content).references
    )
