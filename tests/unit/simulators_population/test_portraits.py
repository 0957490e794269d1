from random import Random

import pytest
from PIL import Image, ImageChops, ImageStat

from simulators.population.appearance import HairStyle, draw_appearance
from simulators.population.canvas import Canvas, curve, line_curve
from simulators.population.outlines import FRONT_HAIR
from simulators.population.portrait import draw_portrait, encode_portrait


def test_the_same_seed_draws_the_same_face() -> None:
    first, second = (
        draw_portrait(draw_appearance(Random(4), is_woman=True, age=40)) for _ in range(2)
    )
    assert first.tobytes() == second.tobytes()


def test_two_seeds_draw_two_faces() -> None:
    first, second = (
        draw_portrait(draw_appearance(Random(seed), is_woman=True, age=40)) for seed in (1, 2)
    )
    difference = ImageStat.Stat(ImageChops.difference(first, second).convert("L")).mean[0]
    assert difference > 3


@pytest.mark.parametrize("is_woman", [False, True])
@pytest.mark.parametrize("age", [19, 45, 80])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_face_is_framed_and_fits_the_chip(is_woman: bool, age: int, seed: int) -> None:  # noqa: FBT001
    look = draw_appearance(Random(seed), is_woman=is_woman, age=age)
    picture = draw_portrait(look)
    assert (picture.size, picture.mode) == ((480, 640), "RGB")
    assert 12_000 <= len(encode_portrait(picture)) <= 20_000
    # Skin in the middle of the frame, a plain light background in both upper corners.
    middle = picture.getpixel((240, 345))
    assert isinstance(middle, tuple)
    assert max(abs(a - b) for a, b in zip(middle, look.skin, strict=True)) < 60
    for x in (20, 460):
        corner = picture.getpixel((x, 20))
        assert isinstance(corner, tuple)
        assert min(corner) > 170


def test_every_hair_style_has_an_outline() -> None:
    assert set(FRONT_HAIR) == set(HairStyle)


def test_hair_greys_with_age() -> None:
    young = [draw_appearance(Random(seed), is_woman=False, age=25) for seed in range(20)]
    old = [draw_appearance(Random(seed), is_woman=False, age=80) for seed in range(20)]
    assert sum(max(look.hair) for look in old) > sum(max(look.hair) for look in young) + 20 * 20


def test_a_closed_curve_runs_through_its_points() -> None:
    corners = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
    assert set(corners) <= set(curve(corners))


def test_an_open_curve_begins_and_ends_at_its_ends() -> None:
    line = line_curve([(0.0, 0.0), (5.0, 9.0), (10.0, 0.0)])
    assert (line[0], line[-1]) == ((0.0, 0.0), (10.0, 0.0))


def test_paint_stays_within_its_mask() -> None:
    canvas = Canvas(width=20, height=20, scale=2, backdrop=(0, 0, 0))
    half = canvas.shape([(0, 0), (10, 0), (10, 20), (0, 20)])
    canvas.paint((255, 255, 255), canvas.ellipse(10, 10, 6, 6), within=half)
    picture = canvas.finish()
    assert picture.getpixel((7, 10)) == (255, 255, 255)
    assert picture.getpixel((14, 10)) == (0, 0, 0)


def test_shapes_beyond_the_frame_are_cut() -> None:
    canvas = Canvas(width=20, height=20, scale=2, backdrop=(0, 0, 0))
    canvas.paint((255, 255, 255), canvas.ellipse(0, 0, 10, 10), blur=2)
    picture = canvas.finish()
    assert isinstance(picture, Image.Image)
    assert picture.getpixel((0, 0)) == (255, 255, 255)
