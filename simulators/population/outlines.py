"""Outlines of hair and clothes: points ``x,y`` for a face of half-width 120 around x = 240.

A mirrored outline gives its right half only, from top to bottom.
"""

from simulators.population.appearance import HairStyle
from simulators.population.canvas import Point

__all__ = ["BACK_HAIR", "FRONT_HAIR", "mirrored", "points", "stretched"]

_MIDDLE = 240.0
_HALF_WIDTH = 120.0


def points(text: str) -> list[Point]:
    """Read an outline: pairs ``x,y`` between spaces."""
    pairs = (pair.split(",") for pair in text.split())
    return [(float(x), float(y)) for x, y in pairs]


def mirrored(half: list[Point]) -> list[Point]:
    """Complete the right half of an outline to a whole one."""
    left = [(2 * _MIDDLE - x, y) for x, y in reversed(half) if x != _MIDDLE]
    return [*half, *left]


def stretched(outline: list[Point], half_width: float) -> list[Point]:
    """Fit an outline to a face of another half-width."""
    share = half_width / _HALF_WIDTH
    return [(_MIDDLE + (x - _MIDDLE) * share, y) for x, y in outline]


_LONG = mirrored(points("240,96 306,106 374,188 386,310 388,440 370,560 280,590"))

BACK_HAIR: dict[HairStyle, list[Point]] = {
    HairStyle.LONG_PARTED: _LONG,
    HairStyle.LONG_FRINGE: _LONG,
    HairStyle.BOB: mirrored(points("240,96 308,108 380,196 392,310 390,400 352,446 280,430")),
    HairStyle.BUN: mirrored(points("240,56 280,63 297,92 284,126 240,136")),
}
"""What falls behind the neck, or stands behind the crown."""

FRONT_HAIR: dict[HairStyle, list[Point]] = {
    HairStyle.SHORT_PARTED: points(
        "115,300 109,240 122,164 178,106 262,91 330,120 366,180 371,246 365,300 357,262"
        " 346,216 312,190 262,188 204,198 172,180 140,216 123,262"
    ),
    HairStyle.SHORT_CROPPED: points(
        "116,292 112,234 128,160 186,112 240,103 294,112 352,160 368,234 364,292 357,252"
        " 346,206 296,181 240,175 184,181 134,206 123,252"
    ),
    HairStyle.SHORT_SWEPT: points(
        "115,296 108,232 122,150 184,94 266,83 344,120 369,186 371,246 364,296 356,254"
        " 344,206 304,171 240,160 182,169 136,208 123,256"
    ),
    HairStyle.RECEDING: points(
        "116,298 111,242 124,174 178,124 240,113 302,124 356,174 369,242 364,298 358,256"
        " 350,212 328,170 270,153 240,160 210,153 152,170 130,212 122,256"
    ),
    HairStyle.LONG_FRINGE: points(
        "98,430 96,300 104,192 166,112 240,94 314,112 376,192 384,300 382,430 366,360"
        " 354,280 345,246 292,240 240,244 188,240 135,246 126,280 114,360"
    ),
    HairStyle.LONG_PARTED: points(
        "98,430 96,300 106,190 170,110 240,96 310,110 374,190 384,300 382,430 362,360"
        " 354,290 336,228 284,176 241,148 196,176 144,228 126,290 118,360"
    ),
    HairStyle.BOB: points(
        "94,404 90,300 104,186 168,108 246,92 318,112 376,192 390,300 386,404 358,396"
        " 356,300 338,232 284,192 206,170 152,226 126,290 122,396"
    ),
    HairStyle.BUN: points(
        "117,300 109,238 122,162 180,108 240,97 300,108 358,162 371,238 363,300 356,262"
        " 342,208 292,170 240,161 188,170 138,208 124,262"
    ),
}
"""What lies over the forehead and the temples; begins at the left temple and runs over the crown."""
