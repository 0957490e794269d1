"""Is a picture fit for a card? Size, sharpness, background, and, where OpenCV is installed, exactly one face.

Nothing here refuses: what does not look right is a doubt, and a person decides. The thresholds are generous, so
that what is doubted is worth a look. Like the decoding, this runs in the worker process only.
"""

import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter, ImageOps, ImageStat

from issuer.domain.portrait import PortraitDoubt

__all__ = ["can_count_faces", "judge_quality"]

_SIZE = (480, 640)
_LEAST_SHARPNESS = 10.0
"""Variance of the Laplacian after a median filter (so that noise is no sharpness); in focus it is 30 and more."""

_MOST_VARIED_BACKGROUND = 28.0
"""Standard deviation of the strips beside the head, of 255; a plain wall has 3 to 15."""

_MOST_DIFFERENT_SIDES = 60.0
_LAPLACIAN = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)
_STRIPS = ((0, 0, 56, 180), (424, 0, 480, 180))
_CASCADE = "haarcascade_frontalface_alt2.xml"
_LEAST_FACE = 96


def can_count_faces() -> bool:
    """Whether OpenCV and its description of faces are here."""
    return _detector() is not None


def judge_quality(upright: Image.Image) -> Iterator[PortraitDoubt]:
    """What a person should look at.

    Args:
        upright: the picture, turned upright, in RGB, not yet cropped.
    """
    if upright.width < _SIZE[0] or upright.height < _SIZE[1]:
        yield PortraitDoubt(
            code="portrait.small",
            sentence=f"the portrait has {upright.width} x {upright.height} pixels and is enlarged to "
            f"{_SIZE[0]} x {_SIZE[1]}",
        )
    image = ImageOps.fit(upright, _SIZE, method=Image.Resampling.BILINEAR)
    grey = image.convert("L")
    if _sharpness(grey) < _LEAST_SHARPNESS:
        yield PortraitDoubt(code="portrait.blurred", sentence="the portrait is not sharp")
    if not _is_plain(image):
        yield PortraitDoubt(
            code="portrait.background", sentence="the background of the portrait is not plain"
        )
    faces = _count_faces(grey)
    if faces == 0:
        yield PortraitDoubt(code="portrait.no-face", sentence="no face is found in the portrait")
    elif faces is not None and faces > 1:
        yield PortraitDoubt(
            code="portrait.several-faces", sentence=f"{faces} faces are found in the portrait"
        )


def _sharpness(grey: Image.Image) -> float:
    edges = grey.filter(ImageFilter.MedianFilter(3)).filter(_LAPLACIAN)
    # The filter leaves the outermost pixels as they were.
    inside = edges.crop((2, 2, edges.width - 2, edges.height - 2))
    return float(ImageStat.Stat(inside).var[0])


def _is_plain(image: Image.Image) -> bool:
    sides = [ImageStat.Stat(image.crop(strip)) for strip in _STRIPS]
    if any(sum(side.stddev) / 3 > _MOST_VARIED_BACKGROUND for side in sides):
        return False
    left, right = sides
    apart = max(abs(one - other) for one, other in zip(left.mean, right.mean, strict=True))
    return apart <= _MOST_DIFFERENT_SIDES


def _count_faces(grey: Image.Image) -> int | None:
    detector = _detector()
    if detector is None:
        return None
    # A detector takes an array of numpy, which comes with OpenCV.
    numpy = importlib.import_module("numpy")
    found = detector.detectMultiScale(
        numpy.asarray(grey), scaleFactor=1.1, minNeighbors=4, minSize=(_LEAST_FACE, _LEAST_FACE)
    )
    return len(found)


@cache
def _detector() -> Any:
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError:
        # The extra `faces` may be left out.
        return None
    cv2.setNumThreads(1)
    detector = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / _CASCADE))
    return None if detector.empty() else detector
