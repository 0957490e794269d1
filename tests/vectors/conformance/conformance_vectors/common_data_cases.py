"""EF.COM: versions and the list of tags; nothing signs it, so what it says is compared with EF.SOD."""

from collections.abc import Callable

from conformance_vectors.bench import CardDraft, Case, accepted, refused
from conformance_vectors.data_group_drafts import with_length

from card_layout import tlv

MALFORMED = "common-data.malformed"
INCONSISTENT = "common-data.inconsistent"
TAGS = bytes((0x61, 0x75, 0x6B, 0x6C, 0x6D, 0x6E))


def common_data(
    *,
    tag: int = 0x60,
    lds: bytes | None = b"0108",
    unicode: bytes | None = b"040000",
    tags: bytes | None = TAGS,
) -> bytes:
    parts = ((0x5F01, lds), (0x5F36, unicode), (0x5C, tags))
    return tlv.encode(
        tag, b"".join(tlv.encode(key, part) for key, part in parts if part is not None)
    )


def card(content: bytes) -> Callable[[], CardDraft]:
    return lambda: CardDraft(files={"EF.COM": content})


COMMON_DATA_CASES: dict[str, Case] = {
    "LDS_A_01": refused(card(common_data(tag=0x61)), MALFORMED, reason="EF.COM begins with tag 61"),
    "LDS_A_02": refused(
        card(with_length(common_data(), -1)),
        MALFORMED,
        reason="the length of EF.COM is one byte too small",
    ),
    "LDS_A_03": refused(
        card(with_length(common_data(), 1)),
        MALFORMED,
        reason="the length of EF.COM is one byte too large",
    ),
    "LDS_A_04": refused(
        card(common_data(lds=b"0300")), INCONSISTENT, reason="EF.COM states LDS 3.0, EF.SOD LDS 1.8"
    ),
    "LDS_A_05": refused(
        card(common_data(lds=None)), MALFORMED, reason="EF.COM states no version of the LDS"
    ),
    "LDS_A_06": refused(
        card(common_data(unicode=b"050000")),
        INCONSISTENT,
        reason="EF.COM states Unicode 5.0.0, EF.SOD Unicode 4.0.0",
    ),
    "LDS_A_07": refused(
        card(common_data(unicode=None)), MALFORMED, reason="EF.COM states no version of Unicode"
    ),
    "LDS_A_08": refused(
        card(common_data(tags=TAGS[1:])), INCONSISTENT, reason="EF.COM does not name DG1"
    ),
    "LDS_A_09": refused(
        card(common_data(tags=None)), MALFORMED, reason="EF.COM has no list of tags"
    ),
    "LDS_A_10": accepted(card(common_data()), "EF.COM states LDS 1.8, as EF.SOD does"),
}
