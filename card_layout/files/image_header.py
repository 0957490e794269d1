"""Format and size of a picture, found in its header without decoding a pixel.

JPEG is ITU-T T.81, annex B; JPEG 2000 is ITU-T T.800, annexes A (codestream) and I (JP2 boxes). Only what stands
in front of the pixels is walked through, in a bounded number of steps.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from card_layout.errors import CardDataError

__all__ = ["MAX_SIDE", "ImageFormat", "ImageHeader", "ImageHeaderError", "read_image_header"]

MAX_SIDE = 65535
"""The longest side taken, in pixels: what a face record can announce."""

_MAX_STEPS = 256
_SIGNATURE_BOX = bytes.fromhex("0000000C6A5020200D0A870A")
_CODESTREAM = bytes.fromhex("FF4FFF51")
_START_OF_IMAGE = b"\xff\xd8"
# SOF0-SOF15 without DHT, JPG and DAC, which share their range (T.81, table B.1).
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_NO_FRAME = frozenset((0x00, _START_OF_SCAN, _END_OF_IMAGE))
_SIZE = struct.Struct(">HH")
# TEM and RST0-RST7 stand alone, without a length.
_STAND_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))


class ImageHeaderError(CardDataError):
    """Bytes that do not begin like a JPEG or a JPEG 2000 picture."""

    default_code = "portrait.malformed"


class ImageFormat(IntEnum):
    """The image data types of ISO/IEC 19794-5, table 14."""

    JPEG = 0
    JPEG2000 = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What the header says; sizes in pixels, 1 to `MAX_SIDE`."""

    format: ImageFormat
    width: int
    height: int

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_SIDE and 1 <= self.height <= MAX_SIDE):
            raise ImageHeaderError(
                f"picture has {self.width} x {self.height} pixels, expected 1 to {MAX_SIDE} a side"
            )


def read_image_header(image: bytes) -> ImageHeader:
    """Format and size of the picture.

    Raises:
        ImageHeaderError: another format, a header cut short or without a size.
    """
    if image.startswith(_START_OF_IMAGE):
        return _read_jpeg(image)
    if image.startswith(_SIGNATURE_BOX):
        return _read_jp2(image)
    if image.startswith(_CODESTREAM):
        return _read_codestream(image)
    raise ImageHeaderError("picture begins like neither JPEG nor JPEG 2000")


def _read_jpeg(image: bytes) -> ImageHeader:
    position = 2
    for _ in range(_MAX_STEPS):
        head = image[position : position + 4]
        if len(head) < 4:
            # Too little for marker and length; a marker that ends the header says so first.
            head = _take(image, position, 2)
        prefix, marker = head[0], head[1]
        if prefix != 0xFF or marker in _NO_FRAME:
            raise ImageHeaderError("jpeg header has no frame in front of its pixels")
        if marker == 0xFF:
            # Fill bytes may stand in front of a marker (T.81, B.1.1.2).
            position += 1
        elif marker in _STAND_ALONE:
            position += 2
        elif marker in _START_OF_FRAME:
            # Lf, P, Y, X (T.81, B.2.2).
            height, width = _SIZE.unpack(_take(image, position + 5, _SIZE.size))
            return ImageHeader(format=ImageFormat.JPEG, height=height, width=width)
        elif len(head) < 4:
            raise ImageHeaderError("picture ends inside its header")
        else:
            # A length under 2 lands on a byte 00, which begins no marker.
            position += 2 + (head[2] << 8 | head[3])
    raise ImageHeaderError(f"jpeg header has more than {_MAX_STEPS} segments")


def _read_jp2(image: bytes) -> ImageHeader:
    position = len(_SIGNATURE_BOX)
    for _ in range(_MAX_STEPS):
        length = _number(image, position, 4)
        if _take(image, position + 4, 4) == b"jp2h":
            # The image header box stands first in it: LBox, TBox, HEIGHT, WIDTH (T.800, I.5.3.1).
            if _take(image, position + 12, 4) != b"ihdr":
                raise ImageHeaderError("jp2 header box does not begin with an image header box")
            return ImageHeader(
                format=ImageFormat.JPEG2000,
                height=_number(image, position + 16, 4),
                width=_number(image, position + 20, 4),
            )
        if length < 8:
            raise ImageHeaderError(f"jp2 box has length {length}, expected 8 or more")
        position += length
    raise ImageHeaderError(f"jp2 file has more than {_MAX_STEPS} boxes in front of its header")


def _read_codestream(image: bytes) -> ImageHeader:
    # SOC, then SIZ: marker, Lsiz, Rsiz, Xsiz, Ysiz, XOsiz, YOsiz (T.800, A.5.1).
    return ImageHeader(
        format=ImageFormat.JPEG2000,
        width=_number(image, 8, 4) - _number(image, 16, 4),
        height=_number(image, 12, 4) - _number(image, 20, 4),
    )


def _take(image: bytes, position: int, size: int) -> bytes:
    taken = image[position : position + size]
    if len(taken) < size:
        raise ImageHeaderError("picture ends inside its header")
    return taken


def _number(image: bytes, position: int, size: int) -> int:
    return int.from_bytes(_take(image, position, size), "big")
