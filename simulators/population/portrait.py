"""Synthetic portraits: friendly faces drawn with Pillow, framed as a card's portrait is (3:4, frontal).

They are plainly drawings. Coordinates are pixels of the finished portrait: the face's middle is x = 240, the eyes
lie at y = 292.
"""

import io
import math
from random import Random

from PIL import Image, ImageChops, ImageFilter

from simulators.population.appearance import Appearance, HairStyle
from simulators.population.canvas import (
    Canvas,
    Mask,
    Point,
    curve,
    darker,
    lighter,
    line_curve,
    towards,
)
from simulators.population.clothes import paint_clothes
from simulators.population.outlines import BACK_HAIR, FRONT_HAIR, mirrored, points, stretched

__all__ = ["PORTRAIT_HEIGHT", "PORTRAIT_WIDTH", "draw_portrait", "encode_portrait"]

PORTRAIT_WIDTH = 480
PORTRAIT_HEIGHT = 640

_MAX_BYTES = 19_000
_SCALE = 2
_MIDDLE = 240.0
_EYES = 292.0
_CROWN = 128.0
_SIDES = (-1, 1)


def draw_portrait(appearance: Appearance) -> Image.Image:
    """Draw the face: an RGB image of 480 x 640 pixels; the same appearance gives the same pixels."""
    canvas = Canvas(
        width=PORTRAIT_WIDTH, height=PORTRAIT_HEIGHT, scale=_SCALE, backdrop=appearance.backdrop
    )
    painter = _Painter(canvas, appearance)
    painter.backdrop()
    painter.hair_behind()
    painter.neck()
    paint_clothes(canvas, appearance)
    painter.head()
    for side in _SIDES:
        painter.eye(side)
        painter.eyebrow(side)
    painter.nose()
    painter.mouth()
    painter.lines_of_age()
    painter.hair_in_front()
    if appearance.has_glasses:
        painter.glasses()
    return _with_grain(canvas.finish(), appearance.grain_seed)


def encode_portrait(portrait: Image.Image) -> bytes:
    """Encode as a baseline JPEG file of 12 to 20 kB, the size that a chip has room for."""
    for quality in range(84, 40, -4):
        buffer = io.BytesIO()
        portrait.save(buffer, format="JPEG", quality=quality, optimize=True, dpi=(300, 300))
        encoded = buffer.getvalue()
        if len(encoded) <= _MAX_BYTES:
            break
    return encoded


def _with_grain(portrait: Image.Image, seed: int) -> Image.Image:
    """Film grain: without it so smooth a picture would encode far below a real portrait's size."""
    count = PORTRAIT_WIDTH * PORTRAIT_HEIGHT
    noise = Image.frombytes("L", portrait.size, Random(seed).randbytes(count))
    soft = noise.filter(ImageFilter.GaussianBlur(1.0))
    grained = ImageChops.overlay(portrait, Image.merge("RGB", (soft, soft, soft)))
    return Image.blend(portrait, grained, 0.13)


