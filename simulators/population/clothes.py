"""The clothes of a synthetic portrait."""

from simulators.population.appearance import Appearance, Clothing, Colour
from simulators.population.canvas import Canvas, Mask, Point, curve, darker, lighter, line_curve
from simulators.population.outlines import mirrored, points

__all__ = ["paint_clothes"]

_SIDES = (-1, 1)


def paint_clothes(canvas: Canvas, look: Appearance) -> None:
    """Paint what is worn over the shoulders; the neck is painted before."""
    match look.clothing:
        case Clothing.SUIT:
            _shirt_front(canvas, look, opening=36)
            _tie(canvas, look)
            _jacket(canvas, look)
            _collar(canvas, look, (250, 251, 252))
        case Clothing.SHIRT:
            body = _body(canvas, look, opening=40)
            _shade(canvas, look.cloth, body)
            canvas.paint(darker(look.cloth, 0.3), canvas.line([(240, 578), (240, 650)], 1.8))
            canvas.paint(darker(look.cloth, 0.3), canvas.ellipse(247, 610, 3.2, 3.2))
            _collar(canvas, look, lighter(look.cloth, 0.35))
        case Clothing.BLOUSE:
            _shirt_front(canvas, look, opening=48, colour=lighter(look.accent, 0.3))
            _jacket(canvas, look)
        case Clothing.STAND_COLLAR:
            _shade(canvas, look.cloth, _body(canvas, look, opening=0))
            _stand_collar(canvas, look)


def _body(canvas: Canvas, look: Appearance, *, opening: float) -> Mask:
    """Shoulders and chest, without the opening at the throat (its depth in pixels)."""
    neck, reach = look.neck, 192 if look.clothing is Clothing.SUIT else 182
    half: list[Point] = [
        (240, 498),
        (240 + neck + 14, 502),
        (240 + neck + 60, 524),
        (240 + reach - 24, 556),
        (240 + reach + 14, 600),
        (240 + reach + 30, 670),
        (240, 690),
    ]
    body = canvas.shape(curve(mirrored(half)))
    if not opening:
        return body
    throat = canvas.shape(
        [
            (240 - neck - 12, 490),
            (240 + neck + 12, 490),
            (240 + neck + 8, 504),
            (240, 532 + opening),
            (240 - neck - 8, 504),
        ]
    )
    return body.without(throat)


def _shade(canvas: Canvas, cloth: Colour, body: Mask) -> None:
    canvas.paint(cloth, body)
    for x in (60, 420):
        canvas.paint(
            darker(cloth, 0.4), canvas.ellipse(x, 640, 70, 90), within=body, blur=30, strength=0.5
        )
    light = canvas.ellipse(150, 560, 60, 22)
    canvas.paint(lighter(cloth, 0.25), light, within=body, blur=16, strength=0.5)


def _shirt_front(
    canvas: Canvas, look: Appearance, *, opening: float, colour: Colour = (244, 246, 249)
) -> None:
    body = _body(canvas, look, opening=opening)
    canvas.paint(colour, body)
    seam = canvas.ellipse(240, 545 + opening, 40, 18)
    canvas.paint(darker(colour, 0.25), seam, within=body, blur=12, strength=0.4)


def _tie(canvas: Canvas, look: Appearance) -> None:
    colour = look.accent if sum(look.accent) < 600 else (52, 84, 140)
    knot = canvas.shape(points("225,566 255,566 250,590 230,590"))
    blade = canvas.shape(points("231,588 249,588 264,652 216,652"))
    canvas.paint(colour, blade)
    canvas.paint(
        (255, 255, 255), canvas.ellipse(235, 618, 4, 30), within=blade, blur=5, strength=0.25
    )
    canvas.paint(darker(colour, 0.15), knot)


def _jacket(canvas: Canvas, look: Appearance) -> None:
    """Both halves of a jacket over the shirt front, closing below the frame."""
    neck = look.neck
    body = _body(canvas, look, opening=0)
    front = canvas.shape(
        [
            (240 - neck - 12, 480),
            (240 + neck + 12, 480),
            (240 + neck + 16, 506),
            (240 + 26, 660),
            (240 - 26, 660),
            (240 - neck - 16, 506),
        ]
    )
    _shade(canvas, look.cloth, body.without(front))
    for side in _SIDES:
        lapel: list[Point] = [
            (240 + side * (neck + 10), 500),
            (240 + side * (neck + 34), 514),
            (240 + side * (neck + 42), 560),
            (240 + side * (neck + 22), 574),
            (240 + side * (neck + 34), 590),
            (240 + side * 44, 652),
            (240 + side * 24, 652),
        ]
        canvas.paint(darker(look.cloth, 0.14), canvas.shape(lapel))
        canvas.paint(darker(look.cloth, 0.5), canvas.line(lapel[1:6], 1.5))
        canvas.paint(darker(look.cloth, 0.5), canvas.line([lapel[6], lapel[0]], 1.5))


def _collar(canvas: Canvas, look: Appearance, colour: Colour) -> None:
    neck = look.neck
    for side in _SIDES:
        wing: list[Point] = [
            (240 + side * (neck - 3), 484),
            (240 + side * (neck + 14), 498),
            (240 + side * (neck + 6), 556),
            (240 + side * 34, 590),
            (240, 568),
            (240 + side * (neck * 0.6), 536),
        ]
        mask = canvas.shape(wing)
        canvas.paint(colour, mask)
        fold = canvas.ellipse(240 + side * neck, 506, 14, 30)
        canvas.paint(darker(colour, 0.25), fold, within=mask, blur=8, strength=0.45)
        canvas.paint(darker(colour, 0.35), canvas.line(wing[1:], 1.4))


def _stand_collar(canvas: Canvas, look: Appearance) -> None:
    neck, seam = look.neck, darker(look.cloth, 0.5)
    half: list[Point] = [
        (240, 512),
        (240 + neck * 0.7, 502),
        (240 + neck + 1, 480),
        (240 + neck + 12, 506),
        (240 + neck * 0.8, 532),
        (240, 546),
    ]
    canvas.paint(lighter(look.cloth, 0.1), canvas.shape(curve(mirrored(half))))
    canvas.paint(seam, canvas.line([(240, 514), (240, 545)], 1.6))
    lower = line_curve([(240 - neck - 10, 508), (240, 546), (240 + neck + 10, 508)])
    canvas.paint(seam, canvas.line(lower, 1.6))
    flap = line_curve([(240, 546), (288, 580), (326, 650)])
    canvas.paint(seam, canvas.line(flap, 1.8))
    canvas.paint(lighter(look.accent, 0.2), canvas.ellipse(288, 580, 4, 4))
