"""A picture from outside becomes the card's portrait: upright, 3:4, JPEG, within bounds of size.

This module decodes what strangers send. Only the worker process runs it on such input
(:mod:`issuer.portraits.worker`); it is pure, so that tests may call it on pictures of their own.
"""

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from issuer.domain.portrait import NormalisedPortrait
from issuer.errors import IssuerDataError
from issuer.portraits.bounds import PortraitBounds
from issuer.portraits.quality import can_count_faces, judge_quality

__all__ = ["MAX_PIXELS", "normalise_portrait"]

MAX_PIXELS = 50_000_000
"""The most pixels of a picture: more than any telephone's camera takes."""

_MIN_WIDTH = 240
_MIN_HEIGHT = 320
_SIZE = (480, 640)
"""The usual size of the portrait, width and height in pixels."""

_LARGER = ((600, 800), (720, 960), (900, 1200))
"""Sizes for a picture with so little detail that the best quality does not fill the least number of bytes."""

_SMALLER = ((390, 520), (300, 400), (240, 320))
"""Sizes for a picture with so much detail that the least quality exceeds the greatest number of bytes."""

_MIN_QUALITY = 35
_MAX_QUALITY = 95
_FORMATS = ("JPEG", "PNG")
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


def normalise_portrait(picture: bytes, bounds: PortraitBounds) -> NormalisedPortrait:
    """The card's portrait as a JPEG without metadata, and what a person should look at.

    The middle of the picture is kept where it is wider or higher than 3:4. Of all JPEG qualities the best one
    that fits is taken.

    Raises:
        IssuerDataError: ``portrait.unreadable`` (no JPEG or PNG, or a broken one), ``portrait.too-many-pixels``,
            ``portrait.too-small`` or ``portrait.too-little-detail``, ``portrait.too-much-detail``.
    """
    upright = _decode(picture)
    if upright.width < _MIN_WIDTH or upright.height < _MIN_HEIGHT:
        raise IssuerDataError(
            f"the portrait has {upright.width} x {upright.height} pixels, expected at least "
            f"{_MIN_WIDTH} x {_MIN_HEIGHT}",
            code="portrait.too-small",
        )
    portrait = _compress(upright, _SIZE, bounds)
    others = _SMALLER if portrait is None else _LARGER
    for size in others:
        if portrait is not None and len(portrait) >= bounds.min_bytes:
            break
        portrait = _compress(upright, size, bounds)
    if portrait is None:
        raise IssuerDataError(
            f"the portrait has too much detail for {bounds.max_bytes} bytes",
            code="portrait.too-much-detail",
        )
    if len(portrait) < bounds.min_bytes:
        raise IssuerDataError(
            f"the portrait has too little detail to fill {bounds.min_bytes} bytes",
            code="portrait.too-little-detail",
        )
    return NormalisedPortrait(
        image=portrait, doubts=tuple(judge_quality(upright)), has_checked_faces=can_count_faces()
    )


def _decode(picture: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # A library that only warns of a bomb would decode it.
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(picture), formats=_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise IssuerDataError(
                        f"the portrait has {image.width} x {image.height} pixels, expected at most "
                        f"{MAX_PIXELS} in all",
                        code="portrait.too-many-pixels",
                    )
                if image.mode not in _MODES:
                    raise IssuerDataError(
                        f"the portrait has pixels of kind {image.mode}", code="portrait.unreadable"
                    )
                # A camera's picture is decoded at a fraction of its size where the format allows it.
                image.draft("RGB", _LARGER[-1])
                image.load()
                return _on_white(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise IssuerDataError(
            f"the portrait has more than {MAX_PIXELS} pixels", code="portrait.too-many-pixels"
        ) from error
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        EOFError,
        MemoryError,
        RuntimeError,
        Warning,
        AttributeError,
    ) as error:
        # Decoders of broken pictures raise all of these.
        raise IssuerDataError(
            "the portrait is not a JPEG or PNG picture that can be decoded",
            code="portrait.unreadable",
        ) from error


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(ground, layer).convert("RGB")


def _compress(upright: Image.Image, size: tuple[int, int], bounds: PortraitBounds) -> bytes | None:
    """The best quality that fits, found by halving the range; ``None`` where even the least does not fit."""
    image = ImageOps.fit(upright, size, method=Image.Resampling.LANCZOS)
    best = _encode(image, _MIN_QUALITY)
    if len(best) > bounds.max_bytes:
        return None
    low, high = _MIN_QUALITY + 1, _MAX_QUALITY
    while low <= high:
        quality = (low + high) // 2
        encoded = _encode(image, quality)
        if len(encoded) <= bounds.max_bytes:
            best, low = encoded, quality + 1
        else:
            high = quality - 1
    return best


def _encode(image: Image.Image, quality: int) -> bytes:
    output = io.BytesIO()
    image.save(output, "JPEG", quality=quality, optimize=True)
    return output.getvalue()
