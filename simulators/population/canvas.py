"""A small canvas over Pillow: soft, tinted, clipped shapes, drawn large and scaled down.

Every shape is a mask no larger than itself, so that a portrait of two hundred shapes takes a fraction of a second.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from simulators.population.appearance import Colour

__all__ = ["Canvas", "Mask", "Point", "curve", "darker", "lighter", "line_curve", "towards"]

Point = tuple[float, float]
"""Pixels of the finished picture, from its upper left corner."""

_STEPS = 12


@dataclass(frozen=True, kw_only=True)
class Mask:
    """The pixels that a shape covers: ``image`` (mode L) placed at ``left``, ``top`` of the large picture."""

    left: int
    top: int
    image: Image.Image

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom."""
        return (
            self.left,
            self.top,
            self.left + self.image.width,
            self.top + self.image.height,
        )

    def within(self, other: "Mask") -> "Mask":
        """Both at once: what lies outside ``other`` is cut away."""
        left, top, right, bottom = self.box
        cut = other.image.crop(
            (left - other.left, top - other.top, right - other.left, bottom - other.top)
        )
        return Mask(left=left, top=top, image=ImageChops.multiply(self.image, cut))

    def without(self, other: "Mask") -> "Mask":
        """What ``other`` covers is cut away."""
        left, top, right, bottom = self.box
        cut = other.image.crop(
            (left - other.left, top - other.top, right - other.left, bottom - other.top)
        )
        return Mask(left=left, top=top, image=ImageChops.subtract(self.image, cut))

    def moved(self, x: int, y: int) -> "Mask":
        """The same shape elsewhere; ``x`` and ``y`` count pixels of the large picture."""
        return Mask(left=self.left + x, top=self.top + y, image=self.image)

    def blurred(self, radius: float) -> "Mask":
        """The same shape with soft edges; ``radius`` counts pixels of the large picture."""
        margin = math.ceil(radius * 2.5)
        image = ImageOps.expand(self.image, border=margin, fill=0)
        return Mask(
            left=self.left - margin,
            top=self.top - margin,
            image=image.filter(ImageFilter.GaussianBlur(radius)),
        )


class Canvas:
    """A picture in the making; coordinates are those of the finished picture."""

    def __init__(self, *, width: int, height: int, scale: int, backdrop: Colour) -> None:
        self._width = width
        self._height = height
        self._scale = scale
        self._picture = Image.new("RGB", (width * scale, height * scale), backdrop)

    def finish(self) -> Image.Image:
        """Scale down to the finished picture."""
        size = (self._width, self._height)
        return self._picture.resize(size, Image.Resampling.LANCZOS)

    def shape(self, points: Sequence[Point]) -> Mask:
        """A filled polygon."""
        mask, pen, moved = self._start(points, 1)
        pen.polygon(moved, fill=255)
        return mask

    def ellipse(self, x: float, y: float, half_width: float, half_height: float) -> Mask:
        """A filled ellipse around ``x``, ``y``."""
        corners = [(x - half_width, y - half_height), (x + half_width, y + half_height)]
        mask, pen, moved = self._start(corners, 1)
        pen.ellipse(moved, fill=255)
        return mask

    def panel(
        self, corners: Sequence[Point], radius: float, *, border: float | None = None
    ) -> Mask:
        """A rectangle with round corners between two opposite corners: filled, or its border alone."""
        mask, pen, moved = self._start(corners, 1)
        scaled = radius * self._scale
        if border is None:
            pen.rounded_rectangle(moved, scaled, fill=255)
        else:
            pen.rounded_rectangle(moved, scaled, outline=255, width=round(border * self._scale))
        return mask

    def line(self, points: Sequence[Point], width: float) -> Mask:
        """A line along the points."""
        thickness = max(1, round(width * self._scale))
        mask, pen, moved = self._start(points, thickness)
        pen.line(moved, fill=255, width=thickness, joint="curve")
        return mask

    def paint(
        self,
        colour: Colour,
        mask: Mask,
        *,
        within: Mask | None = None,
        blur: float = 0.0,
        strength: float = 1.0,
    ) -> None:
        """Lay a colour over the picture: soft by ``blur``, thin by ``strength``, clipped to ``within``."""
        soft = mask.blurred(blur * self._scale) if blur else mask
        if within is not None:
            soft = soft.within(within)
        image = soft.image
        if strength < 1.0:
            image = image.point([round(value * strength) for value in range(256)])
        self._picture.paste(colour, box=(soft.left, soft.top), mask=image)

    def shift(self, mask: Mask, x: float, y: float) -> Mask:
        """The mask moved by pixels of the finished picture."""
        return mask.moved(round(x * self._scale), round(y * self._scale))

    def _start(
        self, points: Sequence[Point], margin: int
    ) -> tuple[Mask, ImageDraw.ImageDraw, list[Point]]:
        scaled = [(x * self._scale, y * self._scale) for x, y in points]
        left = math.floor(min(x for x, _ in scaled)) - margin
        top = math.floor(min(y for _, y in scaled)) - margin
        right = math.ceil(max(x for x, _ in scaled)) + margin + 1
        bottom = math.ceil(max(y for _, y in scaled)) + margin + 1
        mask = Mask(left=left, top=top, image=Image.new("L", (right - left, bottom - top), 0))
        return mask, ImageDraw.Draw(mask.image), [(x - left, y - top) for x, y in scaled]


def curve(points: Sequence[Point]) -> list[Point]:
    """A closed smooth outline (Catmull-Rom) through the points."""
    count = len(points)
    outline: list[Point] = []
    for index in range(count):
        before, first, second, after = (points[(index + step) % count] for step in (-1, 0, 1, 2))
        outline.extend(_segment(before, first, second, after))
    return outline


def line_curve(points: Sequence[Point]) -> list[Point]:
    """An open smooth line through the points."""
    last = len(points) - 1
    line: list[Point] = []
    for index in range(last):
        before, first, second, after = (
            points[min(max(index + step, 0), last)] for step in (-1, 0, 1, 2)
        )
        line.extend(_segment(before, first, second, after))
    return [*line, points[last]]


def _segment(before: Point, first: Point, second: Point, after: Point) -> list[Point]:
    return [
        (
            _between(before[0], first[0], second[0], after[0], step / _STEPS),
            _between(before[1], first[1], second[1], after[1], step / _STEPS),
        )
        for step in range(_STEPS)
    ]


def _between(before: float, first: float, second: float, after: float, share: float) -> float:
    linear = second - before
    square = 2 * before - 5 * first + 4 * second - after
    cube = 3 * first - before - 3 * second + after
    return 0.5 * (2 * first + linear * share + square * share**2 + cube * share**3)


def towards(colour: Colour, other: Colour, share: float) -> Colour:
    """A mixture: ``share`` 0 is the colour itself, 1 the other one."""
    red, green, blue = (
        round(one * (1 - share) + two * share) for one, two in zip(colour, other, strict=True)
    )
    return red, green, blue


def darker(colour: Colour, share: float) -> Colour:
    """The colour in a warm shade."""
    return towards(colour, (30, 14, 10), share)


def lighter(colour: Colour, share: float) -> Colour:
    """The colour in warm light."""
    return towards(colour, (255, 250, 244), share)
