"""Is a picture fit for a card? What does not look right waits for a person."""

import io
import sys
from collections.abc import Iterator
from random import Random

import pytest
from PIL import Image, ImageFilter

from issuer.portraits import quality
from issuer.portraits.bounds import PortraitBounds
from issuer.portraits.normalising import normalise_portrait
from issuer.portraits.process_normaliser import ProcessPortraitNormaliser
from issuer.portraits.quality import can_count_faces, judge_quality
from simulators.population.appearance import draw_appearance
from simulators.population.portrait import draw_portrait

needs_opencv = pytest.mark.skipif(
    not can_count_faces(), reason="OpenCV (the extra `faces`) is not installed"
)


def drawn(seed: int = 1) -> Image.Image:
    return draw_portrait(draw_appearance(Random(seed), is_woman=seed % 2 == 0, age=40))


def doubts(image: Image.Image) -> list[str]:
    return [each.code for each in judge_quality(image)]


@pytest.mark.parametrize("seed", range(6))
def test_a_good_portrait_raises_no_doubt(seed: int) -> None:
    assert doubts(drawn(seed)) == []


def test_a_small_picture_is_doubted() -> None:
    assert "portrait.small" in doubts(drawn().resize((300, 400)))


def test_a_blurred_picture_is_doubted() -> None:
    assert "portrait.blurred" in doubts(drawn().filter(ImageFilter.GaussianBlur(5)))


def test_noise_is_no_sharpness() -> None:
    blurred = drawn().filter(ImageFilter.GaussianBlur(5)).convert("L")
    salted = blurred.copy()
    random = Random(1)
    for _ in range(3_000):
        salted.putpixel((random.randrange(480), random.randrange(640)), random.choice((0, 255)))
    assert "portrait.blurred" in doubts(salted.convert("RGB"))


def test_a_busy_background_is_doubted() -> None:
    noise = Image.frombytes("RGB", (24, 32), Random(1).randbytes(24 * 32 * 3)).resize((480, 640))
    noise.paste(drawn().crop((100, 60, 380, 640)), (100, 60))
    assert "portrait.background" in doubts(noise)


def test_walls_of_two_colours_are_doubted() -> None:
    portrait = drawn()
    portrait.paste((20, 20, 20), (0, 0, 80, 400))
    portrait.paste((230, 230, 230), (400, 0, 480, 400))
    assert "portrait.background" in doubts(portrait)


@needs_opencv
def test_a_wall_without_a_face_is_doubted() -> None:
    assert "portrait.no-face" in doubts(Image.new("RGB", (480, 640), (200, 210, 220)))


@needs_opencv
def test_two_faces_are_doubted() -> None:
    pair = Image.new("RGB", (480, 640), (200, 210, 220))
    half = drawn().resize((240, 320))
    pair.paste(half, (0, 160))
    pair.paste(half, (240, 160))
    assert "portrait.several-faces" in doubts(pair)


def test_without_opencv_faces_are_not_counted_and_nobody_says_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A module that is None cannot be imported.
    monkeypatch.setitem(sys.modules, "cv2", None)
    quality._detector.cache_clear()
    try:
        assert doubts(Image.new("RGB", (480, 640), (200, 210, 220))) == ["portrait.blurred"]
        found = normalise_portrait(_jpeg(drawn()), _BOUNDS)
        assert not found.has_checked_faces
    finally:
        quality._detector.cache_clear()


_BOUNDS = PortraitBounds(min_bytes=12_000, max_bytes=20_000)


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92)
    return out.getvalue()


@pytest.fixture(scope="module")
def worker() -> Iterator[ProcessPortraitNormaliser]:
    with ProcessPortraitNormaliser(_BOUNDS) as started:
        yield started


def test_the_worker_tells_the_same_doubts(worker: ProcessPortraitNormaliser) -> None:
    for image in (drawn(), drawn().filter(ImageFilter.GaussianBlur(5))):
        content = _jpeg(image)
        assert worker.normalise(content) == normalise_portrait(content, _BOUNDS)
