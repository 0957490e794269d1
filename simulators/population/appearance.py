"""What a synthetic face looks like: drawn by chance from a seed, never from a picture of a person."""

from dataclasses import dataclass
from enum import Enum
from random import Random

__all__ = ["Appearance", "Clothing", "Colour", "HairStyle", "draw_appearance"]

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""


class HairStyle(Enum):
    """The cuts that the drawing knows."""

    SHORT_PARTED = "short, parted at the side"
    SHORT_CROPPED = "cropped"
    SHORT_SWEPT = "swept back"
    RECEDING = "receding"
    BOB = "bob"
    LONG_PARTED = "long, parted in the middle"
    LONG_FRINGE = "long with a fringe"
    BUN = "tied up"


class Clothing(Enum):
    """What is worn, as far as the frame shows it."""

    SHIRT = "open shirt"
    SUIT = "suit and tie"
    BLOUSE = "blouse with a jacket"
    STAND_COLLAR = "stand-up collar"


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """Everything the drawing needs; lengths are pixels of the 480 x 640 portrait.

    Attributes:
        is_woman: fuller lips, longer lashes.
        skin: base colour of the skin.
        hair: base colour of the hair.
        style: the cut.
        clothing: what is worn.
        cloth: its colour.
        accent: colour of tie or blouse.
        backdrop: colour of the plain background.
        half_width: half of the face's width at the cheekbones.
        chin: how far the chin lies below the eyes.
        jaw: 0 for a round jaw, 1 for a square one.
        eye_distance: between the pupils.
        eye_height: opening of the eyes.
        eye_tilt: rise of the outer corner.
        brow_weight: thickness of the eyebrows.
        nose_width: width at the nostrils.
        mouth_width: from corner to corner.
        smile: rise of the mouth's corners.
        lips: colour of the lips.
        age_lines: 0 for none, 1 for a lined face.
        has_glasses: whether glasses are worn.
        has_moustache: whether there is a moustache.
        has_mole: whether there is a mole on the cheek.
        grain_seed: seed of the film grain.
    """

    is_woman: bool
    skin: Colour
    hair: Colour
    style: HairStyle
    clothing: Clothing
    cloth: Colour
    accent: Colour
    backdrop: Colour
    half_width: float
    chin: float
    jaw: float
    eye_distance: float
    eye_height: float
    eye_tilt: float
    brow_weight: float
    nose_width: float
    mouth_width: float
    smile: float
    lips: Colour
    age_lines: float
    has_glasses: bool
    has_moustache: bool
    has_mole: bool
    grain_seed: int

    @property
    def neck(self) -> float:
        """Half of the neck's width: broader under a square jaw."""
        return self.half_width * (0.50 + 0.07 * self.jaw)


_SKINS: tuple[Colour, ...] = (
    (240, 205, 172),
    (233, 193, 156),
    (226, 182, 142),
    (214, 168, 128),
    (200, 152, 112),
)
_HAIRS: tuple[Colour, ...] = ((28, 24, 26), (38, 29, 27), (50, 37, 31), (33, 31, 38))
_GREY: Colour = (176, 176, 180)
_BACKDROPS: tuple[Colour, ...] = (
    (222, 231, 240),
    (228, 232, 234),
    (214, 227, 238),
    (233, 231, 226),
)
_CLOTHS: tuple[Colour, ...] = (
    (46, 58, 84),
    (58, 62, 70),
    (92, 52, 58),
    (50, 84, 82),
    (96, 84, 68),
    (72, 66, 100),
)
_SHIRTS: tuple[Colour, ...] = ((244, 246, 248), (206, 222, 238), (232, 224, 208), (214, 232, 220))
_ACCENTS: tuple[Colour, ...] = (
    (150, 44, 48),
    (52, 84, 140),
    (176, 128, 52),
    (72, 108, 78),
    (238, 236, 230),
)
_LIPS: tuple[Colour, ...] = ((196, 104, 98), (186, 96, 92), (204, 112, 104))
_LIPS_MADE_UP: tuple[Colour, ...] = ((204, 92, 96), (212, 104, 104), (196, 84, 88))

_STYLES_OF_MEN = (HairStyle.SHORT_PARTED, HairStyle.SHORT_CROPPED, HairStyle.SHORT_SWEPT)
_STYLES_OF_WOMEN = (
    HairStyle.BOB,
    HairStyle.LONG_PARTED,
    HairStyle.LONG_FRINGE,
    HairStyle.BUN,
)


def draw_appearance(random: Random, *, is_woman: bool, age: int) -> Appearance:
    """Draw a face: features by chance, hair and lines also by ``age`` in years."""
    lined = min(1.0, max(0.0, (age - 32) / 38))
    greyness = min(0.9, max(0.0, (age - 45) / 30)) * random.uniform(0.5, 1.1)
    styles = _STYLES_OF_WOMEN if is_woman else _STYLES_OF_MEN
    style = random.choice(styles)
    if not is_woman and age > 50 and random.random() < 0.5:
        style = HairStyle.RECEDING
    clothing = random.choice(
        (Clothing.BLOUSE, Clothing.STAND_COLLAR, Clothing.SHIRT)
        if is_woman
        else (Clothing.SUIT, Clothing.SHIRT, Clothing.SUIT)
    )
    return Appearance(
        is_woman=is_woman,
        skin=_shift(random, random.choice(_SKINS), 5),
        hair=_mix(random.choice(_HAIRS), _GREY, min(greyness, 0.95)),
        style=style,
        clothing=clothing,
        cloth=random.choice(_SHIRTS if clothing is Clothing.SHIRT else _CLOTHS),
        accent=random.choice(_ACCENTS),
        backdrop=random.choice(_BACKDROPS),
        half_width=random.uniform(112, 122) if is_woman else random.uniform(117, 129),
        chin=random.uniform(148, 162) if is_woman else random.uniform(156, 172),
        jaw=random.uniform(0.0, 0.45) if is_woman else random.uniform(0.35, 1.0),
        eye_distance=random.uniform(100, 110),
        eye_height=random.uniform(10.5, 13.5) if is_woman else random.uniform(9, 12),
        eye_tilt=random.uniform(0, 4),
        brow_weight=random.uniform(4, 6.5) if is_woman else random.uniform(7, 10),
        nose_width=random.uniform(44, 54) if is_woman else random.uniform(50, 62),
        mouth_width=random.uniform(70, 86) if is_woman else random.uniform(76, 94),
        smile=random.uniform(4, 10),
        lips=random.choice(_LIPS_MADE_UP if is_woman else _LIPS),
        age_lines=lined,
        has_glasses=random.random() < 0.2 + 0.3 * lined,
        has_moustache=not is_woman and random.random() < 0.12,
        has_mole=random.random() < 0.15,
        grain_seed=random.getrandbits(32),
    )


def _shift(random: Random, colour: Colour, most: int) -> Colour:
    red, green, blue = (max(0, min(255, part + random.randint(-most, most))) for part in colour)
    return red, green, blue


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (
        round(one * (1 - share) + other * share) for one, other in zip(first, second, strict=True)
    )
    return red, green, blue
