"""Names of people who do not exist: chance combinations of common words, and the cases that break software."""

from dataclasses import dataclass, field
from random import Random

__all__ = ["NOTABLE_NAMES", "NotableName", "PersonName", "draw_name"]


@dataclass(frozen=True, kw_only=True)
class PersonName:
    """A name as a committee writes it down.

    Attributes:
        full: the whole name in its own order.
        primary: the family or clan name; empty where it is not known apart.
        secondary: the rest; empty together with ``primary``.
        is_woman: for whom such a name is given.
        ethnic_group: where it is customary.
    """

    full: str = field(repr=False)
    primary: str = field(repr=False)
    secondary: str = field(repr=False)
    is_woman: bool
    ethnic_group: str = "Kinh"


@dataclass(frozen=True, kw_only=True)
class NotableName:
    """A name that every list must hold, and why."""

    name: PersonName
    reason: str
    is_decomposed: bool = False


NOTABLE_NAMES: tuple[NotableName, ...] = (
    NotableName(
        name=PersonName(
            full="Nguyễn Thị Hường", primary="Nguyễn", secondary="Thị Hường", is_woman=True
        ),
        reason="text in Normalisation Form D",
        is_decomposed=True,
    ),
    NotableName(
        name=PersonName(full="Đặng Đình Đạt", primary="Đặng", secondary="Đình Đạt", is_woman=False),
        reason="Đ has no decomposition",
    ),
    NotableName(
        name=PersonName(full="Đỗ Thị Đào", primary="Đỗ", secondary="Thị Đào", is_woman=True),
        reason="Đ has no decomposition",
    ),
    NotableName(
        name=PersonName(full="Hạnh", primary="", secondary="", is_woman=True, ethnic_group="Chăm"),
        reason="a name of one word",
    ),
    NotableName(
        name=PersonName(
            full="Nguyễn Trần Hoàng Thiên Ân Minh Đức Quang Huy Thanh Phong",
            primary="Nguyễn Trần",
            secondary="Hoàng Thiên Ân Minh Đức Quang Huy Thanh Phong",
            is_woman=False,
        ),
        reason="more than 40 characters: the machine-readable zone cuts it",
    ),
    NotableName(
        name=PersonName(
            full="H'Hen Niê", primary="Niê", secondary="H'Hen", is_woman=True, ethnic_group="Ê Đê"
        ),
        reason="an apostrophe, and the family name last",
    ),
    NotableName(
        name=PersonName(
            full="K' Tem", primary="", secondary="", is_woman=False, ethnic_group="Cơ Ho"
        ),
        reason="an apostrophe before a space, no family name",
    ),
    NotableName(
        name=PersonName(
            full="Y Bhăm Êban",
            primary="Êban",
            secondary="Y Bhăm",
            is_woman=False,
            ethnic_group="Ê Đê",
        ),
        reason="a word of one letter, and the family name last",
    ),
    NotableName(
        name=PersonName(
            full="Giàng A Páo",
            primary="Giàng",
            secondary="A Páo",
            is_woman=False,
            ethnic_group="Mông",
        ),
        reason="a word of one letter in the middle",
    ),
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FAMILY = _words(
    "Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý Đinh Mai Tạ Lương"
)
_MIDDLE_OF_MEN = _words("Văn Hữu Đức Đình Quang Công Xuân Thanh Ngọc Tiến")
_MIDDLE_OF_WOMEN = _words("Thị Ngọc Thanh Thu Hoài Kim Bích Mỹ Diệu Hồng")
_GIVEN_OF_MEN = _words("Bách Cường Dũng Điền Giáp Hải Kiên Long Nam Phong Quân Sơn Tùng Thạch Vĩnh")
_GIVEN_OF_WOMEN = _words("Anh Cúc Duyên Giang Hà Khuê Liên Mơ Nhàn Oanh Phượng Quyên Sen Thảo Uyên")


def draw_name(random: Random) -> PersonName:
    """Draw an everyday name: family, middle and given word."""
    is_woman = random.random() < 0.5
    family = random.choice(_FAMILY)
    middle = random.choice(_MIDDLE_OF_WOMEN if is_woman else _MIDDLE_OF_MEN)
    given = random.choice(_GIVEN_OF_WOMEN if is_woman else _GIVEN_OF_MEN)
    return PersonName(
        full=f"{family} {middle} {given}",
        primary=family,
        secondary=f"{middle} {given}",
        is_woman=is_woman,
        ethnic_group=random.choices(("Kinh", "Tày", "Mường"), (8, 1, 1))[0],
    )