class _Painter:
    """Paints one portrait, from the back to the front."""

    def __init__(self, canvas: Canvas, look: Appearance) -> None:
        self._canvas = canvas
        self._look = look
        self._chin = _EYES + look.chin
        self._face = canvas.shape(self._face_outline())

    def _face_outline(self) -> list[Point]:
        look = self._look
        width, jaw = look.half_width, look.jaw
        half: list[Point] = [
            (_MIDDLE, _CROWN),
            (240 + width * 0.62, _CROWN + 22),
            (240 + width * 0.95, _CROWN + 90),
            (240 + width, _EYES + 10),
            (240 + width * 0.97, _EYES + 50),
            (240 + width * (0.86 + 0.07 * jaw), _EYES + look.chin * 0.60),
            (240 + width * (0.60 + 0.14 * jaw), self._chin - 30),
            (240 + 30 + 12 * jaw, self._chin - 4),
            (_MIDDLE, self._chin),
        ]
        return curve(mirrored(half))

    def backdrop(self) -> None:
        """A plain background, a little lighter around the head."""
        colour = self._look.backdrop
        canvas = self._canvas
        everything = canvas.shape(points("0,0 480,0 480,640 0,640"))
        canvas.paint(darker(colour, 0.18), everything, strength=0.35)
        glow = canvas.ellipse(_MIDDLE, 250, 240, 290)
        canvas.paint(lighter(colour, 0.35), glow, blur=70, within=everything)

    def hair_behind(self) -> None:
        """The hair behind neck and shoulders."""
        outline = BACK_HAIR.get(self._look.style)
        if outline is not None:
            self._hair(stretched(outline, self._look.half_width))

    def neck(self) -> None:
        """The neck, in the shadow of the chin."""
        look, canvas = self._look, self._canvas
        neck = look.neck
        half: list[Point] = [
            (_MIDDLE, 390),
            (240 + neck, 392),
            (240 + neck - 2, 470),
            (240 + neck + 14, 508),
            (240 + 90, 540),
            (_MIDDLE, 640),
        ]
        skin = canvas.shape(curve(mirrored(half)))
        canvas.paint(darker(look.skin, 0.06), skin)
        shadow = canvas.ellipse(_MIDDLE, self._chin - 8, neck + 26, 46)
        canvas.paint(darker(look.skin, 0.42), shadow, within=skin, blur=12, strength=0.7)

    def head(self) -> None:
        """Ears, and the face with its light and shade."""
        look, canvas, face = self._look, self._canvas, self._face
        skin = look.skin
        for side in _SIDES:
            x = _MIDDLE + side * (look.half_width + 2)
            ear = canvas.ellipse(x, 312, 15, 31)
            canvas.paint(darker(skin, 0.05), ear)
            shell = canvas.ellipse(x + side, 312, 7, 19)
            canvas.paint(darker(skin, 0.35), shell, within=ear, blur=4, strength=0.7)
        canvas.paint(skin, face)
        for side in _SIDES:
            edge = canvas.ellipse(_MIDDLE + side * (look.half_width + 6), 340, 34, 150)
            depth = 0.55 if side > 0 else 0.35
            canvas.paint(darker(skin, 0.3), edge, within=face, blur=20, strength=depth)
            blush = canvas.ellipse(_MIDDLE + side * 68, 356, 30, 20)
            warm = towards(skin, (226, 110, 96), 0.5)
            canvas.paint(warm, blush, within=face, blur=16, strength=0.38)
        chin = canvas.ellipse(_MIDDLE, self._chin + 12, 90, 26)
        canvas.paint(darker(skin, 0.3), chin, within=face, blur=12, strength=0.5)
        forehead = canvas.ellipse(_MIDDLE - 10, 214, 66, 30)
        canvas.paint(lighter(skin, 0.5), forehead, within=face, blur=22, strength=0.45)
        light = canvas.ellipse(_MIDDLE, self._chin - 24, 22, 12)
        canvas.paint(lighter(skin, 0.5), light, within=face, blur=9, strength=0.45)

    def eye(self, side: int) -> None:
        """One eye, with lids and lashes; ``side`` is -1 on the left of the picture."""
        look, canvas = self._look, self._canvas
        x = _MIDDLE + side * look.eye_distance / 2
        height, tilt = look.eye_height, look.eye_tilt
        inner, outer = x - side * 24, x + side * 26
        upper: list[Point] = [
            (inner, _EYES + 4),
            (x - side * 8, _EYES - height + 1),
            (x + side * 10, _EYES - height),
            (outer, _EYES - tilt),
        ]
        lower: list[Point] = [
            (x + side * 12, _EYES + height * 0.62),
            (x - side * 8, _EYES + height * 0.7),
        ]
        socket = canvas.ellipse(x, _EYES - 6, 36, 24)
        canvas.paint(darker(look.skin, 0.3), socket, within=self._face, blur=11, strength=0.35)
        white = canvas.shape(curve([*upper, *lower]))
        canvas.paint((250, 247, 243), white)
        iris = canvas.ellipse(x, _EYES - 0.5, 12.5, 12.5).within(white)
        canvas.paint((62, 38, 26), iris)
        glow = canvas.ellipse(x, _EYES + 5, 9, 6)
        canvas.paint((118, 74, 44), glow, within=iris, blur=2, strength=0.6)
        canvas.paint((14, 10, 10), canvas.ellipse(x, _EYES - 0.5, 6, 6), within=white)
        canvas.paint((255, 255, 255), canvas.ellipse(x - 4, _EYES - 4.5, 3, 3), within=white)
        lid = canvas.ellipse(x, _EYES - height, 30, 7)
        canvas.paint((70, 50, 46), lid, within=white, blur=3, strength=0.45)
        self._lashes(side, upper, lower)
        fold = line_curve(
            [
                (inner + side * 4, _EYES - height - 2),
                (x, _EYES - height - 8),
                (outer - side * 2, _EYES - tilt - height * 0.7 - 3),
            ]
        )
        canvas.paint(darker(look.skin, 0.36), canvas.line(fold, 1.6))

    def _lashes(self, side: int, upper: list[Point], lower: list[Point]) -> None:
        look, canvas = self._look, self._canvas
        above = line_curve(upper)
        if look.is_woman:
            outer_x, outer_y = upper[-1]
            above.append((outer_x + side * 5, outer_y - 4))
        canvas.paint((34, 24, 24), canvas.line(above, 3.6 if look.is_woman else 2.8))
        below = line_curve([upper[-1], *lower, upper[0]])
        canvas.paint(darker(look.skin, 0.42), canvas.line(below, 1.6))

    def eyebrow(self, side: int) -> None:
        """One eyebrow."""
        look, canvas = self._look, self._canvas
        x, weight = _MIDDLE + side * look.eye_distance / 2, look.brow_weight
        top = _EYES - 37
        outline = curve(
            [
                (x - side * 30, top + 5),
                (x - side * 10, top - 4),
                (x + side * 14, top - 7),
                (x + side * 38, top + 5),
                (x + side * 14, top - 7 + weight),
                (x - side * 10, top - 3 + weight),
                (x - side * 29, top + 5 + weight),
            ]
        )
        colour = towards(look.hair, look.skin, 0.15)
        canvas.paint(colour, canvas.shape(outline), blur=1.2, strength=0.9)

    def nose(self) -> None:
        """The nose: its shade, its light, its wings."""
        look, canvas, face = self._look, self._canvas, self._face
        half, tip = look.nose_width / 2, 368.0
        shade = darker(look.skin, 0.42)
        flank = curve(
            [(252, 290), (259, 330), (240 + half, tip - 4), (228 + half, tip + 4), (250, 350)]
        )
        canvas.paint(
            darker(look.skin, 0.3), canvas.shape(flank), within=face, blur=6, strength=0.42
        )
        bridge = canvas.ellipse(237, 330, 6, 36)
        canvas.paint(lighter(look.skin, 0.6), bridge, within=face, blur=6, strength=0.5)
        shine = canvas.ellipse(237, tip - 12, 9, 8)
        canvas.paint(lighter(look.skin, 0.7), shine, within=face, blur=5, strength=0.55)
        for side in _SIDES:
            wing = line_curve(
                [
                    (240 + side * (half - 3), tip - 18),
                    (240 + side * half, tip - 6),
                    (240 + side * (half - 6), tip + 2),
                ]
            )
            canvas.paint(shade, canvas.line(wing, 2.2), blur=0.8)
            nostril = canvas.ellipse(240 + side * half * 0.45, tip + 1, 7, 3)
            canvas.paint(darker(look.skin, 0.7), nostril, blur=1.4, strength=0.75)
        base = line_curve(
            [(240 - half * 0.35, tip + 5), (240, tip + 8), (240 + half * 0.35, tip + 5)]
        )
        canvas.paint(shade, canvas.line(base, 2), blur=0.8)

    def mouth(self) -> None:
        """A closed, smiling mouth, and the moustache where there is one."""
        look, canvas, face = self._look, self._canvas, self._face
        half, y, rise = look.mouth_width / 2, _EYES + look.chin * 0.675, look.smile
        full = 11.0 if look.is_woman else 8.5
        left, right = (240 - half, y - rise), (240 + half, y - rise)
        middle = line_curve(
            [left, (240 - half * 0.45, y), (240, y + 1.5), (240 + half * 0.45, y), right]
        )
        bow: list[Point] = [
            (240 - half * 0.5, y - full * 0.55),
            (231, y - full),
            (240, y - full + 3),
            (249, y - full),
            (240 + half * 0.5, y - full * 0.55),
        ]
        under: list[Point] = [
            (240 + half * 0.55, y + full * 0.75),
            (240, y + full * 1.35),
            (240 - half * 0.55, y + full * 0.75),
        ]
        upper_lip = canvas.shape([*line_curve([left, *bow, right]), *reversed(middle)])
        canvas.paint(darker(look.lips, 0.12), upper_lip)
        canvas.paint(look.lips, canvas.shape([*middle, *line_curve([right, *under, left])]))
        gloss = canvas.ellipse(238, y + full * 0.65, half * 0.4, 2.6)
        canvas.paint(lighter(look.lips, 0.5), gloss, blur=2.4, strength=0.6)
        canvas.paint(darker(look.lips, 0.55), canvas.line(middle, 2.2))
        below = canvas.ellipse(240, y + full * 1.35 + 8, half * 0.6, 4)
        canvas.paint(darker(look.skin, 0.35), below, within=face, blur=5, strength=0.55)
        for side in _SIDES:
            dimple = canvas.ellipse(240 + side * (half + 3), y - rise, 4, 4)
            canvas.paint(darker(look.skin, 0.42), dimple, within=face, blur=3, strength=0.6)
        if look.has_moustache:
            self._moustache(half, y)

    def _moustache(self, half: float, y: float) -> None:
        right: list[Point] = [
            (_MIDDLE, y - 22),
            (240 + half * 0.4, y - 24),
            (240 + half * 0.85, y - 9),
            (240 + half * 0.3, y - 12),
            (_MIDDLE, y - 11),
        ]
        shape = self._canvas.shape(curve(mirrored(right)))
        self._canvas.paint(self._look.hair, shape, blur=1.5, strength=0.85)

    def lines_of_age(self) -> None:
        """The folds of a smile, deeper with age; a lined forehead; a mole."""
        look, canvas = self._look, self._canvas
        shade, age = darker(look.skin, 0.36), look.age_lines
        eye = look.eye_distance / 2
        for side in _SIDES:
            fold = line_curve(
                [
                    (240 + side * (look.nose_width / 2 + 5), 366),
                    (240 + side * (look.mouth_width / 2 + 6), 386),
                    (240 + side * (look.mouth_width / 2 + 13), 412),
                ]
            )
            canvas.paint(shade, canvas.line(fold, 2.2), blur=1.8, strength=0.12 + 0.38 * age)
            if age > 0.35:
                x = 240 + side * (eye + 34)
                for offset in (-5, 2, 9):
                    crease = [(x, 292 + offset * 0.6), (x + side * 12, 290 + offset * 1.5)]
                    canvas.paint(shade, canvas.line(crease, 1.6), blur=0.9, strength=0.5 * age)
                bag = line_curve(
                    [(240 + side * (eye + step), y) for step, y in points("-20,308 0,314 20,308")]
                )
                canvas.paint(shade, canvas.line(bag, 2), blur=1.4, strength=0.5 * age)
        if age > 0.55:
            for y, half in ((212, 56), (228, 48)):
                wrinkle = line_curve([(240 - half, y + 3), (240, y), (240 + half, y + 3)])
                canvas.paint(shade, canvas.line(wrinkle, 1.8), blur=1.4, strength=0.42 * age)
        if look.has_mole:
            canvas.paint((74, 46, 36), canvas.ellipse(298, 386, 2.4, 2.4), blur=0.5, strength=0.8)

    def hair_in_front(self) -> None:
        """The hair over forehead and temples, with its shadow on the face."""
        look, canvas = self._look, self._canvas
        outline = stretched(FRONT_HAIR[look.style], look.half_width)
        shadow = canvas.shift(canvas.shape(curve(outline)), 0, 7)
        canvas.paint(darker(look.skin, 0.5), shadow, within=self._face, blur=6, strength=0.5)
        self._hair(outline)

    def _hair(self, outline: list[Point]) -> None:
        look, canvas = self._look, self._canvas
        mask = canvas.shape(curve(outline))
        canvas.paint(look.hair, mask)
        shine = canvas.ellipse(206, 136, 62, 20)
        canvas.paint(lighter(look.hair, 0.4), shine, within=mask, blur=14, strength=0.55)
        dark = canvas.ellipse(360, 300, 44, 170)
        canvas.paint((0, 0, 0), dark, within=mask, blur=24, strength=0.3)
        self._strands(mask)

    def _strands(self, mask: Mask) -> None:
        """Fine lines from the crown outwards, so that the hair is not a flat patch."""
        look, canvas = self._look, self._canvas
        random = Random(look.grain_seed)
        is_long = look.style in BACK_HAIR and look.style is not HairStyle.BUN
        for index in range(36):
            angle = math.pi * index / 35
            across, up = math.cos(angle), math.sin(angle)
            reach = random.uniform(118, 136) if abs(across) > 0.4 else random.uniform(120, 150)
            side = (240 - across * reach, 240 - up * 60)
            end = (side[0], random.uniform(300, 540 if is_long else 320))
            strand = line_curve(
                [(240 - across * 24, 104), (240 - across * 86, 150 - up * 30), side, end]
            )
            colour = lighter(look.hair, 0.3) if index % 2 else darker(look.hair, 0.6)
            canvas.paint(colour, canvas.line(strand, 1.0), within=mask, strength=0.28)

    def glasses(self) -> None:
        """A thin frame with a faint reflection."""
        look, canvas = self._look, self._canvas
        frame = (58, 52, 54)
        for side in _SIDES:
            x = _MIDDLE + side * look.eye_distance / 2
            corners = [(x - 40, 268.0), (x + 40, 326.0)]
            lens = canvas.panel(corners, 22)
            canvas.paint((255, 255, 255), lens, strength=0.08)
            gleam = canvas.shape([(x - 24, 268), (x - 8, 268), (x - 26, 326), (x - 42, 326)])
            canvas.paint((255, 255, 255), gleam, within=lens, blur=3, strength=0.18)
            canvas.paint(frame, canvas.panel(corners, 22, border=3.5))
            temple = [(x + side * 40, 286), (240 + side * (look.half_width + 3), 290)]
            canvas.paint(frame, canvas.line(temple, 3.5))
        inner = look.eye_distance / 2 - 40
        bridge = line_curve([(240 - inner, 290), (240, 284), (240 + inner, 290)])
        canvas.paint(frame, canvas.line(bridge, 4))
